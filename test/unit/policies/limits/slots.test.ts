import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SHARED } from '../../../../src/policies/limits/buckets.ts'
import { Slots } from '../../../../src/policies/limits/slots.ts'

const NAMES = (process.env.KEYWARD_TIER ?? 'default') === 'default' ? 200_000 : 1_000_000

/** Slots whose owner knows by name which ones are idle. */
class Owner {
  readonly idle = new Set<string>()
  /** By slot. */
  readonly names: (string | undefined)[] = []
  /** The capacity that was told last. */
  told = 0
  readonly slots: Slots

  constructor(most: number) {
    this.slots = new Slots(
      most,
      (slot) => this.isIdle(slot),
      (slot, capacity, name, start, end) => {
        this.names[slot] = name.toString('latin1', start, end)
        this.told = capacity
      },
    )
  }

  isIdle = (slot: number): boolean => this.idle.has(this.names[slot] ?? '')

  find(name: string): number {
    // Not at the start of its buffer, and with something behind it, as in a request.
    const bytes = Buffer.from(`..${name}..`, 'latin1')
    return this.slots.find(bytes, 2, bytes.length - 2)
  }
}

test('a name has one slot, another name another, while the arrays grow', () => {
  const owner = new Owner(5000)
  const slots = Array.from({ length: 5000 }, (_, i) => owner.find(`user:${i}`))
  expect(new Set(slots).size).toBe(5000)
  expect(Math.min(...slots)).toBe(SHARED + 1)
  expect(Math.max(...slots)).toBeLessThan(owner.slots.capacity)
  expect(owner.slots.capacity).toBe(5001)
  expect(owner.told).toBe(5001)
  expect(slots.map((_, i) => owner.find(`user:${i}`))).toEqual(slots)
  expect(slots.map((slot) => owner.names[slot])).toEqual(slots.map((_, i) => `user:${i}`))
  expect(owner.slots.count).toBe(5000)
  expect(owner.slots.overflows).toBe(0)
})

test('names that differ in one byte, in their length or in their order are different', () => {
  const names = [
    '',
    '\0',
    '\0\0',
    '\0\0\0',
    'ab',
    'ba',
    'a',
    'b',
    'aa',
    'ab\0',
    'cdab',
    'abcd',
    'a\x80',
    'a\xff',
    '\x01',
    '\x02',
  ]
  const owner = new Owner(100)
  expect(new Set(names.map((name) => owner.find(name))).size).toBe(names.length)
  expect(owner.names.slice(1)).toEqual(names)
})

test('any two bytes are a name of their own', () => {
  const slots = new Slots(
    65_536,
    () => false,
    () => {},
  )
  const name = Buffer.alloc(2)
  for (let i = 0; i < 65_536; i++) {
    name.writeUInt16LE(i)
    slots.find(name, 0, 2)
  }
  expect(slots.count).toBe(65_536)
})

test('many names of the usual shapes are told apart', () => {
  for (const shape of [
    (i: number) => `user:${i}`,
    (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
  ]) {
    const slots = new Slots(
      NAMES,
      () => false,
      () => {},
    )
    const name = Buffer.alloc(20)
    for (let i = 0; i < NAMES; i++) slots.find(name, 0, name.write(shape(i), 'latin1'))
    // Of a million, it would fail once in 30 million runs.
    expect(slots.count).toBe(NAMES)
  }
})

describe('when all slots are in use', () => {
  test('a new name shares, and those that have a slot keep it', () => {
    const owner = new Owner(3)
    const slots = ['a', 'b', 'c'].map((name) => owner.find(name))
    expect(owner.find('d')).toBe(SHARED)
    expect(owner.find('d')).toBe(SHARED)
    expect(owner.slots.overflows).toBe(2)
    expect(['a', 'b', 'c'].map((name) => owner.find(name))).toEqual(slots)
    expect(owner.slots.count).toBe(3)
    expect(owner.slots.capacity).toBe(4)
  })

  test('a new name takes the slot of an idle one', () => {
    const owner = new Owner(3)
    const [, slot] = ['a', 'b', 'c'].map((name) => owner.find(name))
    owner.idle.add('b')
    expect(owner.find('d')).toBe(slot)
    expect(owner.names[slot]).toBe('d')
    expect(owner.find('b')).toBe(SHARED)
    expect(owner.slots.overflows).toBe(1)
  })

  test('a held slot is never taken, however idle, until everybody has released it', () => {
    const owner = new Owner(1)
    const slot = owner.find('a')
    owner.idle.add('a')
    owner.slots.hold(slot)
    owner.slots.hold(slot)
    owner.slots.release(slot)
    expect(owner.find('b')).toBe(SHARED)
    owner.slots.sweep(owner.isIdle, 100)
    expect(owner.find('a')).toBe(slot)
    owner.slots.release(slot)
    expect(owner.find('b')).toBe(slot)
  })

  test('a name looks at 64 slots, the next name at the next 64', () => {
    const owner = new Owner(1000)
    for (let i = 1; i <= 1000; i++) expect(owner.find(`${i}`)).toBe(i)
    for (const name of ['65', '129', '194']) owner.idle.add(name)
    expect(owner.find('sees 1 to 64')).toBe(SHARED)
    expect(owner.find('sees 65')).toBe(65)
    expect(owner.find('sees 66 to 129')).toBe(129)
    expect(owner.find('sees 130 to 193')).toBe(SHARED)
    expect(owner.find('sees 194')).toBe(194)
  })

  test('holding and releasing the shared slot changes nothing', () => {
    const owner = new Owner(1)
    owner.slots.hold(SHARED)
    owner.slots.release(SHARED)
    owner.slots.release(SHARED)
    expect(owner.find('a')).toBe(1)
  })
})

test('a sweep frees what is idle, as many slots at a time as it was told to look at', () => {
  const owner = new Owner(1000)
  for (let i = 1; i <= 300; i++) owner.find(`${i}`)
  for (let i = 1; i <= 300; i += 3) owner.idle.add(`${i}`)
  owner.slots.sweep(owner.isIdle, 150)
  expect(owner.slots.count).toBe(250)
  owner.slots.sweep(owner.isIdle, 150)
  expect(owner.slots.count).toBe(200)
  owner.slots.sweep(owner.isIdle, 1_000_000)
  expect(owner.slots.count).toBe(200)
  for (let i = 1; i <= 300; i++) if (i % 3 !== 1) expect(owner.find(`${i}`)).toBe(i)
  // The freed ones come first.
  const freed = new Set(Array.from({ length: 100 }, (_, i) => 1 + 3 * i))
  for (let i = 0; i < 100; i++) expect(freed.has(owner.find(`new ${i}`))).toBe(true)
  expect(owner.find('one more')).toBe(301)
})

test('sweeping without any name is nothing', () => {
  const owner = new Owner(10)
  owner.slots.sweep(owner.isIdle, 100)
  expect(owner.slots.count).toBe(0)
})

test('whatever is found, held, released and swept: as a map would have it', () => {
  const name = fc.integer({ min: 0, max: 150 }).map((n) => `name ${n}`)
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('find' as const), name }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('hold' as const), name }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), name }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('idle' as const), name }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('busy' as const), name }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const), name }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), fc.integer({ min: 1, max: 130 }), (steps, most) => {
      const owner = new Owner(most)
      const holders = new Map<string, number>()
      const mine = new Map<string, number>()
      for (const { do: what, name } of steps) {
        const before = mine.get(name)
        if (what === 'idle') owner.idle.add(name)
        else if (what === 'busy') owner.idle.delete(name)
        else if (what === 'sweep') owner.slots.sweep(owner.isIdle, 200)
        else if (what === 'release') {
          const held = holders.get(name) ?? 0
          if (held > 0 && before !== undefined) owner.slots.release(before)
          if (held > 0) holders.set(name, held - 1)
        } else {
          const slot = owner.find(name)
          if (before !== undefined) expect(slot).toBe(before)
          else if (slot === SHARED) expect(owner.slots.count).toBe(most)
          if (slot !== SHARED) {
            // Whose slot it was must have been free to go.
            for (const [other, its] of mine) {
              if (its !== slot || other === name) continue
              expect([other, owner.idle.has(other), holders.get(other) ?? 0]).toEqual([other, true, 0])
              mine.delete(other)
            }
            mine.set(name, slot)
            expect(owner.names[slot]).toBe(name)
            if (what === 'hold') {
              owner.slots.hold(slot)
              holders.set(name, (holders.get(name) ?? 0) + 1)
            }
          }
        }
        if (what === 'sweep')
          for (const each of [...mine.keys()])
            if (owner.idle.has(each) && (holders.get(each) ?? 0) === 0) mine.delete(each)
        expect(owner.slots.count).toBe(mine.size)
      }
    }),
    { numRuns: 300 },
  )
})
