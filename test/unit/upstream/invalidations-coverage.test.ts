import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Coverage } from '../../../src/upstream/invalidations/coverage.ts'
import { fuzz } from '../../helpers/fuzz.ts'

const told = (...prefixes: string[]) => new Coverage(prefixes).prefixes.map((prefix) => prefix.toString('latin1'))
const has = (coverage: Coverage, key: string) => {
  const buf = Buffer.from(`<<${key}>>`, 'latin1')
  return coverage.has(buf, 2, buf.length - 2)
}

test('a prefix that another one begins is not told, since a server refuses such a list', () => {
  expect(told('b:', 'a:x', 'a:', 'a:y:z', 'b:')).toEqual(['a:', 'b:'])
})

test('an empty prefix, and more than 16, are all keys', () => {
  expect(told('a:', '')).toEqual([])
  const many = Array.from({ length: 17 }, (_, i) => `tenant${String.fromCharCode(97 + i)}:`)
  expect(told(...many.slice(1))).toHaveLength(16)
  expect(told(...many)).toEqual([])
  expect(has(new Coverage(many), 'anything')).toBe(true)
})

test('a key is covered by its first bytes', () => {
  const coverage = new Coverage(['acme:', '\xff\x00'])
  for (const key of ['acme:', 'acme:x', '\xff\x00y']) expect(has(coverage, key), key).toBe(true)
  for (const key of ['', 'acme', 'Acme:x', 'beta:x', 'xacme:', '\xff']) expect(has(coverage, key), key).toBe(false)
})

test('what covers what', () => {
  const [a, ab, longer, all] = [['a:'], ['a:', 'b:'], ['a:x', 'b:'], ['']].map((prefixes) => new Coverage(prefixes))
  expect([a, ab, longer, all].map((one) => ab.covers(one))).toEqual([true, true, true, false])
  expect([a, ab, longer, all].map((one) => all.covers(one))).toEqual([true, true, true, true])
  expect([a, ab, longer, all].map((one) => longer.covers(one))).toEqual([false, false, true, false])
  expect(ab.equals(new Coverage(['b:', 'a:', 'a:b']))).toBe(true)
  expect(ab.equals(a)).toBe(false)
})

test('agrees with startsWith, whatever the names', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', ':', '\xfe'), maxLength: 5 })
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 20 }), name, (prefixes, key) => {
      const coverage = new Coverage(prefixes)
      // With many of them it covers all, which is more than was asked for, and never less.
      const wanted = prefixes.some((prefix) => key.startsWith(prefix))
      if (coverage.prefixes.length > 0) expect(has(coverage, key)).toBe(wanted)
      else expect(has(coverage, key)).toBe(true)
      expect(coverage.covers(new Coverage([key])) || !wanted).toBe(true)
    }),
    fuzz('prefixes', 0.5),
  )
})
