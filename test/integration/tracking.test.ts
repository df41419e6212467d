import { describe, expect, test } from 'vitest'
import { tracked } from '../helpers/caching-client.ts'
import { eventually } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { caching, plain, redis, settle, settled, stageTracking, tracking } from './tracking-stage.ts'

// CLIENT TRACKING: whoever keeps what it has read is told when that is not true any more.
stageTracking()

describe('by default', () => {
  test('a key that was read is told once, whoever wrote it, and again when it was read again', async () => {
    const client = await tracking('acme')
    const other = await plain('acme')
    await client.fetch('last')
    expect(await client.fetch('k')).toBe(null)
    await redis.cli('SET', 'acme:k', '1')
    await redis.cli('SET', 'acme:k', '2')
    expect(await settled(client)).toEqual(['k'])
    await client.fetch('last')
    expect(await client.fetch('k')).toBe('2')
    await other.command('INCR', 'k')
    await other.command('INCR', 'k')
    expect(await settled(client)).toEqual(['k'])
    await client.fetch('last')
    // Not read: nothing is told of it.
    await other.command('SET', 'unread', '1')
    await other.command('DEL', 'k')
    expect(await settled(client)).toEqual([])
  })

  test('the frame is that of Redis', async () => {
    // First: who tracks before writes are heard of is told everything when they are.
    const warm = await caching('acme')
    expect(await tracked(warm)).toBe(true)
    const client = await plain('acme')
    await client.command('HELLO', 3)
    await client.command('CLIENT', 'TRACKING', 'ON')
    await client.command('MGET', 'ä', 'b c', 'd')
    await redis.cli('SET', 'acme:ä', '1')
    await redis.cli('SET', 'acme:b c', '2')
    expect((await client.reply()).toString()).toBe('>2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nä\r\n')
    expect((await client.reply()).toString()).toBe('>2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nb c\r\n')
    await redis.cli('FLUSHDB')
    expect((await client.reply()).toString()).toBe('>2\r\n$10\r\ninvalidate\r\n_\r\n')
    await client.silence(100)
  })

  test('keys of all commands that read, however many, each once', async () => {
    const client = await tracking('acme')
    await client.fetch('last')
    await client.say('HGETALL', 'h')
    await client.say('SUNION', 's1', 's2', 's1')
    await client.say('ZUNION', '2', 'z1', 'z2')
    await client.say('XREAD', 'COUNT', '1', 'STREAMS', 'x1', 'x2', '0', '0')
    await client.say('EXISTS', 'e', 'h')
    await client.say('SORT_RO', 'l')
    await client.say('STRLEN', 'other')
    await client.say('SET', 'written', '1')
    for (const key of ['h', 's1', 's2', 'z1', 'z2', 'x1', 'x2', 'e', 'l', 'written']) {
      await redis.cli('SET', `acme:${key}`, '1')
    }
    const told = await settled(client)
    expect(told).toEqual(['h', 's1', 's2', 'z1', 'z2', 'x1', 'x2', 'e', 'l'])
  })

  test('its own writes are told, with NOLOOP, too: nobody can know here that no one else wrote as well', async () => {
    for (const options of [[], ['NOLOOP']]) {
      const client = await tracking('acme', ...options)
      await client.fetch('last')
      await client.fetch('k')
      await client.say('SET', 'k', '1')
      expect(await settled(client)).toEqual(['k'])
    }
  })

  test('what other tenants write to keys of the same name is never told', async () => {
    const client = await tracking('acme')
    const foreign = await plain('beta')
    await client.fetch('last')
    await client.say('MGET', 'k', 'beta:k', 'acme:k')
    await foreign.exchange(Buffer.concat(['k', 'acme:k', 'beta:k'].map((key) => request('SET', key, '1'))), 3)
    await redis.cli('MSET', 'beta:k', '2', 'k', '2')
    expect(await settled(client)).toEqual([])
  })

  test('expiry and eviction are told', async () => {
    const client = await tracking('acme')
    await client.fetch('last')
    await redis.cli('SET', 'acme:short', '1', 'PX', '300')
    await client.fetch('short')
    await client.heard(1)
    expect(client.take()).toEqual(['short'])
    expect(await client.get('short')).toBe(null)
    const value = 'x'.repeat(1000)
    const keys = Array.from({ length: 400 }, (_, i) => `many:${i}`)
    const writer = await plain('acme')
    await writer.exchange(Buffer.concat(keys.map((key) => request('SET', key, value))), keys.length)
    for (const key of keys) await client.fetch(key)
    const used = Number((await redis.info('memory')).get('used_memory'))
    await redis.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random', 'maxmemory', String(used - 150_000))
    try {
      expect(await eventually(async () => (await writer.command('SET', 'one-more', value)).startsWith('+OK'))).toBe(
        true,
      )
      await eventually(() => client.told.length > 20)
      await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
      await writer.command('SET', 'last', 'x')
      await eventually(() => client.told.includes('last'))
      await client.say('PING')
      const left = new Set((await redis.cli('--raw', 'KEYS', 'acme:many:*')).split('\n').map((key) => key.slice(5)))
      expect(left.size).toBeLessThan(keys.length)
      expect(keys.filter((key) => client.cache.has(key)).every((key) => left.has(key))).toBe(true)
    } finally {
      await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
    }
  })

  test('FLUSHALL of the operator says that all are gone; FLUSHALL of the tenant says which', async () => {
    const client = await tracking('acme')
    const other = await plain('acme')
    await other.command('MSET', 'k', '1', 'l', '2', 'm', '3')
    await settle(client)
    await client.say('MGET', 'k', 'l')
    await other.command('FLUSHALL')
    await client.heard(2)
    expect(client.take().sort()).toEqual(['k', 'l'])
    await client.fetch('k')
    await redis.cli('FLUSHALL')
    await client.heard(1)
    expect(client.take()).toEqual(['*'])
    await redis.cli('SET', 'acme:k', '1')
    await client.fetch('last')
    expect(await settled(client)).toEqual([])
  })

  test('thousands of keys, read in one pipeline and written in another', async () => {
    const client = await tracking('acme')
    const writer = await plain('acme')
    const keys = Array.from({ length: 5000 }, (_, i) => `k${i}`)
    await Promise.all(keys.map((key) => client.fetch(key)))
    expect(client.cache.size).toBe(keys.length)
    await writer.exchange(Buffer.concat(keys.map((key) => request('SET', key, '1'))), keys.length)
    await client.heard(keys.length)
    expect(client.cache.size).toBe(0)
    expect([...new Set(client.told)].length).toBe(keys.length)
  })

  test('scripts track the keys that they declare', async () => {
    const client = await tracking('acme')
    await client.fetch('last')
    expect(await client.say('EVAL', 'return 1', '0')).toBe(':1\r\n')
    await client.say('EVAL', "return redis.call('get', KEYS[1])", '1', 'declared')
    await redis.cli('SET', 'acme:declared', '1')
    expect(await settled(client)).toEqual(['declared'])
  })
})

describe('which reads count', () => {
  test('OPTIN: the one behind CLIENT CACHING YES', async () => {
    const client = await tracking('acme', 'OPTIN')
    await client.say('CLIENT', 'CACHING', 'YES')
    await client.fetch('last')
    await client.fetch('not')
    await client.say('CLIENT', 'CACHING', 'YES')
    await client.say('CLIENT', 'GETNAME')
    await client.fetch('yes')
    await client.fetch('not-this')
    for (const key of ['not', 'yes', 'not-this']) await redis.cli('SET', `acme:${key}`, '1')
    expect(await settled(client)).toEqual(['yes'])
  })

  test('OPTIN: the transaction behind CLIENT CACHING YES, whole, or what follows it inside', async () => {
    const client = await tracking('acme', 'OPTIN')
    for (const inside of [false, true]) {
      await client.say('CLIENT', 'CACHING', 'YES')
      await client.fetch('last')
      if (!inside) await client.say('CLIENT', 'CACHING', 'YES')
      await client.say('MULTI')
      if (inside) await client.say('CLIENT', 'CACHING', 'YES')
      await client.say('GET', 'one')
      await client.say('HGET', 'two', 'f')
      expect(await client.say('EXEC')).toContain('_\r\n_\r\n')
      await client.fetch('not')
      for (const key of ['one', 'two', 'not']) await redis.cli('SET', `acme:${key}`, '1')
      expect(await settled(client)).toEqual(['one', 'two'])
      await redis.cli('DEL', 'acme:one', 'acme:two', 'acme:not')
    }
  })

  test('OPTOUT: all but the one behind CLIENT CACHING NO', async () => {
    const client = await tracking('acme', 'OPTOUT')
    await client.fetch('last')
    await client.fetch('yes')
    await client.say('CLIENT', 'CACHING', 'NO')
    await client.fetch('not')
    await client.say('CLIENT', 'CACHING', 'NO')
    await client.say('MULTI')
    await client.say('GET', 'nor')
    await client.say('EXEC')
    await client.fetch('yes-again')
    for (const key of ['yes', 'not', 'nor', 'yes-again']) await redis.cli('SET', `acme:${key}`, '1')
    expect(await settled(client)).toEqual(['yes', 'yes-again'])
  })

  test('a transaction that is given up was not read; one that is executed was', async () => {
    const client = await tracking('acme')
    await client.fetch('last')
    await client.say('MULTI')
    await client.say('GET', 'dropped')
    await client.say('DISCARD')
    await client.say('WATCH', 'w')
    await client.say('GET', 'watched')
    await client.say('MULTI')
    await client.say('GET', 'member')
    await client.say('EXEC')
    for (const key of ['dropped', 'watched', 'member', 'w']) await redis.cli('SET', `acme:${key}`, '1')
    expect(await settled(client)).toEqual(['watched', 'member'])
  })

  test('OFF and RESET: nothing is told any more; ON again: of what is read from then on', async () => {
    const client = await tracking('acme')
    await client.fetch('k')
    await client.say('CLIENT', 'TRACKING', 'OFF')
    await redis.cli('SET', 'acme:k', '1')
    await client.say('CLIENT', 'TRACKING', 'ON')
    await client.fetch('last')
    expect(await settled(client)).toEqual([])
    await client.fetch('k')
    await client.say('RESET')
    await redis.cli('SET', 'acme:k', '2')
    expect(await client.say('AUTH', 'acme')).toBe('+OK\r\n')
    expect(await client.say('CLIENT', 'GETREDIR')).toBe(':-1\r\n')
    await client.say('HELLO', '3')
    await client.say('CLIENT', 'TRACKING', 'ON')
    await client.fetch('last')
    expect(await settled(client)).toEqual([])
  })

  test('OFF and ON again: of what was read before, too, but for what was written meanwhile', async () => {
    for (const [mode, ...off] of [
      ['OPTIN', 'CLIENT', 'TRACKING', 'OFF'],
      ['OPTOUT', 'CLIENT', 'TRACKING', 'OFF'],
    ]) {
      const client = await tracking('acme')
      await client.fetch('a')
      await client.fetch('b')
      expect(await client.say(...off)).toBe('+OK\r\n')
      await redis.cli('SET', 'acme:b', '1')
      expect(await client.say('CLIENT', 'TRACKING', 'ON', mode)).toBe('+OK\r\n')
      await redis.cli('SET', 'acme:a', '1')
      await client.heard(1)
      expect(client.take()).toEqual(['a'])
      await redis.cli('SET', 'acme:b', '2')
      await redis.cli('SET', 'acme:a', '2')
      await client.say('PING')
      expect(client.take()).toEqual([])
    }
  })

  test('CACHING is of the next request, also when that is none', async () => {
    const rejected = [['NOSUCH'], ['GET'], ['OBJECT', 'nosuch', 'x'], ['CLIENT', 'nosuch'], ['SUBSCRIBE']]
    for (const words of rejected) {
      const client = await tracking('acme', 'OPTOUT')
      await client.say('CLIENT', 'CACHING', 'NO')
      expect(await client.say(...words)).toMatch(/^-ERR /)
      await client.fetch('j')
      await redis.cli('SET', 'acme:j', '1')
      expect(await client.heard(1), words[0]).toEqual(['j'])
    }
  })

  test('AUTH behind a read, in one piece: whose key that was nobody else is told', async () => {
    const [listener, client] = [await tracking('beta'), await plain('beta')]
    const id = (await listener.say('CLIENT', 'ID')).slice(1, -2)
    expect(await client.command('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)).toBe('+OK\r\n')
    expect(await client.command('AUTH', 'acme')).toBe('+OK\r\n')
    const piece = [request('GET', 'secret'), request('AUTH', 'beta'), request('GET', 'own')]
    expect((await client.exchange(Buffer.concat(piece), 3)).map(String)).toEqual(['$-1\r\n', '+OK\r\n', '$-1\r\n'])
    await redis.cli('SET', 'acme:secret', '1')
    await redis.cli('SET', 'beta:own', '1')
    expect(await eventually(() => listener.told.includes('own'))).toBe(true)
    expect(listener.take().filter((key) => key !== '*' && key !== 'own')).toEqual([])
    // Nor the connection itself.
    const both = await tracking('acme')
    both.raw.send(Buffer.concat([request('GET', 'k-of-acme'), request('AUTH', 'beta')]))
    expect(await eventually(() => both.told.includes('*'))).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(both.take()).toEqual(['*'])
  })

  test('AUTH as another user of another tenant: all is taken back, and the keys are that tenant’s', async () => {
    const warm = await caching('beta')
    expect(await tracked(warm)).toBe(true)
    const client = await tracking('acme')
    await client.fetch('k')
    expect(await client.say('AUTH', 'beta')).toBe('+OK\r\n')
    expect(client.take()).toEqual(['*'])
    await client.fetch('k')
    await redis.cli('SET', 'acme:k', '1')
    await redis.cli('SET', 'beta:k', '1')
    await redis.cli('SET', 'beta:k', '2')
    await client.heard(1)
    await client.say('PING')
    expect(client.take()).toEqual(['k'])
  })
})
