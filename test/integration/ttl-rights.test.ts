import { afterEach, beforeEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { statusText } from '../../src/admin/status.ts'
import { parseConfig } from '../../src/config/load.ts'
import { ageServer } from '../differential/ttl-sides.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * Keyward's own user on the server may lack the right to set the expiries that follow writes. That is known before the first write,
 * which is refused: a key that would stay for ever is not made.
 */

const NOPERM = "-NOPERM this user has no permissions to run the 'pexpire' command\r\n"

let redis: RedisServer
let bare: RawClient
let keyward: Keyward
let client: RawClient

beforeEach(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  client.destroy()
  expect(await leftovers(keyward)).toEqual({})
  bare.destroy()
  keyward.stop()
  await redis.stop()
})

/** Without walls: behind them, lanes belong to a user that Keyward makes, with the rights that it needs. */
function configOf(ttl: readonly object[]): ConfigObject {
  const tenants = { acme: { upstream: 'main', users: { default: { password: 'acme' } }, ttl } }
  return configFor(redis, { tenants }, { user: 'service', password: 'x', walls: 'off', health: { interval: '200ms' } })
}

const service = (...rules: readonly string[]) =>
  bare.command('ACL', 'SETUSER', 'service', 'on', 'nopass', '~acme:*', '&*', ...rules)

async function start(...rules: readonly string[]): Promise<void> {
  await service('+@all', ...rules)
  keyward = await startKeyward(configOf([{ keys: '*', default: '1h' }]))
  client = await keyward.connect({ password: 'acme' })
  expect(await eventually(() => keyward.proxy.view().upstreams[0].usable)).toBe(true)
}

const denied = () => keyward.proxy.view().upstreams[0].expiryDenied
const pttl = async (key: string) => Number((await bare.command('PTTL', `acme:${key}`)).slice(1))
const pieces = (...requests: readonly (readonly (string | number)[])[]) =>
  Buffer.concat(requests.map((args) => request(...args)))

test('a user that may not PEXPIRE: the first write that needs one is refused, and so is every other', async () => {
  await start('-pexpire')
  const replies = await client.exchange(
    pieces(['INCR', 'a'], ['SET', 'b', 1], ['MSET', 'c', 1, 'd', 2], ['GET', 'a'], ['DEL', 'b']),
    5,
  )
  expect(replies.map(String)).toEqual([NOPERM, '+OK\r\n', NOPERM, '$-1\r\n', ':1\r\n'])
  expect(await bare.command('DBSIZE')).toBe(':0\r\n')
  const inMulti = await client.exchange(pieces(['MULTI'], ['SET', 'b', 1], ['INCR', 'a'], ['EXEC'], ['GET', 'b']), 5)
  expect(inMulti.map(String)).toEqual([
    '+OK\r\n',
    '+QUEUED\r\n',
    NOPERM,
    '-EXECABORT Transaction discarded because of previous errors.\r\n',
    '$-1\r\n',
  ])
  const { errors } = keyward.proxy.stats(keyward.proxy.config.tenants.get('acme'))
  expect(errors.get('NOEXPIRY')).toBe(3)
  expect(keyward.proxy.view().ttl).toMatchObject([{ failed: 0 }])
})

test('the log, the status and the view say so, with the cure', async () => {
  await start('-pexpire')
  expect(await client.command('INCR', 'a')).toBe(NOPERM)
  expect(denied()).toBe(true)
  const warnings = keyward.log.filter(({ level }) => level === 40).map(({ msg }) => msg)
  expect(warnings.filter((line) => line.includes('ACL SETUSER') && line.includes('+pexpire'))).toHaveLength(2)
  const ready = () => ({ ready: true, reason: 'ready' })
  const status = statusText({ ready, view: () => keyward.proxy.view(), operations: { pausedTenants: [] } }, '1')
  expect(status).toContain('its user may not set expiries, so writes that need one are refused: ACL SETUSER … +pexpire')
})

test('a write that comes before the server can be reached is refused like those behind it', async () => {
  await service('+@all', '-pexpire')
  await bare.command('CLIENT', 'PAUSE', 4000)
  keyward = await startKeyward(configOf([{ keys: '*', default: '1h' }]))
  client = await keyward.connect({ password: 'acme' })
  client.send(pieces(['INCR', 'a'], ['GET', 'a'], ['INCR', 'a']))
  expect(await eventually(() => places(keyward).held === 3)).toBe(true)
  expect((await client.replies(3)).map(String)).toEqual([NOPERM, '$-1\r\n', NOPERM])
})

test('the right is given: writes go on, without a new connection; it is taken away: they are refused again', async () => {
  await start('-pexpire')
  expect(await client.command('INCR', 'a')).toBe(NOPERM)
  await service('+pexpire')
  expect(await eventually(async () => (await client.command('INCR', 'a')) !== NOPERM)).toBe(true)
  expect(await pttl('a')).toBeGreaterThan(0)
  expect(denied()).toBe(false)
  await service('-pexpire')
  // The first that meets it is not known in time; it is counted.
  expect(await eventually(async () => (await client.command('INCR', 'a')) === NOPERM)).toBe(true)
  expect(keyward.proxy.view().ttl[0].failed).toBeGreaterThan(0)
})

test('a server before 7.0: what it needs is EVAL, PTTL and PEXPIRE', async () => {
  await start()
  expect(await client.command('INCR', 'a')).toBe(':1\r\n')
  ageServer(keyward)
  expect(await client.command('INCR', 'b')).toBe(':1\r\n')
  expect(await pttl('b')).toBeGreaterThan(0)
  let count = 0
  // A key that has its expiry already is left alone, whatever the rights are.
  const write = () => client.command('INCR', `k${count++}`)
  for (const rule of ['-eval', '-pexpire']) {
    await service(rule)
    // An expiry that fails makes Keyward ask.
    expect(await eventually(async () => (await write()) === NOPERM), rule).toBe(true)
    await service('+@all')
    expect(await eventually(async () => (await write()) !== NOPERM), rule).toBe(true)
  }
})

test('nobody is asked for what no rule needs; rules that a reload brings are looked after', async () => {
  await service('+@all', '-pexpire')
  keyward = await startKeyward(configOf([{ keys: '*', max: '1h' }]))
  client = await keyward.connect({ password: 'acme' })
  expect(await client.command('INCR', 'a')).toBe(':1\r\n')
  expect(await bare.command('ACL', 'LOG')).toBe('*0\r\n')
  expect(denied()).toBe(false)
  const config = stringify(configOf([{ keys: '*', default: '1h' }]))
  await keyward.proxy.reload(parseConfig(config, { source: 'test.yaml', env: process.env, baseDir: process.cwd() }))
  expect(await eventually(denied)).toBe(true)
  expect(await client.command('INCR', 'a')).toBe(NOPERM)
})
