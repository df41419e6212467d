import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { Service } from '../../src/cli/service.ts'
import { loadConfig } from '../../src/config/load.ts'
import { type ConfigObject, configFor, type LogLine } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { keyward } from '../unit/cli/terminal.ts'

/** Whoever runs Keyward sees what near caches and times to live do, and why nothing is cached when nothing is. */
const dir = mkdtempSync(join(tmpdir(), 'keyward-cache-'))
const file = join(dir, 'k.yaml')
const socket = join(dir, 'admin.sock')

let redis: RedisServer
let service: Service
let port = 0
let admin = ''
let lines: LogLine[] = []
const clients: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await service.end('SIGTERM')
  await redis.cli('FLUSHALL')
})

afterAll(async () => {
  await redis.stop()
  rmSync(dir, { recursive: true })
})

/** Both tenants have what `options` says. */
function write(options: ConfigObject, more: ConfigObject = {}, upstream: ConfigObject = {}): void {
  const tenant = (name: string) => ({ upstream: 'main', users: { default: { password: name } }, ...options })
  const tenants = { acme: tenant('acme'), beta: tenant('beta') }
  const pages = { address: '127.0.0.1:0', socket: `unix:${socket}` }
  writeFileSync(file, stringify(configFor(redis, { tenants, admin: pages, ...more }, upstream)))
}

/** Runs it as `keyward serve` does, from a file. */
async function start(options: ConfigObject, more: ConfigObject = {}, upstream: ConfigObject = {}): Promise<void> {
  write(options, more, upstream)
  lines = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const load = () => loadConfig(file, {})
  service = new Service(load(), { file, load }, log)
  await service.start()
  const up = lines.find(({ msg }) => msg.startsWith('keyward is up')) as unknown as {
    readonly listening: readonly string[]
    readonly admin: string
  }
  port = Number(up.listening[0].split(':').at(-1))
  admin = `http://${up.admin}`
  expect(await eventually(async () => (await fetch(`${admin}/readyz`)).ok)).toBe(true)
}

async function connect(tenant = 'acme'): Promise<RawClient> {
  const client = await RawClient.connect({ port })
  clients.push(client)
  expect(await client.command('AUTH', tenant)).toBe('+OK\r\n')
  return client
}

/** The value of a line of /metrics; undefined when there is none. */
async function metric(series: string): Promise<number | undefined> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1).replace('Inf', 'Infinity'))
}

const outcome = (outcome: string, rule = 'hot:*', tenant = 'acme') =>
  metric(`keyward_cache_requests_total{tenant="${tenant}",rule="${rule}",outcome="${outcome}"}`)

const feed = (name: string) => metric(`keyward_upstream_invalidations_${name}{upstream="main"}`)

async function page(path: string): Promise<{ readonly [field: string]: readonly ConfigObject[] }> {
  return JSON.parse(await (await fetch(`${admin}${path}`)).text())
}

/** What an operator types on the same host. */
async function type(...args: string[]): Promise<string> {
  const { code, out, err } = await keyward([...args, '--socket', socket])
  expect([code, err]).toEqual([0, ''])
  return out
}

const CACHE = { memory: '1MiB', rules: [{ keys: 'hot:*', maxAge: '24h' }, { keys: 'b?t' }] }

test('what a cache does is counted, by rule, and shown on every page', async () => {
  await start({ cache: CACHE })
  expect(await eventually(async () => (await feed('up')) === 1)).toBe(true)
  const client = await connect()
  await client.command('SET', 'hot:1', 'v')
  for (let i = 0; i < 10; i++) expect(await client.command('GET', 'hot:1')).toBe('$1\r\nv\r\n')
  await client.command('GET', 'cold')
  expect([await outcome('hit'), await outcome('miss'), await outcome('coalesced')]).toEqual([9, 1, 0])
  expect([await outcome('miss', 'b?t'), await outcome('hit', 'hot:*', 'beta')]).toEqual([0, 0])
  expect(await metric('keyward_cache_stored_total{tenant="acme",rule="hot:*"}')).toBe(1)
  expect(await metric('keyward_cache_entries{tenant="acme"}')).toBe(1)
  expect(await metric('keyward_cache_bytes_allowed{tenant="acme"}')).toBe(1 << 20)
  expect(await metric('keyward_cache_behind_seconds{tenant="acme"}')).toBeLessThan(10)

  // The writes of others, as Redis tells of them.
  const before = (await feed('keys_total')) ?? 0
  await redis.cli('SET', 'acme:hot:1', 'w')
  expect(await eventually(async () => ((await feed('keys_total')) ?? 0) > before)).toBe(true)
  expect(await client.command('GET', 'hot:1')).toBe('$1\r\nw\r\n')
  expect(await metric('keyward_cache_invalidations_total{tenant="acme",rule="hot:*"}')).toBe(1)

  const { caches } = await page('/cache?tenant=acme')
  expect(caches).toMatchObject([
    { tenant: 'acme', entries: 1, memory: 1 << 20, rules: [{ keys: 'hot:*', hits: 9, misses: 2 }, { keys: 'b?t' }] },
  ])
  expect((await page('/cache')).caches).toHaveLength(2)
  const { upstreams } = await page('/upstreams')
  expect(upstreams[0].invalidations).toMatchObject({ wanted: true, connected: true, prefixes: 4 })
  const said = await type('status')
  expect(said).toContain('near cache: 2 tenants, ')
  expect(said).toContain(', spared the upstream 81% of 11 reads\n')
  expect(said).toMatch(/writes are heard of for keys of 4 prefixes, \d+ ms late; that was lost 0 times\n/)
})

test('when the connection that tells of writes is lost, that is counted', async () => {
  await start({ cache: CACHE })
  expect(await eventually(async () => (await feed('up')) === 1)).toBe(true)
  const before = (await redis.cli('CLIENT', 'LIST')).split('\n').find((line) => / flags=\S*[tB]/.test(line))
  await redis.cli('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(before ?? '')?.[1] ?? '')
  expect(await eventually(async () => (await feed('reconnects_total')) === 1 && (await feed('up')) === 1)).toBe(true)
  expect(await type('status')).toContain('that was lost 1 times\n')
})

test('a server that will not tell of writes is named as the reason, with the cure in the log', async () => {
  const user = ['on', '>secret', '~*', '&*', '+@all', '-client|tracking']
  await redis.cli('ACL', 'SETUSER', 'shy', ...user)
  await start({ cache: CACHE }, {}, { user: 'shy', password: 'secret' })
  expect(await eventually(async () => (await feed('refused')) === 1)).toBe(true)
  expect(await feed('up')).toBe(0)
  expect(await feed('refusals_total')).toBeGreaterThanOrEqual(1)
  const client = await connect()
  await client.command('SET', 'hot:1', 'v')
  for (let i = 0; i < 3; i++) expect(await client.command('GET', 'hot:1')).toBe('$1\r\nv\r\n')
  expect(await outcome('hit')).toBe(0)
  expect(await metric('keyward_cache_behind_seconds{tenant="acme"}')).toBe(Number.POSITIVE_INFINITY)
  expect((await page('/cache')).caches[0].behind).toBe(null)
  expect(await type('status')).toMatch(
    / {2}writes are not heard of, so nothing is cached; the server says: NOPERM .*\n/,
  )
  const told = lines.filter(({ msg }) => msg.includes('does not tell of writes'))
  expect(told.map(({ level, msg }) => [level, /ACL SETUSER/.test(msg)])).toEqual([[40, true]])
})

test('an upstream whose tenants cache nothing has no such connection, and no such lines', async () => {
  await start({})
  expect(await feed('up')).toBeUndefined()
  expect((await page('/upstreams')).upstreams[0].invalidations).toMatchObject({ wanted: false, connected: false })
  expect(await redis.cli('CLIENT', 'LIST')).not.toMatch(/ flags=\S*[tB]/)
  expect(await type('status')).not.toContain('writes are')
  expect((await page('/cache')).caches).toEqual([])
  write({ cache: CACHE })
  service.reload()
  expect(await eventually(async () => (await feed('up')) === 1)).toBe(true)
  write({})
  service.reload()
  expect(await eventually(async () => (await feed('up')) === undefined)).toBe(true)
  expect(await eventually(async () => !/ flags=\S*[tB]/.test(await redis.cli('CLIENT', 'LIST')))).toBe(true)
})

test('what times to live do is counted, by rule, and what a dry run would do', async () => {
  const ttl = [
    { keys: 'job:*', default: '1h', max: '2h', min: '10s', persist: 'deny' },
    { keys: 'dry:*', default: '1h', max: '2h', dryRun: true },
    { keys: 'soft:*', default: '1h', persist: 'clamp' },
  ]
  await start({ ttl })
  const client = await connect()
  for (const kind of ['job', 'dry', 'soft']) {
    await client.command('SET', `${kind}:1`, 'v')
    await client.command('RPUSH', `${kind}:2`, 'v')
    await client.command('EXPIRE', `${kind}:1`, '86400')
    await client.command('SET', `${kind}:1`, 'v', 'PX', '1')
    await client.command('PERSIST', `${kind}:2`)
    await client.command('GET', `${kind}:1`)
  }
  const done = async (rule: string, mode = 'enforced') => {
    const series = (action: string) =>
      metric(`keyward_ttl_writes_total{tenant="acme",rule="${rule}",mode="${mode}",action="${action}"}`)
    return Promise.all(['default', 'max', 'min', 'persist-denied', 'persist-clamped'].map(series))
  }
  expect(await done('job:*')).toEqual([2, 1, 1, 1, 0])
  expect(await done('dry:*', 'dry-run')).toEqual([2, 1, 0, 0, 0])
  expect(await done('soft:*')).toEqual([2, 0, 0, 0, 1])
  expect(await redis.cli('TTL', 'acme:dry:2')).toBe('-1')
  expect(await metric('keyward_ttl_failures_total{tenant="acme",rule="job:*",mode="enforced"}')).toBe(0)
  const { rules } = await page('/ttl?tenant=acme')
  expect(rules).toMatchObject([
    { keys: 'job:*', dryRun: false, defaulted: 2, persistDenied: 1 },
    { keys: 'dry:*', dryRun: true, defaulted: 2 },
    { keys: 'soft:*', persistClamped: 1 },
  ])
  // A reload that leaves a rule as it is leaves its counters, too.
  write({ ttl: [ttl[0], { ...ttl[1], max: '3h' }] })
  service.reload()
  expect(await eventually(async () => (await page('/ttl?tenant=acme')).rules.length === 2)).toBe(true)
  expect(await done('job:*')).toEqual([2, 1, 1, 1, 0])
  expect(await done('dry:*', 'dry-run')).toEqual([0, 0, 0, 0, 0])
})

test('times that the upstream refuses to set are counted, and said', async () => {
  await start({ ttl: [{ keys: 'job:*', default: '1h' }] }, {}, { walls: 'off' })
  const client = await connect()
  expect(await client.command('RPUSH', 'job:0', 'v')).toBe(':1\r\n')
  // Had it been so from the start, Keyward would have known, and refused the write.
  await redis.cli('ACL', 'SETUSER', 'default', '-pexpire')
  expect(await client.command('RPUSH', 'job:1', 'v')).toBe(':1\r\n')
  expect(await metric('keyward_ttl_failures_total{tenant="acme",rule="job:*",mode="enforced"}')).toBe(1)
  expect(await type('status')).toContain('times to live: 1 were refused by the upstream; the keys may be without\n')
})
