import { createHook } from 'node:async_hooks'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * An upstream that hangs, or comes and goes, costs its own tenants their time and nobody else anything: memory stays within
 * its limits, other upstreams are served as ever, nothing has to be restarted, and nothing is left behind.
 */
const TIER = process.env.KEYWARD_TIER ?? 'default'
const STOPPED = { long: 30_000, drill: 30_000 }[TIER] ?? 4000
const ROUNDS = { long: 50, drill: 200 }[TIER] ?? 5
const HELD = 1024 * 1024
const MEMORY = 64 * 1024 * 1024

let main: RedisServer
let other: RedisServer
let keyward: Keyward
const clients: RawClient[] = []

beforeAll(async () => {
  main = await startRedis()
  other = await startRedis()
})

afterAll(async () => {
  await Promise.all([main?.stop(), other?.stop()])
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults).toBe(0)
})

async function start(upstream: ConfigObject): Promise<void> {
  const base = configFor(main, { memory: '64MiB' }, upstream)
  const gamma = { upstream: 'other', users: { default: { password: 'gamma' } } }
  keyward = await startKeyward({
    ...base,
    upstreams: { ...(base.upstreams as object), other: { url: other.url } },
    tenants: { ...(base.tenants as object), gamma },
  })
  expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
}

async function connect(tenant = 'acme', protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await keyward.connect({ password: tenant })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

const KNOWN = /^(:|\$|\*|\+|_|-(OUTCOMEUNKNOWN|UPSTREAMDOWN|UPSTREAMTIMEOUT|EXECABORT) )/

test('stopped: memory is bounded, other upstreams are served as ever, and it is used again when it is back', {
  timeout: 3 * STOPPED + 120_000,
}, async () => {
  await start({ timeouts: { request: '700ms', connect: '700ms' }, hold: { time: '1s', memory: '1MiB' } })
  let over = false
  const strange: string[] = []
  const counted: { key: string; acknowledged: number; unknown: number }[] = []
  const work: Promise<void>[] = []
  for (let i = 0; i < 10; i++) {
    const count = { key: `n${i}`, acknowledged: 0, unknown: 0 }
    counted.push(count)
    const client = await connect(i % 2 === 0 ? 'acme' : 'beta', i % 3 === 0 ? 3 : 2)
    const requests = [
      request('INCR', count.key),
      request('SET', `big${i}`, 'x'.repeat(200_000)),
      request('GET', count.key),
    ]
    work.push(
      (async () => {
        while (!over) {
          const replies = (await client.exchange(Buffer.concat(requests), 3)).map(String)
          strange.push(...replies.filter((reply) => !KNOWN.test(reply)))
          if (replies[0].startsWith(':')) count.acknowledged++
          else if (replies[0].startsWith('-OUTCOMEUNKNOWN')) count.unknown++
        }
      })(),
    )
  }
  // Those who block and those who are in the middle of something.
  const [taker, multi] = [await connect(), await connect()]
  work.push(
    (async () => {
      while (!over) {
        strange.push(...[await taker.command('BLPOP', 'q', 1)].filter((reply) => !KNOWN.test(reply)))
        const replies = await multi.exchange(
          Buffer.concat([request('MULTI'), request('INCR', 'm'), request('EXEC')]),
          3,
        )
        strange.push(...replies.map(String).filter((reply) => !KNOWN.test(reply)))
      }
    })(),
  )
  const latencies: number[] = []
  for (const protocol of [2, 3] as const) {
    const client = await connect('gamma', protocol)
    work.push(
      (async () => {
        while (!over) {
          const begun = performance.now()
          const replies = await client.exchange(Buffer.concat([request('SET', 'g', 1), request('GET', 'g')]), 2)
          expect(replies.map(String)).toEqual(['+OK\r\n', '$1\r\n1\r\n'])
          latencies.push(performance.now() - begun)
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
      })(),
    )
  }
  const all = Promise.all(work)
  all.catch(() => {})
  try {
    expect(
      await eventually(() => latencies.length > 100 && counted.every(({ acknowledged }) => acknowledged > 5)),
    ).toBe(true)
    const rss = process.memoryUsage.rss()
    latencies.length = 0
    await main.kill('SIGSTOP')
    const until = Date.now() + STOPPED
    let [held, memory] = [0, 0]
    while (Date.now() < until) {
      held = Math.max(held, places(keyward).heldBytes)
      memory = Math.max(memory, keyward.proxy.memory.total)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const during = latencies.splice(0).sort((a, b) => a - b)
    expect(held).toBeLessThanOrEqual(HELD)
    expect(memory).toBeLessThanOrEqual(MEMORY)
    expect(process.memoryUsage.rss() - rss).toBeLessThan(200 * 1024 * 1024)
    expect(during.length).toBeGreaterThan(STOPPED / 50)
    expect(during[Math.floor(during.length / 2)], 'median, ms').toBeLessThan(100)
    expect(during.at(-1), 'longest, ms').toBeLessThan(1500)
    const before = counted.map(({ acknowledged }) => acknowledged)
    await main.kill('SIGCONT')
    const goesOn = () => counted.every(({ acknowledged }, i) => acknowledged > before[i] + 20)
    expect(await eventually(goesOn, 20_000)).toBe(true)
    expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
  } finally {
    over = true
    await main.kill('SIGCONT')
  }
  await all
  expect(strange).toEqual([])
  for (const [i, { key, acknowledged, unknown }] of counted.entries()) {
    const final = Number(await main.cli('GET', `${i % 2 === 0 ? 'acme' : 'beta'}:${key}`))
    expect(final).toBeGreaterThanOrEqual(acknowledged)
    expect(final).toBeLessThanOrEqual(acknowledged + unknown)
  }
  expect(
    await eventually(() => places(keyward).abandoned + places(keyward).held + places(keyward).unanswered === 0),
  ).toBe(true)
})

test(`killed and started again ${ROUNDS} times: no socket, timer or place is left behind`, {
  timeout: ROUNDS * 10_000 + 60_000,
}, async () => {
  const timers = new Set<number>()
  const hook = createHook({
    init: (id, type) => void (type === 'Timeout' && timers.add(id)),
    destroy: (id) => void timers.delete(id),
  })
  hook.enable()
  await start({ hold: { time: '10s' } })
  let over = false
  const strange: string[] = []
  let done = 0
  const work: Promise<void>[] = []
  const busy = async (client: RawClient, ...requests: (string | number)[][]) => {
    const bytes = Buffer.concat(requests.map((words) => request(...words)))
    while (!over) {
      const replies = (await client.exchange(bytes, requests.length)).map(String)
      strange.push(...replies.filter((reply) => !/^(:|\$|\*|\+|_|-(OUTCOMEUNKNOWN|EXECABORT) )/.test(reply)))
      done++
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  for (const protocol of [2, 3] as const) {
    work.push(busy(await connect('acme', protocol), ['INCR', 'n'], ['GET', 'n']))
    work.push(busy(await connect('beta', protocol), ['MULTI'], ['INCR', 'm'], ['EXEC']))
    work.push(busy(await connect('acme', protocol), ['BLPOP', 'q', 0.05]))
    work.push(busy(await connect('acme', protocol), ['SET', 'big', 'x'.repeat(1_200_000)], ['STRLEN', 'big']))
    work.push(busy(await connect('beta', protocol), ['DBSIZE'], ['WAIT', 0, 10]))
    await (await connect('acme', protocol)).exchange(request('SUBSCRIBE', 'news'))
  }
  const all = Promise.all(work)
  all.catch(() => {})
  const goesOn = async () => {
    const before = done
    expect(await eventually(() => done > before + 50 && keyward.proxy.ready().ready)).toBe(true)
  }
  /** What is open at a moment when nothing is under way; the test's own clients included. */
  const open = () => ({
    sockets: process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length,
    timers: timers.size,
    heard: keyward.proxy.view().upstreams.map(({ node }) => node.subscriber.connections),
  })
  try {
    const round = async () => {
      await main.kill('SIGKILL')
      await main.restart()
      await goesOn()
    }
    await round()
    const before = open()
    for (let i = 0; i < ROUNDS; i++) await round()
    // Lanes and pins come and go with the load: what is left behind would grow with the rounds.
    const slack = 5 + ROUNDS / 10
    expect(
      await eventually(() => open().sockets <= before.sockets + slack && open().timers <= before.timers + slack),
      JSON.stringify([before, open()]),
    ).toBe(true)
  } finally {
    over = true
  }
  await all
  expect(strange).toEqual([])
  for (const client of clients.splice(0)) client.destroy()
  expect(await leftovers(keyward)).toEqual({})
  keyward.stop()
  // Timers of Keyward's own are gone with it.
  expect(await eventually(() => timers.size <= 2), `${timers.size} timers`).toBe(true)
  hook.disable()
})
