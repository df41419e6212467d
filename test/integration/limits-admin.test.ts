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
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { keyward } from '../unit/cli/terminal.ts'

/** Whoever runs Keyward sees what its rate limits do, and to whom: in metrics, in pages, on the terminal, before and after. */
const dir = mkdtempSync(join(tmpdir(), 'keyward-limits-'))
const file = join(dir, 'k.yaml')
const socket = join(dir, 'admin.sock')

/** Slow enough that a bucket that is empty stays so for as long as a test takes. */
const SLOW = { rate: '1/h', burst: 3 }
/** Nothing ever runs out. */
const AMPLE = { rate: '1000000/s', burst: 1_000_000 }

let redis: RedisServer
let service: Service
let port = 0
let admin = ''
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

function write(limits: readonly ConfigObject[], more: ConfigObject = {}): void {
  const tenant = (name: string) => ({ upstream: 'main', users: { default: { password: name } }, limits })
  const tenants = { acme: tenant('acme'), beta: tenant('beta') }
  const admin = { address: '127.0.0.1:0', socket: `unix:${socket}` }
  writeFileSync(file, stringify(configFor(redis, { tenants, admin, ...more })))
}

/** Runs it as `keyward serve` does, from a file, with these limits for both tenants. */
async function start(limits: readonly ConfigObject[], more: ConfigObject = {}): Promise<void> {
  write(limits, more)
  const lines: LogLine[] = []
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
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

const outcome = (rule: string, outcome: string, tenant = 'acme') =>
  metric(`keyward_limit_requests_total{tenant="${tenant}",rule="${rule}",outcome="${outcome}"}`)

interface Shown {
  readonly tenant: string
  readonly rule: string
  readonly requests: Readonly<Record<'allowed' | 'delayed' | 'rejected' | 'shadowed', number>>
  readonly waiting: number
  readonly tokens?: number
  readonly buckets: { readonly count: number; readonly most: number; readonly overflows: number }
  readonly leases?: { readonly tokens: number; readonly failing: boolean }
  readonly offenders: readonly unknown[]
}

async function page(query = ''): Promise<{ delayed: number; leases: { failures: number }; limits: Shown[] }> {
  return JSON.parse(await (await fetch(`${admin}/limits${query}`)).text())
}

/** What an operator types on the same host. */
async function type(...args: string[]): Promise<string> {
  const { code, out, err } = await keyward([...args, '--socket', socket])
  expect([code, err]).toEqual([0, ''])
  return out
}

test('who is refused is counted, named and shown on every page', async () => {
  await start([{ name: 'few', per: 'address', buckets: 50, ...SLOW }])
  const client = await connect()
  const replies = await client.exchange(Buffer.concat(Array.from({ length: 10 }, () => request('SET', 'k', 'v'))), 10)
  expect(replies.filter((reply) => reply.toString() === '+OK\r\n')).toHaveLength(3)
  expect(replies.slice(3).every((reply) => /^-RATELIMITED few: 1\/h; retry after \d+ ms\r\n$/.test(`${reply}`))).toBe(
    true,
  )

  expect(await outcome('few', 'allowed')).toBe(3)
  expect(await outcome('few', 'rejected')).toBe(7)
  expect(await outcome('few', 'rejected', 'beta')).toBe(0)
  expect(await metric('keyward_errors_total{tenant="acme",code="RATELIMITED"}')).toBe(7)
  expect(await metric('keyward_limit_buckets{tenant="acme",rule="few"}')).toBe(1)
  expect(await metric('keyward_limit_buckets_allowed{tenant="acme",rule="few"}')).toBe(50)
  expect(await metric('keyward_limit_tokens{tenant="acme",rule="few"}')).toBeUndefined()

  const { limits } = await page()
  expect(limits.map(({ tenant }) => tenant)).toEqual(['acme', 'beta'])
  expect(limits[0]).toMatchObject({
    requests: { allowed: 3, delayed: 0, rejected: 7, shadowed: 0 },
    buckets: { count: 1, most: 50, overflows: 0 },
    offenders: [{ name: '127.0.0.1', count: 7, over: 0 }],
  })
  expect((await page('?tenant=beta')).limits).toMatchObject([{ tenant: 'beta', offenders: [] }])

  const said = await type('limits')
  expect(said).toContain('acme few: 1/h operations per address, local, reject\n')
  expect(said).toContain('  requests: 3 allowed, 0 delayed (0 now), 7 rejected, 0 shadowed\n')
  expect(said).toContain('  limited most: "127.0.0.1" 7\n')
  expect(await type('limits', '--tenant', 'beta')).not.toContain('acme')
})

test('names that clients choose do nothing to a terminal', async () => {
  await start([{ name: 'few', per: 'match', keys: 'k:*', ...SLOW }])
  const client = await connect()
  const key = Buffer.from('k:\u001b[2J\u009b31m"\r\n\u202eüñ')
  for (let i = 0; i < 5; i++) await client.command('GET', key)
  expect((await page()).limits[0].offenders).toEqual([{ name: '\u001b[2J\u009b31m"\r\n\u202eüñ', count: 2, over: 0 }])
  expect(await (await fetch(`${admin}/limits`)).text()).not.toMatch(/[^\P{C}\n]/u)
  const said = await type('limits')
  expect(said).not.toMatch(/[^\P{C}\n]/u)
  expect(said).toContain(String.raw`limited most: "\u001b[2J\u009b31m\"\r\n\u202eüñ" 2`)
})

test('shadow counts what it would have refused', async () => {
  await start([{ name: 'tried', action: 'shadow', ...SLOW }])
  const client = await connect()
  for (let i = 0; i < 8; i++) expect(await client.command('INCR', 'n')).toMatch(/^:/)
  expect(await outcome('tried', 'allowed')).toBe(3)
  expect(await outcome('tried', 'shadowed')).toBe(5)
  expect(await outcome('tried', 'rejected')).toBe(0)
  expect(await metric('keyward_limit_tokens{tenant="acme",rule="tried"}')).toBeLessThan(1)
})

test('what waits is shown while it waits, and not any more when its client has left', async () => {
  await start([{ name: 'slow', rate: '60/h', burst: 1, action: 'delay', maxDelay: '1h' }])
  const client = await connect()
  expect(await client.command('SET', 'k', 'v')).toBe('+OK\r\n')
  client.send(request('SET', 'k', 'w'))
  const waiting = 'keyward_limit_waiting{tenant="acme",rule="slow"}'
  const place = 'keyward_queue_length{place="delayed",upstream=""}'
  expect(await eventually(async () => (await metric(waiting)) === 1)).toBe(true)
  expect(await metric(place)).toBe(1)
  expect(await page()).toMatchObject({ delayed: 1, limits: [{ waiting: 1 }, { waiting: 0 }] })
  expect(await type('status')).toContain('rate limits: 1 requests delayed\n')
  client.reset()
  expect(await eventually(async () => (await metric(waiting)) === 0)).toBe(true)
  expect(await metric(place)).toBe(0)
  expect(await outcome('slow', 'delayed')).toBe(1)
  expect(await outcome('slow', 'allowed')).toBe(1)
})

test('of a global limit: what was fetched, and that it cannot be', async () => {
  const own = await startRedis()
  await start([{ name: 'shared', scope: 'global', onError: 'allow', rate: '100/s', burst: 100 }], {
    upstreams: { main: { url: own.url, hold: { time: '1s' } } },
  })
  const client = await connect()
  expect(await client.command('SET', 'k', 'v')).toBe('+OK\r\n')
  const series = '{tenant="acme",rule="shared"}'
  expect(await metric(`keyward_limit_leased_tokens_total${series}`)).toBeGreaterThan(0)
  expect(await metric(`keyward_limit_failing${series}`)).toBe(0)
  expect(await metric('keyward_lease_calls_total')).toBeGreaterThan(0)
  await own.stop()
  expect(
    await eventually(async () => {
      client.send(request('SET', 'k', 'v'))
      return (await metric(`keyward_limit_failing${series}`)) === 1
    }, 30_000),
  ).toBe(true)
  expect(await metric('keyward_lease_failures_total')).toBeGreaterThan(0)
  expect((await page('?tenant=acme')).limits[0].leases).toMatchObject({ failing: true })
  expect(await type('limits')).toMatch(/leases: \d+ tokens; none can be had now, onError decides\n/)
})

test('tenants beyond metrics.tenants are one, whose rules are added up', async () => {
  await start(
    [
      { name: 'one', ...SLOW },
      { name: 'two', ...AMPLE },
    ],
    { metrics: { tenants: 1 } },
  )
  for (const tenant of ['acme', 'beta']) {
    const client = await connect(tenant)
    for (let i = 0; i < 5; i++) await client.command('GET', 'k')
  }
  expect(await outcome('one', 'rejected')).toBe(2)
  expect(await outcome('one', 'rejected', 'beta')).toBeUndefined()
  expect(await outcome('_other', 'rejected', '_other')).toBe(2)
  expect(await outcome('_other', 'allowed', '_other')).toBe(6)
})

test('a reload keeps what a rule has counted, and forgets those that are gone', async () => {
  await start([
    { name: 'kept', ...SLOW },
    { name: 'gone', ...AMPLE },
  ])
  const client = await connect()
  for (let i = 0; i < 5; i++) await client.command('GET', 'k')
  write([
    { name: 'new', ...AMPLE },
    { name: 'kept', ...SLOW },
  ])
  service.reload()
  expect(await eventually(async () => (await metric('keyward_config_generation')) === 2)).toBe(true)
  expect(await client.command('GET', 'k')).toMatch(/^-RATELIMITED kept:/)
  const limits = (await page('?tenant=acme')).limits
  expect(limits.map(({ rule }) => rule)).toEqual(['new', 'kept'])
  expect(limits[1].requests).toMatchObject({ allowed: 3, rejected: 3 })
  const beta = { upstream: 'main', users: { default: { password: 'beta' } }, limits: [{ name: 'last', ...AMPLE }] }
  write([], { tenants: { beta } })
  service.reload()
  expect(await eventually(async () => (await page()).limits.length === 1)).toBe(true)
  write([])
  service.reload()
  expect(await eventually(async () => (await page()).limits.length === 0)).toBe(true)
  const again = await connect()
  expect(await again.command('GET', 'k')).toBe('$-1\r\n')
})

test('explain says of each request which rules count it, and takes no other bytes than they do', async () => {
  await start([
    { name: 'all', ...AMPLE },
    { name: 'everything', commands: '+@all', ...AMPLE },
    { name: 'writes', commands: '+@write -del', ...AMPLE },
    { name: 'sub', commands: '+client|list +config|get', ...AMPLE },
    { name: 'user', per: 'user', keys: 'user:?', ...AMPLE },
    { name: 'match', per: 'match', keys: 'a:*:z', ...AMPLE },
    { name: 'bytes', rate: '1B/h', burst: '1GiB' },
    { name: 'costly', rate: '1/h', burst: 1000, costs: [{ commands: '+mget', cost: 7 }] },
  ])
  const client = await connect()
  const commands =
    'SET k v, DEL k, MGET user:1 a:b:z a::z, GET user:12, PING, CLIENT LIST, CLIENT ID, CONFIG GET save, SELECT 0, ' +
    'EXISTS a:z, MULTI, LPUSH a:1:z x, EXEC, WATCH k, UNWATCH, BLPOP a:1:z 1, SORT l BY nosort, PUBLISH user:1 m, ' +
    'DBSIZE, EVAL x 0, GET, AUTH acme'
  for (const command of commands.split(', ')) {
    const before = (await page('?tenant=acme')).limits
    const words = command.split(' ')
    const reply = await client.command(...words)
    expect(reply).not.toMatch(/^-RATELIMITED/)
    const after = (await page('?tenant=acme')).limits
    const counting = after.filter(({ requests }, i) => requests.allowed > before[i].requests.allowed)
    const { out } = await keyward(['explain', '-c', file, '--tenant', 'acme', ...words])
    const told = [...out.matchAll(/^(?:limits)? *([a-z]+): .* takes (\d+)(.*)$/gm)]
    expect([command, counting.map(({ rule }) => rule)]).toEqual([command, told.map(([, rule]) => rule)])
    for (const [, rule, cost, more] of told) {
      const at = after.findIndex((one) => one.rule === rule)
      const taken = (before[at].tokens ?? 0) - (after[at].tokens ?? 0)
      const charged = more.includes('reply') ? reply.length : 0
      if (rule === 'bytes') expect([command, Math.round(taken)]).toEqual([command, Number(cost) + charged])
      if (rule === 'costly') expect([command, Math.round(taken)]).toEqual([command, Number(cost)])
    }
  }
})
