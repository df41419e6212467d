import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EntryProbe } from '../../../../src/policies/cache/entry-key.ts'
import { KeyHash } from '../../../../src/policies/cache/key-hash.ts'
import { fuzz } from '../../../helpers/fuzz.ts'

/** A request for a reply. */
interface Asked {
  readonly command: number
  readonly protocol: 2 | 3
  readonly db: number
  readonly args: readonly string[]
}

const hasher = new KeyHash()
const PREFIXES = [0, 1, 2].map((db) => hasher.stateOf(Buffer.from(`acme:${db}:`)))

/** As in a request: with something in front of each argument, and behind the last. */
function probeOf({ command, protocol, db, args }: Asked, first = 1, hash = hasher): EntryProbe {
  const parts: Buffer[] = []
  const offsets = new Int32Array(2 * (args.length + first))
  let at = 0
  args.forEach((arg, i) => {
    const bytes = Buffer.from(arg, 'latin1')
    const head = Buffer.from(`$${bytes.length}\r\n`)
    parts.push(head, bytes, Buffer.from('\r\n'))
    offsets[2 * (first + i)] = at + head.length
    offsets[2 * (first + i) + 1] = at + head.length + bytes.length
    at += head.length + bytes.length + 2
  })
  return new EntryProbe(hash).set(
    command,
    protocol,
    db,
    PREFIXES[db],
    Buffer.concat(parts),
    offsets,
    first,
    args.length,
  )
}

const asked: fc.Arbitrary<Asked> = fc.record({
  command: fc.nat(2),
  protocol: fc.constantFrom(2 as const, 3 as const),
  db: fc.nat(1),
  args: fc.array(fc.string({ unit: fc.constantFrom('a', 'a', 'a', '\0'), maxLength: 2 }), {
    minLength: 1,
    maxLength: 3,
  }),
})

test('two requests are for the same reply if all is equal, and else not', () => {
  let equal = 0
  fc.assert(
    fc.property(asked, asked, fc.boolean(), (one, two, repeat) => {
      const other = repeat ? { ...two, args: one.args } : two
      const same = JSON.stringify(one) === JSON.stringify({ ...other })
      if (same) equal++
      const key = probeOf(one).key()
      const probe = probeOf(other, 2)
      expect(probe.matches(key)).toBe(same)
      if (same) expect([probe.hash, probe.check]).toEqual([key.hash, key.check])
    }),
    fuzz('requests', 0.5),
  )
  expect(equal).toBeGreaterThan(0)
})

test('the bytes are compared, however the hashes fall', () => {
  const blind = new KeyHash(new Int32Array(5))
  blind.of = () => 0
  blind.more = () => {}
  blind.moreBytes = () => {}
  fc.assert(
    fc.property(asked, asked, fc.boolean(), (one, two, same) => {
      const other = same ? { ...one, args: two.args } : two
      const key = probeOf(one, 1, blind).key()
      const probe = probeOf(other, 1, blind)
      expect([probe.hash, probe.check]).toEqual([key.hash, key.check])
      expect(probe.matches(key)).toBe(JSON.stringify(one) === JSON.stringify(other))
    }),
    fuzz('requests of one hash', 0.5),
  )
})

test('a key that is kept has the bytes of the request, and does not change with it', () => {
  const args = ['key', 'field', '']
  const probe = probeOf({ command: 7, protocol: 3, db: 1, args })
  const key = probe.key()
  expect(key).toMatchObject({ hash: probe.hash, check: probe.check, command: 7, what: 15, db: 1 })
  expect(key.bytes.toString('latin1', 0, key.keyEnd)).toBe('key')
  expect(key.argsEnd).toBe(key.bytes.length)
  expect(key.bytes.toString('latin1', key.keyEnd, key.argsEnd)).toBe('\x05\0\0\0field\0\0\0\0')
})

test('keyHash is that of the raw key, whatever is asked about it', () => {
  const raw = Buffer.from('acme:1:key')
  const expected = hasher.of(hasher.stateOf(Buffer.alloc(0)), raw, 0, raw.length)
  expect(probeOf({ command: 1, protocol: 2, db: 1, args: ['key'] }).keyHash).toBe(expected)
  expect(probeOf({ command: 2, protocol: 3, db: 1, args: ['key', 'field'] }).keyHash).toBe(expected)
  expect(probeOf({ command: 1, protocol: 2, db: 0, args: ['key'] }).keyHash).not.toBe(expected)
})
