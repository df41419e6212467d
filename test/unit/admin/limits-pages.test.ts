import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limitsPage, limitsText } from '../../../src/admin/limit-pages.ts'
import { printableJson } from '../../../src/admin/printable.ts'
import { AdminServer } from '../../../src/admin/server.ts'
import type { LimitView } from '../../../src/policies/limits/limit-view.ts'
import { FakeSource, limit, stats } from './source.ts'

const NASTY = 'key:\u001b[2J\u009b31m"\\\r\nkeyward is well\u202egnp.\ud800'

const ADDRESSES = limit({
  rule: 'per-address',
  per: 'address',
  rate: '5/s',
  allowed: 70,
  rejected: 30,
  tokens: undefined,
  buckets: 12,
  mostBuckets: 50,
  overflows: 3,
  offenders: [
    { name: '10.0.0.7', count: 20, over: 0 },
    { name: NASTY, count: 10, over: 2 },
  ],
})
const SHARED = limit({
  tenant: 'beta',
  rate: '10MiB/s',
  unit: 'bytes',
  scope: 'global',
  action: 'delay',
  delayed: 4,
  waiting: 1,
  tokens: -12.5,
  grants: 1000,
  failing: true,
})
const AT_ALL = { delayed: 1, leases: { calls: 9, failures: 2 }, limits: [ADDRESSES, SHARED] }

/** So many rules of one tenant, of which each limited more than the one before. */
function many(count: number): LimitView[] {
  return Array.from({ length: count }, (_, i) => limit({ rule: `r${i}`, rejected: i }))
}

describe('PROXY LIMITS', () => {
  it('tells each rule in lines', () => {
    expect(limitsText(AT_ALL, undefined).split('\n')).toEqual([
      'rate limits: 1 requests delayed now, 9 calls for tokens, 2 failed',
      'acme per-address: 5/s operations per address, local, reject',
      '  requests: 70 allowed, 0 delayed (0 now), 30 rejected, 0 shadowed',
      '  buckets: 12 of at most 50, 3 requests found no room for theirs',
      expect.stringMatching(/^ {2}limited most: "10\.0\.0\.7" 20, ".*" 10 \(at most 2 too many\)$/),
      'beta all: 10MiB/s bytes per tenant, global, delay',
      '  requests: 0 allowed, 4 delayed (1 now), 0 rejected, 0 shadowed',
      '  tokens: -13 left',
      '  leases: 1000 tokens; none can be had now, onError decides',
      '',
    ])
  })

  it('of one tenant', () => {
    expect(limitsText(AT_ALL, 'beta')).not.toContain('acme')
    expect(limitsText(AT_ALL, 'gamma')).toContain('\ntenant gamma has none\n')
    expect(limitsText({ ...AT_ALL, limits: [] }, undefined)).toContain('\nno tenant has any\n')
  })

  it('shows nothing of a name that a terminal would act on', () => {
    const text = limitsText(AT_ALL, undefined)
    expect(text).not.toMatch(/[^\n\x20-\x7e]/)
    expect(text).toContain(
      String.raw`"key:\u001b[2J\u009b31m\"\\\r\nkeyward is well\u202egnp.\ud800" 10 (at most 2 too many)`,
    )
  })

  it('of very many rules shows those that limited most', () => {
    const lines = limitsText({ ...AT_ALL, limits: many(1005) }, undefined).split('\n')
    expect(lines[1]).toMatch(/^acme r1004:/)
    expect(lines.filter((line) => line.startsWith('acme '))).toHaveLength(1000)
    expect(lines.at(-2)).toBe('and 5 more that limited less; name a tenant to see its own')
  })
})

describe('names', () => {
  it('stay readable where they are letters of any script', () => {
    expect(printableJson({ name: 'größe-鍵-🔑' })).toBe('{"name":"größe-鍵-🔑"}')
  })

  it('are the same after reading them', () => {
    for (const name of [NASTY, '\u2028\u2029\u0085\u200e\u{e0001}', '']) {
      const text = printableJson(name)
      expect(text).not.toMatch(/[\p{C}\u2028\u2029]/u)
      expect(JSON.parse(text)).toBe(name)
    }
  })
})

describe('/limits', () => {
  const source = new FakeSource()
  const log = { error: () => undefined }
  const server = new AdminServer({ address: { host: '127.0.0.1', port: 0 }, version: '1', log }, source)
  beforeAll(() => server.listen())
  afterAll(() => server.close())

  async function ask(path: string): Promise<[status: number, body: unknown]> {
    source.process = {
      ...source.process,
      ...AT_ALL,
      tenants: ['', 'acme', 'beta', 'gamma'].map((name) => ({ name, stats: stats() })),
    }
    const reply = await fetch(`http://127.0.0.1:${server.bound.port}${path}`)
    expect(reply.headers.get('content-type')).toBe('application/json')
    return [reply.status, await reply.json()]
  }

  const acme = {
    tenant: 'acme',
    rule: 'per-address',
    per: 'address',
    scope: 'local',
    action: 'reject',
    unit: 'operations',
    rate: '5/s',
    requests: { allowed: 70, delayed: 0, rejected: 30, shadowed: 0 },
    waiting: 0,
    buckets: { count: 12, most: 50, overflows: 3 },
    offenders: ADDRESSES.offenders,
  }
  const beta = {
    tenant: 'beta',
    rule: 'all',
    per: 'tenant',
    scope: 'global',
    action: 'delay',
    unit: 'bytes',
    rate: '10MiB/s',
    requests: { allowed: 0, delayed: 4, rejected: 0, shadowed: 0 },
    waiting: 1,
    tokens: -12.5,
    buckets: { count: 1, most: 1, overflows: 0 },
    leases: { tokens: 1000, failing: true },
    offenders: [],
  }
  const about = { delayed: 1, leases: { calls: 9, failures: 2 }, more: 0 }

  it('has every rule', async () => {
    expect(await ask('/limits')).toEqual([200, { ...about, limits: [acme, beta] }])
    expect(await ask('/limits?')).toEqual([200, { ...about, limits: [acme, beta] }])
  })

  it('or those of one tenant', async () => {
    expect(await ask('/limits?tenant=beta')).toEqual([200, { ...about, limits: [beta] }])
    expect(await ask('/limits?tenant=gamma')).toEqual([200, { ...about, limits: [] }])
  })

  it.each([
    ['?tenant=acne', 404, 'there is no tenant acne', 'did you mean acme?'],
    ['?tenant=', 404, 'there is no tenant ', 'see `tenants` of the configuration'],
    ['?tenant=%1b%9b', 404, 'there is no tenant \u001b\ufffd', 'see `tenants` of the configuration'],
    ['?tennant=acme', 400, 'there is no parameter tennant', 'there is only ?tenant=NAME'],
    ['?tenant=acme&tenant=beta', 400, 'tenant is given more than once', 'ask for one, or for all'],
  ])('%s is %d', async (query, status, error, cure) => {
    expect(await ask(`/limits${query}`)).toEqual([status, { error, cure }])
  })

  it('is bounded: at most 1,000 rules and ten names with each', () => {
    const offenders = Array.from({ length: 60 }, (_, i) => ({ name: `n${i}`, count: 1, over: 0 }))
    const page = limitsPage({ ...AT_ALL, limits: many(1500).map((one) => ({ ...one, offenders })) }, undefined)
    const { limits, more } = page as { limits: { rule: string; offenders: unknown[] }[]; more: number }
    expect([limits.length, limits[0].rule, more, limits[0].offenders.length]).toEqual([1000, 'r1499', 500, 10])
  })
})
