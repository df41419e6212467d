import { beforeEach, expect, test } from 'vitest'
import type { LeaseAsk, LeaseGrant, LeaseStore } from '../../../../src/policies/limits/lease-store.ts'
import { type Leaseholder, type LeaseRule, Leases } from '../../../../src/policies/limits/leases.ts'
import { FakeProcess, FakeTime, ReferenceBuckets } from './lease-world.ts'

let time: FakeTime
let leases: Leases
let stores: Map<string, Store>
let faults: unknown[]

beforeEach(() => {
  time = new FakeTime()
  stores = new Map([['main', new Store()]])
  faults = []
  leases = new Leases({
    now: () => time.now,
    after: time.after,
    random: () => 0,
    storeOf: (upstream) => stores.get(upstream),
    fault: (error) => faults.push(error),
  })
})

/** Grants everything, when it is told to. */
class Store implements LeaseStore {
  readonly calls: { readonly at: number; readonly keys: readonly string[] }[] = []
  readonly open: { answer(grants?: readonly LeaseGrant[]): void; fail(): void }[] = []
  prompt = true

  lease(asks: readonly LeaseAsk[]): Promise<readonly LeaseGrant[]> {
    this.calls.push({ at: time.now, keys: asks.map(({ key }) => key) })
    const all = asks.map(({ want }) => ({ granted: want, left: 0 }))
    if (this.prompt) return Promise.resolve(all)
    return new Promise((resolve, reject) => {
      this.open.push({ answer: (grants = all) => resolve(grants), fail: () => reject(new Error('no')) })
    })
  }
}

class Rule implements LeaseRule {
  readonly upstream: string
  readonly over = false
  readonly heard: string[] = []

  constructor(upstream = 'main') {
    this.upstream = upstream
    leases.add(this)
  }

  look(): number {
    this.heard.push('look')
    return Number.POSITIVE_INFINITY
  }
  failed(): void {
    this.heard.push('failed')
  }
  answered(): void {
    this.heard.push('answered')
  }
  paused(): void {
    this.heard.push('paused')
  }
  retire(): void {
    this.heard.push('retire')
  }
}

class Bucket implements Leaseholder {
  readonly key: string
  tokens = 0
  losses = 0
  want = 1
  /** For so many milliseconds it was told to ask. */
  cover = 0

  constructor(rule: Rule, key: string) {
    this.key = key
    leases.enter(rule, this)
  }

  ask(_now: number, cover: number): LeaseAsk | undefined {
    this.cover = cover
    return this.want === 0 ? undefined : { key: this.key, rate: 1, burst: 1000, want: this.want, back: 0, most: 1000 }
  }

  granted(grant: LeaseGrant): void {
    this.tokens += grant.granted
  }

  lost(): void {
    this.losses++
  }
}

function storeOf(upstream = 'main'): Store {
  return stores.get(upstream) as Store
}

const callTimes = (store = storeOf()) => store.calls.map(({ at }) => at)

test('the first call goes out in this turn and has all that was asked in it; the next one is 50 ms later', async () => {
  const start = time.now
  const rule = new Rule()
  new Bucket(rule, 'a')
  new Bucket(rule, 'b')
  expect(storeOf().calls).toEqual([])
  await time.pass(0)
  expect(storeOf().calls).toEqual([{ at: start, keys: ['a', 'b'] }])
  const c = new Bucket(rule, 'c')
  await time.pass(10)
  new Bucket(new Rule(), 'd')
  await time.pass(39)
  expect(storeOf().calls).toHaveLength(1)
  await time.pass(1)
  expect(storeOf().calls[1]).toEqual({ at: start + 50, keys: ['c', 'd'] })
  expect(c.tokens).toBe(1)
  await time.pass(1000)
  new Bucket(rule, 'e')
  await time.pass(0)
  expect(callTimes()[2]).toBe(start + 1050)
  expect(leases.calls).toBe(3)
})

test('a bucket that enters twice is asked once, and one that wants nothing any more makes no call', async () => {
  const rule = new Rule()
  const a = new Bucket(rule, 'a')
  leases.enter(rule, a)
  await time.pass(0)
  expect(storeOf().calls[0].keys).toEqual(['a'])
  a.want = 0
  leases.enter(rule, a)
  await time.pass(1000)
  expect(leases.calls).toBe(1)
})

test('500 buckets a call, those that came first first; with more of them in line, each asks for a longer time', async () => {
  const rule = new Rule()
  const buckets = Array.from({ length: 1200 }, (_, i) => new Bucket(rule, String(i)))
  await time.pass(200)
  expect(storeOf().calls.map(({ keys }) => keys.length)).toEqual([500, 500, 200])
  expect(storeOf().calls.flatMap(({ keys }) => keys)).toEqual(buckets.map(({ key }) => key))
  expect(buckets[0].cover).toBeGreaterThan(buckets[700].cover)
  expect(buckets[700].cover).toBeGreaterThan(buckets[1199].cover)
  expect(buckets[1199].cover).toBeGreaterThanOrEqual(100)
  expect(buckets[1199].cover).toBeLessThanOrEqual(150)
})

test('upstreams take turns, and the 50 ms are for all of them together', async () => {
  stores.set('other', new Store())
  const [main, other] = [new Rule('main'), new Rule('other')]
  const start = time.now
  for (let i = 0; i < 1000; i++) new Bucket(main, `m${i}`)
  await time.pass(0)
  const late = new Bucket(other, 'o')
  await time.pass(50)
  expect(storeOf('other').calls).toEqual([{ at: start + 50, keys: ['o'] }])
  await time.pass(100)
  expect(callTimes()).toEqual([start, start + 100])
  // Twice as long until it is its turn again.
  expect(late.cover).toBeGreaterThan(200)
})

test('one call at a time for each upstream, and a slow one does not hold up the others', async () => {
  stores.set('other', new Store())
  const [main, other] = [new Rule('main'), new Rule('other')]
  storeOf().prompt = false
  new Bucket(main, 'a')
  await time.pass(0)
  new Bucket(main, 'b')
  new Bucket(other, 'o')
  await time.pass(500)
  expect(storeOf().calls).toHaveLength(1)
  expect(storeOf('other').calls).toHaveLength(1)
  storeOf().open[0].answer()
  await time.pass(0)
  expect(storeOf().calls.map(({ keys }) => keys)).toEqual([['a'], ['b']])
})

test('a call that fails is told to the rules of its upstream and to who asked, and counts among the 20 of a second', async () => {
  stores.set('other', new Store())
  const [rule, other] = [new Rule(), new Rule('other')]
  storeOf().prompt = false
  const a = new Bucket(rule, 'a')
  await time.pass(0)
  storeOf().open[0].fail()
  await time.pass(0)
  expect([rule.heard, other.heard]).toEqual([['failed'], []])
  expect([a.losses, leases.failures]).toEqual([1, 1])
  new Bucket(rule, 'b')
  await time.pass(49)
  expect(leases.calls).toBe(1)
  await time.pass(1)
  expect(leases.calls).toBe(2)
  storeOf().open[1].answer()
  await time.pass(0)
  expect(rule.heard).toEqual(['failed', 'answered'])
})

test('an answer that has not come after a second is a failure, and does not count when it comes', async () => {
  const rule = new Rule()
  storeOf().prompt = false
  const a = new Bucket(rule, 'a')
  await time.pass(999)
  expect(leases.failures).toBe(0)
  await time.pass(1)
  expect([leases.failures, a.losses]).toEqual([1, 1])
  const b = new Bucket(rule, 'b')
  await time.pass(0)
  storeOf().open[0].answer()
  await time.pass(10)
  expect([a.tokens, b.tokens]).toEqual([0, 0])
  storeOf().open[1].answer()
  await time.pass(10)
  expect([a.tokens, b.tokens]).toEqual([0, 1])
})

test('an answer with another number of grants is none', async () => {
  const rule = new Rule()
  storeOf().prompt = false
  const a = new Bucket(rule, 'a')
  await time.pass(0)
  storeOf().open[0].answer([])
  await time.pass(0)
  expect([leases.failures, a.losses, a.tokens]).toEqual([1, 1, 0])
})

test('without such an upstream, calls fail', async () => {
  const rule = new Rule('gone')
  const a = new Bucket(rule, 'a')
  await time.pass(0)
  expect([leases.failures, a.losses, rule.heard]).toEqual([1, 1, ['failed']])
})

test('that the store of before the reload fails says nothing of the one that took its place', async () => {
  const rule = new Rule()
  storeOf().prompt = false
  const a = new Bucket(rule, 'a')
  await time.pass(0)
  const [{ fail }] = storeOf().open
  stores.set('main', new Store())
  fail()
  await time.pass(0)
  expect([rule.heard, a.losses]).toEqual([[], 1])
})

test('what was granted before a pause of the machine is not used', async () => {
  const rule = new Rule()
  storeOf().prompt = false
  const a = new Bucket(rule, 'a')
  await time.pass(0)
  leases.paused()
  storeOf().open[0].answer()
  await time.pass(0)
  expect([a.tokens, a.losses]).toEqual([0, 1])
  expect(rule.heard).toEqual(['paused', 'answered'])
})

test('a bug in what goes on with its tokens does not keep others from theirs', async () => {
  const rule = new Rule()
  const a = new Bucket(rule, 'a')
  a.granted = () => {
    throw new Error('a bug')
  }
  const b = new Bucket(rule, 'b')
  await time.pass(0)
  expect(faults).toEqual([new Error('a bug')])
  expect(b.tokens).toBe(1)
})

test('rules are looked at when they said, and after stop() nothing happens any more', async () => {
  const rule = new Rule()
  leases.wake(rule, time.now + 100)
  leases.wake(rule, time.now + 30)
  await time.pass(29)
  expect(rule.heard).toEqual([])
  await time.pass(1)
  expect(rule.heard).toEqual(['look'])
  await time.pass(100)
  expect(rule.heard).toEqual(['look'])
  leases.wake(rule, time.now + 30)
  new Bucket(rule, 'a')
  leases.stop()
  await time.pass(100)
  expect([rule.heard, leases.calls]).toEqual([['look'], 0])
})

test('a rule that is no more gives back what it has, once nobody waits for it', async () => {
  const buckets = new ReferenceBuckets(time)
  const process = new FakeProcess(time, buckets)
  process.request()
  await time.pass(100)
  expect(buckets.out).toBeGreaterThan(process.admitted)
  const { buckets: before } = process
  process.reload()
  expect(before.over).toBe(false)
  await time.pass(200)
  expect(buckets.out).toBe(1)
  expect(before.over).toBe(true)
  expect(process.faults).toEqual([])
})
