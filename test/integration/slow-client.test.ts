import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Clients that read late or never (s30), and peers that take their bytes late (s6). */
const MB = 1024 * 1024
const OUTPUT_LIMIT = 8 * MB

let redis: RedisServer
let fault: FaultProxy
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis()
  fault = await FaultProxy.start({ port: redis.port })
  const users = (password: string) => ({ default: { password } })
  keyward = await startKeyward(
    configFor(
      fault,
      {
        memory: '1GiB',
        tenants: {
          acme: { upstream: 'main', users: users('acme') },
          small: { upstream: 'main', users: users('small'), buffers: { output: `${OUTPUT_LIMIT / MB}MiB` } },
        },
      },
      { timeouts: { request: '120s' } },
    ),
  )
})

afterAll(async () => {
  keyward?.stop()
  await fault?.stop()
  await redis?.stop()
})

/** Bytes that differ at every place and for every seed, so that nothing can be mixed up unseen. */
function pattern(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = (seed + 1) * 2654435761
  for (let i = 0; i + 4 <= length; i += 4) {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + seed) | 0
    bytes.writeInt32LE(state, i)
  }
  return bytes
}

/** Writes everything before it reads anything; returns number of bytes and digest of all that came back. */
async function writeThenRead(
  client: RawClient,
  requests: readonly Buffer[],
  replies: number,
): Promise<{ bytes: number; digest: string }> {
  client.pauseReading()
  for (const bytes of requests)
    await new Promise<void>((resolve, reject) =>
      client.socket.write(bytes, (error) => (error ? reject(error) : resolve())),
    )
  client.resumeReading()
  const hash = createHash('sha256')
  let bytes = 0
  for (let i = 0; i < replies; i++) {
    const reply = await client.reply()
    bytes += reply.length
    hash.update(reply)
  }
  return { bytes, digest: hash.digest('hex') }
}

test('40 MB of requests are taken before 100 MB of replies are read', { timeout: 300_000 }, async () => {
  const requests: Buffer[] = []
  for (let i = 0; i < 400; i++) {
    requests.push(request('SET', `in:${i % 10}`, pattern(i, 100 * 1024)))
    requests.push(request('GET', 'out'))
  }
  expect(requests.reduce((sum, one) => sum + one.length, 0)).toBeGreaterThan(40e6 / 1.05)
  const results = []
  for (const login of [undefined, { password: 'acme' }]) {
    const client =
      login === undefined
        ? await RawClient.connect({ port: redis.port, timeout: 120_000 })
        : await RawClient.connect({ port: keyward.port, timeout: 120_000 })
    if (login !== undefined) await client.command('AUTH', login.password)
    await client.command('SET', 'out', pattern(12345, 256 * 1024))
    results.push(await writeThenRead(client, requests, requests.length))
    client.destroy()
  }
  expect(results[0].bytes).toBeGreaterThan(100e6)
  expect(results[1]).toEqual(results[0])
})

test('a client that never reads is cut at its output limit, and nobody else notices', {
  timeout: 120_000,
}, async () => {
  const neighbour = await keyward.connect({ password: 'small' })
  await neighbour.command('SET', 'out', pattern(1, 256 * 1024))
  const before = places(keyward).clients
  const lazy = await keyward.connect({ password: 'small' })
  lazy.pauseReading()
  // Twelve times the limit, of which the kernel's buffers take some.
  const asked = (12 * OUTPUT_LIMIT) / (256 * 1024)
  for (let i = 0; i < asked; i++) lazy.send(request('GET', 'out'))
  let most = 0
  const cut = await eventually(async () => {
    most = Math.max(most, places(keyward).memory)
    expect(await neighbour.command('PING')).toBe('+PONG\r\n')
    expect((await neighbour.command('GET', 'out')).length).toBe(256 * 1024 + '$262144\r\n\r\n'.length)
    return places(keyward).clients === before
  }, 60_000)
  expect(cut).toBe(true)
  expect(most).toBeLessThan(OUTPUT_LIMIT + 8 * MB)
  lazy.resumeReading()
  const got = (await lazy.closed()).length
  expect(got).toBeLessThan(asked * 256 * 1024)
  expect(await eventually(() => places(keyward).memory === 0)).toBe(true)
  neighbour.destroy()
})

test('replies handed to a client that stalls arrive unchanged', { timeout: 120_000 }, async () => {
  const writer = await keyward.connect({ password: 'acme' })
  for (let i = 0; i < 40; i++) await writer.command('SET', `stall:${i}`, pattern(i, 200 * 1024 + i))
  const slow = await keyward.connect({ password: 'acme' })
  slow.pauseReading()
  slow.send(Buffer.concat(Array.from({ length: 40 }, (_, i) => request('GET', `stall:${i}`))))
  // Others keep the reused buffers busy meanwhile.
  for (let i = 0; i < 300; i++)
    await writer.exchange(Buffer.concat([request('SET', 'noise', pattern(i, 5000)), request('GET', 'noise')]), 2)
  slow.resumeReading()
  for (let i = 0; i < 40; i++) {
    const reply = await slow.reply()
    const value = pattern(i, 200 * 1024 + i)
    expect(
      reply.equals(Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])),
      `reply ${i}`,
    ).toBe(true)
  }
  slow.destroy()
  writer.destroy()
})

test('requests handed to an upstream that stalls arrive unchanged', { timeout: 120_000 }, async () => {
  const clients = await Promise.all(Array.from({ length: 4 }, () => keyward.connect({ password: 'acme' })))
  await Promise.all(clients.map((client) => client.command('PING')))
  fault.faults = { stall: 'request' }
  const each = 60
  for (const [n, client] of clients.entries()) {
    for (let i = 0; i < each; i++) {
      // Small ones share a buffer with others, large ones are kept as they came.
      client.send(request('SET', `up:${n}:${i}`, pattern(n * each + i, i % 3 === 0 ? 90_000 : 300)))
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 300))
  fault.heal()
  for (const client of clients) for (const reply of await client.replies(each)) expect(String(reply)).toBe('+OK\r\n')
  const bare = await RawClient.connect({ port: redis.port })
  for (let n = 0; n < clients.length; n++) {
    for (let i = 0; i < each; i++) {
      const [reply] = await bare.exchange(request('GET', `acme:up:${n}:${i}`))
      const value = pattern(n * each + i, i % 3 === 0 ? 90_000 : 300)
      expect(reply.subarray(reply.indexOf('\n') + 1, -2).equals(value), `value ${n}:${i}`).toBe(true)
    }
  }
  bare.destroy()
  for (const client of clients) client.destroy()
})
