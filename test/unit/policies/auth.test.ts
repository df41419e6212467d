import crypto, { createHash } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { buildAuthenticator } from '../../../src/policies/auth.ts'
import type { Tenant } from '../../../src/session/tenant.ts'

function tenant(name: string, users: Record<string, string | undefined>): Tenant {
  return {
    name,
    upstream: 'main',
    prefix: `${name}:`,
    databases: undefined,
    maxClients: undefined,
    buffers: { request: 1, output: 1, pubsub: 1 },
    subscriptions: 1,
    slowlog: { slowerThan: 10, entries: 128 },
    replicas: { read: 'never', maxLag: 1000 },
    limits: [],
    ttl: [],
    cache: undefined,
    weight: 1,
    scripts: 'allow',
    trustedScripts: new Set(),
    functions: 'refused',
    extensions: new Set(),
    users: new Map(
      Object.entries(users).map(([user, password]) => [
        user,
        { name: user, digest: password === undefined ? undefined : createHash('sha256').update(password).digest() },
      ]),
    ),
    index: 0,
  }
}

const ACME = tenant('acme', { default: 'a1', reader: 'a2' })
const BETA = tenant('beta', { default: 'b1', reader: 'b2' })
const OPEN = tenant('open', { default: undefined, reader: 'o2' })
const TENANTS = [ACME, BETA, OPEN]

const shared = buildAuthenticator(TENANTS, { tenant: undefined, login: 'required' })
const own = buildAuthenticator(TENANTS, { tenant: 'acme', login: 'required' })
const optional = buildAuthenticator(TENANTS, { tenant: 'acme', login: 'optional' })
const open = buildAuthenticator(TENANTS, { tenant: 'open', login: 'optional' })

describe('a listener without tenant', () => {
  it.each([
    ['default', 'a1', ACME, 'default'],
    ['default', 'b1', BETA, 'default'],
    ['reader', 'a2', ACME, 'reader'],
    ['reader', 'b2', BETA, 'reader'],
    ['beta/default', 'b1', BETA, 'default'],
    ['acme/reader', 'a2', ACME, 'reader'],
  ])('AUTH %s %s', (user, password, expected, name) => {
    expect(shared.login(user, Buffer.from(password))).toEqual({ tenant: expected, user: name })
  })

  it.each([
    ['default', 'a2'],
    ['default', ''],
    ['reader', 'a1'],
    ['nobody', 'a1'],
    ['beta/default', 'a1'],
    ['acme/default/x', 'a1'],
    ['/default', 'a1'],
    ['nowhere/default', 'a1'],
    ['DEFAULT', 'a1'],
    ['open/default', 'anything'],
    ['', 'a1'],
  ])('not AUTH %s %s', (user, password) => {
    expect(shared.login(user, Buffer.from(password))).toBeUndefined()
  })

  it('nobody before AUTH', () => expect(shared.anonymous).toBeUndefined())

  it('a digest is no password', () => {
    const digest = createHash('sha256').update('a1').digest()
    expect(shared.login('default', digest)).toBeUndefined()
    expect(shared.login(`${digest.toString('hex')} default`, Buffer.from('a1'))).toBeUndefined()
  })

  it('two users that are the same by name and password: neither gets in by the bare name', () => {
    const twins = buildAuthenticator([tenant('x', { default: 'same' }), tenant('y', { default: 'same' })], {
      tenant: undefined,
      login: 'required',
    })
    expect(twins.login('default', Buffer.from('same'))).toBeUndefined()
    expect(twins.login('x/default', Buffer.from('same'))?.tenant.name).toBe('x')
    expect(twins.login('y/default', Buffer.from('same'))?.tenant.name).toBe('y')
  })
})

describe('a listener with a tenant', () => {
  it('knows its users only', () => {
    expect(own.login('default', Buffer.from('a1'))?.tenant).toBe(ACME)
    expect(own.login('acme/reader', Buffer.from('a2'))?.user).toBe('reader')
    expect(own.login('default', Buffer.from('b1'))).toBeUndefined()
    expect(own.login('beta/default', Buffer.from('b1'))).toBeUndefined()
    expect(own.anonymous).toBeUndefined()
  })

  it('with optional login, clients are its user default until they say otherwise', () => {
    expect(optional.anonymous).toEqual({ tenant: ACME, user: 'default' })
    expect(optional.login('reader', Buffer.from('a2'))?.user).toBe('reader')
    expect(optional.login('default', Buffer.from('wrong'))).toBeUndefined()
  })

  it('with optional login and no password, the user default takes any, as in Redis; others do not', () => {
    expect(open.anonymous).toEqual({ tenant: OPEN, user: 'default' })
    expect(open.login('default', Buffer.from('whatever'))).toEqual({ tenant: OPEN, user: 'default' })
    expect(open.login('open/default', Buffer.from('whatever'))?.user).toBe('default')
    expect(open.login('reader', Buffer.from('whatever'))).toBeUndefined()
    expect(open.login('reader', Buffer.from('o2'))?.user).toBe('reader')
  })

  it('without such a user nobody is let in before AUTH', () => {
    const some = buildAuthenticator([tenant('t', { reader: 'x' })], { tenant: 't', login: 'optional' })
    expect(some.anonymous).toBeUndefined()
    expect(some.login('default', Buffer.from('x'))).toBeUndefined()
  })
})

describe('the cost of a login', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('is one hash, right or wrong, with one tenant as with thousands', () => {
    const many = Array.from({ length: 2000 }, (_, i) => tenant(`t${i}`, { default: `p${i}`, reader: `r${i}` }))
    const big = buildAuthenticator(many, { tenant: undefined, login: 'required' })
    const hashes = vi.spyOn(crypto, 'createHash')
    // Named imports of a built-in module follow its default export only after this.
    syncBuiltinESMExports()
    const cost = (user: string, password: string) => {
      hashes.mockClear()
      big.login(user, Buffer.from(password))
      return hashes.mock.calls.length
    }
    expect(cost('default', 'p0')).toBe(1)
    expect(cost('default', 'p1999')).toBe(1)
    expect(cost('t7/reader', 'r7')).toBe(1)
    expect(cost('default', 'wrong')).toBe(1)
    expect(cost('nobody', 'wrong')).toBe(1)
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  })
})
