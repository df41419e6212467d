import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { TLS_FILES } from '../helpers/tls.ts'
import { Listener, listening, proxied, redis, stageFeeds, started, trackers } from './invalidations-stage.ts'

// The feed of writes, and what happens to its server and to this process.
stageFeeds()

test('a server that is busy with a script is not left', async () => {
  const server = await startRedis({ config: ['lua-time-limit 50'] })
  started.push(server)
  const listener = await listening(server.url)
  const { epoch } = listener.ear
  const script = server.cli('EVAL', 'while true do end', '0')
  expect(await eventually(async () => (await server.cli('PING')).startsWith('BUSY'))).toBe(true)
  expect(await eventually(() => listener.behind > 3500)).toBe(true)
  expect(listener.ear.epoch).toBe(epoch)
  await server.cli('SCRIPT', 'KILL')
  await script
  expect(await listener.caughtUp()).toBe(true)
})

test('the primary moves: the epoch ends at once, and the new one is listened to', async () => {
  const other = await startRedis()
  started.push(other)
  const listener = await listening(redis.url)
  const { epoch } = listener.ear
  listener.upstream.moveTo({ host: '127.0.0.1', port: other.port }, 'a test')
  expect(listener.ear.heardAt).toBe(Number.NEGATIVE_INFINITY)
  expect(listener.ear.epoch).toBeGreaterThan(epoch)
  expect(await listener.tracks()).toBe(true)
  await redis.cli('SET', 'acme:old', 'x')
  await other.cli('SET', 'acme:new', 'x')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard).toEqual(['acme:new'])
  expect(await trackers()).toEqual([])
  expect(listener.feed.view().reconnects).toBe(0)
})

test('the server is started anew: so is the feed', async () => {
  const server = await startRedis()
  started.push(server)
  const listener = await listening(server.url)
  const { epoch } = listener.ear
  await server.restart()
  expect(await eventually(() => listener.ear.epoch > epoch + 1)).toBe(true)
  expect(await listener.tracks()).toBe(true)
  await server.cli('SET', 'acme:1', 'x')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard).toContain('acme:1')
})

test('a feed at another server than the lanes covers nothing', async () => {
  const other = await startRedis()
  started.push(other)
  // The lanes stay at the first server; from some moment on, the address leads to another one.
  const proxy = await proxied()
  const listener = await listening(proxy.url)
  const { epoch } = listener.ear
  Object.assign(proxy, { target: { port: other.port } })
  proxy.cutFeeds()
  expect(await eventually(() => listener.ear.epoch > epoch)).toBe(true)
  expect(await eventually(async () => (await trackers(other)).length > 0)).toBe(true)
  const between = listener.ear.epoch
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(listener.feed.view().connected).toBe(false)
  expect(listener.ear.epoch).toBe(between)
  // The lanes follow.
  proxy.cut()
  expect(await listener.tracks()).toBe(true)
  await other.cli('SET', 'acme:1', 'x')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard).toEqual(['acme:1'])
})

test('this process stands still for seconds: what is behind it is known to be old, and nothing is lost', async () => {
  const proxy = await proxied()
  const listener = await listening(proxy.url)
  const { epoch } = listener.ear
  // A heartbeat is under way all the time.
  proxy.feed.stall = 'reply'
  expect(await eventually(() => listener.behind > 600)).toBe(true)
  // A thread of its own writes while this one sleeps, and wakes it.
  const flags = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(SLEEPWALKER, { eval: true, workerData: { flags, port: redis.port } })
  await once(worker, 'message')
  let atInvalidation = 0
  listener.ear.onInvalidated = () => {
    atInvalidation = listener.ear.heardAt
  }
  const before = performance.now()
  worker.postMessage('go')
  Atomics.wait(flags, 0, 0)
  proxy.release()
  const after = performance.now()
  expect(after - before).toBeGreaterThan(3400)
  // Whoever looks first sees it.
  expect(listener.behind).toBeGreaterThan(3400)
  expect(await listener.caughtUp()).toBe(true)
  expect(atInvalidation).toBeGreaterThan(0)
  expect(atInvalidation).toBeLessThanOrEqual(before)
  expect(listener.ear.epoch).toBe(epoch)
  expect(listener.feed.view().reconnects).toBe(0)
  await worker.terminate()
})

const SLEEPWALKER = `
const { parentPort, workerData: { flags, port } } = require('node:worker_threads')
const socket = require('node:net').connect(port, '127.0.0.1', () => parentPort.postMessage('there'))
parentPort.on('message', () => {
  setTimeout(() => socket.write('SET acme:1 x\\r\\n'), 1000)
  setTimeout(() => { Atomics.store(flags, 0, 1); Atomics.notify(flags, 0) }, 3500)
})
`

test('over TLS, with a login, and by a unix socket', async () => {
  const { ca, cert, key } = TLS_FILES
  const server = await startRedis({ tls: { ca, cert, key }, config: ['requirepass secret'], unix: true })
  started.push(server)
  for (const listener of [
    await listening(server.url, ['acme:'], { password: 'secret', tls: { ca } }),
    await listening(`unix:${server.path}`, ['acme:'], { password: 'secret' }),
  ]) {
    await server.cli('SET', 'acme:1', 'x')
    expect(await listener.caughtUp()).toBe(true)
    expect(listener.heard).toContain('acme:1')
  }
})

test('one that takes the place of another has epochs that the other never had', async () => {
  const elder = await listening(redis.url)
  const successor = new Listener(redis.url)
  successor.upstream.succeed(elder.upstream)
  expect(successor.ear.epoch).toBeGreaterThan(elder.ear.epoch)
  elder.upstream.retire(successor.upstream)
  expect(elder.ear.heardAt).toBe(Number.NEGATIVE_INFINITY)
  expect(await successor.tracks()).toBe(true)
  expect(await eventually(async () => (await trackers()).length === 1)).toBe(true)
})

test('after stop() there is no connection, whatever is wanted', async () => {
  const listener = await listening(redis.url)
  listener.feed.stop()
  listener.ear.track(['beta:'])
  expect(listener.ear.heardAt).toBe(Number.NEGATIVE_INFINITY)
  expect(await eventually(async () => (await trackers()).length === 0)).toBe(true)
})

test('a flood of writes in one go is told of whole', async () => {
  const listener = await listening(redis.url)
  const client = await RawClient.connect({ port: redis.port })
  const pairs = Array.from({ length: 50_000 }, (_, i) => [`acme:${i}`, 'x']).flat()
  await client.exchange(request('MSET', ...pairs))
  client.destroy()
  expect(await listener.caughtUp()).toBe(true)
  expect(new Set(listener.heard).size).toBe(50_000)
  expect(listener.feed.view().invalidations).toBe(50_000)
})
