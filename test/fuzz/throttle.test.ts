import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { STATUS, THROTTLE } from '../../src/commands/throttle-script.ts'
import { fuzz } from '../helpers/fuzz.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * The script of CL.THROTTLE, with a clock that the test sets, against a model in whole nanoseconds of any size, and
 * against what a limit means: never more tokens than a full bucket and what has come back since.
 */
let redis: RedisServer
let client: RawClient

beforeAll(async () => {
  redis = await startRedis()
  client = await RawClient.connect({ port: redis.port })
}, 60_000)

afterAll(async () => {
  client?.destroy()
  await redis?.stop()
})

/** Time comes from ARGV[4] and [5]. */
function withClock(script: Buffer): Buffer {
  const set = String(script).replace(/\w\('TIME'\)/, '{ARGV[4],ARGV[5]}')
  expect(set).not.toBe(String(script))
  return Buffer.from(set)
}

/** Keys would expire by the server's clock, which is another one. */
function lasting(script: Buffer): Buffer {
  const lasts = String(script).replace(/'PX',\w\(1,\w\(\w\/1e6\)\)/, "'EX',10000")
  expect(lasts).not.toBe(String(script))
  return Buffer.from(lasts)
}

const SCRIPTS = { throttle: lasting(withClock(THROTTLE)), status: withClock(STATUS) }
const START = 1_700_000_000_999_999_000n

interface Bucket {
  readonly each: number
  readonly size: number
}

interface Step {
  readonly script: keyof typeof SCRIPTS
  readonly bucket: Bucket
  readonly tokens: number
  /** Nanoseconds since START; whole microseconds, as the server's clock. */
  readonly at: bigint
}

type Answer = readonly [limited: number, size: number, left: number, wait: number, reset: number]

async function run(steps: readonly Step[]): Promise<{ answers: Answer[]; value: bigint | undefined }> {
  const requests = steps.map(({ script, bucket: { each, size }, tokens, at }) => {
    const now = START + at
    const time = [String(now / 1_000_000_000n), String((now % 1_000_000_000n) / 1000n)]
    return request('EVAL', SCRIPTS[script], '1', 'k', each, size, tokens, ...time)
  })
  const bytes = Buffer.concat([request('DEL', 'k'), ...requests, request('GET', 'k')])
  const [, ...replies] = (await client.exchange(bytes, steps.length + 2)).map(String)
  const value = /^\$\d+\r\n(\d+)\r\n$/.exec(replies.pop() as string)
  const answers = replies.map((reply) => {
    expect(reply).toMatch(/^\*5\r\n(:-?\d+\r\n){5}$/)
    return [...reply.matchAll(/:(-?\d+)/g)].map(([, digits]) => Number(digits)) as unknown as Answer
  })
  return { answers, value: value === null ? undefined : BigInt(value[1]) }
}

const max = (a: bigint, b: bigint) => (a > b ? a : b)
/** In seconds, rounded up from whole milliseconds. */
const seconds = (ns: bigint) => Number((ns / 1_000_000n + 999n) / 1000n)

/** GCRA as the books have it, with the time at which the bucket is full for its state. */
class Model {
  tat: bigint | undefined

  answer({ script, bucket, tokens, at }: Step): Answer {
    const [each, size] = [BigInt(bucket.each), BigInt(bucket.size)]
    const cost = each * BigInt(tokens)
    const full = each * size
    const now = START + at
    const behind = this.tat === undefined ? 0n : max(0n, this.tat - now)
    const after = max(0n, behind + cost)
    const limited = after > full
    if (!limited && script === 'throttle' && tokens !== 0) this.tat = now + after
    const shown = limited || script === 'status' ? behind : after
    const left = full - shown
    return [
      limited ? 1 : 0,
      bucket.size,
      left < 0n ? 0 : Number(left / each),
      limited && cost <= full ? seconds(after - full) : -1,
      seconds(shown),
    ]
  }
}

/** Rates from one an hour to a million a second; a bucket that Lua's numbers count exactly. */
const bucket = fc
  .record({
    each: fc.oneof(fc.integer({ min: 1000, max: 100_000 }), fc.integer({ min: 1000, max: 3_600_000_000_000 })),
    size: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: -1, max: 100_000 })),
  })
  .filter(({ each, size }) => each * (size + 10) < 2 ** 52)

/** Some tokens after some time, both about as large as the bucket or much smaller. */
const stepOf = (buckets: fc.Arbitrary<Bucket>, tokens: fc.Arbitrary<number>) =>
  fc.record({
    script: fc.constantFrom('throttle', 'throttle', 'throttle', 'status') as fc.Arbitrary<keyof typeof SCRIPTS>,
    bucket: buckets,
    tokens,
    later: fc.record({ each: fc.constantFrom(0, 0, 0, 1, 1, 2, 7), micros: fc.constantFrom(0, 0, 1, 999, 1_000_000) }),
  })

function timed(steps: readonly (Omit<Step, 'at'> & { later: { each: number; micros: number } })[]): Step[] {
  let at = 0n
  return steps.map(({ script, bucket, tokens, later }) => {
    at += (BigInt(later.each * bucket.each) / 1000n) * 1000n + BigInt(later.micros) * 1000n
    return { script, bucket, tokens: script === 'status' ? 1 : tokens, at }
  })
}

const runs = (name: string) => fuzz(name, 0.1, 20_000)

test('answers as the model, with parameters that change from call to call', { timeout: 600_000 }, async () => {
  const tokens = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -3, max: 40 }))
  const two = fc.tuple(bucket, bucket).chain((both) => fc.array(stepOf(fc.constantFrom(...both), tokens), SIZE))
  const property = fc.asyncProperty(two, async (random) => {
    const steps = timed(random)
    const { answers, value } = await run(steps)
    const model = new Model()
    expect(answers).toEqual(steps.map((step) => model.answer(step)))
    expect(value).toBe(model.tat)
  })
  await fc.assert(property, runs('the script of CL.THROTTLE against the model'))
})

test('never lets more through than the limit says, nor less', { timeout: 600_000 }, async () => {
  const one = bucket
    .filter(({ size }) => size > 0)
    .chain((same) => {
      return fc.array(stepOf(fc.constant(same), fc.integer({ min: 1, max: 5 })), SIZE)
    })
  const property = fc.asyncProperty(one, async (random) => {
    const steps = timed(random)
    const { answers } = await run(steps)
    const { each, size } = steps[0].bucket
    // In nanoseconds of the bucket's own time: what has come back, and what has been taken.
    let taken = 0n
    let level = BigInt(each * size)
    let last = 0n
    steps.forEach(({ script, tokens, at }, i) => {
      const [limited, , left, wait] = answers[i]
      level = level + at - last > BigInt(each * size) ? BigInt(each * size) : level + at - last
      last = at
      const cost = BigInt(each * tokens)
      expect(limited, `step ${i}`).toBe(level >= cost ? 0 : 1)
      if (script === 'throttle' && limited === 0) {
        taken += cost
        level -= cost
      }
      expect(left, `step ${i}`).toBe(Number(level / BigInt(each)))
      if (limited === 0 || tokens > size) expect(wait, `step ${i}`).toBe(-1)
      expect(taken <= BigInt(each * size) + at, `step ${i}`).toBe(true)
    })
  })
  await fc.assert(property, runs('the script of CL.THROTTLE against its limit'))
})

/** Five tokens, one a second: milliseconds from the start, tokens asked for, answer. */
const REDIS_CELL = [
  [0, 6, [1, 5, 5, -1, 0]],
  [0, 1, [0, 5, 4, -1, 1]],
  [0, 1, [0, 5, 3, -1, 2]],
  [0, 1, [0, 5, 2, -1, 3]],
  [0, 1, [0, 5, 1, -1, 4]],
  [0, 1, [0, 5, 0, -1, 5]],
  [0, 1, [1, 5, 0, 1, 5]],
  [3000, 1, [0, 5, 2, -1, 3]],
  [3100, 1, [0, 5, 1, -1, 4]],
  [4000, 1, [0, 5, 1, -1, 4]],
  [8000, 1, [0, 5, 4, -1, 1]],
  [9500, 1, [0, 5, 4, -1, 1]],
  [9500, 0, [0, 5, 4, -1, 1]],
  [9500, 2, [0, 5, 2, -1, 3]],
  [9500, 5, [1, 5, 2, 3, 3]],
] as const

test('answers as redis-cell does in its own tests', async () => {
  const steps = REDIS_CELL.map(([milliseconds, tokens]): Step => {
    const bucket = { each: 1_000_000_000, size: 5 }
    return { script: 'throttle', bucket, tokens, at: BigInt(milliseconds) * 1_000_000n }
  })
  expect((await run(steps)).answers).toEqual(REDIS_CELL.map(([, , answer]) => answer))
})

test.each([
  [1, 1],
  [999_999, 1],
  [1_000_001, 2],
  [59_999_000_001, 60_000],
  [60_000_000_000, 60_000],
])('a key of which %i ns are missing lives for %i ms', async (each, lives) => {
  const evaluate = request('EVAL', withClock(THROTTLE), '1', 'k', each, 1, 1, '1700000000', '0')
  const once = Buffer.concat([request('MULTI'), request('DEL', 'k'), evaluate, request('PTTL', 'k'), request('EXEC')])
  let most = 0
  // A millisecond may pass in between.
  for (let i = 0; i < 1000 && most < lives; i++) {
    const [exec] = (await client.exchange(once, 5)).slice(-1)
    most = Math.max(most, Number(/:(-?\d+)\r\n$/.exec(exec.toString('latin1'))?.[1]))
  }
  expect(most).toBe(lives)
})

/** Steps of a run. */
const SIZE = { minLength: 1, maxLength: 25 }
