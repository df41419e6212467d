import { expect, test } from 'vitest'
import { Meters } from '../../../../src/commands/delay.ts'
import { FLAG } from '../../../../src/commands/spec.ts'
import { theTable } from '../../../helpers/local-client.ts'
import { type Asked, bulk, caching, type FakeClient, rule, World } from './cache-world.ts'

/** The keys of these that are not kept any more. */
function gone(client: FakeClient, ...keys: readonly string[]): string[] {
  return keys.filter((key) => client.ask('GET', key).verdict !== 'reply')
}

function kept(world: World, client: FakeClient, ...keys: readonly string[]): void {
  for (const key of keys) world.store(client, bulk('v'), -1, 'GET', key)
}

test.each([
  [['SET', 'a', 'x'], ['a']],
  [['APPEND', 'a', 'x'], ['a']],
  [
    ['DEL', 'a', 'c'],
    ['a', 'c'],
  ],
  [
    ['MSET', 'a', 'b', 'c', 'd'],
    ['a', 'c'],
  ],
  [
    ['RENAME', 'a', 'b'],
    ['a', 'b'],
  ],
  [['EXPIRE', 'a', '10'], ['a']],
  [['PERSIST', 'a'], ['a']],
  [
    ['SORT', 'a', 'STORE', 'b'],
    ['a', 'b'],
  ],
  [
    ['ZUNIONSTORE', 'a', '1', 'b'],
    ['a', 'b'],
  ],
  [
    ['BLPOP', 'a', 'b', '0'],
    ['a', 'b'],
  ],
  [['XGROUP', 'CREATE', 'a', 'g', '$'], ['a']],
  [['PFCOUNT', 'a'], ['a']],
  [
    ['COPY', 'a', 'b', 'REPLACE'],
    ['a', 'b'],
  ],
  [
    ['MOVE', 'a', '1'],
    ['a', 'b', 'c', 'd'],
  ],
  [['FLUSHDB'], ['a', 'b', 'c', 'd']],
  [
    ['FLUSHALL', 'ASYNC'],
    ['a', 'b', 'c', 'd'],
  ],
  [
    ['EVAL', 'return 1', '1', 'a'],
    ['a', 'b', 'c', 'd'],
  ],
  [
    ['FCALL', 'f', '0'],
    ['a', 'b', 'c', 'd'],
  ],
  [['GET', 'a'], []],
  [['TTL', 'a'], []],
  [['PUBLISH', 'a', 'b'], []],
])('%j outdates what is kept of %j', (words, outdated) => {
  const world = new World(caching())
  const client = world.enter()
  kept(world, client, 'a', 'b', 'c', 'd')
  const other = world.enter()
  other.ask(...words)
  expect(gone(client, 'a', 'b', 'c', 'd')).toEqual(outdated)
})

test('what is fetched between a write and its reply is not kept beyond it', () => {
  const world = new World(caching())
  const client = world.enter()
  const asked = world.enter().ask('MSET', 'a', '1', 'b', '2')
  kept(world, client, 'a', 'b', 'c')
  expect(gone(client, 'a', 'b', 'c')).toEqual([])
  client.replied(asked, '+OK\r\n')
  expect(gone(client, 'a', 'b', 'c')).toEqual(['a', 'b'])
})

test('the same of a write of one key, and of one of whatever there is', () => {
  for (const [words, outdated] of [
    [['SET', 'a', 'x'], ['a']],
    [['FLUSHDB'], ['a', 'b']],
  ] as const) {
    const world = new World(caching())
    const client = world.enter()
    const asked = world.enter().ask(...words)
    kept(world, client, 'a', 'b')
    client.replied(asked, '+OK\r\n')
    expect(gone(client, 'a', 'b')).toEqual(outdated)
  }
})

test('a transaction outdates when its members are queued, and when it is executed', () => {
  const world = new World(caching())
  const [client, writer] = [world.enter(), world.enter()]
  writer.ask('MULTI')
  writer.inTransaction = true
  const member = writer.ask('INCR', 'a')
  expect(member.verdict).toBe('go')
  kept(world, client, 'a', 'b')
  // EXEC is answered: it has the meters of its members.
  member.ruling.meter?.replied(10)
  expect(gone(client, 'a', 'b')).toEqual(['a'])
})

test('SELECT in a transaction: what is written then is anywhere in the tenant', () => {
  const world = new World(caching([rule('*')], {}, { databases: 2 }))
  const [client, writer] = [world.enter(), world.enter()]
  client.session.select(1)
  kept(world, client, 'a', 'b')
  writer.ask('SELECT', '0')
  writer.ask('MULTI')
  writer.inTransaction = true
  writer.ask('SET', 'a', 'x')
  expect(gone(client, 'a', 'b')).toEqual([])
  writer.ask('SELECT', '1')
  writer.ask('SET', 'a', 'x')
  expect(gone(client, 'a', 'b')).toEqual(['a', 'b'])
  writer.ask('EXEC')
  writer.inTransaction = false
  world.source.fetches = []
  kept(world, client, 'c', 'd')
  writer.ask('SET', 'c', 'x')
  expect(gone(client, 'c', 'd')).toEqual([])
})

test('databases are apart; COPY and MOVE reach from one into another', () => {
  const world = new World(caching([rule('*')], {}, { databases: 2 }))
  const [client, writer] = [world.enter(), world.enter()]
  client.session.select(1)
  kept(world, client, 'a', 'b')
  writer.ask('FLUSHDB')
  world.source.fetches = []
  kept(world, client, 'a', 'b')
  writer.ask('COPY', 'a', 'b', 'REPLACE')
  expect(gone(client, 'a', 'b')).toEqual([])
  writer.ask('COPY', 'a', 'b', 'DB', '1')
  expect(gone(client, 'a', 'b')).toEqual(['a', 'b'])
  world.source.fetches = []
  kept(world, client, 'c')
  writer.ask('MOVE', 'c', '1')
  expect(gone(client, 'c')).toEqual(['c'])
})

test('keys of no rule cost nothing: no meter, no generation', () => {
  const world = new World(caching([rule('a*')]))
  const writer = world.enter()
  expect(writer.ask('MSET', 'b', '1', 'c', '2').ruling.meter).toBeUndefined()
  expect(writer.ask('MSET', 'b', '1', 'a', '2').ruling.meter).toBeDefined()
})

test('meters of other policies stay', () => {
  const world = new World(caching())
  const writer = world.enter()
  let counted = 0
  const theirs = {
    parts: [] as { replied(): void; parts: [] }[],
    replied: () => {
      counted++
    },
  }
  theirs.parts.push(theirs as never)
  const asked: Asked = writer.ask('SET', 'a', 'x')
  const mine = asked.ruling.meter
  const again = writer.ask('GET', 'b')
  again.ruling.meter = theirs
  const spec = theTable().byName('set')
  if (spec === undefined) throw new Error('no SET')
  const buf = Buffer.from('SETav')
  const request = { buf, start: 0, end: 5, argc: 3, args: Int32Array.of(0, 3, 3, 4, 4, 5) }
  writer.chain.onRequest(
    spec,
    { ...request, idle: true, inTransaction: false, view: () => expect.fail() },
    again.ruling,
  )
  expect(again.ruling.meter).toBeInstanceOf(Meters)
  expect(again.ruling.meter?.parts).toHaveLength(2)
  again.ruling.meter?.replied(5)
  expect(counted).toBe(1)
  expect(mine).toBeDefined()
})

test('every command that may write outdates something, with whatever arguments', () => {
  const world = new World(caching())
  for (const spec of theTable().all()) {
    if ((spec.flags & FLAG.WRITE) === 0 || spec.subcommands !== undefined) continue
    const writer = world.enter()
    const words = [...spec.name.toUpperCase().split('|'), ...Array(12).fill('2')]
    expect([spec.name, writer.ask(...words).ruling.meter !== undefined]).toEqual([spec.name, true])
  }
})
