import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Exchange } from '../../../src/commands/exchange.ts'
import type { CommandSpec } from '../../../src/commands/spec.ts'
import { Control } from '../../../src/upstream/control.ts'
import { ExchangeQueue } from '../../../src/upstream/exchange-queue.ts'
import { ReplyPath, type ReplyPathHost } from '../../../src/upstream/reply-path.ts'
import { fuzz } from '../../helpers/fuzz.ts'
import { theTable } from '../../helpers/local-client.ts'

/** Writes down what it gets, in order. */
class Listener extends Control {
  readonly heard: string[] = []
  failed = 0

  override pop(): boolean {
    return true
  }
  override emit(buf: Buffer, start: number, end: number): void {
    this.heard.push(buf.toString('latin1', start, end))
  }
  override deliver(_x: Exchange, _type: number, buf: Buffer, start: number, end: number): boolean {
    this.heard.push(buf.toString('latin1', start, end))
    return true
  }
  override followerFailed(): void {
    this.failed++
  }
}

const HOST: ReplyPathHost = {
  ready: true,
  shared: true,
  bulk: 1 << 20,
  schedule: () => undefined,
  fits: () => true,
  bigReply: () => undefined,
  takenBack: () => false,
  ends: () => false,
  tooEarly: () => false,
  overtaken: () => undefined,
}

interface Asked {
  readonly behind: number
  readonly reply: string
  readonly follower: string
  readonly place: 'sent' | 'abandoned'
}

/** Feeds the replies to all of them, in chunks of `size` bytes. */
function run(asked: readonly Asked[], size: number) {
  const queue = new ExchangeQueue()
  const path = new ReplyPath(queue, HOST)
  const client = new Listener()
  client.via = HOST
  const exchanges = asked.map(({ behind }) => {
    const spec = theTable().byName('set')
    if (spec === undefined) throw new Error('no SET')
    const x = new Exchange(client, spec, 0)
    x.setBytes(Buffer.from('x'))
    x.behind = behind
    x.plain = behind === 0
    client.pending++
    queue.schedule(x)
    return x
  })
  queue.gather(0)
  for (const [i, { place }] of asked.entries()) if (place === 'abandoned') exchanges[i].moveTo('abandoned')
  const stream = Buffer.from(asked.map(({ behind, reply, follower }) => reply + follower.repeat(behind)).join(''))
  for (let at = 0; at < stream.length; at += size) {
    // What is reused after the call must not be kept.
    const chunk = Buffer.from(stream.subarray(at, at + size))
    path.take(chunk, 0, chunk.length, false)
    chunk.fill(0x21)
  }
  return { client, places: exchanges.map(({ place }) => place) }
}

const asked = fc.record<Asked>({
  behind: fc.integer({ min: 0, max: 3 }),
  reply: fc.oneof(
    fc.constantFrom('+OK\r\n', ':7\r\n', '$-1\r\n', '*2\r\n$1\r\na\r\n:1\r\n', '-WRONGTYPE no\r\n', '+QUEUED\r\n'),
    fc.integer({ min: 0, max: 300 }).map((n) => `$${n}\r\n${'v'.repeat(n)}\r\n`),
  ),
  follower: fc.constantFrom(':1\r\n', ':0\r\n', '-ERR no\r\n', '$3\r\nabc\r\n'),
  place: fc.constantFrom('sent', 'sent', 'sent', 'abandoned'),
})

test('requests behind another: their replies are dropped, and it is answered when they are in', () => {
  fc.assert(
    fc.property(fc.array(asked, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 200 }), (all, size) => {
      const { client, places } = run(all, size)
      const sent = all.filter(({ place }) => place === 'sent')
      expect(client.heard.join('')).toBe(sent.map(({ reply }) => reply).join(''))
      expect(places.every((place) => place === 'answered')).toBe(true)
      expect(client.pending).toBe(0)
      const errors = sent.filter(({ follower }) => follower.startsWith('-')).reduce((sum, one) => sum + one.behind, 0)
      expect(client.failed).toBe(errors)
    }),
    fuzz('replies of requests behind others'),
  )
})

test('a reply whose followers are not all answered goes nowhere yet', () => {
  const queue = new ExchangeQueue()
  const path = new ReplyPath(queue, HOST)
  const client = new Listener()
  client.via = HOST
  const spec = theTable().byName('set')
  if (spec === undefined) throw new Error('no SET')
  const x = new Exchange(client, spec, 0)
  x.setBytes(Buffer.from('x'))
  x.behind = 2
  client.pending++
  queue.schedule(x)
  queue.gather(0)
  const feed = (text: string) => path.take(Buffer.from(text), 0, text.length, false)
  feed('+O')
  feed('K\r\n:')
  expect([client.heard, x.place, path.begun(x)]).toEqual([[], 'sent', true])
  feed('1\r\n')
  expect([client.heard, x.place]).toEqual([[], 'sent'])
  feed(':0\r\n')
  expect([client.heard, x.place]).toEqual([['+OK\r\n'], 'answered'])
})

test.each([1, 7, 40, 1000])(
  'what says that a silent request was not executed is known in pieces of %i bytes',
  (size) => {
    const error = "-READONLY You can't write against a read only replica.\r\n"
    const errors: string[] = []
    const queue = new ExchangeQueue()
    const path = new ReplyPath(queue, {
      ...HOST,
      takenBack: (_, text) => {
        errors.push(text)
        return true
      },
    })
    const client = new Listener()
    client.via = HOST
    for (const mute of [true, false, true]) {
      const x = new Exchange(client, theTable().byName('set') as CommandSpec, 0)
      x.setBytes(Buffer.from('x'))
      x.mute = mute
      client.pending++
      queue.schedule(x)
    }
    queue.gather(0)
    const stream = Buffer.from(error.repeat(3))
    for (let at = 0; at < stream.length; at += size) {
      const chunk = Buffer.from(stream.subarray(at, at + size))
      path.take(chunk, 0, chunk.length, false)
      chunk.fill(0x21)
    }
    expect(errors).toEqual([error, error, error])
  },
)
