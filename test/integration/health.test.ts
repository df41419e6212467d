import { afterEach, expect, test } from 'vitest'
import { AdminServer } from '../../src/admin/server.ts'
import type { UpstreamView } from '../../src/admin/upstream-view.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Whoever watches Keyward sees how its Redis is: while it is well, while it is away, and when it is back. */
let redis: RedisServer
let keyward: Keyward
let admin: AdminServer

const PASSWORD = 'only-redis-knows'
const HOLD = 300
const WINDOW = 2000
/** Milliseconds by which the clock of a process may be behind at either end of a measurement. */
const SLACK = 250
/** Of a slow machine. */
const PATIENCE = 30_000

const QUICK: ConfigObject = {
  password: PASSWORD,
  hold: { time: `${HOLD}ms` },
  breaker: { errors: '20%', window: `${WINDOW}ms`, volume: 3, probe: '200ms' },
  health: { interval: '100ms' },
  timeouts: { connect: '2s', request: '1s' },
}

async function start(more: ConfigObject = {}): Promise<void> {
  redis = await startRedis({ config: [`requirepass ${PASSWORD}`, 'maxmemory 64mb', 'maxclients 1234'] })
  keyward = await startKeyward(configFor(redis, {}, { ...QUICK, ...more }))
  const { proxy } = keyward
  admin = new AdminServer(
    { address: { host: '127.0.0.1', port: 0 }, version: '0', log: { error: (fields) => console.error(fields) } },
    { ready: () => proxy.ready(), view: () => proxy.view(), tenantLabels: () => 100 },
  )
  await admin.listen()
  expect(await eventually(async () => (await metric('healthy')) === 1, PATIENCE)).toBe(true)
}

afterEach(async () => {
  await admin.close()
  keyward.stop()
  await redis.stop()
})

const page = (path: string) => fetch(`http://127.0.0.1:${admin.bound.port}${path}`)

/** `labels` as in `kind="used"`. NaN: there is no such line. */
async function metric(name: string, labels = ''): Promise<number> {
  const series = `\nkeyward_upstream_${name}{upstream="main"${labels === '' ? '' : `,${labels}`}} `
  const text = await (await page('/metrics')).text()
  const at = text.indexOf(series)
  return at < 0 ? Number.NaN : Number.parseFloat(text.slice(at + series.length))
}

const refused = (reason: 'time' | 'memory' | 'breaker') => metric('refused_total', `reason="${reason}"`)

async function upstream(): Promise<UpstreamView> {
  const { upstreams } = (await (await page('/upstreams')).json()) as { upstreams: UpstreamView[] }
  return upstreams[0]
}

/** What /readyz says, and its status. */
async function readiness(): Promise<string> {
  const answer = await page('/readyz')
  const text = await answer.text()
  return `${answer.status} ${answer.ok ? text.trimEnd() : JSON.parse(text).error}`
}

const becomes = (name: string, labels: string, value: number) =>
  eventually(async () => (await metric(name, labels)) === value, PATIENCE)

test('what the server says of itself is on /metrics and on /upstreams, without its password', async () => {
  await start()
  const blocked = await keyward.connect({ password: 'acme' })
  const popped = blocked.command('BLPOP', 'q', 0)
  expect(await becomes('clients', 'state="blocked"', 1)).toBe(true)
  const server = await redis.info('server')
  const version = server.get('valkey_version') ?? server.get('redis_version')
  expect(await metric('info', `role="master",version="${version}"`)).toBe(1)
  expect(await metric('memory_bytes', 'kind="used"')).toBeGreaterThan(500_000)
  expect(await metric('memory_bytes', 'kind="limit"')).toBe(64 * 2 ** 20)
  expect(await metric('clients', 'state="connected"')).toBeGreaterThanOrEqual(3)
  expect(await metric('clients', 'state="limit"')).toBe(1234)
  expect(await metric('ping_seconds')).toBeGreaterThan(0)
  expect(await metric('probe_age_seconds')).toBeGreaterThanOrEqual(0)
  expect(await metric('persistence_ok', 'kind="rdb"')).toBe(1)
  expect(await metric('persistence_ok', 'kind="aof"')).toBeNaN()
  expect(await metric('breaker_state', 'state="closed"')).toBe(1)
  expect(await readiness()).toBe('200 ready')

  const body = await (await page('/upstreams')).text()
  expect(body).not.toContain(PASSWORD)
  expect(JSON.parse(body)).toMatchObject({
    ready: true,
    upstreams: [
      {
        name: 'main',
        usable: true,
        address: `127.0.0.1:${redis.port}`,
        role: 'master',
        health: {
          ok: true,
          report: { version, memory: { limit: 64 * 2 ** 20 }, clients: { blocked: 1, limit: 1234 } },
        },
        topology: { kind: 'standalone', sentinels: [] },
      },
    ],
  })
  expect(await redis.cli('LPUSH', 'acme:q', 'x')).toBe('1')
  expect(await popped).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  blocked.destroy()
})

test('a server that is killed: requests are held, then refused at once, and it recovers by itself', async () => {
  await start()
  const client = await keyward.connect({ password: 'acme' })
  expect(await client.command('GET', 'a')).toBe('$-1\r\n')
  const killed = performance.now()
  await redis.kill('SIGKILL')

  let refusals = 0
  const refusedOnce = async () => {
    expect(await client.command('GET', 'a')).toBe('-UPSTREAMDOWN not sent: the upstream Redis is away\r\n')
    refusals++
  }
  await refusedOnce()
  expect(performance.now() - killed).toBeGreaterThan(HOLD - SLACK)
  const atOnce = async () => {
    await refusedOnce()
    return (await refused('breaker')) > 0
  }
  expect(await eventually(atOnce, PATIENCE)).toBe(true)
  // Not before the trouble was older than what the breaker judges by, however early it opened.
  expect(performance.now() - killed).toBeGreaterThan(WINDOW - SLACK)
  expect((await refused('time')) + (await refused('breaker'))).toBe(refusals)

  expect(await readiness()).toBe('503 not ready: upstream main is unusable')
  expect(await becomes('healthy', '', 0)).toBe(true)
  expect(await metric('up')).toBe(0)
  expect(await metric('breaker_state', 'state="closed"')).toBe(0)
  expect(await metric('breaker_opened_total')).toBeGreaterThanOrEqual(1)
  expect(await metric('breaker_open_seconds')).toBeGreaterThan(0)
  expect(await metric('probe_failures_total')).toBeGreaterThan(0)
  // What was known last, and for how long it has not been heard of.
  const { usable, health } = await upstream()
  expect({ usable, ok: health.ok, reason: health.reason }).toEqual({
    usable: false,
    ok: false,
    reason: 'not connected',
  })
  expect(health.report?.clients.limit).toBe(1234)
  expect(health.age).toBeGreaterThan(1000)

  await redis.restart()
  expect(await eventually(async () => (await readiness()) === '200 ready', PATIENCE)).toBe(true)
  expect(await becomes('healthy', '', 1)).toBe(true)
  expect(await becomes('breaker_state', 'state="closed"', 1)).toBe(true)
  expect(await metric('breaker_open_seconds')).toBe(0)
  // The same client: nobody was disconnected. Its own lane may come a little later than the first one, and than hold.time.
  expect(await eventually(async () => (await client.command('SET', 'a', 1)) === '+OK\r\n', PATIENCE)).toBe(true)
  client.destroy()
})

test('an open breaker does not cut hold.time short', async () => {
  await start({ hold: { time: '5m', memory: '64KiB' } })
  const [patient, large] = [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'acme' })]
  expect(await patient.command('PING')).toBe('+PONG\r\n')
  await redis.kill('SIGKILL')
  expect(await becomes('up', '', 0)).toBe(true)
  const longer = (1.5 * WINDOW) / 1000
  expect(await eventually(async () => (await metric('breaker_open_seconds')) > longer, PATIENCE)).toBe(true)
  const reply = patient.command('SET', 'a', 1)
  expect(await eventually(async () => (await upstream()).node.places.held === 1, PATIENCE)).toBe(true)
  expect(await readiness()).toBe('200 ready')

  expect(await large.command('SET', 'b', 'x'.repeat(100_000))).toMatch(/^-UPSTREAMDOWN /)
  expect([await refused('time'), await refused('memory'), await refused('breaker')]).toEqual([0, 1, 0])

  await redis.restart()
  expect(await reply).toBe('+OK\r\n')
  patient.destroy()
  large.destroy()
})

test('a server that hangs is not ready, and is again when it goes on', async () => {
  await start({ timeouts: { connect: '300ms', request: '300ms' } })
  await redis.kill('SIGSTOP')
  const unready = /^503 not ready: upstream main (is unusable|fails: its breaker is open)$/
  expect(await eventually(async () => unready.test(await readiness()), PATIENCE)).toBe(true)
  expect(await becomes('healthy', '', 0)).toBe(true)
  expect(await metric('breaker_opened_total')).toBeGreaterThanOrEqual(1)
  await redis.kill('SIGCONT')
  expect(await eventually(async () => (await readiness()) === '200 ready', PATIENCE)).toBe(true)
  expect(await becomes('healthy', '', 1)).toBe(true)
  expect(await becomes('breaker_state', 'state="closed"', 1)).toBe(true)
})

test('a pause shows', async () => {
  await start()
  await keyward.proxy.operations.pause('everything', 1000)
  expect(await metric('suspended', 'level="everything"')).toBe(1)
  expect(await upstream()).toMatchObject({ waits: 'everything', why: 'PROXY PAUSE' })
  await keyward.proxy.operations.resume('everything')
  expect(await metric('suspended', 'level="everything"')).toBe(0)
})
