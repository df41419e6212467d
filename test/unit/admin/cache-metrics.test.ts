import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Metrics } from '../../../src/admin/metrics.ts'
import type { ProcessView } from '../../../src/admin/view.ts'
import { cache, cacheRule, FakeSource, feed, stats, ttlRule, upstream } from './source.ts'

/** The lines of the text format that begin so, without what all have in common. */
function lines(text: string, start: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(start))
    .map((line) => line.slice(start.length))
}

async function told(some: Partial<ProcessView>, labels = 100): Promise<string> {
  const source = new FakeSource()
  source.labels = labels
  const names = new Set([...(some.caches ?? []), ...(some.ttl ?? [])].map(({ tenant }) => tenant))
  const tenants = ['', ...names].map((name) => ({ name, stats: stats() }))
  source.process = { ...source.process, tenants, ...some }
  return new Metrics(source, '1').render()
}

describe('near caches in /metrics', () => {
  it('tell what became of reads, each once, by tenant and rule', async () => {
    const rules = [
      cacheRule({
        hits: 100,
        staleServed: 2,
        misses: 30,
        crowded: 4,
        coalesced: 5,
        stored: 6,
        skipped: 9,
        invalidations: 7,
        expired: 8,
      }),
      cacheRule({ keys: 'a"b\\*', hits: 1 }),
    ]
    const text = await told({ caches: [cache({ rules })] })
    expect(lines(text, 'keyward_cache_requests_total{tenant="acme",rule="cache:*",outcome=')).toEqual([
      '"hit"} 100',
      '"stale"} 2',
      '"miss"} 26',
      '"coalesced"} 5',
      '"crowded"} 4',
    ])
    expect(lines(text, 'keyward_cache_requests_total{tenant="acme",rule="a\\"b\\\\*",outcome="hit"}')).toEqual([' 1'])
    const rule = '{tenant="acme",rule="cache:*"}'
    expect(lines(text, `keyward_cache_stored_total${rule}`)).toEqual([' 6'])
    expect(lines(text, `keyward_cache_skipped_total${rule}`)).toEqual([' 9'])
    expect(lines(text, `keyward_cache_invalidations_total${rule}`)).toEqual([' 7'])
    expect(lines(text, `keyward_cache_expired_total${rule}`)).toEqual([' 8'])
  })

  it('tell how full they are, and how far behind they may be', async () => {
    const acme = cache({ bytes: 5000, memory: 9000, entries: 6, evictions: 7, rejected: 8, behind: 250 })
    const text = await told({ caches: [acme, cache({ tenant: 'beta', behind: Number.POSITIVE_INFINITY })] })
    expect(lines(text, 'keyward_cache_bytes{tenant="acme"}')).toEqual([' 5000'])
    expect(lines(text, 'keyward_cache_bytes_allowed{tenant="acme"}')).toEqual([' 9000'])
    expect(lines(text, 'keyward_cache_entries{tenant="acme"}')).toEqual([' 6'])
    expect(lines(text, 'keyward_cache_evictions_total{tenant="acme"}')).toEqual([' 7'])
    expect(lines(text, 'keyward_cache_rejected_total{tenant="acme"}')).toEqual([' 8'])
    expect(lines(text, 'keyward_cache_behind_seconds{tenant=')).toEqual(['"acme"} 0.25', '"beta"} +Inf'])
  })

  it('are bounded: those of tenants without a label of their own are one', async () => {
    const caches = Array.from({ length: 300 }, (_, i) => {
      const rules = [
        cacheRule({ keys: `k${i}:*`, hits: 2, misses: 1, crowded: 1, skipped: 1 }),
        cacheRule({ hits: 1, expired: 3 }),
      ]
      return cache({ tenant: `t${i}`, bytes: 10, memory: 100, entries: 1, behind: i, rules })
    })
    const text = await told({ caches }, 1)
    const other = '{tenant="_other",rule="_other"'
    expect(lines(text, 'keyward_cache_requests_total{').filter((line) => line.includes('"hit"'))).toEqual([
      'tenant="t0",rule="k0:*",outcome="hit"} 2',
      'tenant="t0",rule="cache:*",outcome="hit"} 1',
      'tenant="_other",rule="_other",outcome="hit"} 897',
    ])
    expect(text).toContain(`keyward_cache_requests_total${other},outcome="miss"} 0\n`)
    expect(text).toContain(`keyward_cache_requests_total${other},outcome="crowded"} 299\n`)
    expect(text).toContain(`keyward_cache_skipped_total${other}} 299\n`)
    expect(text).toContain(`keyward_cache_expired_total${other}} 897\n`)
    expect(lines(text, 'keyward_cache_bytes{')).toEqual(['tenant="t0"} 10', 'tenant="_other"} 2990'])
    expect(lines(text, 'keyward_cache_behind_seconds{')).toEqual(['tenant="t0"} 0', 'tenant="_other"} 0.299'])
  })
})

describe('times to live in /metrics', () => {
  const DONE = { defaulted: 1, clampedMax: 2, clampedMin: 3, persistDenied: 4, persistClamped: 5, failed: 6 }

  it('tell what was done, and what would have been', async () => {
    const text = await told({ ttl: [ttlRule(DONE), ttlRule({ keys: 'dry:*', dryRun: true, defaulted: 9 })] })
    expect(lines(text, 'keyward_ttl_writes_total{tenant="acme",rule="job:*",mode="enforced",action=')).toEqual([
      '"default"} 1',
      '"max"} 2',
      '"min"} 3',
      '"persist-denied"} 4',
      '"persist-clamped"} 5',
    ])
    expect(lines(text, 'keyward_ttl_writes_total{tenant="acme",rule="dry:*",mode="dry-run",action="default"}')).toEqual(
      [' 9'],
    )
    expect(lines(text, 'keyward_ttl_failures_total{')).toEqual(['tenant="acme",rule="job:*",mode="enforced"} 6'])
  })

  it('are bounded, and do not mix the two', async () => {
    const ttl = Array.from({ length: 100 }, (_, i) => ttlRule({ ...DONE, tenant: `t${i}`, dryRun: i % 2 === 1 }))
    const text = await told({ ttl }, 0)
    expect(lines(text, 'keyward_ttl_writes_total{').filter((line) => line.includes('"max"'))).toEqual([
      'tenant="_other",rule="_other",mode="enforced",action="max"} 100',
      'tenant="_other",rule="_other",mode="dry-run",action="max"} 100',
    ])
    expect(lines(text, 'keyward_ttl_failures_total{')).toEqual(['tenant="_other",rule="_other",mode="enforced"} 300'])
  })
})

describe('what is heard of writes, in /metrics', () => {
  const START = 'keyward_upstream_invalidations_'

  it('is told of upstreams whose tenants cache', async () => {
    const main = upstream({
      invalidations: feed({ prefixes: 3, invalidations: 40, flushes: 5, reconnects: 6, delay: 2.5 }),
      cacheFetches: { pending: 5, refused: 6 },
    })
    const refused = feed({ connected: false, prefixes: 0, delay: undefined, refusal: 'NOPERM', refusals: 3 })
    const text = await told({
      upstreams: [main, upstream({ name: 'idle' }), upstream({ name: 'off', invalidations: refused })],
    })
    const of = (name: string) => lines(text, `${START}${name}{upstream=`)
    expect(of('up')).toEqual(['"main"} 1', '"off"} 0'])
    expect(of('refused')).toEqual(['"main"} 0', '"off"} 1'])
    expect(of('refusals_total')).toEqual(['"main"} 0', '"off"} 3'])
    expect(of('prefixes')).toEqual(['"main"} 3', '"off"} 0'])
    expect(of('keys_total')).toEqual(['"main"} 40', '"off"} 0'])
    expect(of('flushes_total')).toEqual(['"main"} 5', '"off"} 0'])
    expect(of('reconnects_total')).toEqual(['"main"} 6', '"off"} 0'])
    expect(lines(text, 'keyward_upstream_cache_fetches{upstream=')).toEqual(['"main"} 5', '"off"} 0'])
    expect(lines(text, 'keyward_upstream_cache_fetches_refused_total{upstream=')).toEqual(['"main"} 6', '"off"} 0'])
    expect(of('delay_seconds')).toEqual(['"main"} 0.0025'])
  })
})

describe('docs/operations.md', () => {
  it('names every metric of caches and times to live, and no metric that is not there', async () => {
    const path = fileURLToPath(new URL('../../../docs/operations.md', import.meta.url))
    const named = new Set([...readFileSync(path, 'utf8').matchAll(/keyward_\w+/g)].map(([name]) => name))
    const names = [...(await told({})).matchAll(/^# TYPE (keyward_\w+)/gm)].map(([, name]) => name)
    const mine = /^keyward_(cache|ttl|upstream_invalidations|upstream_cache)_/
    expect(names.filter((name) => mine.test(name) && !named.has(name))).toEqual([])
    expect([...named].filter((name) => mine.test(name) && !names.includes(name))).toEqual([])
  })
})
