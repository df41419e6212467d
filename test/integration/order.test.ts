import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A client's requests take effect, and are answered, in the order in which it sent them, whatever ways they take:
 * every ordered pair of ways in one pipeline, held against a bare server byte by byte. Every step writes to one list,
 * so its replies tell the order of execution.
 */
const ROUNDS = { default: 60, long: 1000, drill: 1000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 60
const CLIENTS = 4
/** Over the configured `bulk`. */
const BIG = 'x'.repeat(20_000)

type Way = (step: number, key: string) => Buffer[]

const WAYS: Readonly<Record<string, Way>> = {
  lane: (step, key) => [request('RPUSH', `log:${key}`, step)],
  bulk: (step, key) => [request('RPUSH', `log:${key}`, `${step}${BIG}`)],
  // From the second time on, a lane of its own because of its last reply.
  'big reply': (_, key) => [request('GETRANGE', `big:${key}`, 0, -1), request('LLEN', `log:${key}`)],
  blocking: (_, key) => [request('BLMOVE', `source:${key}`, `log:${key}`, 'LEFT', 'RIGHT', 0)],
  transaction: (step, key) => [
    request('MULTI'),
    request('RPUSH', `log:${key}`, step),
    request('LLEN', `log:${key}`),
    request('EXEC'),
  ],
  watch: (_, key) => [request('WATCH', `log:${key}`), request('LLEN', `log:${key}`), request('UNWATCH')],
  wait: () => [request('WAIT', 0, 0)],
  local: (step) => [request('CLIENT', 'SETNAME', `step-${step}`), request('CLIENT', 'GETNAME')],
}

let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis, {}, { bulk: '16KiB', lanes: 4 }))
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

/** All ordered pairs one behind the other, in an order that the round shuffles. */
function pipeline(key: string, round: number): Buffer[] {
  const names = Object.keys(WAYS)
  const pairs = names.flatMap((a) => names.map((b) => [a, b] as const))
  const from = (round * 7) % pairs.length
  const steps = [...pairs.slice(from), ...pairs.slice(0, from)].flat()
  return [
    request('DEL', `log:${key}`, `source:${key}`),
    request('SET', `big:${key}`, BIG),
    request('RPUSH', `source:${key}`, ...steps.map((_, i) => `moved-${i}`)),
    ...steps.flatMap((name, i) => WAYS[name](i, key)),
    request('LRANGE', `log:${key}`, 0, -1),
  ]
}

async function run(client: RawClient, requests: readonly Buffer[], round: number): Promise<Buffer[]> {
  const bytes = Buffer.concat(requests)
  // Cut at another place in each round: what comes in one read differs.
  const cut = (round * 10_007) % bytes.length
  client.send(bytes.subarray(0, cut))
  if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
  client.send(bytes.subarray(cut))
  return client.replies(requests.length)
}

test(`every ordered pair of ways, ${ROUNDS} times`, async () => {
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      const bare = await RawClient.connect({ port: redis.port })
      const proxied = await keyward.connect({ password: 'acme' })
      await bare.command('SELECT', 9)
      if (n % 2 === 1) for (const client of [bare, proxied]) await client.command('HELLO', 3)
      for (let round = n; round < ROUNDS; round += CLIENTS) {
        const requests = pipeline(String(n), round)
        const [expected, got] = await Promise.all([run(bare, requests, round), run(proxied, requests, round)])
        for (const [i, reply] of expected.entries()) {
          if (reply.equals(got[i])) continue
          const text = (bytes: Buffer) => bytes.toString('latin1').slice(0, 200)
          expect({ round, request: text(requests[i]), reply: text(got[i]) }).toEqual({
            round,
            request: text(requests[i]),
            reply: text(reply),
          })
        }
      }
      bare.destroy()
      proxied.destroy()
    }),
  )
  expect(places(keyward)).toMatchObject({ barrier: 0, held: 0, sent: 0, scheduled: 0, abandoned: 0, faults: 0 })
})

test('what one client wrote on one way, another sees on every way once it was acknowledged', async () => {
  const [one, other] = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'acme' })]
  for (let i = 0; i < 50; i++) {
    for (const write of [
      [request('SET', 'seen', i)],
      [request('MULTI'), request('SET', 'seen', i), request('EXEC')],
      [request('RPUSH', 'q', i), request('BLPOP', 'q', 0), request('SET', 'seen', i)],
    ]) {
      await one.exchange(Buffer.concat(write), write.length)
      expect(await other.command('GET', 'seen')).toContain(`\r\n${i}\r\n`)
    }
  }
  one.destroy()
  other.destroy()
})
