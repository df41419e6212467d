import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ALL_KEYS, MAX_STALENESS } from '../helpers/cached.ts'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type DataServer, type SentinelSet, startSentinelSet } from '../helpers/sentinel-set.ts'

/** Another server becomes the primary: what is told from memory is what the primary of the day has, within the bound. */
let set: SentinelSet
let keyward: Keyward
const clients: RawClient[] = []

beforeAll(async () => {
  set = await startSentinelSet({ proxied: true })
}, 120_000)

afterAll(async () => {
  await set?.stop()
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults).toBe(0)
  await set.heal()
})

async function start(cache: object = {}): Promise<void> {
  const tenant = (name: string) => ({
    upstream: 'main',
    users: { default: { password: name } },
    cache: { rules: [ALL_KEYS], ...cache },
  })
  keyward = await startKeyward(set.config({ tenants: { acme: tenant('acme'), beta: tenant('beta') } }))
  expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
}

async function connect(): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  return client
}

/** How often this server has executed GET. */
async function gets(server: DataServer): Promise<number> {
  return Number(/cmdstat_get:calls=(\d+)/.exec(await server.ask<string>('INFO', 'commandstats'))?.[1] ?? 0)
}

/** GETs of a key come from memory. */
const hits = (client: RawClient, server: DataServer, key: string, patience = 20_000) =>
  eventually(async () => {
    if ((await client.command('GET', key)).startsWith('-')) return false
    const before = await gets(server)
    for (let i = 0; i < 5; i++) await client.command('GET', key)
    return (await gets(server)) === before
  }, patience)

const followed = (server: DataServer) => {
  const upstream = () => keyward.proxy.view().upstreams[0]
  return eventually(() => upstream().address === `127.0.0.1:${server.announced}` && upstream().usable, 60_000)
}

/** Numbers, each larger than the one before, through one client, read by another: no number goes back or is late. */
class Counting {
  wrong: string[] = []
  reads = 0
  private over = false
  private acked = 0
  private readonly work: Promise<unknown>

  constructor(writer: RawClient, readers: readonly RawClient[]) {
    this.work = Promise.all([this.write(writer), ...readers.map((reader) => this.read(reader))])
  }

  async end(): Promise<void> {
    this.over = true
    await this.work
  }

  private async write(client: RawClient): Promise<void> {
    for (let n = 1; !this.over; n++) {
      const reply = await client.command('SET', 'count', n)
      // Of those that nobody knows of, none is waited for.
      if (reply === '+OK\r\n') this.acked = n
      else if (!reply.startsWith('-OUTCOMEUNKNOWN')) this.wrong.push(`SET: ${reply}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  private async read(client: RawClient): Promise<void> {
    while (!this.over) {
      const { acked } = this
      const reply = await client.command('GET', 'count')
      this.reads++
      const value = Number(/^\$\d+\r\n(\d+)\r\n$/.exec(reply)?.[1] ?? (acked === 0 ? 0 : Number.NaN))
      if (!(value >= acked)) this.wrong.push(`GET: ${JSON.stringify(reply)} after ${acked} was acknowledged`)
    }
  }
}

test('planned: reads are never older than what was acknowledged through this process', {
  timeout: 180_000,
}, async () => {
  await set.settled()
  await start()
  const counting = new Counting(await connect(), await Promise.all(Array.from({ length: 4 }, () => connect())))
  const client = await connect()
  await client.command('SET', 'k', 'v')
  expect(await hits(client, await set.primary(), 'k')).toBe(true)
  for (let round = 0; round < 2; round++) {
    await set.settled()
    const old = await set.failover()
    const now = await set.waitSwitched(old)
    expect(await followed(now)).toBe(true)
    expect(await hits(client, now, 'k'), 'there is a feed of the new primary').toBe(true)
    await now.ask('SET', 'acme:k', `round ${round}`)
    expect(
      await eventually(async () => (await client.command('GET', 'k')).includes(`round ${round}`), MAX_STALENESS),
    ).toBe(true)
  }
  await counting.end()
  expect(counting.reads).toBeGreaterThan(200)
  expect(counting.wrong).toEqual([])
})

test('the primary is cut off, and others write to the new one', { timeout: 180_000 }, async () => {
  const old = await set.settled()
  await start()
  const client = await connect()
  await client.command('SET', 'k', 'old')
  expect(await hits(client, old, 'k')).toBe(true)
  await set.partition(old)
  const cutAt = performance.now()
  const now = await set.waitSwitched(old)
  await now.ask('SET', 'acme:k', 'new')
  const written = performance.now()
  for (;;) {
    const asked = performance.now()
    const reply = await client.command('GET', 'k')
    if (reply === '$3\r\nnew\r\n') break
    expect(asked - written, `${reply} was told`).toBeLessThan(MAX_STALENESS)
    // From memory no longer than the bound allows, whatever has become of the new one.
    if (reply === '$3\r\nold\r\n') expect(asked - cutAt).toBeLessThan(2 * MAX_STALENESS)
    expect(performance.now() - written).toBeLessThan(60_000)
  }
  await set.heal()
  expect(await followed(await set.primary())).toBe(true)
  expect(await hits(client, now, 'k')).toBe(true)
})

test('the primary is killed', { timeout: 180_000 }, async () => {
  const old = await set.settled()
  await start()
  const client = await connect()
  await client.command('SET', 'k', 'old')
  expect(await hits(client, old, 'k')).toBe(true)
  await old.kill('SIGKILL')
  const now = await set.waitSwitched(old)
  await now.ask('SET', 'acme:k', 'new')
  expect(await followed(now)).toBe(true)
  expect(await client.command('GET', 'k')).toBe('$3\r\nnew\r\n')
  expect(await hits(client, now, 'k')).toBe(true)
  await now.ask('SET', 'acme:k', 'newer')
  expect(await eventually(async () => (await client.command('GET', 'k')) === '$5\r\nnewer\r\n', MAX_STALENESS)).toBe(
    true,
  )
  await old.restart()
})
