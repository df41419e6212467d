import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeyHash } from '../../../../src/policies/cache/key-hash.ts'
import { fuzz } from '../../../helpers/fuzz.ts'

const NAMES = (process.env.KEYWARD_TIER ?? 'default') === 'default' ? 200_000 : 1_000_000

const NOTHING = Buffer.alloc(0)

/** Both hashes of a name. */
function hashes(hash: KeyHash, name: Buffer): [number, number] {
  hash.of(hash.stateOf(NOTHING), name, 0, name.length)
  return [hash.a, hash.b]
}

test('a raw key has the same hashes wherever its prefix ends, and wherever it stands in a buffer', () => {
  const hash = new KeyHash()
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(9),
      fc.nat(9),
      (head, tail, before, behind) => {
        const whole = hashes(hash, Buffer.concat([head, tail]))
        const buf = Buffer.concat([Buffer.alloc(before, 1), tail, Buffer.alloc(behind, 2)])
        const a = hash.of(hash.stateOf(Buffer.from(head)), buf, before, before + tail.length)
        expect([a, hash.b]).toEqual(whole)
        expect(hash.a).toBe(a)
      },
    ),
    fuzz('hash in pieces', 0.5),
  )
})

test('names that differ in one byte, in their length or in their order are different', () => {
  const names = [
    '',
    '\0',
    '\0\0',
    '\0\0\0',
    '\0\0\0\0',
    '\0\0\0\0\0',
    'a',
    'b',
    'ab',
    'ba',
    'ab\0',
    'abcd',
    'cdab',
    'abcde',
  ]
  const hash = new KeyHash()
  const all = names.map((name) => hashes(hash, Buffer.from(name, 'latin1')))
  expect(new Set(all.map(([a]) => a)).size).toBe(names.length)
  expect(new Set(all.map(([, b]) => b)).size).toBe(names.length)
})

test('any two bytes are a name of their own', () => {
  const hash = new KeyHash()
  const name = Buffer.alloc(2)
  const seen = new Set<number>()
  for (let i = 0; i < 65_536; i++) {
    name.writeUInt16LE(i)
    seen.add(hashes(hash, name)[0])
  }
  expect(seen.size).toBe(65_536)
})

describe.each([
  ['numbers behind a word', (i: number) => `cache:user:${i}`],
  ['numbers in front', (i: number) => `${i}:session`],
  ['addresses', (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`],
  ['numbers in binary', (i: number) => `${String.fromCharCode(i & 255, (i >> 8) & 255, i >> 16)}\0\0\0\0\0`],
])('many names: %s', (_, shape) => {
  const hash = new KeyHash()
  const from = hash.stateOf(Buffer.from('acme:'))
  const as = new Int32Array(NAMES)
  const bs = new Int32Array(NAMES)
  const name = Buffer.alloc(32)
  for (let i = 0; i < NAMES; i++) {
    as[i] = hash.of(from, name, 0, name.write(shape(i), 'latin1'))
    bs[i] = hash.b
  }

  test('each hash alone puts as few together as chance does', () => {
    // A perfect one has 4.7 of 200,000, 116 of a million. It would be exceeded so far once in millions of runs.
    const chance = NAMES ** 2 / 2 ** 33
    const most = chance + 6 * Math.sqrt(chance) + 4
    expect(NAMES - new Set(as).size).toBeLessThan(most)
    expect(NAMES - new Set(bs).size).toBeLessThan(most)
  })

  test('both together put none together', () => {
    const pairs = new Set<bigint>()
    for (let i = 0; i < NAMES; i++) pairs.add((BigInt(as[i]) << 32n) | BigInt(bs[i] >>> 0))
    expect(pairs.size).toBe(NAMES)
  })

  test.each([
    ['low', (h: number) => h & 1023],
    ['high', (h: number) => h >>> 22],
  ])('the %s bits are spread evenly', (_bits, part) => {
    for (const all of [as, bs]) {
      const counts = new Uint32Array(1024)
      for (const h of all) counts[part(h)]++
      const mean = NAMES / 1024
      let chiSquare = 0
      for (const count of counts) chiSquare += (count - mean) ** 2 / mean
      // 1023 degrees of freedom: 1023 on average, with a standard deviation of 45.
      expect(chiSquare).toBeGreaterThan(1023 - 7 * 45)
      expect(chiSquare).toBeLessThan(1023 + 7 * 45)
    }
  })
})

test('a change of any bit changes each bit of the hash in about half of all cases', () => {
  const rounds = 2000
  const changed = new Uint32Array(32)
  const name = Buffer.from('cache:user:12345')
  for (let i = 0; i < rounds; i++) {
    const hash = new KeyHash()
    const [before] = hashes(hash, name)
    const other = Buffer.from(name)
    other[i % 16] ^= 1 << ((i >> 4) % 8)
    const difference = before ^ hashes(hash, other)[0]
    for (let bit = 0; bit < 32; bit++) changed[bit] += (difference >>> bit) & 1
  }
  for (const count of changed) {
    expect(count).toBeGreaterThan(rounds * 0.4)
    expect(count).toBeLessThan(rounds * 0.6)
  }
})

test('nobody can make names that fall together whatever the secrets are', () => {
  // The highest bit of a word only ever changes the highest bit of a product, and what is shifted down from there: where words
  // go into the state without being multiplied, a change of the first by one of these is undone by one of the others.
  const one = Buffer.from('aaaaaaaa', 'latin1')
  const changes = [...Array.from({ length: 31 }, (_, bit) => (1 << 31) ^ (1 << bit)), 1 << 31]
  for (const first of [1 << 31, (1 << 31) ^ (1 << 16) ^ 2]) {
    for (const second of changes) {
      const other = Buffer.from(one)
      other.writeInt32LE(one.readInt32LE(0) ^ first, 0)
      other.writeInt32LE(one.readInt32LE(4) ^ second, 4)
      const together = Array.from({ length: 20 }, () => new KeyHash()).filter(
        (hash) => hashes(hash, one)[0] === hashes(hash, other)[0],
      )
      expect(together.length).toBeLessThan(3)
    }
  }
})

test('numbers and bytes behind a key make other hashes, in which their order and their lengths count', () => {
  const hash = new KeyHash()
  const from = hash.stateOf(NOTHING)
  const name = Buffer.from('key')
  const behind = (...parts: (number | string)[]): string => {
    hash.of(from, name, 0, 3)
    for (const part of parts) {
      if (typeof part === 'number') hash.more(part)
      else hash.moreBytes(Buffer.from(part), 0, part.length)
    }
    return `${hash.a} ${hash.b}`
  }
  const all = [
    [],
    [1],
    [2],
    [1, ''],
    [1, '', ''],
    [1, 'a'],
    [1, 'b'],
    [2, 'a'],
    [1, 'ab'],
    [1, 'a', 'b'],
    [1, 'b', 'a'],
    [1, '', 'ab'],
  ]
  expect(new Set(all.map((parts) => behind(...parts))).size).toBe(all.length)
  expect(behind(1, 'a', 'b')).toBe(behind(1, 'a', 'b'))
})
