import { afterEach, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, NOTHING_LEFT, places } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A server that hangs, or dies and comes back again and again, costs its own tenants what they sent and nobody else
 * anything: memory stays bounded, nothing is left over, and nobody has to restart anything.
 */
const TIER = process.env.KEYWARD_TIER ?? 'default'
/** Milliseconds for which it hangs. */
const STOPPED = TIER === 'default' ? 6000 : 30_000
const ROUNDS = TIER === 'default' ? 5 : 200
const MIB = 1024 * 1024

const servers: RedisServer[] = []
let keyward: Keyward | undefined

afterEach(async () => {
  keyward?.stop()
  keyward = undefined
  for (const server of servers.splice(0)) await server.stop()
})

async function startServer(): Promise<RedisServer> {
  const server = await startRedis()
  servers.push(server)
  return server
}

test(`one of two upstreams is stopped for ${STOPPED / 1000} s`, { timeout: STOPPED + 60_000 }, async () => {
  const [main, other] = [await startServer(), await startServer()]
  const hold = { time: '1s', memory: '1MiB' }
  const timeouts = { request: '1s', connect: '1s' }
  const breaker = { window: '2s', volume: 3 }
  keyward = await startKeyward(
    configFor(main, {
      upstreams: { main: { url: main.url, hold, timeouts, breaker }, other: { url: other.url } },
      tenants: {
        acme: { upstream: 'main', users: { default: { password: 'acme' } } },
        beta: { upstream: 'other', users: { default: { password: 'beta' } } },
      },
    }),
  )
  const theirs = await keyward.connect({ password: 'beta' })
  const ours = await Promise.all(Array.from({ length: 20 }, () => keyward?.connect({ password: 'acme' })))
  const value = Buffer.alloc(16 * 1024, 'v')
  let over = false
  const outcomes = new Map<string, number>()
  const before = process.memoryUsage().rss

  await main.kill('SIGSTOP')
  const work = ours.map(async (client) => {
    while (!over) {
      client?.send(Buffer.concat(Array.from({ length: 50 }, () => request('SET', 'k', value))))
      for (const reply of (await client?.replies(50)) ?? []) {
        const word = String(reply).split(' ', 1)[0].trim()
        outcomes.set(word, (outcomes.get(word) ?? 0) + 1)
      }
      // Refused at once, they would do nothing else.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  let slowest = 0
  let most = 0
  const end = performance.now() + STOPPED
  while (performance.now() < end) {
    const asked = performance.now()
    expect(await theirs.command('SET', 'b', 1)).toBe('+OK\r\n')
    slowest = Math.max(slowest, performance.now() - asked)
    most = Math.max(most, places(keyward).heldBytes)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await main.kill('SIGCONT')
  over = true
  await Promise.all(work)

  expect(most).toBeLessThanOrEqual(MIB)
  // 20 clients with 50 requests of 16 KiB each, some copies, and what the runtime makes of it.
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * MIB)
  expect(slowest, 'ms for a request to the other upstream').toBeLessThan(1000)
  expect([...outcomes.keys()].filter((word) => !/^(\+OK|-UPSTREAMDOWN|-OUTCOMEUNKNOWN)$/.test(word))).toEqual([])
  const client = await keyward.connect({ password: 'acme' })
  expect(await eventually(async () => (await client.command('SET', 'a', 1)) === '+OK\r\n', 30_000)).toBe(true)
  for (const one of [...ours, client, theirs]) one?.destroy()
  expect(await eventually(() => places(keyward as Keyward).clients === 0)).toBe(true)
  expect(await eventually(() => places(keyward as Keyward).abandoned === 0)).toBe(true)
  expect(places(keyward)).toMatchObject(NOTHING_LEFT)
})

test(`${ROUNDS} rounds of kill and restart leave nothing behind`, { timeout: ROUNDS * 4000 + 60_000 }, async () => {
  const redis = await startServer()
  keyward = await startKeyward(configFor(redis))
  const up = keyward
  const client = await up.connect({ password: 'acme' })
  const blocked = await up.connect({ password: 'acme' })
  const subscriber = await up.connect({ password: 'acme' })
  await subscriber.command('SUBSCRIBE', 'news')
  const resources = () => {
    const counts = new Map<string, number>()
    // Its own test servers' pipes and timers come and go with them.
    for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    return { sockets: counts.get('TCPSocketWrap') ?? 0, timers: counts.get('Timeout') ?? 0 }
  }
  const round = async (n: number) => {
    blocked.send(request('BLPOP', 'q', 0))
    client.send(request('SET', 'a', n))
    await redis.kill('SIGKILL')
    await redis.restart()
    expect(String(await client.reply())).toMatch(/^(\+OK|-OUTCOMEUNKNOWN )/)
    // It blocked, and so it is not known whether it took something; or it came too late for that, and blocks now.
    expect(await client.command('LPUSH', 'q', 'x')).toMatch(/^:/)
    expect(String(await blocked.reply())).toMatch(/^(-OUTCOMEUNKNOWN |\*2)/)
    await client.command('DEL', 'q')
    expect(await eventually(async () => (await client.command('INCR', 'n')).startsWith(':'), 30_000)).toBe(true)
  }
  await round(0)
  const settled = async () => {
    await eventually(async () => (await client.command('PUBLISH', 'news', 'x')) === ':1\r\n', 30_000)
    await eventually(() => up.proxy.view().upstreams[0].node.connections.connecting === 0)
    return resources()
  }
  const first = await settled()
  for (let n = 1; n <= ROUNDS; n++) await round(n)
  const last = await settled()
  expect(last.sockets).toBeLessThanOrEqual(first.sockets + 3)
  expect(last.timers).toBeLessThanOrEqual(first.timers + 5)
  for (const one of [client, blocked, subscriber]) one.destroy()
  expect(await eventually(() => places(up).clients === 0)).toBe(true)
  expect(places(up)).toMatchObject(NOTHING_LEFT)
  expect(up.proxy.faults).toBe(0)
})
