import { describe, expect, it } from 'vitest'
import { statusText } from '../../../src/admin/status.ts'
import type { UpstreamView } from '../../../src/admin/upstream-view.ts'
import { cache, cacheRule, FakeSource, feed, limit, ttlRule, upstream } from './source.ts'

const WELL = upstream({
  reconnects: 9,
  node: {
    ...upstream().node,
    connections: { lane: 3, bulk: 1, pin: 5, connecting: 0 },
    pins: { idle: 1, blocked: 2, transaction: 2, waiting: 7, oldest: 0 },
    places: { sent: 11, scheduled: 2, abandoned: 0, held: 4 },
  },
})

interface State {
  readonly ready: boolean
  readonly reason: string
  readonly pausedTenants?: readonly string[]
}

function status({ ready, reason, pausedTenants = [] }: State, ...upstreams: UpstreamView[]): string[] {
  const { process } = new FakeSource()
  const view = { ...process, generation: 3, connections: 42, running: 1, barrier: 5, upstreams }
  const source = { ready: () => ({ ready, reason }), view: () => view, operations: { pausedTenants } }
  return statusText(source, '1.2.3').split('\n')
}

describe('status', () => {
  it('of a process that is well', () => {
    expect(status({ ready: true, reason: 'ready' }, WELL)).toEqual([
      'keyward 1.2.3: ready',
      'configuration 3, 42 client connections',
      'jobs and subscriptions: 1 under way, 5 requests behind them, 0 gates closed',
      'upstream main: usable, primary 127.0.0.1:6379',
      '  requests: 11 under way, 2 not sent, 4 held',
      '  connections: 4 shared, 5 dedicated (7 clients wait for one), 9 lost so far',
      '',
    ])
  })

  it('tells whatever is not as it should be', () => {
    const lines = status(
      { ready: false, reason: 'upstream main is unusable' },
      {
        ...WELL,
        usable: false,
        address: undefined,
        waits: 'everything',
        why: 'PROXY PAUSE',
        breaker: { ...WELL.breaker, state: 'open', openFor: 12_300 },
        health: { ...WELL.health, ok: false, reason: 'it is loading its data', concerns: ['memory is nearly full'] },
        refused: { time: 7, memory: 0, breaker: 8 },
        moves: { count: 3, lossy: 1, unproven: 2, took: 5 },
        topology: {
          kind: 'sentinel',
          sentinels: [
            { address: '127.0.0.1:26379', connected: true, names: '127.0.0.1:6380' },
            { address: '127.0.0.1:26380', connected: true, names: undefined },
            { address: '127.0.0.1:26381', connected: false, names: '127.0.0.1:6379' },
          ],
        },
        replicas: [
          { address: '127.0.0.1:6381', usable: true, lag: 12.4, reads: 1 },
          { address: '127.0.0.1:6382', usable: true, lag: Number.POSITIVE_INFINITY, reads: 0 },
          { address: '127.0.0.1:6383', usable: false, lag: 0, reads: 0 },
        ],
      },
      { ...WELL, name: 'other', role: 'slave', waits: 'writes', why: '+selected-slave' },
    )
    expect(lines[0]).toBe('keyward 1.2.3: not ready, upstream main is unusable')
    expect(lines).toEqual(
      expect.arrayContaining([
        'upstream main: away, primary not found yet, found by sentinel',
        '  on purpose everything waits: PROXY PAUSE',
        '  refused so far: 7 held for too long, 0 for want of hold.memory, 8 at once',
        '  breaker: open, not closed for 12 s',
        '  server: it is loading its data; memory is nearly full',
        '  failovers followed: 3, 1 lost writes, of 2 it is not known',
        '  sentinel 127.0.0.1:26379: names 127.0.0.1:6380',
        '  sentinel 127.0.0.1:26380: names nobody yet',
        '  sentinel 127.0.0.1:26381: away',
        '  replica 127.0.0.1:6381: at most 12 ms behind',
        '  replica 127.0.0.1:6382: not known how far behind',
        '  replica 127.0.0.1:6383: away',
        'upstream other: usable, replica 127.0.0.1:6379',
        '  on purpose writes wait: +selected-slave',
      ]),
    )
  })

  it('says when rate limits make requests wait, or lack their tokens', () => {
    const { process } = new FakeSource()
    const limits = [limit(), limit({ failing: true }), limit({ failing: true })]
    const view = { ...process, delayed: 3, limits }
    const source = {
      ready: () => ({ ready: true, reason: 'ready' }),
      view: () => view,
      operations: { pausedTenants: [] },
    }
    expect(statusText(source, '1').split('\n')).toEqual(
      expect.arrayContaining([
        'rate limits: 3 requests delayed',
        'rate limits: tokens of 2 rules cannot be had, onError decides',
      ]),
    )
  })

  it('says what near caches are good for, and what times to live were refused', () => {
    const { process } = new FakeSource()
    const rules = [
      cacheRule({ hits: 80, staleServed: 3, misses: 10, coalesced: 8, crowded: 4, skipped: 5 }),
      cacheRule(),
    ]
    const caches = [cache({ bytes: 3 << 19, memory: 64 << 20, rules }), cache({ tenant: 'beta' })]
    const view = { ...process, caches, ttl: [ttlRule({ failed: 2 }), ttlRule({ failed: 5 })] }
    const ready = () => ({ ready: true, reason: 'ready' })
    const source = { ready, view: () => view, operations: { pausedTenants: [] } }
    expect(statusText(source, '1').split('\n').slice(3)).toEqual([
      'near cache: 2 tenants, 1.5 of 65.0 MiB, spared the upstream 90% of 101 reads, 3 of them past their end',
      'near cache: too much was under way for 4 reads and 5 replies; see maxFetches and maxFollowers',
      'times to live: 7 were refused by the upstream; the keys may be without',
      '',
    ])
  })

  it('says whether writes are heard of, where that is of use', () => {
    const of = (some: Parameters<typeof feed>[0]) =>
      status({ ready: true, reason: 'ready' }, { ...WELL, invalidations: feed(some) })[6]
    expect(of({ prefixes: 2, delay: 1.2, reconnects: 4 })).toBe(
      '  writes are heard of for keys of 2 prefixes, 2 ms late; that was lost 4 times',
    )
    expect(of({ prefixes: 0, delay: undefined })).toBe('  writes are heard of for all keys; that was lost 0 times')
    expect(of({ connected: false })).toBe('  writes are not heard of, so nothing is cached')
    expect(of({ connected: false, refusal: 'NOPERM x' })).toBe(
      '  writes are not heard of, so nothing is cached; the server says: NOPERM x',
    )
    expect(of({ wanted: false })).toBe('')
  })

  it('names the tenants that are paused', () => {
    expect(status({ ready: true, reason: 'ready', pausedTenants: ['acme', 'beta'] })).toContain(
      'paused tenants: acme, beta',
    )
    const pausedTenants = Array.from({ length: 103 }, (_, i) => `t${i}`)
    const line = status({ ready: true, reason: 'ready', pausedTenants }).find((one) => one.startsWith('paused'))
    expect(line).toMatch(/^paused tenants: t0, .*, t99 and 3 more$/)
  })
})
