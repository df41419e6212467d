import { beforeEach, expect, test } from 'vitest'
import { Delay } from '../../../../src/commands/delay.ts'
import { PENDING, SHARED } from '../../../../src/policies/limits/buckets.ts'
import type { LeasedOptions } from '../../../../src/policies/limits/leased-buckets.ts'
import { FakeProcess, FakeTime, ReferenceBuckets } from './lease-world.ts'

let time: FakeTime
let shared: ReferenceBuckets

beforeEach(() => {
  time = new FakeTime()
  shared = new ReferenceBuckets(time)
})

const start = (options: Partial<LeasedOptions> = {}) => new FakeProcess(time, shared, options, () => 0.5)

const wants = (process: FakeProcess) => process.store.asks.flat().map(({ want }) => want)

test('the first request waits for the store, and goes on with what it granted', async () => {
  const process = start()
  expect(process.request()).toBe(PENDING)
  expect(process.admitted).toBe(0)
  await time.pass(2)
  expect(process.admitted).toBe(1)
  expect(process.request()).toBe(0)
})

test.each([30, 300, 900])('below the rate nobody waits once it is known: %i a second of 1,000', async (perSecond) => {
  const process = start()
  await process.load(perSecond, 1000)
  const asked = wants(process).length
  const answers = await process.load(perSecond, 5000)
  expect(answers.filter((wait) => wait !== 0)).toEqual([])
  // Tokens for 100 to 150 ms come when half of that is left; of the 20 ms of the rate that are the least, too.
  const few = wants(process).slice(asked)
  expect(few.length).toBeLessThan(100)
  const most = Math.max(perSecond * 0.15, 20) + 1
  for (const want of few) expect(want).toBeLessThanOrEqual(most)
  expect(process.store.calls.length).toBeLessThan(120)
})

test('when use rises all at once, requests wait for the next call and no longer', async () => {
  const process = start()
  await process.load(10, 1000)
  await process.load(900, 2000)
  await time.pass(100)
  expect(process.refused).toBe(0)
  expect(process.waiting).toBe(0)
  const answers = await process.load(900, 1000)
  expect(answers.filter((wait) => wait !== 0)).toEqual([])
})

test('a bucket that is not used gives back what it has, and another process has all of it', async () => {
  const [idle, busy] = [start(), start()]
  await idle.load(500, 500)
  expect(shared.out).toBeGreaterThan(idle.admitted)
  await time.pass(1600)
  expect(shared.out).toBe(idle.admitted)
  const calls = idle.store.calls.length
  await time.pass(10_000)
  expect(idle.store.calls.length).toBe(calls)
  for (let i = 0; i < 3000; i++) busy.request()
  await time.pass(1)
  await busy.load(2000, 200)
  expect(busy.admitted).toBeGreaterThanOrEqual(1000)
})

test('a bucket whose use has fallen gives back what is too much', async () => {
  const process = start({ rate: 10_000, burst: 10_000 })
  await process.load(8000, 1000)
  expect(shared.out - process.admitted).toBeGreaterThan(400)
  await process.load(5, 3000)
  // 20 ms of the rate are 200.
  expect(shared.out - process.admitted).toBeLessThanOrEqual(400)
})

test('a lease is good for two seconds after the last word of the store', async () => {
  const process = start()
  await process.load(100, 1000)
  process.store.fate = () => ({ there: undefined, back: undefined })
  const had = shared.out - process.admitted
  expect(had).toBeGreaterThan(5)
  // One request a second keeps it from being idle.
  expect(await process.load(1, 1001)).toEqual([0])
  await time.pass(1000)
  expect(process.request()).not.toBe(0)
})

test('what was left of a lease that ended is gone: it is neither spent nor given back', async () => {
  const process = start()
  await process.load(100, 1000)
  process.store.refuses = true
  await process.load(2, 2100)
  const left = shared.out - process.admitted
  expect(left).toBeGreaterThan(5)
  process.store.refuses = false
  process.request()
  await time.pass(5000)
  expect(shared.out - process.admitted).toBe(left)
})

test('in use, a lease is renewed, however little is used', async () => {
  const process = start({ rate: 1000, burst: 1000 })
  await process.load(3, 1000)
  const answers = await process.load(3, 10_000)
  expect(answers.filter((wait) => wait !== 0)).toEqual([])
})

test('a flood on a slow rule makes few calls, and hears how long it has to wait', async () => {
  const process = start({ rate: 1, burst: 1 })
  const answers = await process.load(200, 20_000)
  expect(process.admitted).toBeGreaterThanOrEqual(20)
  expect(process.admitted).toBeLessThanOrEqual(21)
  expect(process.store.calls.length).toBeLessThan(50)
  expect(Math.max(...answers)).toBeLessThanOrEqual(1100)
  expect(answers.filter((wait) => wait === PENDING).length).toBeLessThan(50)
})

test('a token that comes while nobody asks just then does not keep the next one from coming', async () => {
  const process = start({ rate: 1, burst: 1 })
  // Two a second, always at the same moments.
  await process.load(2, 21_000)
  expect(process.admitted).toBeGreaterThanOrEqual(19)
  expect(process.admitted).toBeLessThanOrEqual(22)
})

test('who comes again after the time that it was told is served', async () => {
  const process = start({ rate: 2, burst: 3 })
  for (let i = 0; i < 4; i++) process.request()
  await time.pass(10)
  expect([process.admitted, process.refused]).toEqual([3, 1])
  for (let i = 0; i < 10; i++) {
    const wait = process.waits.at(-1) as number
    expect(wait).toBeGreaterThan(300)
    await time.pass(Math.ceil(wait))
    const { admitted } = process
    process.request()
    await time.pass(60)
    expect(process.admitted).toBe(admitted + 1)
    expect(process.request()).toBeGreaterThan(0)
  }
})

test('requests that wait get their tokens in order, and no later one overtakes them', async () => {
  const process = start({ rate: 100, burst: 10, action: 'delay' } as Partial<LeasedOptions>)
  const { buckets } = process
  const order: number[] = []
  const wait = (i: number, cost: number) => {
    expect(buckets.take(SHARED, cost, time.now, 1000)).toBe(PENDING)
    buckets.wait(SHARED, cost, time.now, new Delay(0, () => {}), 1000, (decided) => {
      expect(decided).toBe(0)
      order.push(i)
    })
  }
  const costs = [4, 4, 4, 10, 1, 1]
  costs.forEach((cost, i) => {
    wait(i, cost)
  })
  const began = time.now
  await time.pass(5)
  expect(order).toEqual([0, 1])
  // A token is there, perhaps, but others wait for more.
  await time.pass(15)
  wait(6, 1)
  await time.pass(1000)
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(shared.out).toBeGreaterThanOrEqual(25)
  expect(shared.out).toBeLessThanOrEqual(10 + 0.1 * (time.now - began))
})

test('who waits is refused as soon as it is known that it would wait for too long', async () => {
  const process = start({ rate: 100, burst: 10 })
  for (let i = 0; i < 40; i++) process.request(1, 100)
  await time.pass(5)
  // Ten at once, ten more in 100 ms.
  expect(process.admitted).toBe(10)
  expect(process.refused).toBeGreaterThanOrEqual(19)
  expect(process.waits[0]).toBeGreaterThan(99)
  expect(process.waits.at(-1)).toBeLessThanOrEqual(320)
  const { waiting } = process
  expect(waiting).toBeGreaterThanOrEqual(9)
  await time.pass(200)
  expect(process.waiting).toBe(0)
  // A call comes every 55 ms: what it brings is half of what they could have waited for.
  expect(process.admitted).toBeGreaterThanOrEqual(10 + Math.floor(waiting / 2))
  expect(process.request(1, 0)).not.toBe(PENDING)
})

test('a request whose client has left takes nothing', async () => {
  const { buckets } = start({ rate: 1, burst: 3 })
  const heard: [number, number][] = []
  const delays = [0, 1, 2, 3].map((i) => {
    const delay = new Delay(0, () => {})
    expect(buckets.take(SHARED, 1, time.now, 0)).toBe(PENDING)
    buckets.wait(SHARED, 1, time.now, delay, 0, (wait) => heard.push([i, wait]))
    return delay
  })
  delays[1].end(true)
  await time.pass(5)
  expect(heard.filter(([, wait]) => wait === 0).map(([i]) => i)).toEqual([0, 2, 3])
  expect(heard.filter(([, wait]) => wait > 0).map(([i]) => i)).toEqual([1])
})

test.each([1000, 1 / 60])('when nobody asks any more, nothing happens any more: %d a second', async (rate) => {
  const process = start({ rate, burst: 1 + Math.ceil(rate) })
  await process.load(4000, 1000, 200)
  expect(process.refused).toBeGreaterThan(100)
  await time.pass(70_000)
  expect(time.quiet).toBe(true)
  expect(process.waiting).toBe(0)
})

test('a rule that is no more collects no debts', async () => {
  const process = start({ rate: 1, burst: 1 })
  process.buckets.charge(SHARED, 1_000_000, time.now)
  await time.pass(100)
  expect(time.quiet).toBe(false)
  process.reload({ rate: 2 })
  await time.pass(3000)
  expect(time.quiet).toBe(true)
})

test('what was charged is owed, and paid though nobody asks', async () => {
  const process = start({ rate: 100, burst: 200 })
  const { buckets } = process
  process.request()
  await time.pass(60)
  // The store has that.
  buckets.charge(SHARED, 150, time.now)
  expect(process.request()).toBe(PENDING)
  await time.pass(5)
  expect(process.admitted).toBe(2)
  buckets.charge(SHARED, 190, time.now)
  expect(buckets.tokens(SHARED, time.now)).toBeLessThan(-130)
  await time.pass(60)
  expect(process.request()).toBeGreaterThan(1200)
  await time.pass(1800)
  expect(shared.out).toBeGreaterThanOrEqual(342)
  expect(process.request()).not.toBeGreaterThan(0)
  expect(shared.out).toBeLessThanOrEqual(200 + 200)
})

test('a bucket that owes more than its burst refuses without asking', async () => {
  const { buckets, store } = start({ rate: 100, burst: 100 })
  store.fate = () => ({ there: undefined, back: undefined })
  buckets.charge(SHARED, 100, time.now)
  expect(buckets.take(SHARED, 1, time.now, 0)).toBeGreaterThan(0)
})

test('bytes need one token, and owe the rest', async () => {
  const process = start({ unit: 'bytes', rate: 10_000, burst: 10_000 })
  process.request(25_000)
  await time.pass(5)
  expect(process.admitted).toBe(25_000)
  expect(process.request(1)).toBeGreaterThan(1000)
  await time.pass(1700)
  process.request(1)
  await time.pass(60)
  expect(process.admitted).toBe(25_001)
})

test('an operation that costs more than the burst needs all of it', async () => {
  const process = start({ rate: 100, burst: 20 })
  process.request(30)
  await time.pass(5)
  expect(process.admitted).toBe(30)
  process.request(20, 1000)
  await time.pass(250)
  expect(process.admitted).toBe(30)
  await time.pass(150)
  expect(process.admitted).toBe(50)
})

test('what it owes then is paid though nobody asks', async () => {
  const process = start({ rate: 100, burst: 20 })
  process.request(30)
  await time.pass(5)
  expect(shared.out).toBe(20)
  // And what came with it is given back.
  await time.pass(3000)
  expect(shared.out).toBe(30)
  process.request(20, 1000)
  process.request(30, 1000)
  await time.pass(5000)
  expect([process.admitted, shared.out]).toEqual([80, 80])
})

test('what is given back can be taken again', async () => {
  const process = start({ rate: 1, burst: 3 })
  process.request(3)
  await time.pass(5)
  expect(process.request(3)).toBeGreaterThan(0)
  process.buckets.refund(SHARED, 3, time.now)
  expect(process.request(3)).toBe(0)
})

test('what costs nothing passes always', () => {
  const { buckets, store } = start()
  store.refuses = true
  buckets.charge(SHARED, 5000, time.now)
  expect(buckets.take(SHARED, 0, time.now, 0)).toBe(0)
})

test('names have buckets of their own, in all processes the same ones', async () => {
  const options = { per: 'match', rate: 1, burst: 5, buckets: 2 } as const
  const [one, two] = [start(options), start(options)]
  const find = ({ buckets }: FakeProcess, name: Buffer) => buckets.find(name, 0, name.length)
  const names = ['a\xff', 'x'.repeat(300), 'third', 'fourth'].map((name) => Buffer.from(name, 'latin1'))
  const slots = names.map((name) => {
    const slot = find(one, name)
    one.request(5, 0, slot)
    return slot
  })
  expect(slots.slice(2)).toEqual([SHARED, SHARED])
  expect(new Set(slots).size).toBe(3)
  expect([one.buckets.count, one.buckets.overflows]).toEqual([2, 2])
  await time.pass(5)
  expect(one.admitted).toBe(15)
  const keys = one.store.asks.flat().map(({ key }) => key)
  expect(keys.slice(0, 3)).toEqual(['acme:all:a\xff', expect.stringMatching(/^acme:all#[0-9a-f]{64}$/), 'acme:all'])
  for (const name of names.slice(0, 2)) two.request(1, 0, find(two, name))
  await time.pass(60)
  expect([two.admitted, two.refused]).toEqual([0, 2])
  // The same bucket by a name that somebody keeps.
  const held = two.buckets.hold('kept')
  expect(held).toBe(SHARED)
})

test('buckets that nobody uses are forgotten, and those that are held stay', async () => {
  const process = start({ per: 'user', buckets: 100 })
  const { buckets } = process
  const held = buckets.hold('held')
  for (let i = 0; i < 50; i++) {
    const name = Buffer.from(`user ${i}`)
    process.request(1, 0, buckets.find(name, 0, name.length))
  }
  await time.pass(10)
  expect(process.admitted).toBe(50)
  buckets.sweep(time.now)
  expect(buckets.count).toBe(51)
  // They give back what they have first.
  await time.pass(5000)
  buckets.sweep(time.now)
  expect(buckets.count).toBe(1)
  expect(shared.out).toBe(50)
  process.request(1, 0, held)
  await time.pass(5)
  expect(process.admitted).toBe(51)
  buckets.release(held)
  await time.pass(5000)
  buckets.sweep(time.now)
  expect(buckets.count).toBe(0)
  // Late, for one that is forgotten.
  buckets.refund(held, 1, time.now)
  buckets.charge(held, 1, time.now)
  expect(buckets.tokens(held, time.now)).toBe(1000)
})

test('after a pause of the machine nothing that was leased before is spent', async () => {
  const process = start()
  await process.load(500, 500)
  process.leases.paused()
  process.store.fate = () => ({ there: undefined, back: undefined })
  expect(process.request()).toBe(PENDING)
})

test('what is left counts what is here and what is known of the store', async () => {
  const process = start({ rate: 100, burst: 100 })
  expect(process.buckets.tokens(SHARED, time.now)).toBe(100)
  for (let i = 0; i < 60; i++) process.request()
  await time.pass(2)
  expect(process.buckets.tokens(SHARED, time.now)).toBeCloseTo(40.1, 0)
  await time.pass(100)
  expect(process.buckets.tokens(SHARED, time.now)).toBeCloseTo(50, 0)
  expect(process.buckets.leased).toBeGreaterThanOrEqual(60)
})
