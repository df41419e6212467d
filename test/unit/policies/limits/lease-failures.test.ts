import { beforeEach, expect, test } from 'vitest'
import { Delay } from '../../../../src/commands/delay.ts'
import { PENDING, SHARED } from '../../../../src/policies/limits/buckets.ts'
import type { LeasedOptions } from '../../../../src/policies/limits/leased-buckets.ts'
import { FakeProcess, FakeTime, PROMPT, ReferenceBuckets } from './lease-world.ts'

let time: FakeTime
let shared: ReferenceBuckets

beforeEach(() => {
  time = new FakeTime()
  shared = new ReferenceBuckets(time)
})

const start = (options: Partial<LeasedOptions> = {}) => new FakeProcess(time, shared, options, () => 0.5)

test('those who have left do not pile up while nothing is answered', async () => {
  const process = start({ maxDelayed: 10 })
  process.store.fate = () => ({ there: undefined, back: undefined })
  let decided = 0
  for (let i = 0; i < 1000; i++) {
    const delay = new Delay(0, () => {})
    process.buckets.take(SHARED, 1, time.now, 0)
    process.buckets.wait(SHARED, 1, time.now, delay, 0, () => decided++)
    delay.end(true)
  }
  expect(decided).toBeGreaterThanOrEqual(980)
})

test.each([
  ['allow', 0],
  ['deny', 1000],
] as const)('while the store is silent, onError: %s', async (onError, answer) => {
  const process = start({ onError })
  await process.load(100, 500)
  process.store.fate = () => ({ there: undefined, back: undefined })
  const { admitted } = process
  // What is leased is spent first.
  for (let i = 0; i < 1000; i++) process.request()
  expect(process.admitted - admitted).toBeGreaterThan(10)
  const { waiting } = process
  expect(waiting).toBeGreaterThan(900)
  await time.pass(999)
  expect(process.waiting).toBe(waiting)
  await time.pass(61)
  expect(process.waiting).toBe(0)
  expect(process.admitted - admitted).toBe(onError === 'allow' ? 1000 : 1000 - waiting)
  expect(new Set(await process.load(100, 5000))).toEqual(new Set([answer]))
  expect(process.buckets.failing(time.now)).toBe(true)
  process.store.fate = () => PROMPT
  await process.load(100, 1200)
  expect(process.buckets.failing(time.now)).toBe(false)
  expect(new Set(await process.load(100, 1000))).toEqual(new Set([0]))
})

test('while the store refuses, onError: local limits each process to the rule', async () => {
  const [one, two] = [start({ onError: 'local' }), start({ onError: 'local' })]
  for (const process of [one, two]) process.store.refuses = true
  for (const process of [one, two]) {
    await process.load(3000, 2000)
    expect(process.admitted).toBeGreaterThan(2900)
    expect(process.admitted).toBeLessThanOrEqual(3003)
    expect(process.store.calls.length).toBeLessThanOrEqual(41)
  }
  expect(shared.out).toBe(0)
})

test('onError: local lets requests wait, and counts names apart', async () => {
  const process = start({ onError: 'local', per: 'user', rate: 10, burst: 1 })
  process.store.refuses = true
  const [a, b] = ['a', 'b'].map((name) => process.buckets.hold(name))
  process.request(1, 0, a)
  process.request(1, 0, b)
  await time.pass(1)
  expect(process.admitted).toBe(2)
  const wait = process.buckets.take(a, 1, time.now, 500)
  expect(wait).toBeGreaterThan(90)
  expect(wait).toBeLessThanOrEqual(100)
  expect(process.buckets.take(b, 1, time.now, 0)).toBeGreaterThan(0)
  process.buckets.charge(b, 5, time.now)
  expect(process.buckets.take(b, 1, time.now, 0)).toBeGreaterThan(500)
})

test('onError: deny is never taken for tokens that come in time', async () => {
  const process = start()
  process.store.refuses = true
  process.request(1, 5000)
  await time.pass(1)
  expect(process.refused).toBe(1)
  expect(process.buckets.take(SHARED, 1, time.now, 5000)).toBe(5001)
})

test('an idle hour after a failure, the store is asked again before anybody is refused', async () => {
  const process = start()
  process.store.refuses = true
  process.request()
  await time.pass(1)
  expect(process.refused).toBe(1)
  process.store.refuses = false
  await time.pass(3_600_000)
  expect(process.request()).toBe(PENDING)
  await time.pass(2)
  expect(process.admitted).toBe(1)
})
