import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * The upstream's user may not do INFO, or not ROLE either: a replica that is meant to be one is found out all the same, by
 * what it refuses, and a primary is used like any other.
 */
let primary: RedisServer
let replica: RedisServer
let keyward: Keyward

const CLOSED = {
  noinfo: '-info',
  bare: '-info -role -client -config -wait -hello',
}

beforeAll(async () => {
  primary = await startRedis({ config: ['repl-diskless-sync-delay 0'] })
  replica = await startRedis({ config: [`replicaof 127.0.0.1 ${primary.port}`] })
  expect(await eventually(async () => (await replica.cli('ROLE')).includes('connected'))).toBe(true)
  for (const server of [primary, replica]) {
    for (const [user, rules] of Object.entries(CLOSED))
      await server.cli('ACL', 'SETUSER', user, 'on', '>x', '~*', '&*', '+@all', ...rules.split(' '))
  }
})

afterEach(() => {
  keyward.stop()
  expect(keyward.proxy.faults).toBe(0)
})

afterAll(() => Promise.all([replica?.stop(), primary?.stop()]))

async function start(server: RedisServer, user: string): Promise<void> {
  keyward = await startKeyward(configFor(server, {}, { user, password: 'x', hold: { time: '20s' } }))
  expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
}

test.each([
  ['noinfo', 'slave'],
  ['bare', 'unknown'],
])(
  'a replica, user %s: READONLY is passed on, long before hold.time, and readers are not held up',
  async (user, role) => {
    await start(replica, user)
    const [writer, reader] = await Promise.all([
      keyward.connect({ password: 'acme' }),
      keyward.connect({ password: 'beta' }),
    ])
    let [over, longest, reads, writes] = [false, 0, 0, 0]
    const reading = (async () => {
      for (; !over; reads++) {
        const begun = performance.now()
        expect(await reader.command('GET', 'k')).toBe('$-1\r\n')
        longest = Math.max(longest, performance.now() - begun)
      }
    })()
    const begun = performance.now()
    for (; performance.now() - begun < 7000; writes++) {
      const asked = performance.now()
      expect(await writer.command('SET', 'k', 1)).toMatch(/^-READONLY /)
      expect(performance.now() - asked).toBeLessThan(5000)
    }
    over = true
    await reading
    const upstream = keyward.proxy.view().upstreams[0]
    console.log(`${writes} writes, ${reads} reads, longest read ${Math.round(longest)} ms`)
    expect(writes).toBeGreaterThan(20)
    expect(longest).toBeLessThan(2000)
    expect(upstream.role).toBe(role)
    for (const client of [writer, reader]) client.destroy()
  },
)

test.each([
  ['noinfo', 'master'],
  ['bare', 'unknown'],
])('a primary, user %s: written and read like any other', async (user, role) => {
  await start(primary, user)
  const client = await keyward.connect({ password: 'acme' })
  expect(await client.command('SET', 'k', 1)).toBe('+OK\r\n')
  expect(await client.command('GET', 'k')).toBe('$1\r\n1\r\n')
  expect(await client.command('DEL', 'k')).toBe(':1\r\n')
  // To its tenant it is a primary, whatever it is.
  expect(await client.command('ROLE')).toMatch(/master/)
  expect(keyward.proxy.view().upstreams[0].role).toBe(role)
  client.destroy()
})
