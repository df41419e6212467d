import { expect, test } from 'vitest'
import { bulk, caching, type FakeClient, rule, World } from './cache-world.ts'

/** A client whose earlier requests are not answered yet. */
function pipelining(world: World, protocol: 2 | 3 = 2): FakeClient {
  const client = world.enter('acme', protocol)
  client.idle = false
  return client
}

test('a reply on the usual way is kept when the time to live of its key is known', () => {
  const world = new World(caching())
  const client = pipelining(world)
  const asked = client.ask('HGETALL', 'k')
  expect(asked.verdict).toBe('go')
  world.pass(100)
  client.replied(asked, '*2\r\n$1\r\nf\r\n$1\r\nv\r\n')
  expect(world.source.asked).toEqual(['PTTL acme:k'])
  world.pass(100)
  world.source.answer(':1000\r\n')
  const other = world.enter()
  expect(other.ask('HGETALL', 'k').answer).toBe('*2\r\n$1\r\nf\r\n$1\r\nv\r\n')
  // Counted from the request, which is too early rather than too late.
  world.pass(800)
  expect(other.ask('HGETALL', 'k').verdict).toBe('wait')
  expect(world.rule()).toMatchObject({ misses: 2, hits: 1, stored: 1, expired: 1 })
})

test('not when the key has gone meanwhile, or nothing is known of it', () => {
  const world = new World(caching([rule('*', { negative: 1000 })]))
  for (const pttl of [':-2\r\n', undefined, '-LOADING\r\n', ':0\r\n']) {
    const client = pipelining(world)
    client.replied(client.ask('GET', 'k'), bulk('v'))
    world.source.answer(pttl)
    expect([pttl, world.enter().ask('GET', 'k').verdict]).toEqual([pttl, 'wait'])
    world.source.answer(undefined)
    world.source.answer(undefined)
  }
})

test.each([
  ['before its reply', (world: World) => world.enter().ask('SET', 'k', 'w'), () => {}],
  ['behind its reply', () => {}, (world: World) => world.cache.invalidated(Buffer.from('acme:k'))],
])('not when the key was written %s', (_, before, after) => {
  const world = new World(caching())
  const client = pipelining(world)
  const asked = client.ask('GET', 'k')
  before(world)
  client.replied(asked, bulk('v'))
  after(world)
  if (world.source.fetches.length > 0) world.source.answer(':-1\r\n')
  expect(world.rule().stored).toBe(0)
})

test('nothing is asked for what cannot be kept: errors, large replies, keys that do not exist', () => {
  const world = new World(caching())
  const client = pipelining(world)
  client.replied(client.ask('GET', 'k'), '-WRONGTYPE no\r\n')
  client.replied(client.ask('GET', 'k'), '$-1\r\n')
  client.replied(client.ask('GET', 'k'), bulk('x'.repeat(200_000)))
  expect(client.ask('GET', 'k').ruling.effects).toBeUndefined()
  client.replied(client.ask('LLEN', 'k'), '|1\r\n+a\r\n+b\r\n:1\r\n')
  expect(world.source.asked).toEqual([])
})

test('the same reply many times in one pipeline is asked about once', () => {
  const world = new World(caching())
  const client = pipelining(world)
  const asked = Array.from({ length: 16 }, () => client.ask('GET', 'k'))
  for (const one of asked) client.replied(one, bulk('v'))
  expect(world.source.asked).toEqual(['PTTL acme:k'])
  world.source.answer(':-1\r\n')
  expect(world.enter().ask('GET', 'k').verdict).toBe('reply')
})

test('so many replies wait for their times; the others are not kept', () => {
  const world = new World(caching([rule('*')], { maxFetches: 10 }))
  const client = pipelining(world)
  for (let i = 0; i < 11; i++) client.replied(client.ask('GET', `k${i}`), bulk('v'))
  expect(world.source.fetches).toHaveLength(10)
  // The request itself was a miss like any other.
  expect(world.rule()).toMatchObject({ misses: 11, skipped: 1, crowded: 0 })
  while (world.source.fetches.length > 0) world.source.answer(':-1\r\n')
  client.replied(client.ask('GET', 'k10'), bulk('v'))
  expect(world.source.fetches).toHaveLength(1)
})

test('nor do more bytes wait for their times than the largest entry may have', () => {
  const world = new World(caching())
  const client = pipelining(world)
  for (let i = 0; i < 10; i++) client.replied(client.ask('GET', `k${i}`), bulk('x'.repeat(30_000)))
  expect(world.source.fetches).toHaveLength(4)
  expect(world.rule()).toMatchObject({ misses: 10, skipped: 6 })
  while (world.source.fetches.length > 0) world.source.answer(':-1\r\n')
  client.replied(client.ask('GET', 'k9'), bulk('x'.repeat(30_000)))
  expect(world.source.fetches).toHaveLength(1)
})

test('one MGET of many keys whose times nobody can wait for is one miss, and no request is crowded', () => {
  const world = new World(caching([rule('*')], { maxFetches: 1 }))
  const client = world.enter()
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
  client.replied(client.ask('MGET', ...keys), `*20\r\n${bulk('v').repeat(20)}`)
  expect(world.rule()).toMatchObject({ misses: 1, skipped: 19, crowded: 0 })
})

test('effects of other policies stay', () => {
  const world = new World(caching())
  const client = pipelining(world)
  const { ruling } = client.ask('GET', 'k')
  expect(Object.keys(ruling.effects ?? {})).toEqual(['fill'])
})

test('MGET is answered from entries of GET, and makes them', () => {
  const world = new World(caching([rule('*', { negative: 5000 })]))
  const client = world.enter()
  world.store(client, bulk('1'), -1, 'GET', 'a')
  const asked = client.ask('MGET', 'a', 'b', 'c', 'list')
  expect(asked.verdict).toBe('go')
  client.replied(asked, `*4\r\n${bulk('1')}${bulk('\r\n2')}$-1\r\n$-1\r\n`)
  expect(world.source.asked).toEqual(['PTTL acme:b', 'PTTL acme:c', 'PTTL acme:list'])
  world.source.answer(':-1\r\n')
  world.source.answer(':-2\r\n')
  world.source.answer(':-1\r\n')
  expect(client.ask('MGET', 'c', 'b', 'a', 'b').answer).toBe(
    `*4\r\n$-1\r\n${bulk('\r\n2')}${bulk('1')}${bulk('\r\n2')}`,
  )
  expect(client.ask('GET', 'b').answer).toBe(bulk('\r\n2'))
  // A list, for all that MGET says of it.
  expect(client.ask('GET', 'list').verdict).toBe('wait')
  expect(world.rule()).toMatchObject({ hits: 2, misses: 3, stored: 3 })
})

test('MGET in RESP3, and behind other requests', () => {
  const world = new World(caching([rule('*', { negative: 5000 })]))
  const client = pipelining(world, 3)
  client.replied(client.ask('MGET', 'a', 'b'), `*2\r\n_\r\n${bulk('v')}`)
  world.source.answer(':-2\r\n')
  world.source.answer(':-1\r\n')
  expect(client.ask('MGET', 'a', 'b')).toMatchObject({ verdict: 'go', ruling: { effects: undefined } })
  client.idle = true
  expect(client.ask('MGET', 'a', 'b').answer).toBe(`*2\r\n_\r\n${bulk('v')}`)
  client.write('DEL', 'b')
  expect(client.ask('MGET', 'a', 'b').verdict).toBe('go')
})

test('MGET with keys of no rule goes upstream, and keeps the others', () => {
  const world = new World(caching([rule('a*')]))
  const client = world.enter()
  expect(client.ask('MGET', 'b', 'c')).toMatchObject({ verdict: 'go', ruling: { effects: undefined } })
  const asked = client.ask('MGET', 'a1', 'b', 'a2')
  client.replied(asked, `*3\r\n${bulk('1')}${bulk('b')}${bulk('2')}`)
  expect(world.source.asked).toEqual(['PTTL acme:a1', 'PTTL acme:a2'])
  world.source.answer(':-1\r\n')
  world.source.answer(':-1\r\n')
  expect(client.ask('MGET', 'a1', 'a2').verdict).toBe('reply')
  expect(client.ask('MGET', 'a1', 'b', 'a2').verdict).toBe('go')
})

test.each([['-ERR no\r\n'], ['*1\r\n'], ['*2\r\n:1\r\n$1\r\nv\r\n'], ['*2\r\n$9\r\nv\r\n'], ['$1\r\nv\r\n']])(
  'MGET keeps nothing of a reply that is none: %j',
  (reply) => {
    const world = new World(caching())
    const client = world.enter()
    client.replied(client.ask('MGET', 'a', 'b'), reply)
    expect(world.source.asked).toEqual([])
  },
)
