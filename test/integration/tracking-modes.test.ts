import { describe, expect, test } from 'vitest'
import { tracked } from '../helpers/caching-client.ts'
import { eventually } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { caching, keyward, open, plain, redis, settled, stageTracking, tracking } from './tracking-stage.ts'

// CLIENT TRACKING: what is told by prefix, and to somebody else.
stageTracking()

describe('BCAST', () => {
  test('keys with the prefixes, in one frame for each prefix and turn, whether they were read or not', async () => {
    const client = await plain('acme')
    const warm = await caching('acme')
    expect(await tracked(warm)).toBe(true)
    await client.command('HELLO', 3)
    await client.command('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'v:', 'PREFIX', 'u:')
    await redis.cli('MSET', 'acme:u:2', 'a', 'acme:u:1', 'b', 'acme:v:1', 'c', 'acme:x', 'd', 'beta:u:1', 'e')
    const frames = Buffer.concat(await client.replies(2)).toString()
    expect(frames).toBe(
      '>2\r\n$10\r\ninvalidate\r\n*2\r\n$3\r\nu:1\r\n$3\r\nu:2\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nv:1\r\n',
    )
    await client.command('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'x')
    await redis.cli('MSET', 'acme:xy', 'a', 'acme:y', 'b', 'acme:u:1', 'c')
    expect((await client.replies(2)).join('')).toContain('*1\r\n$2\r\nxy\r\n')
    await redis.cli('FLUSHALL')
    expect((await client.reply()).toString()).toBe('>2\r\n$10\r\ninvalidate\r\n_\r\n')
    await client.silence(50)
  })

  test('without a prefix: all keys of the tenant', async () => {
    const client = await tracking('acme', 'BCAST')
    await redis.cli('MSET', 'acme:a', '1', 'beta:b', '2', 'c', '3', 'acme:', '4')
    expect(await settled(client)).toEqual(['', 'a'])
  })

  test('thousands of keys, to several clients', async () => {
    const clients = [await tracking('acme', 'BCAST'), await caching('acme', 'BCAST', 'PREFIX', 'k')]
    const writer = await plain('acme')
    const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}`)
    await writer.exchange(Buffer.concat(keys.map((key) => request('SET', key, '1'))), keys.length)
    for (const client of clients) {
      await client.heard(keys.length)
      expect(new Set(client.take()).size).toBe(keys.length)
    }
  })
})

describe('REDIRECT', () => {
  test('to a subscriber in RESP2', async () => {
    const warm = await tracking('acme')
    const [client, target] = [await plain('acme'), await plain('acme')]
    const id = (await target.command('CLIENT', 'ID')).slice(1, -2)
    expect(await client.command('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)).toBe('+OK\r\n')
    expect(await client.command('CLIENT', 'GETREDIR')).toBe(`:${id}\r\n`)
    await client.command('GET', 'early')
    await redis.cli('SET', 'acme:early', '1')
    await warm.fetch('last')
    await settled(warm)
    await target.command('SUBSCRIBE', '__redis__:invalidate')
    await client.command('GET', 'k')
    await redis.cli('SET', 'acme:k', '1')
    expect((await target.reply()).toString()).toBe(
      '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n',
    )
    await redis.cli('FLUSHALL')
    expect((await target.reply()).toString()).toBe('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n')
    expect(await client.command('CLIENT', 'INFO')).toMatch(new RegExp(` flags=t .* redir=${id} `))
    expect(client.pending + target.pending).toBe(0)
  })

  test('to one in RESP3, and the word that it is gone', async () => {
    await tracking('acme')
    const [client, target] = [await plain('acme'), await plain('acme')]
    await target.command('HELLO', 3)
    await client.command('HELLO', 3)
    const id = (await target.command('CLIENT', 'ID')).slice(1, -2)
    await client.command('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)
    await client.command('GET', 'k')
    await redis.cli('SET', 'acme:k', '1')
    expect((await target.reply()).toString()).toBe('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n')
    await client.command('GET', 'k')
    target.destroy()
    expect(await eventually(async () => !(await client.command('CLIENT', 'LIST')).includes(`id=${id} `))).toBe(true)
    await redis.cli('SET', 'acme:k', '2')
    expect((await client.reply()).toString()).toBe(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`)
    expect(await client.command('CLIENT', 'TRACKINGINFO')).toContain('$15\r\nbroken_redirect\r\n')
    expect(await client.command('CLIENT', 'INFO')).toContain(' flags=tR ')
    expect(await client.command('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)).toContain('does not exist')
  })

  test('not to a client of another tenant, nor any more to one that has become that', async () => {
    await tracking('acme')
    const [client, target] = [await plain('acme'), await plain('beta')]
    const id = (await target.command('CLIENT', 'ID')).slice(1, -2)
    expect(await client.command('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)).toBe(
      '-ERR The client ID you want redirect to does not exist\r\n',
    )
    await target.command('AUTH', 'acme')
    await target.command('SUBSCRIBE', 'x')
    expect(await client.command('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)).toBe('+OK\r\n')
    await client.command('GET', 'k')
    await target.command('UNSUBSCRIBE', 'x')
    await target.command('AUTH', 'beta')
    await target.command('SUBSCRIBE', 'x')
    await redis.cli('SET', 'acme:k', '1')
    expect(await eventually(async () => (await client.command('CLIENT', 'INFO')).includes(' flags=tR '))).toBe(true)
    expect(target.pending).toBe(0)
  })
})

describe('several databases', () => {
  test('names are told whatever the database, as by Redis', async () => {
    const client = await tracking('many')
    await client.say('SELECT', '3')
    await client.fetch('k')
    await redis.cli('SET', 'many:0:k', '1')
    await client.heard(1)
    await client.fetch('k')
    await redis.cli('SET', 'many:3:k', '1')
    await client.heard(2)
    await redis.cli('MSET', 'many:k', '1', 'many:x:k', '1', 'many:33k', '2')
    await client.fetch('k')
    await redis.cli('SET', 'many:11:k', '1')
    await client.heard(3)
    expect(client.take()).toEqual(['k', 'k', 'k'])
  })
})

test('numbers', async () => {
  const client = await tracking('acme')
  await client.fetch('k')
  const { stats } = keyward.proxy.view().tenants.find(({ name }) => name === 'acme') ?? {}
  expect(stats).toMatchObject({ trackers: 2, trackedKeys: 2, trackingEvicted: 0 })
  expect(await client.say('INFO', 'clients')).toContain('\r\ntracking_clients:2\r\n')
  const before = stats?.invalidations ?? 0
  await redis.cli('SET', 'acme:k', '1')
  await client.heard(1)
  expect(stats).toMatchObject({ trackedKeys: 1, invalidations: before + 1 })
  for (const one of open.splice(0)) one.destroy()
  expect(await eventually(() => stats?.trackers === 0 && stats.trackedKeys === 0)).toBe(true)
})
