import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, NOTHING_LEFT, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Clients by the thousand that connect, work and leave, a third of them rudely, leave nothing behind. */
const CLIENTS = { default: 300, long: 2000, drill: 2000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 300
const ROUNDS = 6
const MOST_LANES = 8

let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis({ config: ['maxclients 5000'] })
  keyward = await startKeyward(configFor(redis, {}, { pins: { max: 300, perTenant: 300 } }))
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** What is open or waits, apart from what a client of ours in this process holds. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

async function heap(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    gc()
    await new Promise((resolve) => setTimeout(resolve, 50))
    least = Math.min(least, process.memoryUsage().heapUsed)
  }
  return least
}

async function connectAll(count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  while (clients.length < count) {
    const batch = Math.min(50, count - clients.length)
    clients.push(
      ...(await Promise.all(
        Array.from({ length: batch }, (_, i) => keyward.connect({ password: i % 2 === 0 ? 'acme' : 'beta' })),
      )),
    )
  }
  return clients
}

/** Ordinary work in every way that there is. */
async function work(client: RawClient, n: number): Promise<void> {
  const requests = [
    request('SET', `k:${n}`, `value ${n}`),
    request('GET', `k:${n}`),
    request('HSET', `h:${n}`, 'f', n),
    request('RPUSH', `q:${n}`, 'x'),
  ]
  if (n % 5 === 0)
    requests.push(request('BLPOP', `q:${n}`, 0), request('MULTI'), request('INCR', `n:${n}`), request('EXEC'))
  const replies = await client.exchange(Buffer.concat(requests), requests.length)
  expect(String(replies[1])).toContain(`value ${n}`)
}

/** Politely, or in the middle of something. */
async function leave(client: RawClient, n: number): Promise<void> {
  switch (n % 9) {
    case 0:
      client.send(request('SET', 'half', 'x'.repeat(5000)).subarray(0, 2500))
      client.reset()
      return
    case 3:
      await client.exchange(Buffer.concat([request('WATCH', 'w'), request('MULTI'), request('SET', 'w', n)]), 3)
      client.reset()
      return
    case 6:
      client.send(request('BLPOP', 'never', 0))
      await new Promise((resolve) => setTimeout(resolve, n % 50))
      client.reset()
      return
    case 1:
    case 4:
      expect(await client.command('QUIT')).toBe('+OK\r\n')
      client.destroy()
      return
    default:
      await client.end()
  }
}

interface Seen {
  readonly resources: Record<string, number>
  readonly places: ReturnType<typeof places>
  readonly heap: number
}

async function round(): Promise<void> {
  const clients = await connectAll(CLIENTS)
  await Promise.all(clients.map(work))
  await Promise.all(clients.map(leave))
  expect(await leftovers(keyward, { ...NOTHING_LEFT, connecting: 0 })).toEqual({})
  await redis.cli('FLUSHALL')
}

test(`${CLIENTS} working clients need at most ${MOST_LANES} shared connections`, { timeout: 300_000 }, async () => {
  const before = places(keyward)
  const clients = await connectAll(CLIENTS)
  let lanes = 0
  let everything = 0
  const watch = setInterval(() => {
    const now = places(keyward)
    lanes = Math.max(lanes, now.lanes + now.bulk)
  }, 5)
  for (let i = 0; i < 5; i++) {
    await Promise.all(
      clients.map((client, n) =>
        client.exchange(Buffer.concat([request('SET', `k:${n}`, i), request('GET', `k:${n}`)]), 2),
      ),
    )
    everything = Math.max(everything, Number((await redis.info('clients')).get('connected_clients')))
  }
  clearInterval(watch)
  lanes = Math.max(lanes, places(keyward).lanes + places(keyward).bulk)
  console.log(
    `churn: ${clients.length} working clients on ${lanes} lanes; the server saw ${everything} connections (lanes before: ${before.lanes})`,
  )
  expect(lanes).toBeGreaterThan(0)
  expect(lanes).toBeLessThanOrEqual(MOST_LANES)
  expect(everything).toBeLessThanOrEqual(MOST_LANES + 10)
  await Promise.all(clients.map((client) => client.end()))
})

function withoutPins({ places: { pins, ...others }, resources }: Pick<Seen, 'places' | 'resources'>) {
  return { others, resources: { ...resources, TCPSocketWrap: resources.TCPSocketWrap - pins } }
}

test(`${CLIENTS} clients, ${ROUNDS} rounds: as after the second, so after the last`, { timeout: 900_000 }, async () => {
  const seen: Seen[] = []
  for (let i = 1; i <= ROUNDS; i++) {
    await round()
    if (i === 2 || i === ROUNDS) {
      // Warm pins beyond those of the pool are closed at once, lanes that were opened under load stay.
      await eventually(() => resources().TCPSocketWrap !== undefined && places(keyward).pins <= 4)
      seen.push({ heap: await heap(), resources: resources(), places: places(keyward) })
    }
  }
  const [second, last] = seen
  console.log(
    `churn: heap after round 2 ${Math.round(second.heap / 1024)} KiB, after round ${ROUNDS} ${Math.round(last.heap / 1024)} KiB`,
  )
  // How many of the warm pins there may be are there, depends on who came last.
  expect(withoutPins(last)).toEqual(withoutPins(second))
  expect(last.heap).toBeLessThan(second.heap * 1.03)
})
