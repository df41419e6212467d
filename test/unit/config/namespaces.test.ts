import { describe, expect, it } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { parseConfig } from '../../../src/config/load.ts'
import { diffNamespaces } from '../../../src/config/namespaces.ts'

function config(tenants: Record<string, object>, url = 'redis://a'): Config {
  const text = JSON.stringify({
    listeners: [{ address: '127.0.0.1:6380' }],
    upstreams: { main: { url }, other: { url: 'redis://b' } },
    tenants: Object.fromEntries(
      Object.entries(tenants).map(([name, tenant]) => [
        name,
        { upstream: 'main', users: { default: { password: name } }, ...tenant },
      ]),
    ),
  })
  return parseConfig(text, { source: 'k', env: {}, baseDir: '/' })
}

describe('what a reload would move out of sight', () => {
  it.each([
    ['prefix', { prefix: 'b:' }, 'prefix changes from "a:" to "b:"'],
    ['databases', { databases: 1 }, 'databases changes from none to 1'],
    ['upstream', { upstream: 'other' }, 'upstream changes from main to other'],
    [
      'all',
      { prefix: 'b:', databases: 2, upstream: 'other' },
      'upstream changes from main to other and prefix changes from "a:" to "b:" and databases changes from none to 2',
    ],
  ])('%s', (_what, change, told) => {
    const changes = diffNamespaces(config({ a: {}, z: {} }), config({ a: change, z: {} }))
    expect(changes).toHaveLength(1)
    expect(changes[0]).toContain(`tenants.a: ${told}, which would take its keys out of sight; put it back`)
  })

  it('not users, limits, new and removed tenants, nor the address of an upstream', () => {
    const old = config({ a: {}, b: {} })
    expect(diffNamespaces(old, config({ a: { maxClients: 3, prefix: 'a:' }, c: {} }, 'redis://elsewhere'))).toEqual([])
  })
})

describe('many tenants', () => {
  it('are compared without comparing each with each', () => {
    const tenants = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`t${i}`, {}]))
    expect(config(tenants).tenants.size).toBe(5000)
  })
})
