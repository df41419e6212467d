import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cachePage, ttlPage } from '../../../src/admin/cache-pages.ts'
import { AdminServer } from '../../../src/admin/server.ts'
import { cache, cacheRule, FakeSource, stats, ttlRule } from './source.ts'

const ACME = cache({ bytes: 7, rules: [cacheRule({ hits: 3 })] })
const BETA = cache({ tenant: 'beta', behind: Number.POSITIVE_INFINITY })
const RULE = ttlRule({ defaulted: 5 })

const source = new FakeSource()
const server = new AdminServer(
  { address: { host: '127.0.0.1', port: 0 }, version: '1', log: { error: () => undefined } },
  source,
)
beforeAll(() => server.listen())
afterAll(() => server.close())

async function ask(path: string): Promise<[status: number, body: unknown]> {
  const tenants = ['', 'acme', 'beta'].map((name) => ({ name, stats: stats() }))
  source.process = { ...source.process, tenants, caches: [ACME, BETA], ttl: [RULE] }
  const reply = await fetch(`http://127.0.0.1:${server.bound.port}${path}`)
  return [reply.status, await reply.json()]
}

describe('/cache', () => {
  it('has every tenant that caches, or one', async () => {
    const beta = { ...BETA, behind: null }
    expect(await ask('/cache')).toEqual([200, { caches: [ACME, beta], more: 0 }])
    expect(await ask('/cache?tenant=beta')).toEqual([200, { caches: [beta], more: 0 }])
  })

  it.each([
    ['/cache?tenant=acne', 404, 'there is no tenant acne', 'did you mean acme?'],
    ['/ttl?tennant=acme', 400, 'there is no parameter tennant', 'there is only ?tenant=NAME'],
  ])('%s is %d', async (path, status, error, cure) => {
    expect(await ask(path)).toEqual([status, { error, cure }])
  })

  it('is bounded: those that are asked most', () => {
    const many = Array.from({ length: 1200 }, (_, i) => cache({ tenant: `t${i}`, rules: [cacheRule({ misses: i })] }))
    const { caches, more } = cachePage(many, undefined) as { caches: { tenant: string }[]; more: number }
    expect([caches.length, caches[0].tenant, more]).toEqual([1000, 't1199', 200])
  })
})

describe('/ttl', () => {
  it('has every rule, or those of one tenant', async () => {
    expect(await ask('/ttl')).toEqual([200, { rules: [RULE], more: 0 }])
    expect(await ask('/ttl?tenant=beta')).toEqual([200, { rules: [], more: 0 }])
  })

  it('is bounded: those that did most', () => {
    const many = Array.from({ length: 1001 }, (_, i) => ttlRule({ keys: `k${i}`, persistDenied: i }))
    const { rules, more } = ttlPage(many, undefined) as { rules: { keys: string }[]; more: number }
    expect([rules.length, rules[0].keys, more]).toEqual([1000, 'k1000', 1])
  })
})
