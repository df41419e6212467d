import fc from 'fast-check'
import RedisParser from 'redis-parser'
import { describe, expect, test } from 'vitest'
import { encodeRequest } from '../../src/resp/request-encoder.ts'
import { fuzz } from '../helpers/fuzz.ts'
import { DEFAULT_LIMITS, everyByte, readRequests } from '../helpers/read-requests.ts'
import { referenceRequests } from '../helpers/reference-requests.ts'
import { anyText, cutShares, cutsIn, mutate, mutations } from '../helpers/resp-arbitraries.ts'

// Now and then more arguments than a reader has room for at first.
const many = fc.array(fc.string({ maxLength: 3 }), { minLength: 50, maxLength: 150, size: 'max' })
const args = fc.oneof(
  { weight: 2, arbitrary: fc.array(anyText, { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: many },
)
const multibulk = args.map((all) => encodeRequest(all.map((arg) => Buffer.from(arg, 'latin1'))).toString('latin1'))

const inlineWord = fc.oneof(
  fc.constantFrom(
    'GET',
    'a',
    '"a b"',
    "'a b'",
    '"\\x41\\n\\q"',
    "'it\\'s'",
    '""',
    "''",
    'x"y"',
    '"',
    "'",
    '\\',
    '\v',
    '\f',
  ),
  fc.string({ unit: fc.constantFrom(...'"\'\\ x0aF\t\r\v\fnz\xe4'), maxLength: 10 }),
)
const inline = fc
  .tuple(fc.array(inlineWord, { maxLength: 5 }), fc.constantFrom('\n', '\r\n', '\r\r\n', ' \n'))
  .map(([words, end]) => words.join(' ') + end)

const nothing = fc.constantFrom('*0\r\n', '*-1\r\n', '*-9223372036854775808\r\n', '\r\n', '\n', '  \n')
const stream = fc
  .array(fc.oneof({ weight: 3, arbitrary: multibulk }, inline, nothing), { minLength: 1, maxLength: 5 })
  .map((all) => all.join(''))

const limits = fc.record({
  bulk: fc.constantFrom(4, 100, DEFAULT_LIMITS.bulk),
  buffer: fc.oneof({ weight: 3, arbitrary: fc.constant(DEFAULT_LIMITS.buffer) }, fc.integer({ min: 1, max: 200 })),
})

describe('request reader', () => {
  test('reads valid requests, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(args, { minLength: 1, maxLength: 4 }), cutShares, (requests, shares) => {
        const text = requests
          .map((all) => encodeRequest(all.map((arg) => Buffer.from(arg, 'latin1'))).toString('latin1'))
          .join('')
        const outcome = readRequests(text, { cuts: cutsIn(text.length, shares) })
        expect(outcome.requests).toEqual(requests)
        expect(outcome.frames.join('')).toBe(text)
        expect(outcome).toMatchObject({ end: undefined, pendingBytes: 0 })
      }),
      fuzz('reader, valid', 0.25),
    )
  })

  test('sees in a request what redis-parser sees in an array', () => {
    fc.assert(
      fc.property(fc.array(multibulk, { maxLength: 4 }), (all) => {
        const parsed: string[][] = []
        const parser = new RedisParser({
          returnReply: (value) => parsed.push((value as Buffer[]).map((arg) => arg.toString('latin1'))),
          returnError: (error) => {
            throw error
          },
          returnBuffers: true,
        })
        parser.execute(Buffer.from(all.join(''), 'latin1'))
        expect(readRequests(all.join('')).requests).toEqual(parsed)
      }),
      fuzz('reader, redis-parser', 0.25),
    )
  })

  test('agrees with the reference on everything, however it is cut', () => {
    fc.assert(
      fc.property(stream, mutations, cutShares, limits, fc.boolean(), (text, damage, shares, some, authenticated) => {
        const damaged = mutate(text, damage)
        const options = { limits: some, authenticated }
        const expected = referenceRequests(damaged, options)
        expect(readRequests(damaged, options)).toEqual(expected)
        expect(readRequests(damaged, { ...options, cuts: cutsIn(damaged.length, shares) })).toEqual(expected)
      }),
      fuzz('reader, damaged'),
    )
  })

  test('agrees with the reference byte by byte', () => {
    fc.assert(
      fc.property(stream, fc.option(mutations), limits, fc.boolean(), (text, damage, some, authenticated) => {
        const damaged = damage === null ? text : mutate(text, damage)
        const options = { limits: some, authenticated }
        const expected = referenceRequests(damaged, options)
        expect(readRequests(damaged, { ...options, cuts: everyByte(damaged.length) })).toEqual(expected)
      }),
      fuzz('reader, byte by byte', 0.5),
    )
  })

  test('reads lines around the longest length alike', () => {
    const begin = fc.constantFrom('*', '*1\r\n$', '*2\r\n$1\r\na\r\n$', 'GET ', '*1\r\nx')
    const rest = fc.constantFrom('', '\r', '\n', '\r\n', '\0', '\0\r\n', '\r\nPING\r\n', '\n\n', 'x')
    fc.assert(
      fc.property(begin, fc.integer({ min: 65530, max: 65540 }), rest, cutShares, (head, length, tail, shares) => {
        const text = `${head}${'1'.repeat(length)}${tail}`
        const cuts = [...cutsIn(text.length, shares), ...[-3, -2, -1].map((i) => text.length + i)].sort((a, b) => a - b)
        const expected = referenceRequests(text)
        expect(readRequests(text)).toEqual(expected)
        expect(readRequests(text, { cuts })).toEqual(expected)
      }),
      fuzz('reader, long lines', 0.02),
    )
  })
})
