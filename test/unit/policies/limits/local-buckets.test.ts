import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BucketOptions, SHARED } from '../../../../src/policies/limits/buckets.ts'
import { LocalBuckets } from '../../../../src/policies/limits/local-buckets.ts'
import { eventually } from '../../../helpers/places.ts'

const RUNS = { default: 500, long: 20_000, drill: 200_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 500

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const OPTIONS: BucketOptions = { rate: 10, burst: 5, unit: 'operations', per: 'tenant', buckets: 100 }
const bucketsOf = (options: Partial<BucketOptions> = {}) => new LocalBuckets({ ...OPTIONS, ...options })

function find(buckets: LocalBuckets, name: string): number {
  const bytes = Buffer.from(name)
  return buckets.find(bytes, 0, bytes.length)
}

/** A token bucket as in the textbooks: a level that is filled up whenever somebody looks. */
class Reference {
  level: number
  private last = 0
  private readonly options: BucketOptions

  constructor(options: BucketOptions) {
    this.options = options
    this.level = options.burst
  }

  /** Milliseconds until `cost` can be had; 0 or less: now. */
  wait(cost: number, now: number): number {
    this.fill(now)
    const { unit, burst, rate } = this.options
    const needed = Math.min(cost, unit === 'bytes' ? 1 : burst, burst)
    return cost === 0 ? 0 : ((needed - this.level) * 1000) / rate
  }

  spend(cost: number, now: number): void {
    this.fill(now)
    this.level -= cost
  }

  private fill(now: number): void {
    this.level = Math.min(this.options.burst, this.level + ((now - this.last) * this.options.rate) / 1000)
    this.last = now
  }
}

describe('one bucket', () => {
  test('gives its burst at once and then its rate', () => {
    const buckets = bucketsOf()
    const taken = Array.from({ length: 7 }, () => buckets.take(SHARED, 1, 1000, 0))
    expect(taken).toEqual([0, 0, 0, 0, 0, 100, 100])
    expect(buckets.take(SHARED, 1, 1099, 0)).toBeCloseTo(1)
    expect(buckets.take(SHARED, 1, 1100, 0)).toBe(0)
    expect(buckets.take(SHARED, 1, 1100, 0)).toBe(100)
    expect(buckets.take(SHARED, 5, 1600, 0)).toBe(0)
    expect(buckets.take(SHARED, 1, 1600, 0)).toBe(100)
  })

  test('takes ahead for the patient, each behind the one before, and nothing for those who are not patient enough', () => {
    const buckets = bucketsOf()
    buckets.take(SHARED, 5, 0, 0)
    expect([1, 1, 1, 1].map((cost) => buckets.take(SHARED, cost, 0, 250))).toEqual([100, 200, 300, 300])
    expect(buckets.tokens(SHARED, 0)).toBe(-2)
    expect(buckets.take(SHARED, 1, 200, 0)).toBe(100)
  })

  test('lets an operation above its burst pass when it is full, and makes it pay', () => {
    const buckets = bucketsOf()
    expect(buckets.take(SHARED, 20, 0, 0)).toBe(0)
    expect(buckets.tokens(SHARED, 0)).toBe(-15)
    expect(buckets.take(SHARED, 1, 0, 0)).toBe(1600)
    expect(buckets.take(SHARED, 20, 1900, 0)).toBe(100)
    expect(buckets.take(SHARED, 20, 2000, 0)).toBe(0)
  })

  test('lets bytes pass while it owes nothing, and makes them pay', () => {
    const buckets = bucketsOf({ unit: 'bytes', rate: 1000, burst: 100 })
    expect(buckets.take(SHARED, 99, 0, 0)).toBe(0)
    expect(buckets.take(SHARED, 5000, 0, 0)).toBe(0)
    expect(buckets.tokens(SHARED, 0)).toBe(-4999)
    expect(buckets.take(SHARED, 1, 0, 0)).toBe(5000)
    expect(buckets.take(SHARED, 64, 5000, 0)).toBe(0)
  })

  test('lets what costs nothing pass, whatever it owes', () => {
    const buckets = bucketsOf()
    buckets.charge(SHARED, 1000, 0)
    expect(buckets.take(SHARED, 0, 0, 0)).toBe(0)
    expect(buckets.tokens(SHARED, 0)).toBe(-995)
  })

  test('is charged into debt, and filled no higher than its burst', () => {
    const buckets = bucketsOf()
    buckets.charge(SHARED, 8, 0)
    expect(buckets.tokens(SHARED, 0)).toBe(-3)
    expect(buckets.tokens(SHARED, 400)).toBe(1)
    expect(buckets.tokens(SHARED, 800)).toBe(5)
    expect(buckets.tokens(SHARED, 1e9)).toBe(5)
    buckets.charge(SHARED, 8, 1e9)
    expect(buckets.tokens(SHARED, 1e9)).toBe(-3)
  })

  test('of a tenant is the same for every name', () => {
    const buckets = bucketsOf()
    expect([find(buckets, 'a'), find(buckets, 'b'), buckets.hold('c')]).toEqual([SHARED, SHARED, SHARED])
    buckets.release(SHARED)
    buckets.sweep(1e6)
    expect([buckets.count, buckets.overflows]).toEqual([1, 0])
  })
})

const options = fc.record({
  rate: fc.oneof(fc.double({ min: 0.01, max: 1e6, noNaN: true }), fc.constantFrom(1 / 60, 1, 3, 7, 1000, 1e7)),
  burst: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.double({ min: 1, max: 1e5, noNaN: true })),
  unit: fc.constantFrom('operations' as const, 'bytes' as const),
  per: fc.constant('tenant' as const),
  buckets: fc.constant(1),
})
/** Of the burst, of the time that the burst takes, or as such. */
const share = fc.oneof(fc.double({ min: 0, max: 1.5, noNaN: true }), fc.constantFrom(0, 1, 0.01, 0.001))
const start = fc.constantFrom(0, 5, 1e6, 3.1e10)

/** Takes with random costs and pauses, in what the options make of them. `later`: milliseconds since the last. */
const history = fc.array(fc.record({ cost: share, later: share, patience: share, waits: fc.boolean() }), {
  maxLength: 80,
})

const whole = (of: number) => Math.max(1, Math.round(of))

describe('any history', () => {
  test('gets the verdicts of a token bucket', () => {
    fc.assert(
      fc.property(options, start, history, (options, start, steps) => {
        const buckets = new LocalBuckets(options)
        const reference = new Reference(options)
        const fill = (options.burst / options.rate) * 1000
        let now = start
        let promised = 0
        for (const { cost: part, later, patience: patient, waits } of steps) {
          // Every other step comes exactly when it was told to come.
          now += waits ? promised : later * fill
          const cost = whole(part * options.burst)
          const patience = patient * fill
          const expected = reference.wait(cost, now)
          const wait = buckets.take(SHARED, cost, now, patience)
          const near = 1e-4 + 1e-9 * fill
          if (wait === 0) expect(expected).toBeLessThan(near)
          else expect(Math.abs(wait - expected)).toBeLessThan(near)
          if (wait !== 0) expect(wait).toBeGreaterThan(0)
          if (wait <= patience) reference.spend(cost, now)
          promised = wait <= patience ? 0 : wait
          const level = buckets.tokens(SHARED, now)
          expect(Math.abs(level - reference.level)).toBeLessThan(near * options.rate)
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('is admitted at most burst + rate * time in every window', () => {
    fc.assert(
      fc.property(options, start, history, (options, start, steps) => {
        const buckets = new LocalBuckets(options)
        const fill = (options.burst / options.rate) * 1000
        const admitted: { at: number; cost: number }[] = []
        let now = start
        for (const { cost: part, later, patience: patient, waits } of steps) {
          now += waits ? 0 : 0.2 * later * fill
          const cost = whole(part * options.burst)
          const patience = patient * fill
          const wait = buckets.take(SHARED, cost, now, patience)
          if (wait <= patience) admitted.push({ at: now + wait, cost })
        }
        const largest = Math.max(0, ...admitted.map((each) => each.cost))
        const beyond = options.unit === 'bytes' ? largest : Math.max(0, largest - options.burst)
        for (let i = 0; i < admitted.length; i++) {
          let sum = 0
          for (let j = i; j < admitted.length; j++) {
            sum += admitted[j].cost
            const seconds = (admitted[j].at - admitted[i].at) / 1000
            const bound = options.burst + options.rate * (seconds + 1e-7) + beyond
            expect(sum).toBeLessThanOrEqual(bound * (1 + 1e-9))
          }
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('that is refused may come when it was told, and not much sooner', () => {
    fc.assert(
      fc.property(options, start, history, share, (options, start, steps, part) => {
        const buckets = new LocalBuckets(options)
        const fill = (options.burst / options.rate) * 1000
        let now = start
        for (const { cost, later } of steps) {
          now += 0.2 * later * fill
          buckets.take(SHARED, whole(cost * options.burst), now, 0)
        }
        const cost = whole(part * options.burst)
        const wait = buckets.take(SHARED, cost, now, 0)
        if (wait === 0) return
        const early = 0.99 * wait - 1e-4
        if (early > 0) expect(buckets.take(SHARED, cost, now + early, 0)).toBeGreaterThan(0)
        expect(buckets.take(SHARED, cost, now + wait, 0)).toBe(0)
      }),
      { numRuns: RUNS },
    )
  })

  test('does not notice what was taken and given back', () => {
    // Whole milliseconds and a token for each, so that no rounding is in the way.
    const step = fc.record({
      cost: fc.integer({ min: 1, max: 30 }),
      later: fc.integer({ min: 0, max: 30 }),
      patience: fc.integer({ min: 0, max: 40 }),
      extra: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 3 }),
    })
    const unit = fc.constantFrom('operations' as const, 'bytes' as const)
    fc.assert(
      fc.property(unit, fc.array(step, { maxLength: 80 }), (unit, steps) => {
        const one = bucketsOf({ unit, rate: 1000, burst: 20 })
        const other = bucketsOf({ unit, rate: 1000, burst: 20 })
        let now = 0
        for (const { cost, later, patience, extra } of steps) {
          now += later
          const taken = extra.filter((cost) => other.take(SHARED, cost, now, patience) <= patience)
          for (const cost of taken) other.refund(SHARED, cost)
          expect(other.tokens(SHARED, now)).toBe(one.tokens(SHARED, now))
          expect(other.take(SHARED, cost, now, patience)).toBe(one.take(SHARED, cost, now, patience))
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('of many names gets the verdicts of a bucket each, though the idle ones are forgotten', () => {
    const step = fc.record({
      name: fc.integer({ min: 0, max: 12 }),
      cost: fc.integer({ min: 1, max: 8 }),
      later: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 3 }) }, fc.integer({ min: 0, max: 40 })),
      sweep: fc.boolean(),
    })
    let shared = 0
    let forgotten = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 9 }), (steps, most) => {
        const options: BucketOptions = { unit: 'operations', rate: 1000, burst: 10, per: 'match', buckets: most }
        const buckets = new LocalBuckets(options)
        /** Never forgets; under '' the one that names without a slot share. */
        const references = new Map<string, Reference>()
        let now = 0
        for (const { name, cost, later, sweep } of steps) {
          now += later
          const before = buckets.count
          if (sweep) buckets.sweep(now)
          forgotten += before - buckets.count
          const slot = find(buckets, `name ${name}`)
          if (slot === SHARED) shared++
          const key = slot === SHARED ? '' : `name ${name}`
          const reference = references.get(key) ?? new Reference(options)
          references.set(key, reference)
          const expected = Math.max(0, reference.wait(cost, now))
          expect(buckets.take(slot, cost, now, 0)).toBe(expected)
          if (expected === 0) reference.spend(cost, now)
          expect(buckets.count).toBeLessThanOrEqual(most)
        }
      }),
      { numRuns: RUNS },
    )
    expect(shared).toBeGreaterThan(RUNS / 10)
    expect(forgotten).toBeGreaterThan(RUNS / 10)
  })
})

describe('many names', () => {
  const each = (i: number) => Buffer.from(`203.0.113.${i}`)

  test('have a bucket each, which is forgotten when it is full again', () => {
    const buckets = bucketsOf({ per: 'address' })
    for (const name of ['a', 'b', 'c']) expect(buckets.take(find(buckets, name), 5, 1000, 0)).toBe(0)
    expect(buckets.take(find(buckets, 'b'), 1, 1000, 0)).toBe(100)
    buckets.charge(find(buckets, 'c'), 5, 1000)
    expect(buckets.count).toBe(3)
    buckets.sweep(1499)
    expect(buckets.count).toBe(3)
    buckets.sweep(1500)
    expect(buckets.count).toBe(1)
    buckets.sweep(2000)
    expect(buckets.count).toBe(0)
  })

  test('beyond the bound share one bucket with the rate of the rule', () => {
    const buckets = bucketsOf({ per: 'address', buckets: 3 })
    for (let i = 0; i < 3; i++) expect(buckets.take(buckets.find(each(i), 0, 11), 1, 0, 0)).toBe(0)
    const taken = Array.from({ length: 7 }, (_, i) => buckets.take(find(buckets, `late ${i}`), 1, 0, 0))
    expect(taken).toEqual([0, 0, 0, 0, 0, 100, 100])
    expect([buckets.count, buckets.overflows]).toEqual([3, 7])
    // The others go on as they were.
    expect(buckets.take(buckets.find(each(0), 0, 11), 4, 0, 0)).toBe(0)
  })

  test('find the buckets that have become full by the time of the last request', () => {
    const buckets = bucketsOf({ per: 'address', buckets: 2 })
    for (const name of ['a', 'b']) buckets.take(find(buckets, name), 1, 1000, 0)
    expect(find(buckets, 'c')).toBe(SHARED)
    buckets.take(find(buckets, 'a'), 1, 1100, 0)
    expect(find(buckets, 'c')).not.toBe(SHARED)
    expect(buckets.count).toBe(2)
  })

  test('that are held keep their bucket, however idle and however many others come', () => {
    const buckets = bucketsOf({ per: 'address', buckets: 3, burst: 1 })
    const slot = buckets.hold('kept')
    expect(buckets.hold('kept')).toBe(slot)
    buckets.release(slot)
    for (let i = 0; i < 100; i++) {
      buckets.take(find(buckets, `${i}`), 1, 10_000 * i, 0)
      buckets.sweep(10_000 * i)
    }
    expect(find(buckets, 'kept')).toBe(slot)
    buckets.release(slot)
    buckets.sweep(1e9)
    expect(buckets.count).toBe(0)
  })

  test('a million of them in 100,000 buckets: less than 4 MiB, for good', async () => {
    const name = Buffer.alloc(24)
    const used = () => {
      gc()
      const { arrayBuffers, heapUsed } = process.memoryUsage()
      return arrayBuffers + heapUsed
    }
    used()
    const before = used()
    const buckets = bucketsOf({ per: 'address', rate: 1, burst: 10, buckets: 100_000 })
    for (let i = 0; i < 1_000_000; i++) buckets.take(buckets.find(name, 0, name.write(`address ${i}`)), 1, i / 1000, 0)
    expect(buckets.count).toBe(100_000)
    expect(buckets.overflows).toBe(900_000)
    // Arrays that were outgrown are given back in the background.
    let bytes = 0
    const small = await eventually(() => (bytes = used() - before) < 4 * 2 ** 20)
    console.log(`100,000 buckets: ${bytes} bytes`)
    expect([small, bytes]).toEqual([true, bytes])
    // A second later they are full again, and others have their places.
    buckets.sweep(2000)
    expect(buckets.count).toBe(80_000)
    for (let i = 0; i < 100_000; i++)
      buckets.take(buckets.find(name, 0, name.write(`other ${i}`)), 1, 2000 + i / 1000, 0)
    expect(buckets.overflows).toBe(900_000)
    expect(buckets.count).toBe(100_000)
  })
})

test('what is owed is owed whatever the age of the process', () => {
  const buckets = bucketsOf({ per: 'address' })
  const slot = find(buckets, 'a')
  buckets.charge(slot, 100_005, 1000)
  for (let now = 1000; now < 9e6; now += 1000) buckets.sweep(now)
  expect(find(buckets, 'a')).toBe(slot)
  expect(buckets.tokens(slot, 9e6)).toBe(-100_000 + 89_990)
})

test('times are exact after a year, too', () => {
  const year = 365 * 86_400_000
  // 64 bytes are 64 nanoseconds here, and behind 31,536,000,000 milliseconds a double has steps of 4.
  const buckets = bucketsOf({ unit: 'bytes', rate: 1e9, burst: 1e7 })
  buckets.take(SHARED, 1e7, 0, 0)
  buckets.sweep(year)
  for (const now of [year, year + 10]) {
    let bytes = 0
    while (buckets.take(SHARED, 64, now, 0) === 0) bytes += 64
    expect(bytes).toBeGreaterThan(1e7 - 200)
    expect(bytes).toBeLessThan(1e7 + 200)
  }
})
