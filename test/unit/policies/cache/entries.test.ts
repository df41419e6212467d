import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entries } from '../../../../src/policies/cache/entries.ts'
import type { Entry } from '../../../../src/policies/cache/entry.ts'
import { EntryProbe } from '../../../../src/policies/cache/entry-key.ts'
import type { EntryLog } from '../../../../src/policies/cache/entry-log.ts'
import { KeyHash } from '../../../../src/policies/cache/key-hash.ts'
import { Ruling } from '../../../../src/policies/policy.ts'
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
    expect(entries.store(probe.key(), stamp, buf, 11, buf.length)).toBe('stored')
    // It is a copy.
    const asked = Buffer.from(buf)
    buf.fill(0)
    asked.copy(buf, 0, 0, 10)
    const entry = entries.find(probe) as Entry
    const { slot, generation, tenantEpoch, feedEpoch, expiresAt, protocol, replyLength } = entry
    expect({ slot, generation, tenantEpoch, feedEpoch, expiresAt, storedAt: 5.5 }).toEqual(stamp)
    expect([protocol, replyLength]).toEqual([3, 5])
    expect([entry.sinceTouched(10_005.5), entry.sinceTouched(2 ** 40 + 5)]).toEqual([10_000, 0])
    entry.touch(5_000_000_000.7)
    expect(entry.sinceTouched(5_000_000_100.7)).toBe(100)
    expect(entry.bytes.toString('latin1', entry.start, entry.keyEnd)).toBe('key')
    expect(entry.bytes.toString('latin1', entry.keyEnd, entry.replyStart)).toBe('\x05\0\0\0field')
    const to = Buffer.alloc(8, '.')
    expect(entry.copyReply(to, 2)).toBe(7)
    expect(to.toString()).toBe('..:12\r\n.')
    const ruling = new Ruling()
    entries.find(probe)?.answer(ruling)
    expect(ruling.answer?.toString('latin1', ruling.answerStart, ruling.answerEnd)).toBe(':12\r\n')
  })

  test('until it is stored again', () => {
    const world = new EntriesWorld(MEMORY)
    world.store('key', Buffer.from('+one\r\n'))
    expect(world.store('key', Buffer.from('+another\r\n'))).toBe('stored')
    expect(world.reply('key')?.toString()).toBe('+another\r\n')
    expect(world.entries.count).toBe(1)
    expect(world.entries.evictions).toBe(0)
  })

  test('until it is dropped, which happens to nothing else', () => {
    const world = new EntriesWorld(MEMORY)
    for (const key of ['key', 'other', 'large']) world.store(key, replyOf(key.length, key === 'large' ? 5000 : 100))
    for (const key of ['key', 'large']) {
      world.entries.drop(world.find(key) as Entry)
      expect(world.find(key)).toBeUndefined()
    }
    expect(world.reply('other')).toEqual(replyOf(5, 100))
    expect(world.entries.count).toBe(1)
  })

  test('also when it is too large for a segment: then it is given out as it is, and never changes', () => {
    const world = new EntriesWorld(2 ** 20)
    world.store('large', replyOf(1, 20_000))
    const ruling = new Ruling()
    world.find('large')?.answer(ruling)
    expect(ruling.answerEnd).toBe(0)
    expect(world.find('large')?.replyLength).toBe(20_000)
    const to = Buffer.alloc(20_020)
    expect(world.find('large')?.copyReply(to, 10)).toBe(20_010)
    expect(to.subarray(10, 20_010).equals(replyOf(1, 20_000))).toBe(true)
    world.store('large', replyOf(2, 20_000))
    for (let i = 0; i < 20; i++) world.store(`other:${i}`, replyOf(3, 20_000))
    expect(ruling.answer?.equals(replyOf(1, 20_000))).toBe(true)
    expect(world.reply('large')?.equals(replyOf(2, 20_000))).toBe(true)
  })
})

test('an entry that has gone is not looked at: that is a mistake, not somebody else’s bytes', () => {
  const world = new EntriesWorld(MEMORY)
  world.store('key', replyOf(1, 100))
  const entry = world.find('key') as Entry
  world.store('other', replyOf(2, 100))
  expect(() => entry.answer(new Ruling())).toThrow(/has gone/)
  expect(() => entry.expiresAt).toThrow(/has gone/)
  world.entries.drop(world.find('key') as Entry)
  expect(() => entry.bytes).toThrow(/has gone/)
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

  test('nor is what has arguments that a segment has no room for', () => {
    const world = new EntriesWorld(MEMORY)
    expect(world.store('k'.repeat(500), Buffer.alloc(100))).toBe('stored')
    expect(world.store('k'.repeat(1000), Buffer.alloc(100))).toBe('large')
    expect(new EntriesWorld(2 ** 26).store('k'.repeat(10_000), Buffer.alloc(100))).toBe('stored')
  })

  test('a small entry costs some hundred bytes beside its own, a large one as many hundred', () => {
    const small = new EntriesWorld(2 ** 24)
    for (let i = 0; i < 50_000; i++) small.store(`key:${i}`, Buffer.alloc(64))
    expect((small.entries.bytes - 50_000 * 73) / 50_000).toBeLessThan(130)
    const large = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 30; i++) large.store(`key:${i}`, Buffer.alloc(20_000))
    expect(large.entries.bytes - 30 * 20_000).toBeGreaterThan(2 ** 16 + 30 * 400)
    expect(large.entries.bytes - 30 * 20_000).toBeLessThan(2 ** 16 + 30 * 600)
  })

  test('what has gone makes room for others, wherever it lay', () => {
    for (const length of [100, 1000, 20_000]) {
      const world = new EntriesWorld(2 ** 20)
      let i = 0
      while (world.entries.bytes < 2 ** 19) world.store(`key:${i++}`, Buffer.alloc(length))
      const { bytes, count } = world.entries
      // Each time, another third of what there is.
      for (let n = 0; n < 10 * count; n++) {
        const entry = world.find(`key:${i - count + ((n * 3) % count)}`)
        if (entry !== undefined) world.entries.drop(entry)
        world.store(`new:${n % count}`, Buffer.alloc(length))
      }
      expect(world.entries.evictions).toBe(0)
      expect(world.entries.bytes).toBeLessThan(1.7 * bytes)
    }
  })

  test('all of it is given back when all is dropped', () => {
    const world = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 2000; i++) world.get(`key:${i}`, Buffer.alloc(i % 10 === 0 ? 20_000 : 50))
    const { count } = world.entries
    const evictions = world.entries.evictions
    expect(world.entries.clear()).toBe(count)
    expect(world.entries.bytes).toBeLessThan(100)
    expect(world.entries.evictions).toBe(evictions)
  })

  test('a full cache drops what is asked for least', () => {
    const world = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 1000; i++) world.store(`key:${i}`, Buffer.alloc(800))
    expect(world.entries.evictions).toBe(0)
    for (let n = 0; n < 5; n++) for (let i = 0; i < 100; i++) world.find(`key:${i}`)
    // Asked for often enough to be let in.
    for (let i = 0; i < 400; i++) {
      for (let n = 0; n < 3; n++) world.find(`new:${i}`)
      expect(world.store(`new:${i}`, Buffer.alloc(800))).toBe('stored')
    }
    expect(world.entries.evictions).toBeGreaterThan(100)
    const left = Array.from({ length: 1000 }, (_, i) => world.find(`key:${i}`) !== undefined)
    expect(left.slice(0, 100).filter(Boolean).length).toBeGreaterThan(95)
    expect(left.slice(100).filter(Boolean).length).toBeLessThan(800)
  })

  test('where what was stored first is asked for all the time, others do not have to be asked for as often', () => {
    const world = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 1200; i++) world.store(`key:${i}`, Buffer.alloc(800))
    const hot = Math.floor(0.8 * world.entries.count)
    for (let n = 0; n < 8; n++) for (let i = 0; i < hot; i++) world.find(`key:${i}`)
    let stored = 0
    for (let i = 0; i < 3000; i++) {
      for (let n = 0; n < 3; n++) world.find(`new:${i}`)
      if (world.store(`new:${i}`, Buffer.alloc(800)) === 'stored') stored++
    }
    expect(stored).toBeGreaterThan(180)
    const left = Array.from({ length: hot }, (_, i) => world.find(`key:${i}`) !== undefined).filter(Boolean)
    expect(left.length).toBeGreaterThan(0.8 * hot)
  })

  test.each([
    ['small', 'large', 100, 20_000],
    ['large', 'small', 20_000, 100],
  ])('full of %s replies, it becomes full of %s ones when those are asked for', (_, __, before, after) => {
    const world = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 20_000; i++) world.get(`before:${i % 6000}`, Buffer.alloc(before))
    const most = new EntriesWorld(2 ** 20)
    for (let i = 0; i < 20_000; i++) most.get(`after:${i % 6000}`, Buffer.alloc(after))
    // Over and over, a third of what there is room for.
    const count = Math.floor(most.entries.count / 3)
    let hits = 0
    for (let i = 0; i < 30 * count; i++) if (world.get(`after:${i % count}`, Buffer.alloc(after))) hits++
    expect(hits / (30 * count)).toBeGreaterThan(0.6)
    expect(world.entries.bytes).toBeLessThanOrEqual(2 ** 20)
  })

  test('nor more when there are more and more entries, whose use has to be counted', () => {
    const memory = 2 * 2 ** 20
    const world = new EntriesWorld(memory)
    for (let i = 0; i < 1000; i++) world.get(`large:${i}`, Buffer.alloc(2000))
    const before = world.entries.count
    let most = 0
    for (let i = 0; i < 40_000; i++) {
      world.get(`small:${i >> 2}`, Buffer.alloc(10))
      most = Math.max(most, world.entries.bytes)
    }
    expect(world.entries.count).toBeGreaterThan(2 * before)
    expect(most).toBeLessThanOrEqual(memory)
    expect(most).toBeGreaterThan(0.9 * memory)
  })

  test.each([100, 2000])('what can never be served again makes room for anything: replies of %i bytes', (length) => {
    let dead = false
    const world = new EntriesWorld(MEMORY, () => dead)
    for (let i = 0; i < 1000; i++) for (let n = 0; n < 5; n++) world.get(`key:${i}`, Buffer.alloc(length))
    const fresh = (name: string) =>
      Array.from({ length: 20 }, (_, i) => world.store(`${name}:${i}`, Buffer.alloc(length)))
    expect(fresh('before')).not.toContain('stored')
    dead = true
    // Nobody tells when: it is found out by and by.
    for (let i = 0; i < 300; i++) world.store(`other:${i}`, Buffer.alloc(length))
    expect(fresh('after')).not.toContain('rejected')
  })

  test('a key whose reply has grown keeps its place, however seldom it is asked for', () => {
    const world = new EntriesWorld(MEMORY)
    for (let i = 0; i < 60; i++) world.store(`key:${i}`, Buffer.alloc(800))
    for (let i = 0; i < 60; i++) for (let n = 0; n < 5; n++) world.find(`key:${i}`)
    const known = Array.from({ length: 60 }, (_, i) => `key:${i}`).find(
      (key) => world.find(key) !== undefined,
    ) as string
    expect(world.store(known, Buffer.alloc(6000))).toBe('stored')
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
    expect(world.reply('page:7')).toEqual(replyOf(7, 20))
    expect(world.entries.dropMatching(() => true)).toBe(50)
    expect(world.entries.count).toBe(0)
  })
})

/** The index, the segments and the replies outside say the same. */
function expectConsistent(entries: Entries): void {
  const { log } = entries as unknown as { log: EntryLog }
  const { index, outside, segments } = log
  let count = 0
  let outsideBytes = 0
  const addresses = new Set<number>()
  for (const segment of segments.order) {
    let live = 0
    let here = 0
    let last = 0
    const end = log.each(segment, (entry) => {
      count++
      live += entry.units
      last = entry.address
      addresses.add(last)
      if (entry.outsideNumber !== -1) here += outside.costOf(entry.outsideNumber)
    })
    expect([end, live, here]).toEqual([segment.end, segment.live, segment.outside])
    expect(end).toBeLessThanOrEqual(segments.units)
    if (live > 0) expect(segments.of(last)).toBe(segment)
    outsideBytes += here
  }
  expect([count, addresses.size, outsideBytes]).toEqual([index.count, index.count, outside.bytes])
}

const WHAT = ['store', 'store', 'store', 'ask', 'ask', 'ask', 'drop', 'outdate', 'flush', 'clear'] as const

test.each([
  ['short ones', 400],
  ['short and long ones', 3500],
])(
  'replies, %s: whatever happens, the newest or none, within the memory, and those given out do not change',
  (_, longest) => {
    const memory = 32 * 1024
    const operation = fc.record({
      // Seldom those that drop much.
      what: fc.nat(200).map((n) => (n < 3 ? WHAT[7 + n] : WHAT[n % 7])),
      key: fc.nat(150),
      length: fc.nat(longest),
      times: fc.nat(3),
    })
    const all = { evictions: 0, outside: 0, dropped: 0 }
    fc.assert(
      fc.property(fc.array(operation, { minLength: 200, maxLength: 1500, size: 'max' }), (operations) => {
        // By the end of its name: some keys can be written.
        const generations = new Int32Array(10)
        const world = new EntriesWorld(memory, (entry) => entry.generation !== generations[entry.slot])
        const { entries } = world
        const model = new Map<string, Buffer>()
        const given: [Buffer, Buffer][] = []
        operations.forEach(({ what, key, length, times }, version) => {
          const name = `key:${key}`
          const slot = key % 10
          if (what === 'store') {
            for (let n = 0; n < times; n++) world.find(name)
            const reply = replyOf(version, length)
            if (world.store(name, reply, { slot, generation: generations[slot] }) === 'stored') model.set(name, reply)
            else model.delete(name)
          } else if (what === 'outdate') generations[slot]++
          else if (what === 'flush') {
            for (const other of model.keys()) if (other.endsWith('3')) model.delete(other)
            entries.dropMatching((bytes, __, end) => bytes[end - 1] === 0x33)
          } else if (what === 'clear') {
            entries.clear()
            model.clear()
          } else {
            const entry = world.find(name)
            if (entry !== undefined && (what === 'drop' || entry.generation !== generations[slot])) {
              entries.drop(entry)
              model.delete(name)
              all.dropped++
            } else if (entry !== undefined) {
              const ruling = new Ruling()
              entry.answer(ruling)
              const { answer, answerStart, answerEnd } = ruling
              const expected = model.get(name) as Buffer
              const reply = answerEnd > 0 ? answer?.subarray(answerEnd > 0 ? answerStart : 0, answerEnd) : answer
              expect(reply?.equals(expected)).toBe(true)
              if (answerEnd === 0 && expected.length > 0) given.push([answer as Buffer, expected])
            }
          }
          expect(entries.bytes).toBeLessThanOrEqual(memory)
          expect(entries.count).toBeLessThanOrEqual(model.size)
          if (version % 50 === 0) expectConsistent(entries)
        })
        expectConsistent(entries)
        const found = [...model.keys()].filter((name) => world.reply(name)?.equals(model.get(name) as Buffer))
        expect(found.length).toBe(entries.count)
        for (const [reply, expected] of given) expect(reply.equals(expected)).toBe(true)
        all.evictions += entries.evictions
        all.outside += given.length
      }),
      fuzz('entries', 0.02, 2000),
    )
    expect(all.evictions).toBeGreaterThan(100)
    expect(all.dropped).toBeGreaterThan(100)
    if (longest > 1000) expect(all.outside).toBeGreaterThan(0)
  },
)
