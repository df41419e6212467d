import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { configFor, type KeywardProcess, spawnKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Many subscribers of one channel: one subscription upstream, every message to all of them in order. */
const SUBSCRIBERS = { default: 500, long: 10_000, drill: 10_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 500
const MESSAGES = 50

let redis: RedisServer
let keyward: KeywardProcess
let port: number
let admin: number
const dir = mkdtempSync(join(tmpdir(), 'keyward-many-'))
const listeners: Listener[] = []

beforeAll(async () => {
  redis = await startRedis()
  port = await freePort()
  admin = await freePort()
  const buffers = { pubsub: '2MiB' }
  const tenant = (name: string, more = {}) => ({ upstream: 'main', ...more, users: { default: { password: name } } })
  const config = configFor(redis, {
    log: { level: 'warn' },
    listeners: [{ address: `127.0.0.1:${port}` }],
    admin: { address: `127.0.0.1:${admin}` },
    tenants: { acme: tenant('acme'), slow: tenant('slow', { buffers }) },
  })
  writeFileSync(join(dir, 'keyward.json'), JSON.stringify(config))
  keyward = spawnKeyward(['serve', '--config', join(dir, 'keyward.json')])
  const ready = async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok
  expect(await eventually(() => ready().catch(() => false), 50_000), keyward.output).toBe(true)
})

afterAll(async () => {
  for (const { socket } of listeners) socket.destroy()
  await keyward?.stop()
  await redis?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  if (line === undefined) throw new Error(`no metric ${name}`)
  return Number(line.slice(name.length + 1))
}

/** A client that keeps nothing: what comes must be `expected`, byte for byte. */
class Listener {
  readonly socket: Socket
  /** Bytes that have come and were right. */
  at = 0
  wrong = false
  private expected: Buffer

  constructor(expected: Buffer) {
    this.expected = expected
    this.socket = connectTcp({ port, host: '127.0.0.1' })
    this.socket.on('data', (chunk) => {
      if (!this.expected.subarray(this.at, this.at + chunk.length).equals(chunk)) this.wrong = true
      this.at += chunk.length
    })
    this.socket.on('error', () => {})
  }

  send(bytes: Buffer, answer: Buffer): void {
    this.expected = Buffer.concat([this.expected.subarray(0, this.at), answer])
    this.socket.write(bytes)
  }

  expect(more: Buffer): void {
    this.expected = Buffer.concat([this.expected, more])
  }

  get done(): boolean {
    return this.at === this.expected.length
  }
}

const allDone = () => eventually(() => listeners.every((one) => one.done || one.wrong), 120_000)

function message(protocol: 2 | 3, payload: Buffer): Buffer {
  const head = `${protocol === 2 ? '*' : '>'}3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$${payload.length}\r\n`
  return Buffer.concat([Buffer.from(head), payload, Buffer.from('\r\n')])
}

test('one subscription upstream for all of them, every message to each, in order', { timeout: 300_000 }, async () => {
  const base = await metric('process_resident_memory_bytes')
  for (let i = 0; i < SUBSCRIBERS; i += 100) {
    for (let k = i; k < Math.min(i + 100, SUBSCRIBERS); k++) listeners.push(new Listener(Buffer.alloc(0)))
    for (const one of listeners.slice(i)) one.send(request('AUTH', 'acme'), Buffer.from('+OK\r\n'))
    expect(await allDone()).toBe(true)
  }
  const idle = await metric('process_resident_memory_bytes')
  const ack = Buffer.from('*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n')
  for (const one of listeners) one.send(request('SUBSCRIBE', 'news'), ack)
  expect(await allDone()).toBe(true)
  expect(listeners.filter((one) => one.wrong)).toHaveLength(0)
  const subscribed = await metric('process_resident_memory_bytes')
  const each = (from: number, to: number) => `${((to - from) / SUBSCRIBERS / 1024).toFixed(1)} KiB`
  console.log(
    `${SUBSCRIBERS} subscribers: ${each(base, idle)} resident for a connection, ${each(idle, subscribed)} more for its subscription`,
  )
  expect(await redis.cli('PUBSUB', 'NUMSUB', 'acme:news')).toBe('acme:news\n1')
  expect(await metric('keyward_subscriptions{tenant="acme"}')).toBe(SUBSCRIBERS)
  expect(await metric('keyward_upstream_topics{upstream="main",kind="channel"}')).toBeLessThan(3)

  const publisher = await RawClient.connect({ port })
  await publisher.command('AUTH', 'acme')
  const payloads = Array.from({ length: MESSAGES }, (_, i) => Buffer.from(`message ${i} ${'x'.repeat(i)}`))
  const all = Buffer.concat(payloads.map((payload) => message(2, payload)))
  for (const one of listeners) one.expect(all)
  const begun = performance.now()
  const counts = await publisher.exchange(
    Buffer.concat(payloads.map((one) => request('PUBLISH', 'news', one))),
    MESSAGES,
  )
  expect(new Set(counts.map(String))).toEqual(new Set([`:${SUBSCRIBERS}\r\n`]))
  expect(await allDone()).toBe(true)
  console.log(`${MESSAGES} messages to each of them in ${(performance.now() - begun).toFixed(0)} ms`)
  expect(listeners.filter((one) => one.wrong)).toHaveLength(0)

  // Half of them leave; the others stay subscribed by the one subscription.
  for (const one of listeners.splice(0, SUBSCRIBERS / 2)) one.socket.destroy()
  const left = `:${SUBSCRIBERS / 2}\r\n`
  for (const one of listeners) one.expect(message(2, Buffer.from('bye')))
  expect(await eventually(async () => (await metric('keyward_subscriptions{tenant="acme"}')) === SUBSCRIBERS / 2)).toBe(
    true,
  )
  expect(await publisher.command('PUBLISH', 'news', 'bye')).toBe(left)
  expect(await allDone()).toBe(true)
  expect(listeners.filter((one) => one.wrong)).toHaveLength(0)
  for (const one of listeners.splice(0)) one.socket.destroy()
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'CHANNELS')) === '')).toBe(true)
  publisher.destroy()
})

test('a subscriber that does not read is cut at buffers.pubsub, and the others go on', {
  timeout: 120_000,
}, async () => {
  const login = async () => {
    const client = await RawClient.connect({ port, timeout: 60_000 })
    expect(await client.command('AUTH', 'slow/default', 'slow')).toBe('+OK\r\n')
    return client
  }
  const [good, lazy, publisher] = [await login(), await login(), await login()]
  await good.exchange(request('SUBSCRIBE', 'news'))
  await lazy.exchange(request('SUBSCRIBE', 'news'))
  lazy.pauseReading()
  let most = 0
  let sent = 0
  const payload = Buffer.alloc(256 * 1024, 'm')
  const cut = await eventually(async () => {
    await publisher.command('PUBLISH', 'news', payload)
    sent++
    expect((await good.reply()).length).toBeGreaterThan(payload.length)
    most = Math.max(most, await metric('keyward_memory_bytes{place="clients",upstream=""}'))
    return (await metric('keyward_clients{tenant="slow"}')) === 2
  }, 60_000)
  expect(cut).toBe(true)
  expect(most).toBeLessThan(3 * 1024 * 1024)
  expect(await metric('keyward_errors_total{tenant="slow",code="PUBSUBLIMIT"}')).toBe(1)
  expect(keyward.output).toContain('buffers.pubsub')
  expect(await publisher.command('PUBLISH', 'news', 'after')).toBe(':1\r\n')
  expect((await good.reply()).toString()).toContain('after')
  console.log(`cut after ${sent} messages of 256 KiB; at most ${(most / 1024 / 1024).toFixed(1)} MiB held`)
  for (const client of [good, lazy, publisher]) client.destroy()
})
