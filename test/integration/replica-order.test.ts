import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Reads that a replica gives back are read by the primary in the order in which they were sent. */
let primary: RedisServer
let replica: RedisServer
let keyward: Keyward

beforeAll(async () => {
  primary = await startRedis({ config: ['repl-diskless-sync-delay 0'] })
  replica = await startRedis({ config: ['lua-time-limit 20', 'replica-announce-ip 127.0.0.1'] })
  await replica.cli('REPLICAOF', '127.0.0.1', String(primary.port))
  const acme = {
    upstream: 'main',
    replicas: { read: 'prefer', maxLag: '60s' },
    users: { default: { password: 'acme' } },
  }
  keyward = await startKeyward(configFor(primary, { tenants: { acme } }))
}, 60_000)

afterAll(async () => {
  keyward?.stop()
  await replica?.stop()
  await primary?.stop()
})

test('BUSY: a pipeline of reads is read by the primary in its order', { timeout: 60_000 }, async () => {
  const client = await keyward.connect({ password: 'acme' })
  const reads = () => keyward.proxy.view().upstreams[0].replicas[0]?.reads ?? 0
  const byReplica = async () => {
    await client.command('GET', 'a')
    return reads() > 0
  }
  expect(await eventually(byReplica, 30_000)).toBe(true)
  const watch = await RawClient.connect({ port: primary.port })
  watch.send(request('MONITOR'))
  await watch.reply()
  const script = replica.cli('EVAL', 'while true do end', '0').catch(String)
  const busy = await RawClient.connect({ port: replica.port })
  // Keyward looks at it once a second, so this is known here first.
  expect(await eventually(async () => (await busy.command('PING')).startsWith('-BUSY '))).toBe(true)
  client.send(Buffer.concat(Array.from({ length: 9 }, (_, i) => request('GET', `order:${i}`))))
  expect((await client.replies(9)).map(String)).toEqual(Array(9).fill('$-1\r\n'))
  const seen: string[] = []
  while (seen.at(-1) !== '8') {
    const key = /"GET" "acme:order:(\d)"/.exec(String(await watch.reply()))?.[1]
    if (key !== undefined) seen.push(key)
  }
  expect(seen).toEqual([...'012345678'])
  for (const one of [busy, watch, client]) one.destroy()
  await replica.cli('SCRIPT', 'KILL')
  await script
})
