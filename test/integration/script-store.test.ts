import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Texts that are kept for a tenant, and the index of them: together or not at all, whoever loads and flushes at the same time. */

const ROUNDS = { default: 80, long: 800, drill: 3000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 80
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
const INDEX = 'keyward:scripts:acme'
let redis: RedisServer
/** A network for each, as far from the server as another one now and then. */
let faults: FaultProxy[]
let keywards: Keyward[]
let clients: RawClient[]

beforeAll(async () => {
  redis = await startRedis()
  const more = { scripts: { perTenant: 20, newPerMinute: 1_000_000 } }
  faults = [await FaultProxy.start({ port: redis.port }), await FaultProxy.start({ port: redis.port })]
  keywards = [await startKeyward(configFor(faults[0], more)), await startKeyward(configFor(faults[1], more))]
})

beforeEach(async () => {
  for (const client of clients ?? []) client.destroy()
  await redis.cli('FLUSHALL')
  clients = await Promise.all([0, 0, 1, 1].map((i) => keywards[i].connect({ password: 'acme' })))
})

afterAll(async () => {
  for (const client of clients ?? []) client.destroy()
  for (const keyward of keywards ?? []) keyward.stop()
  for (const fault of faults ?? []) await fault.stop()
  await redis?.stop()
})

const lines = (text: string) => text.split('\n').filter(Boolean).sort()
/** SHAs whose text is kept. */
async function texts(): Promise<string[]> {
  const keys = lines(await redis.cli('KEYS', 'keyward:script:acme:*'))
  return keys.map((key) => key.split(':')[3]).filter((sha) => sha.length === 40)
}
const indexed = async () => lines(await redis.cli('ZRANGE', INDEX, '0', '-1'))

describe('SCRIPT LOAD beside SCRIPT FLUSH', () => {
  beforeEach(() => {
    for (const fault of faults) fault.faults = { jitter: 4 }
  })
  afterEach(() => {
    for (const fault of faults) fault.heal()
  })

  it('leaves no text that a later SCRIPT FLUSH does not find', async () => {
    const [one, other, two, another] = clients
    for (let round = 0; round < ROUNDS; round++) {
      const [a, b] = [`return ${2 * round}`, `return ${2 * round + 1}`]
      await Promise.all([
        one.command('SCRIPT', 'LOAD', a),
        other.command('SCRIPT', 'FLUSH'),
        two.command('SCRIPT', 'LOAD', a),
        another.command('SCRIPT', 'LOAD', b),
      ])
      // At rest: behind its reply nothing of a request is under way.
      expect(await indexed()).toEqual(await texts())
    }
    expect(await one.command('SCRIPT', 'FLUSH')).toBe('+OK\r\n')
    expect(await texts()).toEqual([])
  })
})

it('more texts than a tenant may have: the oldest go, of both processes', async () => {
  const [one, , two] = clients
  for (let i = 0; i < 50; i++) await (i % 2 === 0 ? one : two).command('SCRIPT', 'LOAD', `return 'many${i}'`)
  const last = Array.from({ length: 20 }, (_, i) => sha1(`return 'many${i + 30}'`)).sort()
  expect(await texts()).toEqual(last)
  expect(await indexed()).toEqual(last)
})

it('more texts than there are in a page are all flushed', async () => {
  const keyward = await startKeyward(configFor(redis, { scripts: { newPerMinute: 1_000_000, perTenant: 5000 } }))
  const client = await keyward.connect({ password: 'acme' })
  for (let i = 0; i < 1100; i++) await client.command('SCRIPT', 'LOAD', `return 'page${i}'`)
  expect((await texts()).length).toBe(1100)
  expect(await client.command('SCRIPT', 'FLUSH')).toBe('+OK\r\n')
  expect([await texts(), await indexed()]).toEqual([[], []])
  client.destroy()
  keyward.stop()
})

it('a server without memory says so in its own words, and nothing is kept', async () => {
  const [one] = clients
  await one.command('EVAL', 'return 1', 0)
  await redis.cli('CONFIG', 'SET', 'maxmemory', '1')
  try {
    const reply = await one.command('SCRIPT', 'LOAD', "return 'no room'")
    expect(reply).toBe("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
    expect(await one.command('SCRIPT', 'EXISTS', sha1("return 'no room'"))).toBe('*1\r\n:0\r\n')
  } finally {
    await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
  }
  expect(await eventually(async () => (await one.command('SCRIPT', 'LOAD', "return 'no room'"))[0] === '$')).toBe(true)
})
