import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findServers } from '../../scripts/lib/redis.mjs'
import { EscapeStage, type Manner } from '../helpers/escape-stage.ts'
import { theRedis } from '../helpers/redis.ts'
import { type Layer, readEscapes } from '../helpers/script-escapes.ts'

/**
 * Every way out that we could think of, tried by a tenant's script behind each layer alone and behind both. With the wall on
 * nothing foreign is seen or touched, in MULTI and behind WATCH, too, where it is another connection's.
 */

const escapes = readEscapes()

/**
 * What the wall alone does not stop: settings of the Lua that all scripts share, and this. The prologue does.
 * COPY to another database of the upstream: ACL rules know no databases, and it is a key of the tenant's own prefix.
 */
const PAST_THE_WALL = ['COPY to another database']

const RUNS: readonly (readonly [Layer, Manner])[] = [
  ['none', 'alone'],
  ['prologue', 'alone'],
  ['wall', 'alone'],
  ['wall', 'MULTI'],
  ['both', 'alone'],
  ['both', 'MULTI'],
  ['both', 'WATCH'],
]

const usual = await theRedis()
const all =
  process.env.KEYWARD_TIER === undefined
    ? [usual]
    : [usual, ...(await findServers()).filter(({ version }) => version !== usual.version)]

it('names each escape once, and no layer but the two lets one pass', () => {
  expect(new Set(escapes.map(({ name }) => name)).size).toBe(escapes.length)
  expect(escapes.length).toBeGreaterThanOrEqual(225)
  // At least half must be attempts that succeed where nothing is in the way.
  expect(escapes.filter(({ verdicts }) => verdicts.none === 'passed').length * 2).toBeGreaterThan(escapes.length)
  expect(escapes.filter(({ verdicts }) => verdicts.both === 'passed')).toEqual([])
  const passed = escapes.filter(({ verdicts, setting }) => verdicts.wall === 'passed' && !setting)
  expect(passed.map(({ name }) => name)).toEqual(PAST_THE_WALL)
})

describe.each(all)('$kind $version', (redis) => {
  let stage: EscapeStage
  const counts = new Map<string, number>()

  beforeAll(async () => {
    stage = await EscapeStage.open(escapes, redis)
  }, 60_000)

  afterAll(async () => {
    await stage?.stop()
  })

  it.each(escapes.map((escape) => [escape.name, escape] as const))('%s', { timeout: 60_000 }, async (_, escape) => {
    for (const [layer, manner] of RUNS) {
      const { verdict, replies, foreignCalls } = await stage.try(escape, layer, manner)
      const expected = escape.verdicts[layer]
      const about = `${layer}, ${manner}: ${JSON.stringify(replies)}`
      counts.set(`${layer} ${verdict}`, (counts.get(`${layer} ${verdict}`) ?? 0) + 1)
      // Versions differ in what they have and in what they forbid by themselves; not in what must never pass.
      if (redis === usual) expect(verdict, about).toBe(expected)
      else if (layer === 'both' || (layer === 'wall' && !escape.setting && expected !== 'passed'))
        expect(verdict, about).not.toBe('passed')
      if (layer === 'both') expect(foreignCalls, about).toEqual([])
    }
  })

  it('did no harm to Keyward', () => {
    console.log(`escapes: ${[...counts].map(([name, count]) => `${name} ${count}`).join(', ')}`)
    expect(stage.faults).toBe(0)
  })
})
