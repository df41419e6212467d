import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { tracking } from './cases/tracking.ts'
import { openOwnServers } from './own-servers.ts'
import { runScenario } from './scenario.ts'
import { SELF, type Sides } from './sides.ts'
import { Tally } from './tally.ts'

/** What clients that track are told, and how they are refused, is what a server of their own would say. */

/** Frames compared byte by byte; may only grow. */
const LEAST_EXACT = 249

const tally = new Tally()
let sides: Sides
let keeper: RawClient
let ran = 0

beforeAll(async () => {
  sides = await openOwnServers({ keys: false })
  // While somebody tracks, writes are heard of: what is read before that is taken back at once, which no server does.
  keeper = await sides.proxied({ protocol: 3 })
  await keeper.command('CLIENT', 'TRACKING', 'ON')
  const heard = await eventually(async () => {
    await keeper.command('GET', 'warm')
    const after = await keeper.command('ECHO', 'x')
    if (after === '$1\r\nx\r\n') return true
    await keeper.reply()
    return false
  })
  expect(heard).toBe(true)
}, 120_000)

afterAll(async () => {
  keeper?.destroy()
  await sides?.stop()
})

const runs = tracking.flatMap((scenario) =>
  (scenario.protocols ?? ([2, 3] as const)).map((protocol) => [scenario.name, protocol, scenario] as const),
)

describe('scenarios', () => {
  it.each(runs)('%s, RESP%i', { timeout: 60_000 }, async (_name, protocol, scenario) => {
    expect(await runScenario({ sides, scenario, protocol, place: 'plain', tally })).toEqual([])
    ran++
  })
})

it('compares as many replies byte by byte as it did before', () => {
  if (ran < runs.length || SELF) return
  console.log(`differential, tracking: ${runs.length} scenarios; ${tally.text()}; ${tally.inexactText()}`)
  expect(tally.counts.exact).toBeGreaterThanOrEqual(LEAST_EXACT)
})
