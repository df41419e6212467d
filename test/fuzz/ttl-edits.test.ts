import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decode } from '../helpers/differential.ts'
import { fuzz } from '../helpers/fuzz.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { TtlWorld, ttlRule } from '../unit/policies/ttl/ttl-world.ts'

/**
 * What the TTL policy sends in place of requests that say a time themselves, against a real server: it is refused if and
 * only if the client's own request is, in the same words, and afterwards the key lives, but not longer than allowed.
 */

let server: RedisServer
let client: RawClient
let payload: Buffer

beforeAll(async () => {
  server = await startRedis()
  client = await RawClient.connect({ port: server.port })
  const [, dump] = await client.exchange(Buffer.concat([request('SET', 'x', 'value'), request('DUMP', 'x')]), 2)
  payload = Buffer.from(decode(dump.toString('latin1')).text ?? '', 'latin1')
})
afterAll(async () => {
  client?.destroy()
  await server?.stop()
})

const MAX = 600_000
const rule = ttlRule({ default: 300_000, max: MAX, min: 60_000, persist: 'deny' })

const near = fc.integer({ min: -1000, max: 1000 })
const time = fc.oneof(
  fc.constantFrom('0', '-1', '1', '59', '61', '601', '60001', '9000000', 'abc', '', '05', '+5', '1.5', ' 5', '5\0'),
  fc.constantFrom(
    '9223372036854775807',
    '9223372036854775808',
    '9223372036854775',
    '9223372036854776',
    '-9223372036854775808',
  ),
  fc.constantFrom('9007199254740991', '9007199254740993', '123456789012345678'),
  near.map((seconds) => `${Math.floor(Date.now() / 1000) + seconds}`),
  near.map((seconds) => `${Date.now() + seconds * 1000}`),
)
const option = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('EX', 'PX', 'EXAT', 'PXAT', 'ex', 'pXaT', 'EX\0x'), time) },
  fc.constantFrom(['NX'], ['XX'], ['nx\0'], ['GET'], ['KEEPTTL'], ['PERSIST'], ['NOPE'], ['EX'], ['']),
)
const options = fc.array(option, { maxLength: 3 }).map((list) => list.flat())
const restoring = fc
  .array(fc.constantFrom(['REPLACE'], ['ABSTTL'], ['absttl\0'], ['IDLETIME', '5'], ['FREQ', '5'], ['FREQ'], ['NOPE']), {
    maxLength: 3,
  })
  .map((list) => list.flat())
const conditions = fc.array(fc.constantFrom('NX', 'XX', 'xx\0', 'NOPE'), { maxLength: 2 })

/** In place of the name of the key, and of what DUMP gave. */
const KEY = '$key'
const PAYLOAD = '$payload'

const requests: fc.Arbitrary<readonly string[]> = fc.oneof(
  options.map((more) => ['SET', KEY, 'v', ...more]),
  options.map((more) => ['GETEX', KEY, ...more]),
  fc.tuple(fc.constantFrom('SETEX', 'PSETEX'), time).map(([name, at]) => [name, KEY, at, 'v']),
  fc
    .tuple(fc.constantFrom('EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT'), time, conditions)
    .map(([name, at, more]) => [name, KEY, at, ...more]),
  fc.tuple(time, restoring).map(([at, more]) => ['RESTORE', KEY, at, PAYLOAD, ...more]),
)

function wordsFor(key: string, words: readonly string[]): Buffer[] {
  const all: Partial<Record<string, Buffer>> = { [KEY]: Buffer.from(key), [PAYLOAD]: payload }
  return words.map((word) => all[word] ?? Buffer.from(word, 'latin1'))
}

/** What the key is before. */
const GIVEN: Readonly<Record<string, readonly (readonly string[])[]>> = {
  nothing: [],
  text: [['SET', KEY, 'old']],
  'text for a while': [['SET', KEY, 'old', 'PX', '100000']],
  list: [['RPUSH', KEY, 'old']],
}

test('an edit neither mends nor breaks a request', { timeout: 3_600_000 }, async () => {
  const world = new TtlWorld(Date.now)
  await fc.assert(
    fc.asyncProperty(requests, fc.constantFrom(...Object.keys(GIVEN)), async (words, given) => {
      const { sent, behind } = world.ask([rule], wordsFor('edited', words))
      const frames = [request('DEL', 'plain', 'edited')]
      for (const key of ['plain', 'edited'])
        for (const command of GIVEN[given]) frames.push(request(...wordsFor(key, command)))
      const plainAt = frames.length
      frames.push(request(...wordsFor('plain', words)), request(...wordsFor('edited', sent ?? words)))
      for (const line of behind) frames.push(request('PEXPIRE', ...line.split(' '), 'NX'))
      frames.push(request('PTTL', 'edited'))
      const replies = (await client.exchange(Buffer.concat(frames), frames.length)).map((reply) => `${reply}`)
      expect(replies[plainAt + 1]).toBe(replies[plainAt])
      const left = Number(replies[frames.length - 1].slice(1))
      expect(left).not.toBe(-1)
      expect(left).toBeLessThanOrEqual(MAX)
    }),
    fuzz('times of the TTL policy', 1, 200_000),
  )
})
