import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../differential/random.ts'
import { leftovers } from '../helpers/places.ts'
import { Actor } from '../model/actor.ts'
import { agree } from '../model/agree.ts'
import { openWorlds, strayKeys, TENANTS, type TenantName, type Worlds } from '../model/worlds.ts'

/**
 * A tenant's Redis is a Redis of its own, whatever it does: random requests of two tenants at once, each of which is
 * also sent to a bare server that this tenant has for itself. Replies and content must stay the same.
 */
const TIER = process.env.KEYWARD_TIER ?? 'default'
const REQUESTS = { default: 80_000, long: 200_000, drill: 200_000 }[TIER] ?? 80_000
/** The longer tiers look for what is new, `npm test` for what has changed. */
const SEED = process.env.KEYWARD_SEED ?? (TIER === 'default' ? 'model' : Date.now().toString(36))
const MINUTES = 60_000
const ERROR_LEVEL = 50

let worlds: Worlds

beforeAll(async () => {
  worlds = await openWorlds()
})

afterAll(() => worlds?.stop())

const actorOf = (name: TenantName) =>
  new Actor(name, new Random(`${SEED} ${name}`), worlds.bare[name], worlds.proxied[name])

test('content that differs in one member is found, and so is a key outside of the prefixes', async ({ skip }) => {
  skip(worlds.keyward === undefined, 'without Keyward')
  const { acme } = TENANTS
  const actor = actorOf('acme')
  await actor.compareContent()
  for (const [change, undo] of [
    [`SET ${acme}2:planted x`, `DEL ${acme}2:planted`],
    [`ZADD ${acme}2:planted 1 x`, `DEL ${acme}2:planted`],
  ]) {
    await worlds.upstream.command(...change.split(' '))
    await expect(actor.compareContent()).rejects.toThrow('2:planted')
    await worlds.upstream.command(...undo.split(' '))
    await actor.compareContent()
  }
  for (const stray of ['stray', `${acme}stray`, `${acme}5:stray`, 'acme', 'beta:0:stray']) {
    await worlds.upstream.command('SET', stray, 'x')
    expect(await strayKeys(worlds.upstream)).toEqual([`0: ${stray}`])
    await worlds.upstream.command('DEL', stray)
  }
})

test('two tenants, each beside a server of its own: equal replies, equal content', {
  timeout: 15 * MINUTES,
}, async () => {
  console.log(`model: KEYWARD_SEED=${SEED}`)
  const actors = (Object.keys(TENANTS) as TenantName[]).map(actorOf)
  try {
    for (const actor of actors) await actor.open()
    const begun = performance.now()
    await Promise.all(actors.map((actor) => actor.act(REQUESTS / actors.length)))
    const seconds = ((performance.now() - begun) / 1000).toFixed(1)
    for (const { name, requests, errors, checks, keys, counts } of actors)
      console.log(
        `model: ${name}: ${requests} requests, ${errors} of them errors, in ${seconds} s; the content compared ${checks} times, with ${Math.round(keys / checks)} keys; replies ${JSON.stringify(counts)}`,
      )
    // Requests that only bring errors, or find nothing, would compare nothing.
    for (const { requests, errors, checks, keys } of actors) {
      expect(errors).toBeLessThan(requests / 4)
      expect(keys).toBeGreaterThan(30 * checks)
    }
    if (worlds.keyward !== undefined) expect(await strayKeys(worlds.upstream)).toEqual([])
  } finally {
    for (const actor of actors) actor.close()
  }
  const { keyward } = worlds
  if (keyward === undefined) return
  expect(await leftovers(keyward)).toEqual({})
  expect(keyward.log.filter(({ level }) => level >= ERROR_LEVEL)).toEqual([])
})

test.each([
  ['exact', '*2\r\n:1\r\n:2\r\n', '*2\r\n:2\r\n:1\r\n', false],
  ['unordered', '*2\r\n:1\r\n:2\r\n', '*2\r\n:2\r\n:1\r\n', true],
  ['unordered', '*2\r\n:1\r\n:2\r\n', '*2\r\n:2\r\n:2\r\n', false],
  ['unordered', '~1\r\n$1\r\na\r\n', '*1\r\n$1\r\na\r\n', false],
  ['pairs', '*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n', '*4\r\n+b\r\n:2\r\n+a\r\n:1\r\n', true],
  ['pairs', '*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n', '*4\r\n+b\r\n:1\r\n+a\r\n:2\r\n', false],
  ['scanned', '*2\r\n$1\r\n0\r\n*2\r\n:1\r\n:2\r\n', '*2\r\n$1\r\n0\r\n*2\r\n:2\r\n:1\r\n', true],
  ['scanned', '*2\r\n$1\r\n0\r\n*1\r\n:1\r\n', '*2\r\n$1\r\n3\r\n*1\r\n:1\r\n', false],
  ['near', ':10000000\r\n', ':9999990\r\n', true],
  ['near', ':10000000\r\n', ':9990000\r\n', false],
  ['near', ':5\r\n', ':-1\r\n', false],
  ['idle', '*1\r\n*4\r\n+1-1\r\n+c\r\n:7\r\n:1\r\n', '*1\r\n*4\r\n+1-1\r\n+c\r\n:9\r\n:1\r\n', true],
  ['idle', '*1\r\n*4\r\n+1-1\r\n+c\r\n:7\r\n:1\r\n', '*1\r\n*4\r\n+1-1\r\n+c\r\n:7\r\n:2\r\n', false],
  ['shape', '$1\r\na\r\n', '$1\r\nb\r\n', true],
  ['shape', '$1\r\na\r\n', '$-1\r\n', false],
  ['shape', '-ERR a\r\n', '-ERR b\r\n', false],
] as const)('%s: %j and %j agree: %s', (mode, left, right, expected) => {
  expect(agree(mode, left, right)).toBe(expected)
})
