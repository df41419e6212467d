import { expect, test } from 'vitest'
import { Stall } from '../../../src/client/stall.ts'
import { encodeRequest } from '../../../src/resp/request-encoder.ts'
import type { RequestSink } from '../../../src/resp/types.ts'

const LIMITS = { bulk: 1000, buffer: 10_000 }

test('a pipeline in which every second request stalls is walked once, in order, and its bytes are given back', () => {
  const stall = new Stall()
  stall.begin()
  const words = Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? `GET${i}` : `AUTH${i}`))
  for (const word of words) stall.add(encodeRequest([word]))
  let seen = 0
  const done: string[] = []
  let quiet = true
  const sink: RequestSink = {
    onRequest(buf, start, end, _argc, args) {
      seen++
      const word = buf.toString('latin1', args[0], args[1])
      if (word.startsWith('AUTH') && !quiet) {
        stall.begin(buf.subarray(start, end))
        return
      }
      quiet = word.startsWith('AUTH')
      done.push(word)
    },
    onProtocolError: (text) => expect.fail(text),
    onRequestLimit: () => expect.fail('limit'),
  }
  while (stall.active) {
    quiet = true
    stall.release(LIMITS, sink)
  }
  expect(done).toEqual(words)
  // Each AUTH twice at the most; walking the rest again at each stall would be a million.
  expect(seen).toBeLessThanOrEqual(3 * words.length)
  expect(stall.bytes).toBe(0)
  expect(stall.empty).toBe(true)
})
