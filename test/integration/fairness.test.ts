import type { Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { ScriptedServer } from '../helpers/scripted-server.ts'

/** A tenant's flood raises its own latency: the others pass what it has waiting. */
const VALUE = 'x'.repeat(100)
/** Each flood: some 3 MB, three times the window of a connection that nobody shares. */
const FLOOD = 20_000
const CLIENTS = 20

let server: ScriptedServer
let keyward: Keyward
const clients: RawClient[] = []

/** Answers of the server that wait to be told. */
let held: { socket: Socket; key: string }[] = []
let holding = false

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  await server?.stop()
  expect(keyward?.proxy.faults).toBe(0)
})

function config(fairness: ConfigObject, weights: Record<string, number> = {}): ConfigObject {
  // Nothing of our own in between, and nobody loses patience.
  const upstream = { fairness, lanes: 1, health: { interval: '10m' }, timeouts: { request: '10m' } }
  const tenant = (name: string) => ({
    upstream: 'main',
    weight: weights[name] ?? 1,
    users: { default: { password: name } },
  })
  return configFor(server, { tenants: { acme: tenant('acme'), beta: tenant('beta') } }, upstream)
}

/** A server that answers SET and GET by the name of the key, at once or, when told to hold, by release(). */
async function start(fairness: ConfigObject, weights?: Record<string, number>): Promise<void> {
  held = []
  holding = false
  server = await ScriptedServer.start(([name, key], socket) => {
    if (name !== 'SET' && name !== 'GET') return undefined
    if (!holding) return `+${key}\r\n`
    return () => void held.push({ socket, key })
  })
  keyward = await startKeyward(config(fairness, weights))
  // The one probe of the test is over: from now on all that the server gets is the tenants'.
  expect(await eventually(() => keyward.proxy.view().upstreams[0].health.ok)).toBe(true)
}

function release(count = held.length): void {
  for (const { socket, key } of held.splice(0, count)) if (!socket.destroyed) socket.write(`+${key}\r\n`)
}

/** Goes on answering, a few at a time, until `done`. */
async function releaseUntil(done: () => boolean, step = 50): Promise<void> {
  expect(
    await eventually(async () => {
      for (let i = 0; i < 40 && !done(); i++) {
        release(step)
        await new Promise(setImmediate)
      }
      return done()
    }, 120_000),
  ).toBe(true)
}

async function connect(tenant: string): Promise<RawClient> {
  const client = await keyward.connect({ password: tenant })
  clients.push(client)
  return client
}

/** Both tenants are known to send, and the round trip is known to be short. */
async function acquaint(): Promise<void> {
  for (const tenant of ['acme', 'beta', 'acme']) {
    const client = await connect(tenant)
    for (let i = 0; i < 30; i++) expect(await client.command('GET', `${i}`)).toBe(`+${tenant}:${i}\r\n`)
  }
  server.requests.length = 0
}

/** The replies that are to come. */
type Flood = { readonly client: RawClient; readonly expected: readonly string[] }[]

/** Clients of the tenant send FLOOD writes; resolves when all of them are in Keyward's queues. */
async function flood(tenant: string, count = FLOOD): Promise<Flood> {
  const before = places(keyward)
  const floods: Flood = []
  for (let i = 0; i < CLIENTS; i++) {
    const client = await connect(tenant)
    const keys = Array.from({ length: count / CLIENTS }, (_, n) => `${i}:${n}`)
    client.send(Buffer.concat(keys.map((key) => request('SET', key, VALUE))))
    floods.push({ client, expected: keys.map((key) => `+${tenant}:${key}\r\n`) })
  }
  const queued = () => {
    const { scheduled, sent } = places(keyward)
    return scheduled + sent - before.scheduled - before.sent
  }
  // A client that has a megabyte unanswered is not read for a while: most of it is enough.
  expect(await eventually(() => queued() >= count * 0.9, 60_000)).toBe(true)
  return floods
}

async function expectAll(floods: Flood): Promise<void> {
  for (const { client, expected } of floods) {
    expect((await client.replies(expected.length)).map(String)).toEqual(expected)
  }
}

/** How many requests of others the server got between now and that of this client. */
async function passed(client: RawClient): Promise<number> {
  const before = server.requests.length
  client.send(request('GET', 'mine'))
  const at = () => server.requests.findIndex((args) => args[1] === 'beta:mine')
  await releaseUntil(() => at() >= 0)
  return at() - before
}

test('a request passes the flood of another tenant, whose replies come in its order', {
  timeout: 180_000,
}, async () => {
  await start({ window: '4KiB' })
  await acquaint()
  holding = true
  const floods = await flood('acme')
  const before = server.requests.length
  // Far from all of it has been sent.
  expect(before).toBeLessThan(FLOOD / 4)
  const client = await connect('beta')
  for (let i = 0; i < 3; i++) {
    expect(await passed(client)).toBeLessThan(FLOOD / 8)
    await releaseUntil(() => client.pending > 0)
    expect(String(await client.reply())).toBe('+beta:mine\r\n')
    server.requests.length = 0
  }
  const { rounds, waited } = keyward.proxy.view().upstreams[0].fairness ?? { rounds: 0, waited: [] }
  expect(rounds).toBeGreaterThanOrEqual(3)
  const [most] = waited.toSorted((a, b) => b.requests - a.requests)
  expect(most.requests).toBeGreaterThan(FLOOD / 4)
  expect(most.bytes).toBeGreaterThan(most.requests * VALUE.length)
  holding = false
  release()
  await expectAll(floods)
})

test('fairness off: first come, first served', { timeout: 180_000 }, async () => {
  await start({ mode: 'off', window: '4KiB' })
  await acquaint()
  holding = true
  const floods = await flood('acme')
  const client = await connect('beta')
  // A whole window has been sent, and all the others are in front of it.
  expect(server.requests.length).toBeGreaterThan(4000)
  expect(await passed(client)).toBeGreaterThan(FLOOD / 2)
  expect(keyward.proxy.view().upstreams[0].fairness).toBe(undefined)
  holding = false
  release()
  await expectAll(floods)
})

test('two floods share by weight, as it is after a reload', { timeout: 180_000 }, async () => {
  await start({ window: '4KiB' }, { acme: 3 })
  await acquaint()
  holding = true
  const floods = [...(await flood('acme')), ...(await flood('beta'))]
  /** Of so many requests, acme's for each of beta's. */
  const ratio = async (count: number) => {
    // What is on its way was chosen before.
    release()
    await releaseUntil(() => server.requests.length > 0)
    server.requests.length = 0
    await releaseUntil(() => server.requests.length >= count)
    const ofAcme = server.requests.filter(([, key]) => key.startsWith('acme:')).length
    return ofAcme / (server.requests.length - ofAcme)
  }
  await ratio(1000)
  const first = await ratio(4000)
  expect(first).toBeGreaterThan(2.5)
  expect(first).toBeLessThan(3.6)
  const again = parseConfig(stringify(config({ window: '4KiB' }, { beta: 4 })), {
    source: 'test.yaml',
    env: process.env,
    baseDir: process.cwd(),
  })
  await keyward.proxy.reload(again)
  await ratio(1000)
  const second = await ratio(4000)
  expect(second).toBeGreaterThan(0.2)
  expect(second).toBeLessThan(0.31)
  holding = false
  release()
  await expectAll(floods)
})

test('a pause and its end, with two tenants in the queues: all is answered, in order', {
  timeout: 180_000,
}, async () => {
  await start({ window: '4KiB' })
  await acquaint()
  holding = true
  const floods = [...(await flood('acme', 4000)), ...(await flood('beta', 4000))]
  const { suspension } = keyward.proxy.upstreams.get('main')?.primary ?? {}
  suspension?.begin('paused', 'a test')
  release(100)
  const late = await connect('beta')
  late.send(request('GET', 'late'))
  release()
  suspension?.end('paused', 'a test')
  holding = false
  release()
  await expectAll(floods)
  expect(String(await late.reply())).toBe('+beta:late\r\n')
})

test('a lost connection, with two tenants in the queues: what was not sent is sent once, in order', {
  timeout: 180_000,
}, async () => {
  await start({ window: '4KiB' })
  await acquaint()
  holding = true
  const floods = [...(await flood('acme', 4000)), ...(await flood('beta', 4000))]
  release(100)
  await releaseUntil(() => server.requests.length > 150)
  held = []
  holding = false
  server.dropAll()
  const unknown = new Set<string>()
  for (const { client, expected } of floods) {
    const replies = (await client.replies(expected.length)).map(String)
    replies.forEach((reply, i) => {
      if (reply.startsWith('-OUTCOMEUNKNOWN')) unknown.add(expected[i].slice(1, -2))
      else expect(reply).toBe(expected[i])
    })
  }
  // What had been sent, and little had.
  expect(unknown.size).toBeGreaterThan(0)
  expect(unknown.size).toBeLessThan(4000)
  const keys = server.requests.filter(([name]) => name === 'SET').map(([, key]) => key)
  expect(new Set(keys).size).toBe(keys.length)
  expect(new Set([...keys, ...unknown]).size).toBe(8000)
  // Each client's in its order.
  for (const { expected } of floods) {
    const mine = expected.map((reply) => reply.slice(1, -2))
    const got = new Set(keys)
    const of = new Set(mine)
    expect(keys.filter((key) => of.has(key))).toEqual(mine.filter((key) => got.has(key)))
  }
  for (const client of clients.splice(0)) client.destroy()
  expect(await leftovers(keyward)).toEqual({})
})
