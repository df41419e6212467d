import { describe, expect, test } from 'vitest'
import { bulk, caching, rule, World } from './cache-world.ts'

describe('a hit', () => {
  test('is what the upstream said, for as long as the rule says', () => {
    const world = new World(caching([rule('*', { maxAge: 5000 })]))
    const client = world.enter()
    world.store(client, bulk('v'), -1, 'GET', 'k')
    world.pass(4999)
    expect(client.ask('get', 'k')).toMatchObject({ verdict: 'reply', answer: bulk('v') })
    expect(world.rule()).toMatchObject({ hits: 1, misses: 1, stored: 1, expired: 0 })
    world.pass(1)
    expect(client.ask('GET', 'k').verdict).toBe('wait')
    expect(world.rule()).toMatchObject({ hits: 1, misses: 2, expired: 1 })
  })

  test('does not outlive the key, whose time counts from when it was asked for', () => {
    const world = new World(caching())
    const client = world.enter()
    client.ask('GET', 'k')
    world.pass(300)
    world.source.answer(':1000\r\n')
    world.source.answer(bulk('v'))
    world.pass(699)
    expect(client.ask('GET', 'k').verdict).toBe('reply')
    world.pass(1)
    expect(client.ask('GET', 'k').verdict).toBe('wait')
  })

  test('is nobody else’s: other arguments, keys, commands, protocols, databases and tenants miss', () => {
    const acme = caching([rule('*')], {}, { databases: 3 })
    const world = new World(acme, { ...acme, name: 'beta', prefix: 'beta:' })
    const client = world.enter()
    world.store(client, ':1\r\n', -1, 'HEXISTS', 'k', 'f')
    expect(client.ask('HEXISTS', 'k', 'f').verdict).toBe('reply')
    for (const words of [
      ['HEXISTS', 'k', 'g'],
      ['HEXISTS', 'kf', ''],
      ['HSTRLEN', 'k', 'f'],
      ['HMGET', 'k', 'f'],
    ])
      expect([words, client.ask(...words).verdict]).toEqual([words, 'wait'])
    expect(world.enter('acme', 3).ask('HEXISTS', 'k', 'f').verdict).toBe('wait')
    expect(world.enter('beta').ask('HEXISTS', 'k', 'f').verdict).toBe('wait')
    client.session.select(1)
    expect(client.ask('HEXISTS', 'k', 'f').verdict).toBe('wait')
    client.session.select(0)
    expect(client.ask('HEXISTS', 'k', 'f').verdict).toBe('reply')
  })

  test('needs a rule for its key, of which the first counts', () => {
    const world = new World(caching([rule('a:*', { maxAge: 1000 }), rule('a*'), rule('z')]))
    const client = world.enter()
    for (const key of ['a:1', 'a1', 'z']) world.store(client, bulk('v'), -1, 'GET', key)
    expect([0, 1, 2].map((i) => world.rule(i).stored)).toEqual([1, 1, 1])
    expect(client.ask('GET', 'b').verdict).toBe('go')
    world.pass(1000)
    expect(client.ask('GET', 'a:1').verdict).toBe('wait')
    expect(client.ask('GET', 'a1').verdict).toBe('reply')
  })

  test('is not for those who wait for something else', () => {
    const world = new World(caching())
    const client = world.enter()
    world.store(client, bulk('v'), -1, 'GET', 'k')
    client.idle = false
    expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'go', ruling: { effects: undefined, delay: undefined } })
    client.inTransaction = true
    expect(client.ask('GET', 'k').verdict).toBe('go')
    expect(client.ask('GET', 'other')).toMatchObject({
      verdict: 'go',
      ruling: { effects: undefined, delay: undefined },
    })
    expect(world.rule()).toMatchObject({ hits: 0, misses: 2 })
  })

  test('is none of commands that the cache does not know, or with several keys, or of enormous size', () => {
    const world = new World(caching())
    const client = world.enter()
    expect(client.ask('TTL', 'k').verdict).toBe('go')
    expect(client.ask('EXISTS', 'k', 'l').verdict).toBe('go')
    expect(client.ask('EXISTS', 'k').verdict).toBe('wait')
    expect(client.ask('HMGET', 'k', 'f'.repeat(20_000)).verdict).toBe('go')
    expect(client.ask('PING').verdict).toBe('go')
  })
})

describe('a key that does not exist', () => {
  test('is remembered as long as `negative` says', () => {
    const world = new World(caching([rule('*', { negative: 2000 })]))
    const client = world.enter()
    world.store(client, '$-1\r\n', -2, 'GET', 'k')
    world.store(client, '*0\r\n', -2, 'LRANGE', 'k', '0', '-1')
    world.store(client, '*2\r\n$-1\r\n$-1\r\n', -2, 'HMGET', 'k', 'a', 'b')
    world.store(client, '$0\r\n\r\n', -2, 'GETRANGE', 'k', '0', '1')
    world.store(client, '+none\r\n', -2, 'TYPE', 'k')
    world.store(client, ':-1\r\n', -2, 'BITPOS', 'k', '1')
    world.pass(1999)
    expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'reply', answer: '$-1\r\n' })
    for (const words of [
      ['LRANGE', 'k', '0', '-1'],
      ['HMGET', 'k', 'a', 'b'],
      ['TYPE', 'k'],
      ['BITPOS', 'k', '1'],
    ])
      expect([words, client.ask(...words).verdict]).toEqual([words, 'reply'])
    world.pass(1)
    expect(client.ask('GET', 'k').verdict).toBe('wait')
  })

  test('is not, without it; nor one that came or went between the two questions', () => {
    const world = new World(caching(), caching([rule('*', { negative: 2000 })], {}, { name: 'beta', prefix: 'b:' }))
    const never = world.enter()
    world.store(never, '$-1\r\n', -2, 'GET', 'k')
    expect(never.ask('GET', 'k').verdict).toBe('wait')
    world.source.fetches = []
    const client = world.enter('beta')
    world.store(client, bulk('v'), -2, 'GET', 'k')
    world.store(client, '$-1\r\n', -1, 'GET', 'k')
    world.store(client, bulk('v'), 0, 'GET', 'k')
    expect(client.ask('GET', 'k').verdict).toBe('wait')
  })

  test('a field that does not exist is a reply like others', () => {
    const world = new World(caching())
    const client = world.enter()
    world.store(client, '$-1\r\n', -1, 'HGET', 'k', 'f')
    expect(client.ask('HGET', 'k', 'f').verdict).toBe('reply')
  })
})

describe('writes of others', () => {
  test('outdate what is kept of their key', () => {
    const world = new World(caching())
    const client = world.enter()
    for (const key of ['k', 'l']) world.store(client, bulk('v'), -1, 'GET', key)
    world.store(client, ':1\r\n', -1, 'STRLEN', 'k')
    world.cache.invalidated(Buffer.from('acme:k'))
    expect(client.ask('GET', 'l').verdict).toBe('reply')
    expect(client.ask('GET', 'k').verdict).toBe('wait')
    expect(client.ask('STRLEN', 'k').verdict).toBe('wait')
    expect(world.rule().invalidations).toBe(2)
    expect(world.cache.viewOf('acme')?.entries).toBe(1)
  })

  test('of everything outdate all of their upstream', () => {
    const world = new World(caching(), caching([rule('*')], {}, { name: 'beta', prefix: 'beta:', upstream: 'other' }))
    const [client, beta] = [world.enter(), world.enter('beta')]
    world.store(client, bulk('v'), -1, 'GET', 'k')
    beta.ask('GET', 'k')
    const other = world.sources.get('other')
    other?.answer(':-1\r\n')
    other?.answer(bulk('v'))
    world.cache.everything('main')
    expect(client.ask('GET', 'k').verdict).toBe('wait')
    expect(beta.ask('GET', 'k').verdict).toBe('reply')
  })

  test('not heard of for too long: nothing is served, nothing is kept, nobody waits', () => {
    const world = new World(caching())
    const client = world.enter()
    world.store(client, bulk('v'), -1, 'GET', 'k')
    world.clock.now += 1000
    expect(client.ask('GET', 'k').verdict).toBe('reply')
    world.clock.now += 1
    expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'go', ruling: { effects: undefined } })
    client.idle = false
    expect(client.ask('GET', 'x')).toMatchObject({ verdict: 'go', ruling: { effects: undefined } })
    client.idle = true
    world.source.feed.heardAt = Number.NEGATIVE_INFINITY
    expect(client.ask('GET', 'k').verdict).toBe('go')
    expect(world.cache.viewOf('acme')?.behind).toBe(Number.POSITIVE_INFINITY)
    // Heard of again, and none was missed.
    world.pass(1)
    expect(client.ask('GET', 'k').verdict).toBe('reply')
    expect(world.source.fetches).toEqual([])
  })

  test('perhaps missed outdate all', () => {
    const world = new World(caching())
    const client = world.enter()
    world.store(client, bulk('v'), -1, 'GET', 'k')
    world.source.feed.epoch++
    expect(client.ask('GET', 'k').verdict).toBe('wait')
    expect(world.rule().invalidations).toBe(1)
  })
})

describe('while the upstream is away', () => {
  test('what was kept is served for longer, where the configuration says so', () => {
    const world = new World(caching([rule('*', { maxAge: 1000 })], { staleWhileDown: 5000 }))
    const client = world.enter()
    for (const key of ['k', 'l']) world.store(client, bulk(key), -1, 'GET', key)
    world.source.feed.epoch++
    world.source.feed.heardAt = Number.NEGATIVE_INFINITY
    // It has not been noticed yet; that nobody was served is no reason to drop it.
    expect(client.ask('GET', 'k').verdict).toBe('go')
    world.source.down = true
    expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'reply', answer: bulk('k') })
    world.clock.now += 5999
    expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'reply', answer: bulk('k') })
    expect(client.ask('GET', 'unknown').verdict).toBe('go')
    client.write('SET', 'l', 'new')
    expect(client.ask('GET', 'l').verdict).toBe('go')
    expect(world.rule()).toMatchObject({ hits: 0, staleServed: 2 })
    world.clock.now += 1
    expect(client.ask('GET', 'k').verdict).toBe('go')
    expect(world.cache.viewOf('acme')?.entries).toBe(0)
  })

  test('and no longer when it is back', () => {
    const world = new World(caching([rule('*', { maxAge: 1000 })], { staleWhileDown: 5000 }))
    const client = world.enter()
    for (const key of ['k', 'l']) world.store(client, bulk('v'), -1, 'GET', key)
    world.pass(1500)
    expect(client.ask('GET', 'k').verdict).toBe('wait')
    world.source.feed.epoch++
    expect(client.ask('GET', 'l').verdict).toBe('wait')
    expect(world.rule()).toMatchObject({ expired: 2, staleServed: 0, invalidations: 1 })
  })

  test('without that, nothing is', () => {
    const world = new World(caching())
    const client = world.enter()
    world.store(client, bulk('v'), -1, 'GET', 'k')
    world.source.down = true
    expect(client.ask('GET', 'k').verdict).toBe('reply')
    expect(client.ask('GET', 'l')).toMatchObject({ verdict: 'go', ruling: { delay: undefined } })
    world.source.feed.heardAt = Number.NEGATIVE_INFINITY
    expect(client.ask('GET', 'k').verdict).toBe('go')
  })
})

describe('use', () => {
  test('is told to a server that evicts by it, now and then', () => {
    const world = new World(caching())
    const client = world.enter()
    world.store(client, bulk('v'), -1, 'GET', 'k')
    world.pass(10_000)
    client.ask('GET', 'k')
    expect(world.source.asked).toEqual([])
    world.source.evicts = true
    for (let i = 0; i < 5; i++) client.ask('GET', 'k')
    expect(world.source.asked).toEqual(['TOUCH acme:k'])
    world.pass(9999)
    client.ask('GET', 'k')
    expect(world.source.asked).toHaveLength(1)
    world.pass(1)
    client.ask('GET', 'k')
    expect(world.source.asked).toHaveLength(2)
  })

  test('of many keys is told of some', () => {
    const world = new World(caching())
    const client = world.enter()
    for (let i = 0; i < 150; i++) world.store(client, bulk('v'), -1, 'GET', `k${i}`)
    world.source.evicts = true
    world.pass(20_000)
    for (let i = 0; i < 150; i++) client.ask('GET', `k${i}`)
    expect(world.source.asked).toHaveLength(100)
    world.pass(1000)
    for (let i = 0; i < 150; i++) client.ask('GET', `k${i}`)
    expect(world.source.asked).toHaveLength(150)
  })
})
