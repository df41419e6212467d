import { expect, test } from 'vitest'
import { bulk, caching, rule, World } from './cache-world.ts'

function answers(...asked: readonly { ruling: { delay?: { answer?: Buffer; due: number } } }[]) {
  return asked.map(({ ruling: { delay } }) => delay?.answer?.toString('latin1') ?? delay?.due)
}

test('one fetch answers all who ask for the same while it is under way', () => {
  const world = new World(caching())
  const asked = Array.from({ length: 1000 }, () => world.enter().ask('GET', 'k'))
  expect(new Set(asked.map(({ verdict }) => verdict))).toEqual(new Set(['wait']))
  expect(world.source.asked).toEqual(['PTTL acme:k', 'GET acme:k'])
  world.source.answer(':-1\r\n')
  expect(answers(asked[0])).toEqual([Number.POSITIVE_INFINITY])
  world.source.answer(bulk('v'))
  expect(new Set(answers(...asked))).toEqual(new Set([bulk('v')]))
  expect(world.rule()).toMatchObject({ misses: 1, coalesced: 999, stored: 1, hits: 0, crowded: 0 })
  expect(world.enter().ask('GET', 'k').verdict).toBe('reply')
})

test('it asks in the words and the protocol of the client, for raw keys, in the name of the tenant', () => {
  const world = new World(caching([rule('*')], {}, { databases: 4 }))
  const client = world.enter('acme', 3)
  client.session.select(2)
  client.ask('lrange', 'k', '0', '-1')
  expect(world.source.asked).toEqual(['PTTL acme:2:k', 'lrange acme:2:k 0 -1'])
  expect(world.source.fetches.map(({ tenant, protocol, spec }) => [tenant, protocol, spec.name])).toEqual([
    [4, 3, 'pttl'],
    [4, 3, 'lrange'],
  ])
})

test('whoever comes behind a write, of this process or another, does not join', () => {
  const world = new World(caching())
  const [one, two, three, writer] = [world.enter(), world.enter(), world.enter(), world.enter()]
  const first = one.ask('GET', 'k')
  writer.ask('SET', 'k', 'new')
  const second = two.ask('GET', 'k')
  world.cache.invalidated(Buffer.from('acme:k'))
  const third = three.ask('GET', 'k')
  expect(world.source.asked.filter((words) => words.startsWith('GET'))).toHaveLength(3)
  for (const value of ['1', '2', '3']) {
    world.source.answer(':-1\r\n')
    world.source.answer(bulk(value))
  }
  expect(answers(first, second, third)).toEqual([bulk('1'), bulk('2'), bulk('3')])
  expect(world.rule()).toMatchObject({ coalesced: 0, stored: 1 })
  expect(one.ask('GET', 'k').answer).toBe(bulk('3'))
})

test.each([
  ['its key is written', (world: World) => world.enter().ask('APPEND', 'k', 'x')],
  ['its key is written elsewhere', (world: World) => world.cache.invalidated(Buffer.from('acme:k'))],
  ['anything may have been written', (world: World) => world.enter().ask('FLUSHALL')],
  ['the server is flushed', (world: World) => world.cache.everything('main')],
  ['writes may have been missed', (world: World) => world.source.feed.epoch++],
  ['the cache is configured anew', (world: World) => world.load(caching([rule('k*')]))],
])('a reply is given and not kept when %s while it is under way', (_, happens) => {
  const world = new World(caching())
  const asked = world.enter().ask('GET', 'k')
  happens(world)
  world.source.answer(':-1\r\n')
  world.source.answer(bulk('v'))
  expect(answers(asked)).toEqual([bulk('v')])
  expect(world.cache.viewOf('acme')?.entries).toBe(0)
  expect(world.enter().ask('GET', 'k').verdict).toBe('wait')
})

test.each([
  [undefined],
  ['-LOADING Redis is loading the dataset in memory\r\n'],
  ['-MOVED 1 10.0.0.1:6379\r\n'],
  ['-NOPERM no permissions\r\n'],
  ['!5\r\n-oops\r\n'],
])('where the fetch has no answer (%s), everybody goes upstream for himself', (reply) => {
  const world = new World(caching())
  const asked = [world.enter().ask('GET', 'k'), world.enter().ask('GET', 'k')]
  world.source.answer(undefined)
  world.source.answer(reply)
  expect(answers(...asked)).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])
  expect(world.enter().ask('GET', 'k').verdict).toBe('wait')
})

test('an error about the key is for all, and not kept', () => {
  const world = new World(caching())
  const wrong = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'
  const asked = [world.enter().ask('GET', 'k'), world.enter().ask('GET', 'k')]
  world.source.answer(':-1\r\n')
  world.source.answer(wrong)
  expect(answers(...asked)).toEqual([wrong, wrong])
  expect(world.enter().ask('GET', 'k').verdict).toBe('wait')
})

test('a value without its time to live is given and not kept', () => {
  const world = new World(caching())
  const asked = world.enter().ask('GET', 'k')
  world.source.answer(undefined)
  world.source.answer(bulk('v'))
  expect(answers(asked)).toEqual([bulk('v')])
  expect(world.enter().ask('GET', 'k').verdict).toBe('wait')
})

test('who has left is not told; the others are', () => {
  const world = new World(caching())
  const [first, second] = [world.enter().ask('GET', 'k'), world.enter().ask('GET', 'k')]
  first.ruling.delay?.end(true)
  world.source.answer(':-1\r\n')
  world.source.answer(bulk('v'))
  expect(answers(first, second)).toEqual([Number.POSITIVE_INFINITY, bulk('v')])
})

test('who asks while others are told finds it kept', () => {
  const world = new World(caching())
  const client = world.enter()
  const asked = client.ask('GET', 'k')
  let again = ''
  if (asked.ruling.delay !== undefined) asked.ruling.delay.onSettled = () => (again = client.ask('GET', 'k').verdict)
  world.source.answer(':-1\r\n')
  world.source.answer(bulk('v'))
  expect(again).toBe('reply')
})

test('a request that waits for a limit is not looked at; it goes upstream when its time has come', () => {
  const world = new World(caching())
  const client = world.enter()
  world.store(client, bulk('v'), -1, 'GET', 'k')
  const asked = client.ask('GET', 'other')
  expect(asked.ruling.delay).toBeDefined()
  // As Chain does where a policy in front of this one says `wait`.
  const { ruling } = asked
  const spec = world.source.fetches[1].spec
  const before = ruling.delay
  const request = { buf: Buffer.from('GETk'), start: 0, end: 4, argc: 2, args: Int32Array.of(0, 3, 3, 4) }
  const rest = { idle: true, inTransaction: false, view: () => expect.fail() }
  expect(client.chain.onRequest(spec, { ...request, ...rest }, ruling)).toBe('go')
  expect(ruling.delay).toBe(before)
  expect(ruling.answer).toBeUndefined()
})

test('a reply too large to be kept goes the usual way from then on, until its key is written', () => {
  const world = new World(caching())
  const client = world.enter()
  const large = bulk('x'.repeat(200_000))
  world.store(client, large, -1, 'GET', 'k')
  expect(world.rule().stored).toBe(0)
  expect(world.cache.viewOf('acme')?.rejected).toBe(1)
  expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'go', ruling: { effects: undefined } })
  client.idle = false
  expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'go', ruling: { effects: undefined } })
  client.idle = true
  client.write('SET', 'k', 'small')
  expect(client.ask('GET', 'k').verdict).toBe('wait')
})

test('ten who miss at once are one miss and nine that are coalesced: each request is counted once', () => {
  const world = new World(caching())
  const crowd = Array.from({ length: 10 }, () => world.enter())
  for (const client of crowd) expect(client.ask('GET', 'k').verdict).toBe('wait')
  world.source.answer(':-1\r\n')
  world.source.answer(bulk('v'))
  expect(world.rule()).toMatchObject({ misses: 1, coalesced: 9, hits: 0, staleServed: 0, crowded: 0 })
  for (const client of crowd) client.ask('GET', 'k')
  const { misses, coalesced, hits, staleServed } = world.rule()
  expect(misses + coalesced + hits + staleServed).toBe(20)
})

test('a fetch that is late: who waited goes on with what is left of its patience', () => {
  const world = new World(caching())
  const late = [world.enter().ask('GET', 'k'), world.enter().ask('GET', 'k')]
  world.source.answer(undefined, true)
  world.source.answer(undefined, true)
  const failed = world.enter().ask('GET', 'k')
  world.source.answer(undefined)
  world.source.answer(undefined)
  expect([...late, failed].map(({ ruling }) => ruling.delay?.spends)).toEqual([true, true, false])
  expect(answers(...late, failed)).toEqual(Array.from({ length: 3 }, () => Number.NEGATIVE_INFINITY))
})

test('so many fetches, and so many who wait for one; others go upstream for themselves', () => {
  const world = new World(caching([rule('*')], { maxFetches: 3, maxFollowers: 5 }))
  const client = world.enter()
  for (let i = 0; i < 5; i++) expect(client.ask('GET', 'k').verdict).toBe('wait')
  expect(client.ask('GET', 'k')).toMatchObject({ verdict: 'go', ruling: { delay: undefined } })
  for (let i = 1; i < 3; i++) expect(client.ask('GET', `k${i}`).verdict).toBe('wait')
  expect(client.ask('GET', 'more').verdict).toBe('go')
  expect(client.ask('GET', 'k1').verdict).toBe('wait')
  expect(world.rule()).toMatchObject({ misses: 5, coalesced: 5, crowded: 2 })
  while (world.source.fetches.length > 0) world.source.answer(undefined)
  expect(client.ask('GET', 'more').verdict).toBe('wait')
})
