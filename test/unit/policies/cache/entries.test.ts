import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '../../../../src/policies/cache/entries.ts'
import { EntryProbe } from '../../../../src/policies/cache/entry-key.ts'
import { KeyHash } from '../../../../src/policies/cache/key-hash.ts'
import { fuzz } from '../../../helpers/fuzz.ts'
import { EntriesWorld } from './entries-world.ts'

const MEMORY = 64 * 1024

/** A reply that tells whose it is in all of its bytes. */
function replyOf(version: number, length: number): Buffer {
  return Buffer.from(`${version} `.repeat(length).slice(0, length), 'latin1')
}

describe('what is stored is found', () => {
  test('with all that belongs to it', () => {
    const { entries } = new EntriesWorld(MEMORY)
    const hasher = new KeyHash()
    const buf = Buffer.from('XkeyYfieldZ:12\r\n')
    const probe = new EntryProbe(hasher).set(
      5,
      3,
      2,
      hasher.stateOf(Buffer.from('acme:2:')),
      buf,
      Int32Array.of(0, 0, 1, 4, 5, 10),
      1,
      2,
    )
    const stamp = { slot: 1, generation: 2, tenantEpoch: 3, feedEpoch: 4, storedAt: 5.5, expiresAt: 6.5 }
    expect(entries.store(probe.key(), stamp, 0x3a, buf, 11, buf.length)).toBe('stored')
    // It is a copy.
    const asked = Buffer.from(buf)
    buf.fill(0)
    asked.copy(buf, 0, 0, 10)
    const entry = entries.find(probe) as Entry
    expect(entry).toMatchObject({ ...stamp, type: 0x3a, command: 5, db: 2, protocol: 3, count: 2, touchedAt: 5.5 })
    expect(entry.reply.toString()).toBe(':12\r\n')
    expect(entry.bytes.toString('latin1', 0, entry.keyEnd)).toBe('key')
    expect(entry.reply).toBe(entry.reply)
  })

  test('until it is stored again', () => {
    const world = new EntriesWorld(MEMORY)
    world.store('key', Buffer.from('+one\r\n'))
    const old = world.find('key')?.reply
    expect(world.store('key', Buffer.from('+another\r\n'))).toBe('stored')
    expect(world.find('key')?.reply.toString()).toBe('+another\r\n')
    expect(old?.toString()).toBe('+one\r\n')
    expect(world.entries.count).toBe(1)
    expect(world.entries.evictions).toBe(0)
  })

  test('until it is dropped, which happens to nothing else', () => {
    const world = new EntriesWorld(MEMORY)
    world.store('key', Buffer.from('+one\r\n'))
    const old = world.find('key') as Entry
    world.store('key', Buffer.from('+another\r\n'))
    world.entries.drop(old)
    expect(world.find('key')).toBeDefined()
    world.entries.drop(world.find('key') as Entry)
    expect(world.find('key')).toBeUndefined()
    expect(world.entries.count).toBe(0)
  })
})

test('a reply asked of an entry that has gone is a mistake, not somebody else’s bytes', () => {
  const world = new EntriesWorld(MEMORY)
  world.store('key', replyOf(1, 100))
  const entry = world.find('key') as Entry
  world.entries.drop(entry)
  world.store('other', replyOf(2, 100))
  expect(() => entry.reply).toThrow(/has gone/)
})

test('another key with the same hash is not taken for it, and takes its place', () => {
  const world = new EntriesWorld(MEMORY)
  world.store('key', replyOf(1, 10))
  const key = { ...world.ask('other').key(), hash: world.ask('key').hash }
  const probe = world.ask('other')
  probe.hash = key.hash
  expect(world.entries.find(probe)).toBeUndefined()
  world.entries.store(
    key,
    { slot: 0, generation: 0, tenantEpoch: 0, feedEpoch: 0, storedAt: 0, expiresAt: 1 },
    0,
    key.bytes,
    0,
    1,
  )
  expect(world.entries.find(probe)).toBeDefined()
  expect(world.find('key')).toBeUndefined()
})

describe('memory', () => {
  test('what would take more than an eighth of it is not stored, and what was there before is dropped', () => {
    const world = new EntriesWorld(MEMORY)
    expect(world.store('key', Buffer.alloc(100))).toBe('stored')
    expect(world.store('key', Buffer.alloc(MEMORY / 8))).toBe('large')
    expect(world.find('key')).toBeUndefined()
    expect(world.entries.bytes).toBeLessThan(MEMORY / 8)
    expect(world.store('key', Buffer.alloc(MEMORY / 8 - 2048))).toBe('stored')
  })

  test('every entry counts, with what it costs to keep it, and counts no more when it is gone', () => {
    const world = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 100; i++) world.store(`key:${i}`, Buffer.alloc(1000))
    expect(world.entries.bytes).toBeGreaterThan(100 * 1700)
    expect(world.entries.bytes).toBeLessThan(100 * 2000)
    for (let i = 0; i < 100; i++) world.entries.drop(world.find(`key:${i}`) as Entry)
    // Their memory waits for others, up to a sixteenth.
    expect(world.entries.bytes).toBeLessThanOrEqual(2 ** 16)
    expect(world.entries.clear()).toBe(0)
    expect(world.entries.bytes).toBe(0)
  })

  test('a full cache drops what was used longest ago', () => {
    const world = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 600; i++) world.store(`key:${i}`, Buffer.alloc(800))
    expect(world.entries.evictions).toBe(0)
    for (let i = 0; i < 100; i++) world.find(`key:${i}`)
    // Asked for often enough to be let in.
    for (let i = 0; i < 200; i++) {
      for (let n = 0; n < 5; n++) world.find(`new:${i}`)
      expect(world.store(`new:${i}`, Buffer.alloc(800))).toBe('stored')
    }
    expect(world.entries.evictions).toBeGreaterThan(100)
    const left = Array.from({ length: 600 }, (_, i) => world.find(`key:${i}`) !== undefined)
    expect(left.slice(0, 100).every(Boolean)).toBe(true)
    expect(left.slice(100, 200).some(Boolean)).toBe(false)
  })

  test('nor more when there are more and more entries, whose use has to be counted', () => {
    const memory = 2 * 2 ** 20
    const world = new EntriesWorld(memory)
    for (let i = 0; i < 1000; i++) world.get(`large:${i}`, Buffer.alloc(2000))
    const before = world.entries.count
    let most = 0
    for (let i = 0; i < 12_000; i++) {
      world.get(`small:${i >> 2}`, Buffer.alloc(10))
      most = Math.max(most, world.entries.bytes)
    }
    expect(world.entries.count).toBeGreaterThan(2 * before)
    expect(most).toBeLessThanOrEqual(memory)
    expect(most).toBeGreaterThan(0.98 * memory)
  })

  test('what can never be served again makes room for anything', () => {
    let dead = false
    const world = new EntriesWorld(MEMORY, () => dead)
    for (let i = 0; i < 100; i++) for (let n = 0; n < 5; n++) world.get(`key:${i}`, Buffer.alloc(800))
    expect(world.store('new', Buffer.alloc(800))).toBe('rejected')
    dead = true
    expect(world.store('new', Buffer.alloc(800))).toBe('stored')
  })

  test('a key whose reply has grown keeps its place, however seldom it is asked for', () => {
    const world = new EntriesWorld(MEMORY)
    for (let i = 0; i < 30; i++) world.store(`key:${i}`, Buffer.alloc(800))
    for (let i = 0; i < 30; i++) for (let n = 0; n < 5; n++) world.find(`key:${i}`)
    expect(world.store('key:0', Buffer.alloc(6000))).toBe('stored')
    expect(world.store('new', Buffer.alloc(6000))).toBe('rejected')
  })
})

describe('CACHE.FLUSH', () => {
  const filled = () => {
    const world = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 50; i++) world.store(`user:${i}`, replyOf(i, 20))
    for (let i = 0; i < 50; i++) world.store(`page:${i}`, replyOf(i, 20))
    return world
  }

  test('all', () => {
    const world = filled()
    expect(world.entries.clear()).toBe(100)
    expect(world.entries.count).toBe(0)
    expect(world.find('user:1')).toBeUndefined()
    expect(world.store('user:1', replyOf(1, 20))).toBe('stored')
  })

  test('those whose key matches', () => {
    const world = filled()
    const seen: string[] = []
    const dropped = world.entries.dropMatching((bytes, start, end) => {
      const key = bytes.toString('latin1', start, end)
      seen.push(key)
      return key.startsWith('user:')
    })
    expect(dropped).toBe(50)
    expect(new Set(seen).size).toBe(100)
    expect(world.find('user:7')).toBeUndefined()
    expect(world.find('page:7')?.reply).toEqual(replyOf(7, 20))
    expect(world.entries.dropMatching(() => true)).toBe(50)
    expect(world.entries.count).toBe(0)
  })
})

test('whatever happens: the newest reply or none, within the memory, and replies that were given out do not change', () => {
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('store'), key: fc.nat(40), length: fc.nat(3000) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('serve'), key: fc.nat(40), length: fc.constant(0) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('find'), key: fc.nat(40), length: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('drop'), key: fc.nat(40), length: fc.constant(0) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('flush', 'clear'), key: fc.nat(40), length: fc.constant(0) }),
    },
  )
  let evictions = 0
  fc.assert(
    fc.property(fc.array(operation, { minLength: 50, maxLength: 300 }), fc.boolean(), (operations, dead) => {
      const world = new EntriesWorld(32 * 1024, () => dead)
      const { entries } = world
      const model = new Map<string, Buffer>()
      const given: [Buffer, Buffer][] = []
      operations.forEach(({ do: what, key, length }, version) => {
        const name = `key:${key}`
        if (what === 'store') {
          const reply = replyOf(version, length)
          if (world.store(name, reply) === 'stored') model.set(name, reply)
          else model.delete(name)
        } else if (what === 'flush') {
          for (const other of model.keys()) if (other.endsWith('3')) model.delete(other)
          entries.dropMatching((bytes, _, end) => bytes[end - 1] === 0x33)
        } else if (what === 'clear') {
          entries.clear()
          model.clear()
        } else {
          const entry = world.find(name)
          if (entry !== undefined && what === 'drop') {
            entries.drop(entry)
            model.delete(name)
          } else if (entry !== undefined && what === 'serve') {
            const expected = model.get(name) as Buffer
            expect(entry.reply).toEqual(expected)
            given.push([entry.reply, expected])
          } else if (entry !== undefined) {
            expect(entry.bytes.subarray(entry.argsEnd, entry.replyEnd)).toEqual(model.get(name))
          }
        }
        expect(entries.bytes).toBeLessThanOrEqual(32 * 1024)
        expect(entries.count).toBeLessThanOrEqual(model.size)
      })
      for (const [reply, expected] of given) expect(reply.equals(expected)).toBe(true)
      evictions += entries.evictions
    }),
    fuzz('entries', 0.02, 2000),
  )
  expect(evictions).toBeGreaterThan(0)
})
