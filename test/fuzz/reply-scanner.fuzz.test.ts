import fc from 'fast-check'
import RedisParser from 'redis-parser'
import { describe, expect, test } from 'vitest'
import { decodeReply, encodeReply } from '../../src/resp/reply-decoder.ts'
import { BadReply, ReplyScanner } from '../../src/resp/reply-scanner.ts'
import type { Reply } from '../../src/resp/types.ts'
import { fuzz } from '../helpers/fuzz.ts'
import { type PlainReply, referenceDecode } from '../helpers/reference-decoder.ts'
import {
  cutShares,
  cutsIn,
  encodePlain,
  mutate,
  mutations,
  resp2Reply,
  resp3Reply,
} from '../helpers/resp-arbitraries.ts'

/** Ends and types of the replies in a text cut at `cuts`, and how it stops. One buffer, spoilt after each chunk. */
function scanAll(text: string, cuts: readonly number[] = []): string[] {
  const input = Buffer.from(text, 'latin1')
  const shared = Buffer.alloc(input.length + 2)
  const scanner = new ReplyScanner()
  const found: string[] = []
  let from = 0
  try {
    for (const cut of [...cuts, input.length]) {
      input.copy(shared, 1, from, cut)
      let pos = 1
      while (pos < 1 + cut - from) {
        const next = scanner.scan(shared, pos, 1 + cut - from)
        if (next < 0) break
        pos = next
        const marks = `${scanner.attributes ? ' attributes' : ''}${scanner.pushes ? ' pushes' : ''}`
        found.push(`${String.fromCharCode(scanner.type)} ${from + pos - 1}${marks}`)
      }
      shared.fill(0x2b)
      from = cut
    }
  } catch (error) {
    if (!(error instanceof BadReply)) throw error
    return [...found, 'bad']
  }
  return scanner.idle ? found : [...found, 'incomplete']
}

/** The same, in the reference's opinion. */
function referenceAll(text: string): string[] {
  const found: string[] = []
  let pos = 0
  while (pos < text.length) {
    const decoded = referenceDecode(text, pos)
    if (decoded.state !== 'whole') return [...found, decoded.state]
    const { reply } = decoded
    const inside = [...(reply.items ?? []), ...(reply.attribute === undefined ? [] : [reply.attribute])]
    const marks = `${reply.attribute === undefined ? '' : ' attributes'}${inside.some(hasPush) ? ' pushes' : ''}`
    found.push(`${reply.type} ${decoded.end}${marks}`)
    pos = decoded.end
  }
  return found
}

function hasPush(reply: PlainReply): boolean {
  if (reply.type === '>') return true
  return (reply.items ?? []).some(hasPush) || (reply.attribute !== undefined && hasPush(reply.attribute))
}

/** A decoded reply in the reference's form. */
function plainOf(reply: Reply): PlainReply {
  return {
    type: String.fromCharCode(reply.type),
    text: reply.text?.toString('latin1'),
    items: reply.items?.map(plainOf),
    attribute: reply.attribute === undefined ? undefined : plainOf(reply.attribute),
  }
}

/** What redis-parser makes of a reply. */
function parserValueOf(reply: PlainReply): unknown {
  if (reply.items !== undefined) return reply.items.map(parserValueOf)
  if (reply.text === undefined) return null
  if (reply.type === ':') return reply.text
  if (reply.type === '-') return { error: Buffer.from(reply.text, 'latin1').toString() }
  return reply.text
}

function parserValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(parserValue)
  if (Buffer.isBuffer(value)) return value.toString('latin1')
  if (value instanceof Error) return { error: value.message }
  return value
}

const replies = fc.array(resp3Reply, { minLength: 1, maxLength: 3 }).map((all) => all.map(encodePlain).join(''))

describe('reply scanner', () => {
  test('finds the ends that the reference finds, however the bytes are cut', () => {
    fc.assert(
      fc.property(replies, cutShares, (text, shares) => {
        const expected = referenceAll(text)
        expect(expected).not.toContain('bad')
        expect(scanAll(text)).toEqual(expected)
        expect(scanAll(text, cutsIn(text.length, shares))).toEqual(expected)
      }),
      fuzz('scanner, valid', 0.25),
    )
  })

  test('finds the same byte by byte', () => {
    fc.assert(
      fc.property(replies, (text) => {
        const cuts = Array.from({ length: text.length - 1 }, (_, i) => i + 1)
        expect(scanAll(text, cuts)).toEqual(referenceAll(text))
      }),
      fuzz('scanner, byte by byte', 0.05),
    )
  })

  test('agrees with the reference on damaged replies, and throws nothing but BadReply', () => {
    fc.assert(
      fc.property(replies, mutations, cutShares, (text, damage, shares) => {
        const damaged = mutate(text, damage)
        const expected = referenceAll(damaged)
        expect(scanAll(damaged)).toEqual(expected)
        expect(scanAll(damaged, cutsIn(damaged.length, shares))).toEqual(expected)
      }),
      fuzz('scanner, damaged'),
    )
  })
})

describe('reply decoder', () => {
  test('decodes what the reference decodes, and encodes the same bytes again', () => {
    fc.assert(
      fc.property(resp3Reply, (reply) => {
        const text = encodePlain(reply)
        const bytes = Buffer.from(`??${text}??`, 'latin1')
        const decoded = decodeReply(bytes, 2, bytes.length - 2)
        expect(plainOf(decoded)).toEqual(reply)
        expect(encodeReply(decoded).toString('latin1')).toBe(text)
      }),
      fuzz('decoder, valid', 0.25),
    )
  })

  test('decodes every damaged reply that is still a reply, and throws nothing but BadReply at the rest', () => {
    fc.assert(
      fc.property(resp3Reply, mutations, (reply, damage) => {
        const text = mutate(encodePlain(reply), damage)
        const bytes = Buffer.from(text, 'latin1')
        const expected = referenceDecode(text)
        if (expected.state === 'whole' && expected.end === text.length) {
          const decoded = decodeReply(bytes, 0, bytes.length)
          expect(plainOf(decoded)).toEqual(expected.reply)
          expect(encodeReply(decoded).toString('latin1')).toBe(text)
          return
        }
        try {
          decodeReply(bytes, 0, bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(BadReply)
        }
      }),
      fuzz('decoder, damaged', 0.5),
    )
  })

  test('reads RESP2 as redis-parser does', () => {
    fc.assert(
      fc.property(fc.array(resp2Reply, { maxLength: 4 }), (all) => {
        const texts = all.map(encodePlain)
        const parsed: unknown[] = []
        const parser = new RedisParser({
          returnReply: (value) => parsed.push(value),
          returnError: (error) => parsed.push(error),
          returnFatalError: (error) => {
            throw error
          },
          returnBuffers: true,
          stringNumbers: true,
        })
        parser.execute(Buffer.from(texts.join(''), 'latin1'))
        const decoded = texts.map((text) => {
          const bytes = Buffer.from(text, 'latin1')
          return parserValueOf(plainOf(decodeReply(bytes, 0, bytes.length)))
        })
        expect(decoded).toEqual(parsed.map(parserValue))
        const ends = texts.map((_, i) => texts.slice(0, i + 1).join('').length)
        expect(scanAll(texts.join('')).map((found) => Number(found.split(' ')[1]))).toEqual(ends)
      }),
      fuzz('decoder, redis-parser', 0.25),
    )
  })
})
