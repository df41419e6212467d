import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Incoming } from '../../../../src/client/incoming.ts'
import { Clock } from '../../../../src/lib/clock.ts'
import { Chains } from '../../../../src/policies/chains.ts'
import type { LeaseAsk, LeaseGrant } from '../../../../src/policies/limits/lease-store.ts'
import { Limits } from '../../../../src/policies/limits/limits.ts'
import { type PolicyEnv, Ruling } from '../../../../src/policies/policy.ts'
import { RequestReader } from '../../../../src/resp/request-reader.ts'
import type { Session } from '../../../../src/session/session.ts'
import type { LimitRule, Tenant } from '../../../../src/session/tenant.ts'
import { fuzz } from '../../../helpers/fuzz.ts'
import { tenant, theTable } from '../../../helpers/local-client.ts'
import { request } from '../../../helpers/raw-client.ts'

// Everything between a request and its verdict, with a clock and a store of tokens of the test's own.

class FakeClock extends Clock {
  override now = 1000
  override tick(): number {
    return this.now
  }
}

let clock: FakeClock
let limits: Limits
let chains: Chains
/** Calls for tokens that have no answer yet. */
let calls: { asks: readonly LeaseAsk[]; answer(grants: readonly LeaseGrant[]): void; fail(): void }[]

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'setImmediate', 'setInterval', 'clearTimeout', 'clearImmediate', 'clearInterval'],
  })
  clock = new FakeClock()
  calls = []
  const store = {
    lease: (asks: readonly LeaseAsk[]) =>
      new Promise<readonly LeaseGrant[]>((answer, reject) => {
        calls.push({ asks, answer, fail: () => reject(new Error('away')) })
      }),
  }
  const env: PolicyEnv = {
    table: theTable(),
    clock,
    cacheSource: () => undefined,
    leaseStore: () => store,
    indexOf: () => 0,
    fault: (error) => {
      throw error
    },
  }
  limits = new Limits(env)
  chains = new Chains([limits], env)
})
afterEach(() => {
  limits.stop()
  vi.useRealTimers()
})

function rule(name: string, more: Partial<LimitRule> = {}): LimitRule {
  return {
    name,
    unit: 'operations',
    rate: 1,
    rateText: '1/s',
    burst: 1,
    per: 'tenant',
    scope: 'local',
    action: 'reject',
    maxDelay: 1000,
    maxDelayed: 100,
    onError: 'local',
    commands: '+@all -@connection',
    keys: undefined,
    costs: [],
    replyUnit: undefined,
    buckets: 100,
    ...more,
  }
}

function load(...rules: readonly LimitRule[]): Tenant {
  const acme = tenant('acme', { limits: rules })
  chains.renew([acme])
  return acme
}

function enter(acme: Tenant, address = '10.0.0.1:5000') {
  const chain = chains.enter({ tenant: acme, user: 'default', address } as Session)
  if (chain === undefined) throw new Error('no chain')
  const incoming = new Incoming()
  return {
    chain,
    ask(...words: readonly string[]) {
      const bytes = request(...words)
      const ruling = new Ruling()
      let verdict = ''
      const reader = new RequestReader({ bulk: 1 << 20, buffer: 1 << 20 })
      reader.authenticated = true
      reader.feed(bytes, 0, bytes.length, {
        onRequest(buf, start, end, argc, args) {
          const spec = theTable().byName(words[0].toLowerCase())
          if (spec === undefined) throw new Error(`no command ${words[0]}`)
          verdict = chain.onRequest(spec, incoming.set(buf, start, end, argc, args), ruling)
        },
        onProtocolError: () => undefined,
        onRequestLimit: () => undefined,
      })
      return { verdict, refusal: ruling.refusal, delay: ruling.delay, meter: ruling.meter }
    },
  }
}

const view = (name: string) => limits.view().find((one) => one.rule === name)

/** Lets timers that are due run, and what waits for promises. */
async function pass(milliseconds: number): Promise<void> {
  clock.now += milliseconds
  await vi.advanceTimersByTimeAsync(milliseconds)
}

test('a tenant without limits has no chain', () => {
  chains.renew([tenant('acme')])
  expect(chains.enter({ tenant: tenant('acme') } as Session)).toBeUndefined()
})

test('of two rules that are met, the later refuses: the earlier has its tokens back, by keys and without', () => {
  const client = enter(
    load(
      rule('first', { burst: 10 }),
      rule('keys', { keys: 'a*', per: 'match', burst: 10 }),
      rule('last', { keys: 'a*', commands: '+set' }),
    ),
  )
  expect(client.ask('SET', 'a1', 'x').verdict).toBe('go')
  expect(client.ask('SET', 'a1', 'x')).toMatchObject({
    verdict: 'reply',
    refusal: 'RATELIMITED last: 1/s; retry after 1000 ms',
  })
  expect(view('first')).toMatchObject({ allowed: 1, rejected: 0, tokens: 9 })
  expect(view('keys')).toMatchObject({ allowed: 1, rejected: 0 })
  for (let i = 0; i < 9; i++) expect(client.ask('GET', 'a1').verdict).toBe('go')
  expect(client.ask('GET', 'a1').verdict).toBe('reply')
})

test('a shadow that refuses takes nothing, and gives nothing back', () => {
  const client = enter(load(rule('shade', { action: 'shadow' }), rule('real', { burst: 2 })))
  expect([1, 2, 3].map(() => client.ask('GET', 'a').verdict)).toEqual(['go', 'go', 'reply'])
  expect(view('shade')).toMatchObject({ allowed: 1, shadowed: 2, tokens: 0 })
  expect(view('real')).toMatchObject({ allowed: 2, rejected: 1 })
})

test('a delay is as long as the longest of its rules wants', () => {
  const slow = { action: 'delay', maxDelay: 5000 } as const
  const client = enter(load(rule('one', slow), rule('two', { ...slow, rate: 2, burst: 1 })))
  expect(client.ask('GET', 'a').verdict).toBe('go')
  const { verdict, delay } = client.ask('GET', 'a')
  expect(verdict).toBe('wait')
  expect(delay?.due).toBe(2000)
  expect([view('one')?.waiting, view('two')?.waiting]).toEqual([1, 1])
  delay?.end(false)
  delay?.end(false)
  expect([view('one')?.waiting, view('two')?.waiting]).toEqual([0, 0])
})

test('what Keyward answers itself is counted and refused, but never waits', () => {
  const client = enter(load(rule('one', { action: 'delay', commands: '+@all' })))
  expect(client.ask('PING').verdict).toBe('go')
  expect(client.ask('PING')).toMatchObject({ verdict: 'go', delay: undefined })
  expect(client.ask('PING').verdict).toBe('reply')
})

test('a paused machine gives no tokens', async () => {
  const client = enter(load(rule('one', { burst: 10, rate: 10 })))
  for (let i = 0; i < 10; i++) expect(client.ask('GET', 'a').verdict).toBe('go')
  clock.now += 5001
  expect(client.ask('GET', 'a').verdict).toBe('reply')
  clock.now += 4000
  expect(client.ask('GET', 'a').verdict).toBe('go')
})

test('an idle process is not a paused machine', async () => {
  const client = enter(load(rule('one', { burst: 10, rate: 10 })))
  for (let i = 0; i < 10; i++) client.ask('GET', 'a')
  for (let i = 0; i < 6; i++) await pass(1000)
  expect(client.ask('GET', 'a').verdict).toBe('go')
})

test('bytes are let in while nothing is owed, and replies are charged', () => {
  const client = enter(load(rule('bytes', { unit: 'bytes', rate: 1000, burst: 1000, rateText: '1000B/s' })))
  const { verdict, meter } = client.ask('GET', 'a')
  expect(verdict).toBe('go')
  meter?.replied(5000)
  expect(view('bytes')?.tokens).toBe(1000 - request('GET', 'a').length - 5000)
  expect(client.ask('GET', 'a').verdict).toBe('reply')
  clock.now += 4000
  expect(client.ask('GET', 'a').verdict).toBe('reply')
  clock.now += 100
  expect(client.ask('GET', 'a').verdict).toBe('go')
})

test('a reply that comes when its client has left is charged to its address all the same', () => {
  const acme = load(rule('bytes', { unit: 'bytes', per: 'address', rate: 1000, burst: 1000, buckets: 2 }))
  const first = enter(acme)
  const { meter } = first.ask('GET', 'a')
  first.chain.leave()
  // The slot would be somebody else's by now.
  clock.now += 3000
  for (const address of ['10.0.0.2:1', '10.0.0.3:1']) enter(acme, address).ask('GET', 'a')
  meter?.replied(2000)
  const after = ['10.0.0.2:2', '10.0.0.3:2'].map((address) => enter(acme, address).ask('GET', 'a').verdict)
  expect(after).toEqual(['go', 'go'])
})

test('per match and bytes: each key pays for itself', () => {
  const client = enter(load(rule('keys', { unit: 'bytes', per: 'match', keys: 'k:*', rate: 1000, burst: 1000 })))
  client.ask('GET', 'k:a').meter?.replied(3000)
  expect(client.ask('GET', 'k:a').verdict).toBe('reply')
  expect(client.ask('GET', 'k:b').verdict).toBe('go')
})

test('a client that found no room has a bucket of its own once there is room', () => {
  const acme = load(rule('one', { per: 'address', buckets: 1, rate: 1, burst: 1 }))
  const first = enter(acme, '10.0.0.1:1')
  const second = enter(acme, '10.0.0.2:1')
  const third = enter(acme, '10.0.0.3:1')
  expect(second.ask('GET', 'a').verdict).toBe('go')
  // They share one, as long as the first is there.
  expect(third.ask('GET', 'a').verdict).toBe('reply')
  first.chain.leave()
  third.ask('GET', 'a')
  expect(third.ask('GET', 'a').verdict).toBe('go')
  expect(third.ask('GET', 'a').verdict).toBe('reply')
  clock.now += 1000
  expect(second.ask('GET', 'a').verdict).toBe('go')
  expect(third.ask('GET', 'a').verdict).toBe('go')
})

test('clients that were there before a reload leave the buckets that they came to', () => {
  const one = rule('one', { per: 'address' })
  const two = rule('two', { per: 'user' })
  const before = enter(load(one, two))
  before.ask('GET', 'a')
  const after = load(two, one)
  before.chain.leave()
  const again = enter(after)
  expect(again.ask('GET', 'a').verdict).toBe('reply')
  expect(view('one')).toMatchObject({ buckets: 1 })
  clock.now += 1000
  expect(again.ask('GET', 'a').verdict).toBe('go')
})

test('a request that waits for two leases goes when both are there', async () => {
  const client = enter(load(rule('one', { scope: 'global', burst: 5 }), rule('two', { scope: 'global', burst: 5 })))
  const { verdict, delay } = client.ask('GET', 'a')
  expect(verdict).toBe('wait')
  expect(delay?.due).toBe(Number.POSITIVE_INFINITY)
  let settled = 0
  if (delay !== undefined) delay.onSettled = () => settled++
  await pass(0)
  expect(calls).toHaveLength(1)
  calls[0].answer(calls[0].asks.map(({ want }) => ({ granted: want, left: 0 })))
  await pass(0)
  expect(settled).toBe(1)
  expect(delay?.refusal).toBeUndefined()
  expect(delay?.due).toBeLessThanOrEqual(clock.now)
  delay?.end(false)
  expect(view('one')).toMatchObject({ waiting: 0, allowed: 1 })
})

test('one of two leases is empty: refused, and the other gets its token back', async () => {
  const client = enter(load(rule('one', { scope: 'global', burst: 5 }), rule('two', { scope: 'global', burst: 5 })))
  const { delay } = client.ask('GET', 'a')
  await pass(0)
  calls[0].answer(
    calls[0].asks.map(({ want, key }) => (key.endsWith('one') ? { granted: want, left: 4 } : { granted: 0, left: 0 })),
  )
  await pass(0)
  expect(delay?.refusal).toMatch(/^RATELIMITED two: 1\/s; retry after \d+ ms$/)
  delay?.end(false)
  expect(view('one')).toMatchObject({ allowed: 0, rejected: 0, waiting: 0, tokens: 5 })
  expect(view('two')).toMatchObject({ allowed: 0, rejected: 1, waiting: 0 })
})

test('its client leaves before the lease comes: what comes is for others', async () => {
  const client = enter(load(rule('one', { scope: 'global', burst: 1 })))
  const { delay } = client.ask('GET', 'a')
  delay?.end(false)
  await pass(0)
  calls[0].answer([{ granted: 1, left: 0 }])
  await pass(0)
  expect(view('one')).toMatchObject({ waiting: 0, allowed: 0 })
  expect(client.ask('GET', 'a').verdict).toBe('go')
})

test('many clients and pipelines on one bucket: what passes is what the bucket has, and not less', () => {
  let world = 0
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 40 }), fc.nat({ max: 3000 })), {
        minLength: 20,
        maxLength: 60,
      }),
      fc.constantFrom(100, 1000, 20_000),
      fc.constantFrom(5, 50, 400),
      (bursts, rate, burst) => {
        const clients = [0, 1, 2, 3].map((i) => [`10.0.0.${i % 2}:1`, i] as const)
        const acme = load(
          rule(`all${++world}`, { rate, burst }),
          rule('each', { per: 'address', rate: 1e9, burst: 1e9 }),
        )
        const asking = clients.map(([address]) => enter(acme, address))
        const begun = clock.now
        // The bucket, asked for each request at its time.
        let tokens: number = burst
        let at = begun
        let passed = 0
        for (const [who, depth, microseconds] of bursts) {
          clock.now += microseconds / 1000
          tokens = Math.min(burst, tokens + ((clock.now - at) * rate) / 1000)
          at = clock.now
          for (let i = 0; i < depth; i++) {
            const { verdict } = asking[who].ask('GET', 'a')
            if (verdict === 'go') {
              tokens--
              passed++
            } else {
              // Refused: there was none, but for what a millisecond brings and rounding.
              expect(tokens).toBeLessThan(1 + rate / 1000 + 1e-6)
            }
          }
          expect(passed).toBeLessThanOrEqual(burst + ((clock.now - begun + 1) * rate) / 1000 + 1e-6)
        }
        expect(view(`all${world}`)?.allowed).toBe(passed)
        for (const { chain } of asking) chain.leave()
      },
    ),
    fuzz('limits: pipelines of several clients', 0.05),
  )
})
