import { expect, test } from 'vitest'
import { tenant } from '../../../helpers/local-client.ts'
import { bulk, caching, rule, World } from './cache-world.ts'

test('a tenant without a cache has none', () => {
  const world = new World(tenant('acme'))
  expect(() => world.enter()).toThrow('no cache')
  expect(world.cache.viewOf('acme')).toBeUndefined()
  expect(world.cache.flush('acme', undefined)).toBe(0)
  expect(world.cache.prefixesOf('main')).toEqual([])
})

test('what a feed has to tell of: the literal beginnings of patterns, none the beginning of another', () => {
  const rules = ['cache:*', 'cache:hot:*', 'user:?', 'é[ab]', 'a\\*b', 'whole', 'whole2'].map((keys) => rule(keys))
  const world = new World(
    caching(rules),
    caching([rule('*')], {}, { name: 'beta', prefix: 'beta:' }),
    caching([rule('x*')], {}, { name: 'many', prefix: 'many:', databases: 2 }),
    caching([rule('*')], {}, { name: 'else', prefix: 'else:', upstream: 'other' }),
    tenant('none'),
  )
  const latin1 = Buffer.from('acme:é').toString('latin1')
  const expected = ['acme:a', 'acme:cache:', 'acme:user:', 'acme:whole', latin1, 'beta:', 'many:']
  expect([...world.cache.prefixesOf('main')].sort()).toEqual(expected.sort())
  expect(world.cache.prefixesOf('other')).toEqual(['else:'])
  expect(world.cache.prefixesOf('third')).toEqual([])
})

test('the tenant without a prefix needs to hear of all', () => {
  expect(new World(caching([rule('*')], {}, { prefix: '' })).cache.prefixesOf('main')).toEqual([''])
})

test('a reload that changes nothing of a cache keeps what is in it', () => {
  const world = new World(caching())
  world.store(world.enter(), bulk('v'), -1, 'GET', 'k')
  world.load(caching(), caching([rule('*')], {}, { name: 'beta', prefix: 'beta:' }))
  expect(world.enter().ask('GET', 'k').verdict).toBe('reply')
  expect(world.cache.view().map((view) => view.tenant)).toEqual(['acme', 'beta'])
})

test.each([
  ['other rules', caching([rule('*', { maxAge: 1 })])],
  ['another upstream', caching([rule('*')], {}, { upstream: 'other' })],
])('a reload with %s empties it', (_, after) => {
  const world = new World(caching())
  world.store(world.enter(), bulk('v'), -1, 'GET', 'k')
  world.load(after)
  expect(world.enter().ask('GET', 'k').verdict).toBe('wait')
  expect(world.rule()).toMatchObject({ hits: 0, stored: 0 })
})

test('so does one that opens its upstream anew', () => {
  const world = new World(caching())
  world.store(world.enter(), bulk('v'), -1, 'GET', 'k')
  const source = world.source
  world.sources.delete('main')
  world.load(caching())
  // Its feed counts epochs anew.
  expect(world.source).not.toBe(source)
  expect(world.source.feed.epoch).toBe(source.feed.epoch)
  expect(world.enter().ask('GET', 'k').verdict).toBe('wait')
})

test('one that takes the cache away ends it; requests that wait for it are answered', () => {
  const world = new World(caching())
  const client = world.enter()
  const asked = client.ask('GET', 'k')
  world.load(tenant('acme'))
  expect(world.cache.view()).toEqual([])
  world.source.answer(':-1\r\n')
  world.source.answer(bulk('v'))
  expect(asked.ruling.delay?.answer?.toString()).toBe(bulk('v'))
})

test('flush drops all, or what matches, of all databases, and says how many', () => {
  const world = new World(caching([rule('*')], {}, { databases: 2 }))
  const client = world.enter()
  for (const key of ['a1', 'a2', 'b']) world.store(client, bulk('v'), -1, 'GET', key)
  client.session.select(1)
  world.store(client, bulk('v'), -1, 'GET', 'a1')
  world.store(client, ':1\r\n', -1, 'STRLEN', 'a1')
  expect(world.cache.flush('acme', Buffer.from('a1*'))).toBe(3)
  expect(client.ask('GET', 'a1').verdict).toBe('wait')
  client.session.select(0)
  expect(client.ask('GET', 'a2').verdict).toBe('reply')
  expect(world.cache.flush('acme', undefined)).toBe(2)
  expect(world.cache.flush('acme', undefined)).toBe(0)
  expect(client.ask('GET', 'a2').verdict).toBe('wait')
  expect(world.cache.flush('nobody', undefined)).toBe(0)
})

test('the view counts what there is', () => {
  const world = new World(caching([rule('a*'), rule('b*')], { memory: 1 << 20 }))
  const client = world.enter()
  world.store(client, bulk('v'), -1, 'GET', 'a')
  client.ask('GET', 'a')
  client.ask('GET', 'b')
  world.clock.now += 250
  const [view] = world.cache.view()
  expect(view).toMatchObject({ tenant: 'acme', memory: 1 << 20, entries: 1, evictions: 0, rejected: 0, behind: 250 })
  expect(view.bytes).toBeGreaterThan(100)
  expect(view.rules.map(({ keys, hits, misses }) => [keys, hits, misses])).toEqual([
    ['a*', 1, 1],
    ['b*', 0, 1],
  ])
})

test('more entries than there is room for: some go, never too many bytes', () => {
  const world = new World(caching([rule('*')], { memory: 1 << 18 }))
  const client = world.enter()
  for (let i = 0; i < 1000; i++) {
    world.store(client, bulk('v'.repeat(500)), -1, 'GET', `k${i}`)
    expect(world.cache.viewOf('acme')?.bytes).toBeLessThanOrEqual(1 << 18)
  }
  const view = world.cache.viewOf('acme')
  expect((view?.evictions ?? 0) + (view?.rejected ?? 0)).toBeGreaterThan(500)
})
