import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { Server } from 'socket.io'
import { type Socket as Caller, io as call } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/**
 * The Redis adapters of socket.io: two servers for each tenant, a caller on each. The adapters ask Redis how many servers
 * there are (PUBSUB NUMSUB, SHARDNUMSUB) and wait for as many answers, so a wrong count shows as a wait or as a gap.
 */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(async () => {
  await stage.stop()
})

skip('socket.io', undefined)

/** The two connections that an adapter takes, of either library. */
interface Connections {
  readonly pub: unknown
  readonly sub: unknown
  close(): Promise<unknown>
}

const byIoredis = async (password: string): Promise<Connections> => {
  const pub = new Redis({ port: stage.keyward.port, password })
  const sub = pub.duplicate()
  for (const client of [pub, sub]) client.on('error', () => {})
  await Promise.all([pub.ping(), sub.ping()])
  return { pub, sub, close: () => Promise.all([pub.quit(), sub.quit()]) }
}

const byNodeRedis = async (password: string): Promise<Connections> => {
  const pub = createClient({ url: `redis://:${password}@127.0.0.1:${stage.keyward.port}` })
  const sub = pub.duplicate()
  for (const client of [pub, sub]) client.on('error', () => {})
  await Promise.all([pub.connect(), sub.connect()])
  return { pub, sub, close: () => Promise.all([pub.close(), sub.close()]) }
}

type Flavour = readonly [
  name: string,
  connect: (password: string) => Promise<Connections>,
  adapter: typeof createAdapter | typeof createShardedAdapter,
]

const flavours: readonly Flavour[] = [
  ['the adapter, by ioredis', byIoredis, createAdapter],
  ['the adapter, by node-redis', byNodeRedis, createAdapter],
  ['the sharded adapter, by ioredis', byIoredis, createShardedAdapter],
  ['the sharded adapter, by node-redis', byNodeRedis, createShardedAdapter],
]

/** One server of the application with one caller connected to it. */
interface Place {
  readonly io: Server
  readonly caller: Caller
  /** What the caller was sent as `news`, in order. */
  readonly news: unknown[]
  close(): Promise<void>
}

async function open(tenant: string, index: number, [, connect, adapter]: Flavour): Promise<Place> {
  const redis = await connect(tenant)
  const http = createServer()
  const io = new Server(http, { adapter: adapter(redis.pub, redis.sub) })
  io.on('connection', (socket) => {
    socket.data.home = `${tenant} ${index}`
    socket.join(`room ${index}`)
  })
  io.on('question', (text: string, answer: (text: string) => void) => answer(`${tenant} ${index}: ${text}`))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const caller = call(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, { transports: ['websocket'] })
  const news: unknown[] = []
  caller.on('news', (...args: unknown[]) => news.push(args))
  caller.on('ask', (answer: (text: string) => void) => answer(`${tenant} ${index}`))
  await new Promise<void>((resolve, reject) => {
    caller.once('connect', resolve)
    caller.once('connect_error', reject)
  })
  return {
    io,
    caller,
    news,
    async close() {
      caller.disconnect()
      await io.close()
      await redis.close()
    },
  }
}

const serverCount = ({ io }: Place) => io.of('/').adapter.serverCount()

describe.each(flavours)('socket.io: %s', (...flavour) => {
  let acme: Place[]
  let beta: Place[]

  beforeAll(async () => {
    acme = [await open('acme', 0, flavour), await open('acme', 1, flavour)]
    beta = [await open('beta', 0, flavour), await open('beta', 1, flavour)]
  })

  afterAll(async () => {
    for (const place of [...(acme ?? []), ...(beta ?? [])]) await place.close()
  })

  test('servers are counted', async () => {
    let counts: number[] = []
    await eventually(async () => {
      counts = await Promise.all([...acme, ...beta].map(serverCount))
      return counts.every((count) => count === 2)
    })
    expect(counts).toEqual([2, 2, 2, 2])
  })

  test('what one server broadcasts reaches the callers of both, and nobody of the other tenant', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 36])
    acme[0].io.emit('news', 'from acme', { bytes })
    expect(await eventually(() => acme.every(({ news }) => news.length === 1))).toBe(true)
    for (const { news } of acme) expect(news).toEqual([['from acme', { bytes }]])
    // Redis has delivered the other's news before these, which go the same way.
    for (const { io } of beta) io.emit('news', 'from beta')
    expect(await eventually(() => beta.every(({ news }) => news.length >= 2))).toBe(true)
    for (const { news } of beta) expect(news).toEqual([['from beta'], ['from beta']])
    expect(acme.map(({ news }) => news.length)).toEqual([1, 1])
  })

  test('rooms', async () => {
    // Subscribed for a room, the sharded adapter has no way to tell when: asked for until it is there.
    const [near, far] = acme.map(({ news }) => news)
    const before = near.length
    const arrived = await eventually(() => {
      acme[0].io.to('room 1').emit('news', 'for room 1')
      return far.some((args) => String(args) === 'for room 1')
    })
    expect(arrived).toBe(true)
    expect(near.length).toBe(before)
    expect(beta.flatMap(({ news }) => news).filter((args) => String(args) === 'for room 1')).toEqual([])
  })

  test('all sockets are found, from either server', async () => {
    for (const [tenant, places] of Object.entries({ acme, beta })) {
      for (const { io } of places) {
        const sockets = await io.fetchSockets()
        expect(sockets.map(({ data }) => data.home).sort()).toEqual([`${tenant} 0`, `${tenant} 1`])
      }
    }
    expect((await acme[0].io.in('room 1').fetchSockets()).map(({ id }) => id)).toEqual([acme[1].caller.id])
  })

  test('servers answer one another, and callers a broadcast', async () => {
    expect(await acme[0].io.serverSideEmitWithAck('question', 'who?')).toEqual(['acme 1: who?'])
    expect(await beta[1].io.serverSideEmitWithAck('question', 'who?')).toEqual(['beta 0: who?'])
    const answers = await acme[1].io.timeout(20_000).emitWithAck('ask')
    expect(answers.sort()).toEqual(['acme 0', 'acme 1'])
  })

  test('a caller of the other server is moved and disconnected; a server that leaves is no longer counted', async () => {
    const far = acme[1].caller
    acme[0].io.in('room 1').socketsJoin('moved')
    expect(await eventually(async () => (await acme[0].io.in('moved').fetchSockets()).length === 1)).toBe(true)
    acme[0].io.in('moved').disconnectSockets()
    expect(await eventually(() => !far.connected)).toBe(true)
    await acme[1].close()
    expect(await eventually(async () => (await serverCount(acme[0])) === 1)).toBe(true)
    expect(await serverCount(beta[0])).toBe(2)
    expect((await acme[0].io.fetchSockets()).map(({ data }) => data.home)).toEqual(['acme 0'])
    acme.pop()
  })
})

test('nothing had to be refused, no key was left', async () => {
  expect(stage.warnings()).toEqual([])
  expect(await stage.rawKeys()).toEqual([])
})
