import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** WAIT confirms the writes that this client sent before it, though they went over another connection (s8). */
let primary: RedisServer
let replica: RedisServer
let keyward: Keyward

beforeAll(async () => {
  primary = await startRedis({ config: ['repl-diskless-sync yes', 'repl-diskless-sync-delay 0'] })
  replica = await startRedis({ config: [`replicaof 127.0.0.1 ${primary.port}`] })
  expect(
    await eventually(
      async () => (await primary.info('replication')).get('slave0')?.includes('state=online') === true,
      30_000,
    ),
  ).toBe(true)
  keyward = await startKeyward(configFor(primary))
})

afterAll(async () => {
  keyward?.stop()
  await replica?.stop()
  await primary?.stop()
})

test('a replica that runs confirms', async () => {
  const client = await keyward.connect({ password: 'acme' })
  const replies = await client.exchange(Buffer.concat([request('SET', 'a', 1), request('WAIT', 1, 10_000)]), 2)
  expect(replies.map(String)).toEqual(['+OK\r\n', ':1\r\n'])
  client.destroy()
})

test('a stopped replica confirms nothing', async () => {
  const client = await keyward.connect({ password: 'acme' })
  await replica.kill('SIGSTOP')
  try {
    for (let i = 0; i < 3; i++) {
      expect(await client.command('SET', 'a', `stopped ${i}`)).toBe('+OK\r\n')
      const begun = performance.now()
      expect(await client.command('WAIT', 1, 500)).toBe(':0\r\n')
      expect(performance.now() - begun).toBeGreaterThan(450)
    }
    // In one pipeline, too, and in a transaction.
    const replies = await client.exchange(
      Buffer.concat([
        request('SET', 'a', 2),
        request('WAIT', 1, 300),
        request('MULTI'),
        request('SET', 'a', 3),
        request('EXEC'),
        request('WAIT', 1, 300),
      ]),
      6,
    )
    expect(replies.map(String)).toEqual(['+OK\r\n', ':0\r\n', '+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n', ':0\r\n'])
  } finally {
    await replica.kill('SIGCONT')
  }
  expect(await client.command('WAIT', 1, 10_000)).toBe(':1\r\n')
  client.destroy()
})
