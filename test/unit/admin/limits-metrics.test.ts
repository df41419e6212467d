import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Metrics } from '../../../src/admin/metrics.ts'
import type { LimitView } from '../../../src/policies/limits/limit-view.ts'
import { FakeSource, limit, stats } from './source.ts'

/** The lines of the text format that begin so, without what all have in common. */
function lines(text: string, start: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(start))
}

async function told(
  limits: readonly LimitView[],
  more: { labels?: number; leases?: { calls: number; failures: number }; delayed?: number } = {},
): Promise<string> {
  const source = new FakeSource()
  source.labels = more.labels ?? 100
  const names = ['', ...new Set(limits.map(({ tenant }) => tenant))]
  source.process = {
    ...source.process,
    tenants: names.map((name) => ({ name, stats: stats() })),
    limits,
    leases: more.leases ?? source.process.leases,
    delayed: more.delayed ?? 0,
  }
  return new Metrics(source, '1').render()
}

describe('rate limits in /metrics', () => {
  it('tell what became of requests, by tenant and rule', async () => {
    const text = await told([
      limit({ allowed: 11, delayed: 2, rejected: 3, shadowed: 4, waiting: 1, tokens: -2.5 }),
      limit({ rule: 'writes', action: 'shadow', shadowed: 9 }),
    ])
    expect(lines(text, 'keyward_limit_requests_total')).toEqual([
      'keyward_limit_requests_total{tenant="acme",rule="all",outcome="allowed"} 11',
      'keyward_limit_requests_total{tenant="acme",rule="all",outcome="delayed"} 2',
      'keyward_limit_requests_total{tenant="acme",rule="all",outcome="rejected"} 3',
      'keyward_limit_requests_total{tenant="acme",rule="all",outcome="shadowed"} 4',
      'keyward_limit_requests_total{tenant="acme",rule="writes",outcome="allowed"} 0',
      'keyward_limit_requests_total{tenant="acme",rule="writes",outcome="delayed"} 0',
      'keyward_limit_requests_total{tenant="acme",rule="writes",outcome="rejected"} 0',
      'keyward_limit_requests_total{tenant="acme",rule="writes",outcome="shadowed"} 9',
    ])
    expect(lines(text, 'keyward_limit_waiting{')).toContain('keyward_limit_waiting{tenant="acme",rule="all"} 1')
    expect(lines(text, 'keyward_limit_tokens{')).toContain('keyward_limit_tokens{tenant="acme",rule="all"} -2.5')
  })

  it('tell how full the table of buckets is, and no tokens where there are many', async () => {
    const text = await told([limit({ per: 'address', tokens: undefined, buckets: 7, mostBuckets: 50, overflows: 8 })])
    expect(lines(text, 'keyward_limit_tokens{')).toEqual([])
    expect(lines(text, 'keyward_limit_buckets{')).toEqual(['keyward_limit_buckets{tenant="acme",rule="all"} 7'])
    expect(lines(text, 'keyward_limit_buckets_allowed{')).toEqual([
      'keyward_limit_buckets_allowed{tenant="acme",rule="all"} 50',
    ])
    expect(lines(text, 'keyward_limit_overflows_total{')).toEqual([
      'keyward_limit_overflows_total{tenant="acme",rule="all"} 8',
    ])
  })

  it('tell of leases where there are some', async () => {
    const text = await told([limit(), limit({ rule: 'shared', scope: 'global', grants: 1200, failing: true })], {
      leases: { calls: 30, failures: 4 },
    })
    expect(lines(text, 'keyward_limit_leased_tokens_total{')).toEqual([
      'keyward_limit_leased_tokens_total{tenant="acme",rule="shared"} 1200',
    ])
    expect(lines(text, 'keyward_limit_failing{')).toEqual(['keyward_limit_failing{tenant="acme",rule="shared"} 1'])
    expect(lines(text, 'keyward_lease_')).toEqual(['keyward_lease_calls_total 30', 'keyward_lease_failures_total 4'])
  })

  it('tell the length of the place `delayed`', async () => {
    expect(await told([], { delayed: 6 })).toContain('keyward_queue_length{place="delayed",upstream=""} 6\n')
  })

  it('are bounded: the rules of tenants without a label of their own are one', async () => {
    const limits = Array.from({ length: 300 }, (_, i) => [
      limit({ tenant: `t${i}`, rule: `rule-of-${i}`, rejected: 1, buckets: 2, mostBuckets: 10 }),
      limit({ tenant: `t${i}`, rule: 'shared', scope: 'global', grants: 5, failing: i === 200 }),
    ]).flat()
    const text = await told(limits, { labels: 2 })
    expect(lines(text, 'keyward_limit_buckets{').map((line) => line.slice(21))).toEqual([
      '{tenant="t0",rule="rule-of-0"} 2',
      '{tenant="t0",rule="shared"} 1',
      '{tenant="t1",rule="rule-of-1"} 2',
      '{tenant="t1",rule="shared"} 1',
      '{tenant="_other",rule="_other"} 894',
    ])
    const other = '{tenant="_other",rule="_other"'
    expect(text).toContain(`keyward_limit_requests_total${other},outcome="rejected"} 298\n`)
    expect(text).toContain(`keyward_limit_leased_tokens_total${other}} 1490\n`)
    expect(text).toContain(`keyward_limit_failing${other}} 1\n`)
    expect(text).not.toContain(`keyward_limit_tokens${other}`)
  })

  it('have no label that clients can choose, and do not even ask for their names', async () => {
    const shy = Object.defineProperty({ ...limit() }, 'offenders', {
      get: () => {
        throw new Error('asked')
      },
    })
    expect(await told([shy])).toContain('keyward_limit_buckets{')
  })
})

describe('docs/limits.md', () => {
  it('names every metric of rate limits, and none that is not there', async () => {
    const path = fileURLToPath(new URL('../../../docs/limits.md', import.meta.url))
    const document = readFileSync(path, 'utf8')
    const names = [...(await told([])).matchAll(/^# TYPE (keyward_\w+)/gm)].map(([, name]) => name)
    const named = new Set([...document.matchAll(/keyward_\w+/g)].map(([name]) => name))
    expect([...named].filter((name) => !names.includes(name))).toEqual([])
    expect(names.filter((name) => /^keyward_(limit|lease)_/.test(name) && !named.has(name))).toEqual([])
  })
})
