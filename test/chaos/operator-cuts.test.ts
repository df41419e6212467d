import { afterEach, beforeEach, expect, it } from 'vitest'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** SCRIPT and FUNCTION whose connection is lost behind a call of theirs: what they say of it is true. */

let redis: RedisServer
let fault: FaultProxy
let keyward: Keyward
let client: RawClient

beforeEach(async () => {
  redis = await startRedis()
  fault = await FaultProxy.start({ port: redis.port })
  const acme = { upstream: 'main', users: { default: { password: 'acme' } }, functions: 'trusted' }
  keyward = await startKeyward(configFor({ url: fault.url }, { tenants: { acme } }, { hold: { time: '2s' } }))
  client = await keyward.connect({ password: 'acme' })
  await client.command('SCRIPT', 'LOAD', 'return 1')
  await client.command('FUNCTION', 'LIST')
})

afterEach(async () => {
  client.destroy()
  keyward.stop()
  await fault.stop()
  await redis.stop()
})

const LIBRARY = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
const UNKNOWN = /^-OUTCOMEUNKNOWN /

it.each([
  ['SCRIPT LOAD, at the server', ['SCRIPT', 'LOAD', 'return 2'], 'return 2', /^\$40/],
  ['SCRIPT LOAD, in the store', ['SCRIPT', 'LOAD', 'return 3'], 'keyward:scripts:acme', UNKNOWN],
  ['SCRIPT FLUSH', ['SCRIPT', 'FLUSH'], 'keyward:scripts:acme', UNKNOWN],
  ['FUNCTION LOAD', ['FUNCTION', 'LOAD', LIBRARY], 'name=', UNKNOWN],
  ['FUNCTION LOAD, looking at what it has loaded', ['FUNCTION', 'LOAD', LIBRARY], 'LIBRARYNAME', /^\$3\r\nlib/],
  ['FUNCTION LIST', ['FUNCTION', 'LIST'], 'LIBRARYNAME', /^\*0/],
  ['FUNCTION DELETE', ['FUNCTION', 'DELETE', 'none'], 'DELETE', UNKNOWN],
] as const)('%s: sent and not answered', async (_, command, text, expected) => {
  fault.cutFrom(text, 'reply', 0)
  expect(await client.command(...command)).toMatch(expected)
  expect(fault.cuts).toBe(1)
  expect(keyward.proxy.faults).toBe(0)
})

it('a library that was loaded is never said not to have been sent', async () => {
  fault.cutFrom('LIBRARYNAME', 'reply', 0)
  fault.faults = { refuse: true }
  expect(await client.command('FUNCTION', 'LOAD', LIBRARY)).toMatch(UNKNOWN)
  expect(await redis.cli('FUNCTION', 'LIST')).toContain('keyward_acme__lib')
})

it('what was not sent within hold.time says so', async () => {
  fault.faults = { refuse: true }
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  for (const command of [
    ['SCRIPT', 'LOAD', 'return 9'],
    ['SCRIPT', 'FLUSH'],
    ['FUNCTION', 'LOAD', LIBRARY],
  ]) {
    expect(await client.command(...command)).toMatch(/^-UPSTREAMDOWN not sent/)
  }
  fault.heal()
  expect(await redis.cli('FUNCTION', 'LIST')).toBe('')
}, 30_000)
