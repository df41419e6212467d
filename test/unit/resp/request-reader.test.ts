import { describe, expect, test } from 'vitest'
import { encodeRequest } from '../../../src/resp/request-encoder.ts'
import { RequestReader } from '../../../src/resp/request-reader.ts'
import type { RequestSink } from '../../../src/resp/types.ts'
import { DEFAULT_LIMITS, everyByte, readRequests } from '../../helpers/read-requests.ts'

const SET = '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n'

/** A sink that fails the test unless `on` takes the call. */
function sink(on: Partial<RequestSink>): RequestSink {
  return {
    onRequest: () => expect.unreachable('a request'),
    onProtocolError: (text) => expect.unreachable(text),
    onRequestLimit: () => expect.unreachable('the limit'),
    ...on,
  }
}

describe('requests', () => {
  test('a request is a span of the chunk, with the offsets of its arguments', () => {
    const chunk = Buffer.from(`??${SET}${SET}`)
    const reader = new RequestReader(DEFAULT_LIMITS)
    const seen: unknown[] = []
    const onRequest = (buf: Buffer, start: number, end: number, argc: number, args: Int32Array) => {
      expect(buf).toBe(chunk)
      expect(reader.owned).toBe(false)
      seen.push([start, end, ...args.subarray(0, 2 * argc)])
    }
    reader.feed(chunk, 2, chunk.length, sink({ onRequest }))
    expect(seen).toEqual([
      [2, 35, 10, 13, 19, 20, 26, 31].map((n, i) => (i === 1 ? 2 + SET.length : n)),
      [2 + SET.length, 2 + 2 * SET.length, ...[10, 13, 19, 20, 26, 31].map((n) => n + SET.length)],
    ])
  })

  test.each([
    ['multibulk', SET, [['SET', 'k', 'value']]],
    ['binary values', '*2\r\n$4\r\n\r\n\0*\r\n$0\r\n\r\n', [['\r\n\0*', '']]],
    ['empty requests', `*0\r\n*-1\r\n${SET}*-7\r\n`, [['SET', 'k', 'value']]],
    ['blank lines', `\r\n\n  \r\n${SET}\r\n`, [['SET', 'k', 'value']]],
    ['inline among multibulk', `PING\r\n${SET}GET k\n`, [['PING'], ['SET', 'k', 'value'], ['GET', 'k']]],
    ['two digits', `*12\r\n${'$1\r\na\r\n'.repeat(12)}`, [Array.from('a'.repeat(12))]],
  ])('%s', (_, text, requests) => {
    expect(readRequests(text)).toMatchObject({ requests, end: undefined, pendingBytes: 0 })
    expect(readRequests(text, { cuts: everyByte(text.length) })).toEqual(readRequests(text))
  })

  test('inline requests are handed out as multibulk', () => {
    expect(readRequests('SET k "a b"\r\n').frames).toEqual(['*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na b\r\n'])
  })

  test('line ends that Redis would not look at are put right, wherever the cut', () => {
    const text = '*2\rx$4\r?PINGxy$1\r\ra**'
    const frames = ['*2\r\n$4\r\nPING\r\n$1\r\na\r\n']
    expect(readRequests(text).frames).toEqual(frames)
    for (let cut = 1; cut < text.length; cut++) expect(readRequests(text, { cuts: [cut] }).frames).toEqual(frames)
    expect(readRequests(text, { cuts: everyByte(text.length) }).frames).toEqual(frames)
  })

  test('nothing outside the given part of the buffer is read or written', () => {
    const around = Buffer.from(`*1\r\n$4\r\nPI`)
    const rest = Buffer.from(`__NGxy__`)
    const reader = new RequestReader(DEFAULT_LIMITS)
    let frame = ''
    const on = sink({ onRequest: (buf, start, end) => void (frame = buf.toString('latin1', start, end)) })
    reader.feed(around, 0, around.length, on)
    reader.feed(rest, 2, 5, on)
    expect(frame).toBe('')
    reader.feed(rest, 5, 6, on)
    expect(frame).toBe('*1\r\n$4\r\nPING\r\n')
    expect(rest.toString('latin1', 0, 2) + rest.toString('latin1', 6)).toBe('____')
  })
})

describe('limits', () => {
  test('before login: ten arguments of 16 KiB', () => {
    const args = (n: number, size: number) => encodeRequest(Array.from({ length: n }, () => Buffer.alloc(size, 'x')))
    const options = { authenticated: false }
    expect(readRequests(args(10, 16384), options)).toMatchObject({ end: undefined, requests: [{ length: 10 }] })
    expect(readRequests('*11\r\n', options).end).toBe('ERR Protocol error: unauthenticated multibulk length')
    expect(readRequests('*1\r\n$16385\r\n', options).end).toBe('ERR Protocol error: unauthenticated bulk length')
    expect(readRequests('*11\r\n$16385\r\n')).toMatchObject({ end: undefined, pendingBytes: 13 })
  })

  test('logging in counts from the next request on, logging out too', () => {
    const text = `LOGIN\r\n*1\r\n$20000\r\n${'x'.repeat(20_000)}\r\nLOGOUT\r\n*11\r\n`
    const outcome = readRequests(text, {
      authenticated: false,
      afterRequest: (reader, [name]) => {
        if (name.startsWith('LOG')) reader.authenticated = name === 'LOGIN'
      },
    })
    expect(outcome.requests.length).toBe(3)
    expect(outcome.end).toBe('ERR Protocol error: unauthenticated multibulk length')
  })

  test('bulk', () => {
    const limits = { bulk: 5, buffer: 1000 }
    expect(readRequests('*1\r\n$5\r\n', { limits }).end).toBeUndefined()
    expect(readRequests('*1\r\n$6\r\n', { limits }).end).toBe('ERR Protocol error: invalid bulk length')
  })

  test('a request that outgrows the buffer is told at the byte that is too many, and nothing after it is read', () => {
    for (const cuts of [[], everyByte(SET.length)]) {
      const limits = { bulk: 100, buffer: SET.length }
      expect(readRequests(SET + SET, { limits, cuts })).toMatchObject({ requests: { length: 2 }, end: undefined })
      const tight = { bulk: 100, buffer: SET.length - 1 }
      expect(readRequests(`PING\r\n${SET}PING\r\n`, { limits: tight, cuts })).toMatchObject({
        requests: [['PING']],
        end: 'limit',
      })
    }
  })

  test('line length', () => {
    const line = 'x'.repeat(65536)
    expect(readRequests(line)).toMatchObject({ end: undefined, pendingBytes: 65536 })
    expect(readRequests(`${line}\n`).requests).toEqual([[line]])
    expect(readRequests(`${line}x`).end).toBe('ERR Protocol error: too big inline request')
    expect(readRequests(`${line}x\n`).end).toBe('ERR Protocol error: too big inline request')
    expect(readRequests(`*${line}`).end).toBe('ERR Protocol error: too big mbulk count string')
    expect(readRequests(`*1\r\n$${line}`).end).toBe('ERR Protocol error: too big bulk count string')
  })
})

describe('errors', () => {
  test('say what Redis says, and end the reading', () => {
    expect(readRequests(`${SET}*1\r\n!3\r\n${SET}`)).toEqual({
      requests: [['SET', 'k', 'value']],
      frames: [SET],
      end: "ERR Protocol error: expected '$', got '!'",
      pendingBytes: 0,
    })
    const reader = new RequestReader(DEFAULT_LIMITS)
    const bytes = Buffer.from('*x\r\n')
    const errors: string[] = []
    reader.feed(bytes, 0, 4, sink({ onProtocolError: (text) => void errors.push(text) }))
    reader.feed(Buffer.from(SET), 0, SET.length, sink({}))
    expect(errors).toEqual(['ERR Protocol error: invalid multibulk length'])
    expect(reader.pendingBytes).toBe(0)
  })
})

describe('stop', () => {
  test('inside onRequest, it leaves the rest of the chunk', () => {
    for (const cuts of [[], [3], everyByte(3 * SET.length)]) {
      const afterRequest = (reader: RequestReader) => reader.stop()
      expect(readRequests(SET + SET + SET, { cuts, afterRequest })).toMatchObject({
        requests: { length: 1 },
        end: undefined,
        pendingBytes: 0,
      })
    }
  })

  test('between chunks, it forgets the unfinished request', () => {
    const reader = new RequestReader(DEFAULT_LIMITS)
    const bytes = Buffer.from(SET)
    reader.feed(bytes, 0, 9, sink({}))
    expect(reader.pendingBytes).toBe(9)
    reader.stop()
    expect(reader.pendingBytes).toBe(0)
    reader.feed(bytes, 9, bytes.length, sink({}))
  })
})

describe('memory', () => {
  /** Feeds text in chunks of 64 KiB through one buffer and returns what the last request was. */
  function feedChunks(reader: RequestReader, bytes: Buffer, onRequest: RequestSink['onRequest']): void {
    const chunk = Buffer.alloc(65536)
    for (let from = 0; from < bytes.length; from += chunk.length) {
      const size = bytes.copy(chunk, 0, from)
      reader.feed(chunk, 0, size, sink({ onRequest }))
    }
  }

  test('follows what was received, not what was announced', () => {
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 200 }, () => {
      const reader = new RequestReader(DEFAULT_LIMITS)
      reader.authenticated = true
      const bytes = Buffer.from('*2147483647\r\n$536870912\r\n')
      reader.feed(bytes, 0, bytes.length, sink({}))
      return reader
    })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 4096)
    expect(readers.every((reader) => reader.pendingBytes === 25)).toBe(true)
  })

  test('a big value is gathered once, in a buffer of its size that the sink may keep', () => {
    const value = Buffer.alloc(20 * 1024 * 1024)
    for (let i = 0; i < value.length; i += 1000) value[i] = i % 251
    const reader = new RequestReader(DEFAULT_LIMITS)
    reader.authenticated = true
    const kept: Buffer[] = []
    feedChunks(
      reader,
      Buffer.concat([encodeRequest(['SET', 'k', value]), Buffer.from(SET)]),
      (buf, start, end, argc, args) => {
        if (end - start < 100) return
        expect(reader.owned).toBe(true)
        expect([start, end, argc]).toEqual([0, buf.length, 3])
        kept.push(buf.subarray(args[4], args[5]))
      },
    )
    expect(reader.owned).toBe(false)
    expect(kept.map((buf) => buf.equals(value))).toEqual([true])
  })

  test('a big value that is not the last argument takes little more than its size', () => {
    const request = encodeRequest(['SET', 'k', Buffer.alloc(5_000_000), 'EX', '10'])
    const reader = new RequestReader(DEFAULT_LIMITS)
    reader.authenticated = true
    let room = 0
    feedChunks(reader, request, (buf) => void (room = buf.length))
    expect(room).toBeGreaterThanOrEqual(request.length)
    expect(room).toBeLessThan(1.2 * request.length)
  })

  test('a million arguments in chunks arrive whole, and are not kept', () => {
    const count = 1_000_000
    const bytes = Buffer.from(`*${count}\r\n$4\r\nMSET\r\n${'$1\r\na\r\n'.repeat(count - 1)}`)
    const reader = new RequestReader(DEFAULT_LIMITS)
    reader.authenticated = true
    let argc = 0
    feedChunks(reader, bytes, (buf, _start, end, n, args) => {
      argc = n
      expect(end).toBe(bytes.length)
      expect(buf.toString('latin1', args[2 * n - 2], args[2 * n - 1])).toBe('a')
    })
    expect(argc).toBe(count)
    // In one chunk, too.
    argc = 0
    reader.feed(bytes, 0, bytes.length, sink({ onRequest: (_buf, _start, _end, n) => void (argc = n) }))
    expect(argc).toBe(count)
  })

  // Rescanning from the start for each byte would be 2 thousand million steps; it would not end in time.
  test('a long line byte by byte is scanned once', () => {
    const text = `GET ${'x'.repeat(65_000)}\r\n`
    expect(readRequests(text, { cuts: everyByte(text.length) }).requests).toEqual([['GET', 'x'.repeat(65_000)]])
  })
})

test('readers may feed other readers from inside onRequest', () => {
  const outer = new RequestReader(DEFAULT_LIMITS)
  const seen: string[] = []
  const bytes = Buffer.from(SET + SET)
  const inner = Buffer.from(`*4\r\n${'$1\r\na\r\n'.repeat(4)}`)
  const onRequest = (buf: Buffer, _start: number, _end: number, _argc: number, args: Int32Array) => {
    const other = new RequestReader(DEFAULT_LIMITS)
    other.feed(inner, 0, inner.length, sink({ onRequest: () => void seen.push('inner') }))
    seen.push(buf.toString('latin1', args[4], args[5]))
  }
  outer.feed(bytes, 0, bytes.length, sink({ onRequest }))
  expect(seen).toEqual(['inner', 'value', 'inner', 'value'])
})

// An array of offsets of odd length never grew: arguments behind the cut were lost, and with them where they end.
test.each([33, 34, 41, 64, 65, 97, 128, 300])('a request of %i arguments, cut anywhere, has them all', (count) => {
  const args = Array.from({ length: count }, (_, i) => `argument ${i}`)
  const bytes = encodeRequest(args)
  for (let cut = 1; cut < bytes.length; cut++) {
    const reader = new RequestReader(DEFAULT_LIMITS)
    reader.authenticated = true
    const seen: string[] = []
    const on = sink({
      onRequest(buf, _start, _end, argc, at) {
        for (let i = 0; i < argc; i++) seen.push(buf.toString('latin1', at[2 * i], at[2 * i + 1]))
      },
    })
    reader.feed(bytes, 0, cut, on)
    reader.feed(bytes, cut, bytes.length, on)
    if (seen.join() !== args.join()) expect([cut, seen]).toEqual([cut, args])
  }
})
