import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../differential/random.ts'
import { cachedConfig, callsOf, hits } from '../helpers/cached.ts'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { NOTHING_LEFT, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A client whose keys nobody else writes cannot tell that there is a cache: whatever it sends, in whatever pieces, it
 * gets byte for byte what a bare server answers.
 */
const TIER = process.env.KEYWARD_TIER ?? 'default'
const { clients: CLIENTS, pieces: PIECES } = {
  default: { clients: 6, pieces: 300 },
  long: { clients: 12, pieces: 6000 },
  drill: { clients: 12, pieces: 20_000 },
}[TIER] ?? { clients: 6, pieces: 300 }
const SEED = process.env.KEYWARD_SEED ?? String(Math.floor(Math.random() * 1e9))

let redis: RedisServer
let keyward: Keyward
let bare: RawClient

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
  keyward = await startKeyward(cachedConfig(redis, { upstream: { lanes: 4, bulk: '16KiB' } }))
})

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  await redis?.stop()
})

test('SET k 1, GET k, SET k 2, GET k in one piece, again and again', async () => {
  const client = await keyward.connect({ password: 'acme' })
  expect(await hits(client, bare, 'k')).toBe(true)
  const piece = Buffer.concat([
    request('SET', 'k', 1),
    request('GET', 'k'),
    request('SET', 'k', 2),
    request('GET', 'k'),
  ])
  for (let i = 0; i < 500; i++) {
    expect((await client.exchange(piece, 4)).join('')).toBe('+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n2\r\n')
    if (i % 3 === 0) expect(await client.command('GET', 'k')).toBe('$1\r\n2\r\n')
  }
  client.destroy()
})

type Words = (string | number)[]
const BIG = 'x'.repeat(20_000)

/** Some requests of a client, on keys whose names begin with `<id>`. */
function some(random: Random, step: number): Words[] {
  const text = `<id>${random.below(3)}`
  const hash = `<id>h${random.below(2)}`
  return random.pick<() => Words[]>([
    () => [['GET', text]],
    () => [['GET', text]],
    () => [
      ['GET', text],
      ['GET', text],
      ['STRLEN', text],
    ],
    () => [['MGET', '<id>0', '<id>1', '<id>2']],
    () => [
      ['EXISTS', text],
      ['TYPE', text],
    ],
    () => [
      ['HGET', hash, 'f'],
      ['HGETALL', hash],
      ['HLEN', hash],
    ],
    () => [['HMGET', hash, 'f', 'g']],
    () => [['SET', text, step]],
    () => [
      ['SET', text, step],
      ['GET', text],
    ],
    () => [
      ['INCR', text],
      ['GET', text],
    ],
    () => [
      ['APPEND', text, 'x'],
      ['STRLEN', text],
      ['GETRANGE', text, 0, 3],
    ],
    () => [['DEL', text]],
    () => [
      ['DEL', text],
      ['GET', text],
    ],
    () => [['MSET', '<id>0', step, '<id>1', `${step}b`]],
    () => [['RENAME', text, '<id>0']],
    () => [
      ['COPY', text, '<id>1', 'REPLACE'],
      ['GET', '<id>1'],
    ],
    () => [
      ['PEXPIRE', text, -1],
      ['GET', text],
    ],
    () => [
      ['SET', text, BIG],
      ['STRLEN', text],
    ],
    () => [['HSET', hash, 'f', step, 'g', step]],
    () => [
      ['HDEL', hash, 'f'],
      ['HGETALL', hash],
    ],
    () => [['MULTI'], ['SET', text, `tx${step}`], ['GET', text], ['EXEC'], ['GET', text]],
    () => [['MULTI'], ['INCR', '<id>0'], ['DISCARD'], ['GET', '<id>0']],
    () => [['WATCH', text], ['GET', text], ['UNWATCH']],
    () => [
      ['RPUSH', '<id>l', step],
      ['BLPOP', '<id>l', 0],
    ],
    () => [['PING'], ['ECHO', step]],
    () => [
      ['SADD', text, 'a'],
      ['GET', text],
    ],
    () => [
      ['GETSET', text, step],
      ['GETDEL', text],
      ['GET', text],
    ],
  ])()
}

test(`random pieces, seed ${SEED}`, { timeout: 300_000 }, async () => {
  const before = await callsOf(bare)
  let reads = 0
  const run = async (n: number) => {
    const random = new Random(`${SEED} ${n}`)
    const protocol = n % 2 === 0 ? 2 : 3
    const client = await keyward.connect({ password: n % 3 === 0 ? 'beta' : 'acme' })
    const reference = await RawClient.connect({ port: redis.port })
    if (protocol === 3) for (const one of [client, reference]) await one.command('HELLO', 3)
    for (let piece = 0; piece < PIECES; piece++) {
      // Now and then one read over and over, one by one: that is what comes from memory.
      const streak = random.chance(0.3) ? 2 + random.below(8) : 0
      const requests =
        streak > 0
          ? Array<Words>(streak).fill(
              random.pick([
                ['GET', '<id>0'],
                ['GET', '<id>1'],
                ['HGETALL', '<id>h0'],
              ]),
            )
          : Array.from({ length: 1 + random.below(8) }, () => some(random, piece)).flat()
      reads += requests.filter(([name]) => name === 'GET').length
      // Keys in replies (BLPOP) have the same name on both sides.
      const as = (id: string) =>
        requests.map((words) => request(...words.map((word) => String(word).replace('<id>', id))))
      const ask = async (one: RawClient) => {
        const all = as(`c${n}:`)
        if (streak === 0) return one.exchange(Buffer.concat(all), all.length)
        const frames: Buffer[] = []
        for (const bytes of all) frames.push(...(await one.exchange(bytes)))
        return frames
      }
      const [got, truth] = await Promise.all([ask(client), ask(reference)])
      for (let i = 0; i < requests.length; i++) {
        if (got[i].equals(truth[i])) continue
        const shown = requests.map((words) => words.join(' ').slice(0, 60)).join(', ')
        expect(got[i].toString('latin1', 0, 200), `piece ${piece} of client ${n}: ${shown}: reply ${i}`).toBe(
          truth[i].toString('latin1', 0, 200),
        )
      }
    }
    client.destroy()
    reference.destroy()
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, n) => run(n)))
  const after = await callsOf(bare)
  const asked = (after.get('get') ?? 0) - (before.get('get') ?? 0)
  // The reference has asked for all of them, too.
  console.log(`${reads} GETs of ${CLIENTS} clients, ${asked - reads} of them asked of Redis`)
  expect(asked - reads).toBeLessThan(0.9 * reads)
  expect(places(keyward).faults).toBe(0)
  expect(places(keyward)).toMatchObject({ ...NOTHING_LEFT, clients: places(keyward).clients })
})
