import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { globMatches } from '../../../src/lib/glob.ts'
import { compileKeys, hasStar, KeyPart } from '../../../src/policies/key-part.ts'

const RUNS = { default: 20_000, long: 300_000, drill: 3_000_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 20_000

/** What the first star stands for, the name being in the middle of other bytes; undefined: no match. */
function partOf(compiled: KeyPart, name: Buffer): string | undefined {
  const around = Buffer.concat([Buffer.from('*a['), name, Buffer.from('a*b')])
  const end = 3 + name.length
  const matches = compiled.matches(around, 3, end)
  expect(compiled.part(around, 3, end)).toBe(matches)
  return matches ? around.toString('latin1', compiled.partStart, compiled.partEnd) : undefined
}

describe('what the first star stands for', () => {
  const rows: [pattern: string, name: string, part: string | undefined][] = [
    ['rl:key:*', 'rl:key:abc', 'abc'],
    ['rl:key:*', 'rl:key:', ''],
    ['rl:key:*', 'rl:kez:abc', undefined],
    ['rl:key:*', 'rl:key', undefined],
    ['*:count', 'abc:count', 'abc'],
    ['*:count', ':count', ''],
    ['*:count', 'abc:counts', undefined],
    ['user:*:cart', 'user:7:cart', '7'],
    ['user:*:cart', 'user::cart', ''],
    ['user:*:cart', 'user:cart', undefined],
    ['aa*aa', 'aaa', undefined],
    ['*', 'anything', 'anything'],
    ['*', '', ''],
    ['**', '', ''],
    ['**', 'ab', 'ab'],
    ['user:*:*', 'user:7:cart:x', '7'],
    ['user:*:*:x', 'user:7:a:b:x', '7'],
    ['user:**:*', 'user:7:cart', '7'],
    ['u?er:*', 'uzer:7', '7'],
    ['[ab]:*:[0-9]', 'b:x:y:5', 'x:y'],
    ['[^ab]:*', 'a:x', undefined],
    ['\\*:*', '*:x', 'x'],
    ['\\*:*', 'y:x', undefined],
    ['a*b*c', 'aXbYbZc', 'X'],
    ['a*b*c', 'abc', ''],
    ['a*b*bc', 'abc', undefined],
    ['a*[b*]*c', 'a1*c', '1'],
    ['exact', 'exact', ''],
    ['exact', 'exactly', undefined],
    ['', '', ''],
    ['', 'a', undefined],
  ]
  for (const [pattern, name, part] of rows)
    test(`${JSON.stringify(pattern)} in ${JSON.stringify(name)}`, () =>
      expect(partOf(compileKeys(pattern), Buffer.from(name))).toBe(part))
})

test('a pattern beyond ASCII means its bytes in UTF-8', () => {
  expect(partOf(compileKeys('größe:*'), Buffer.from('größe:9'))).toBe('9')
  expect(partOf(compileKeys('größe:*'), Buffer.from('größe:9', 'latin1'))).toBe(undefined)
})

test('which patterns have a star that stands for something', () => {
  expect(
    ['*', 'a*', '*a', '[a]*', '\\\\*', '[a\\]*]*', '[]*', '[a-]*]*'].filter((pattern) => !hasStar(pattern)),
  ).toEqual([])
  expect(['', 'a', '\\*', '[*]', '[a*', '[\\]*]', '[a-]*]'].filter(hasStar)).toEqual([])
})

test('any pattern matches what globMatches matches, and the part is the shortest that lets the rest match', () => {
  const letters = ['a', 'b', 'c', '\xff', '\0', '-', '^', ']', '[', '\\', '*', '?']
  const text = fc.array(fc.constantFrom(...letters, 'a', 'b'), { maxLength: 9 }).map((all) => all.join(''))
  const pieces = [...letters, 'a', 'b', '*', '*', '?', '[^', 'a-c', '[a-c]', '[^a]', '[a\\]]', '[a-]', '[^-]', '\\*']
  const pattern = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((all) => all.join(''))
  let matched = 0
  let shortened = 0
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      const glob = Buffer.from(pattern, 'latin1')
      const name = Buffer.from(text, 'latin1')
      const compiled = new KeyPart(glob)
      const part = partOf(compiled, name)
      const onlyStars = /^\*+$/.test(pattern)
      expect(part !== undefined).toBe(globMatches(glob, name) || (onlyStars && text === ''))
      if (part === undefined) return
      matched++
      const expected = byTrying(glob, name)
      if (expected.length > 0 && !name.toString('latin1').endsWith(expected)) shortened++
      expect(part).toBe(expected)
    }),
    { numRuns: RUNS },
  )
  expect(matched).toBeGreaterThan(RUNS / 100)
  expect(shortened).toBeGreaterThan(RUNS / 1000)
})

/** The shortest stretch behind what the head of the pattern takes that leaves a tail for the rest of the pattern. */
function byTrying(glob: Buffer, name: Buffer): string {
  const star = firstStar(glob)
  if (star === -1) return ''
  let rest = star
  while (glob[rest] === 0x2a) rest++
  let head = 0
  while (!globMatches(glob.subarray(0, star), name.subarray(0, head))) head++
  let end = head
  while (!globMatches(glob.subarray(rest), name.subarray(end))) end++
  return name.toString('latin1', head, end)
}

/** Where the first star is that is neither escaped nor in brackets; -1: nowhere. */
function firstStar(glob: Buffer): number {
  for (let p = 0; p < glob.length; p++) {
    if (glob[p] === 0x5c) p++
    else if (glob[p] === 0x5b) p = classEnd(glob, p)
    else if (glob[p] === 0x2a) return p
  }
  return -1
}

/** The last byte of the class that begins at p, as globMatches reads it. */
function classEnd(glob: Buffer, p: number): number {
  for (p += glob[p + 1] === 0x5e ? 2 : 1; p < glob.length && glob[p] !== 0x5d; p++)
    if (glob[p] === 0x5c) p++
    else if (glob[p + 1] === 0x2d && p + 2 < glob.length) p += 2
  return p
}

test('a long name takes no more than the product of both lengths', () => {
  const name = Buffer.alloc(1_000_000, 'a')
  const started = performance.now()
  expect(compileKeys('*aaaaaaaab*aaaaaaaab*').matches(name, 0, name.length)).toBe(false)
  expect(compileKeys(`${'a*'.repeat(40)}b`).matches(name, 0, name.length)).toBe(false)
  expect(compileKeys(`${'a*'.repeat(40)}a`).matches(name, 0, name.length)).toBe(true)
  expect(performance.now() - started).toBeLessThan(30_000)
})
