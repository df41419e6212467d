import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from '../../../src/config/load.ts'
import { TLS_FILES } from '../../helpers/tls.ts'

const good = fileURLToPath(new URL('../../fixtures/configs/good', import.meta.url))
const ENV = { REDIS_PASSWORD: 'a', ACME_PASSWORD: 'b', REDIS_URL: 'unix:///run/redis.sock', SENTINEL_PASSWORD: 's' }

function parse(text: string) {
  return parseConfig(text, { source: 'k.yaml', env: {}, baseDir: '/nowhere' })
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

describe('a whole file', () => {
  const config = loadConfig(`${good}/full.yaml`, ENV)

  it('has its units read', () => {
    expect(config).toMatchObject({
      log: { level: 'debug' },
      memory: 512 * 2 ** 20,
      shutdown: { deadline: 40_000 },
      admin: {
        address: { host: '127.0.0.1', port: 9380 },
        socket: { path: '/run/keyward/admin.sock', mode: 0o660 },
      },
      metrics: { tenants: 7 },
      source: `${good}/full.yaml`,
    })
  })

  it('has its listeners', () => {
    expect(config.listeners).toEqual([
      { address: { host: '127.0.0.1', port: 6380 }, tls: undefined, tenant: undefined, login: 'required' },
      { address: { host: '::1', port: 6381 }, tls: undefined, tenant: 'acme', login: 'optional' },
      { address: { path: '/run/keyward/acme.sock', mode: 0o660 }, tls: undefined, tenant: 'acme', login: 'optional' },
      { address: { host: '0.0.0.0', port: 6390 }, tls: undefined, tenant: 'open', login: 'optional' },
    ])
  })

  it('has its upstreams', () => {
    expect(config.upstreams.get('main')).toEqual({
      name: 'main',
      address: { host: '127.0.0.1', port: 6379 },
      sentinel: undefined,
      user: 'keyward',
      password: 'a',
      tls: undefined,
      lanes: 2,
      pins: { max: 50, warm: 1, perTenant: 10 },
      subscribers: 32,
      bulk: 65_536,
      keepAlive: 60_000,
      timeouts: { connect: 250, request: 2000 },
      hold: { time: 3000, memory: 2 * 2 ** 20 },
      scan: { fillTime: 20, share: 0.5, memory: 16 * 2 ** 20 },
      reissueBlocked: true,
      walls: 'auto',
      breaker: { errors: 0.2, window: 30_000, volume: 20, probe: 250 },
      health: { interval: 5000 },
      fairness: { mode: 'off', window: 65_536 },
    })
    expect(config.upstreams.get('secure')).toMatchObject({
      address: { host: 'redis.internal', port: 6380 },
      user: 'user',
      password: 'p@ss',
      tls: { ca: undefined, cert: undefined, key: undefined, serverName: 'redis.internal' },
    })
    expect(config.upstreams.get('socket')).toMatchObject({ address: { path: '/run/redis.sock' }, tls: undefined })
    expect(config.upstreams.get('watched')).toMatchObject({
      address: undefined,
      user: 'keyward',
      password: 'a',
      tls: { serverName: undefined },
      sentinel: {
        master: 'mymaster',
        nodes: [
          { host: '127.0.0.1', port: 26379 },
          { host: '::1', port: 26380 },
          { host: 'sentinel-3', port: 26379 },
        ],
        user: 'keyward-sentinel',
        password: 's',
        tls: { serverName: 'sentinel.internal' },
        natMap: new Map([
          ['10.0.0.5:6379', { host: '127.0.0.1', port: 7001 }],
          ['[fd00::5]:6379', { host: 'gateway', port: 7002 }],
        ]),
      },
    })
  })

  it('has its tenants, numbered in their order', () => {
    expect([...config.tenants.values()].map(({ name, index, prefix }) => [name, index, prefix])).toEqual([
      ['acme', 0, 'acme:'],
      ['beta_2', 1, 'beta_2:'],
      ['open', 2, 'open:'],
      ['whole', 3, ''],
    ])
    expect(config.tenants.get('acme')).toMatchObject({
      upstream: 'main',
      databases: 5,
      maxClients: 200,
      buffers: { request: 64 * 2 ** 20, output: 32 * 2 ** 20 },
      replicas: { read: 'prefer', maxLag: 250 },
    })
    expect(config.tenants.get('beta_2')).toMatchObject({
      databases: undefined,
      maxClients: undefined,
      buffers: { request: 2 ** 30, output: 256 * 2 ** 20 },
      replicas: { read: 'never', maxLag: 1000 },
      limits: [],
      ttl: [],
      cache: undefined,
      weight: 1,
      extensions: new Set(),
    })
  })

  it('has its rate limits', () => {
    const acme = config.tenants.get('acme')
    expect(acme).toMatchObject({ weight: 3, extensions: new Set(['throttle', 'cache']) })
    expect(acme?.limits).toMatchObject([
      {
        name: 'all',
        unit: 'operations',
        rate: 10_000,
        rateText: '10000/s',
        burst: 20_000,
        per: 'tenant',
        scope: 'global',
        onError: 'deny',
        action: 'delay',
        maxDelay: 50,
        maxDelayed: 7,
      },
      { name: 'per-address', per: 'address', rate: 100, burst: 100, scope: 'local', action: 'reject', buckets: 1000 },
      { name: 'per-api-key', per: 'match', keys: 'rl:key:*', rate: 1, rateText: '60/m', burst: 1, buckets: 100_000 },
      { name: 'writes', commands: '+@write', rate: 1000, action: 'shadow' },
      { name: 'bandwidth', unit: 'bytes', rate: 10 * 2 ** 20, burst: 10 * 2 ** 20 },
      { name: 'bursts', unit: 'bytes', rate: 1024 / 60, burst: 2 ** 21, per: 'user', keys: 'a*' },
      {
        name: 'costly',
        rate: 1.5,
        burst: 1,
        costs: [
          { commands: '+@read', cost: 2 },
          { commands: '+lrange +smembers', cost: 100 },
        ],
        replyUnit: 65_536,
      },
    ])
  })

  it('keeps passwords as digests, wherever they come from', () => {
    const users = config.tenants.get('acme')?.users
    expect(users?.get('default')?.digest).toEqual(sha256('b'))
    expect(users?.get('reader')?.digest).toEqual(
      Buffer.from('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', 'hex'),
    )
    expect(users?.get('writer')?.digest).toEqual(sha256('from a file'))
    expect(config.tenants.get('beta_2')?.users.get('default')?.digest).toEqual(sha256('plain'))
  })
})

describe('a short file', () => {
  const config = loadConfig(`${good}/minimal.yaml`, {})

  it('has the documented defaults', () => {
    expect(config).toMatchObject({
      log: { level: 'info' },
      memory: 256 * 2 ** 20,
      shutdown: { deadline: 25_000 },
      admin: undefined,
      metrics: { tenants: 100 },
    })
    expect(config.upstreams.get('main')).toMatchObject({
      address: { host: '127.0.0.1', port: 6379 },
      lanes: 4,
      pins: { max: 500, warm: 4, perTenant: 100 },
      bulk: 2 ** 20,
      keepAlive: 30_000,
      timeouts: { connect: 5000, request: 5000 },
      hold: { time: 10_000, memory: 16 * 2 ** 20 },
      reissueBlocked: false,
      breaker: { errors: 0.5, window: 10_000, volume: 5, probe: 1000 },
      health: { interval: 1000 },
    })
  })

  it('has a user default without a password', () => {
    expect([...(config.tenants.get('acme')?.users.values() ?? [])]).toEqual([{ name: 'default', digest: undefined }])
  })
})

describe('details', () => {
  it('JSON is YAML', () => {
    const text = JSON.stringify({
      listeners: [{ address: '127.0.0.1:6380' }],
      upstreams: { main: { url: 'redis://127.0.0.1:6379' } },
      tenants: { acme: { upstream: 'main', users: { default: { password: 'x' } } } },
    })
    expect(parse(text).tenants.size).toBe(1)
  })

  it('reads TLS files and leaves them as PEM', () => {
    const { cert, key, ca, clientCert, clientKey } = TLS_FILES
    const config = parse(`
listeners: [{address: 127.0.0.1:6380, tls: {cert: "${cert}", key: "${key}"}}]
upstreams:
  a: {url: rediss://redis.internal}
  b: {url: redis://redis.internal, tls: {ca: "${ca}", cert: "${clientCert}", key: "${clientKey}"}}
  c: {url: redis://redis.internal}
tenants: {acme: {upstream: a, users: {default: {password: x}}}}
`)
    expect(config.listeners[0].tls).toEqual({ cert: readFileSync(cert), key: readFileSync(key) })
    expect(config.upstreams.get('a')?.tls).toEqual({
      ca: undefined,
      cert: undefined,
      key: undefined,
      serverName: undefined,
    })
    expect(config.upstreams.get('b')?.tls).toEqual({
      ca: readFileSync(ca),
      cert: readFileSync(clientCert),
      key: readFileSync(clientKey),
      serverName: undefined,
    })
    expect(config.upstreams.get('c')?.tls).toBeUndefined()
  })

  it('refuses a key that belongs to another certificate', () => {
    expect(() =>
      parse(`
listeners: [{address: 127.0.0.1:6380, tls: {cert: "${TLS_FILES.cert}", key: "${TLS_FILES.clientKey}"}}]
upstreams: {a: {url: redis://h}}
tenants: {acme: {upstream: a, users: {default: {password: x}}}}
`),
    ).toThrow(/certificate and key cannot be used/)
  })

  it('the same password is no confusion where every listener names its tenant', () => {
    const config = parse(`
listeners: [{address: 127.0.0.1:6380, tenant: a}, {address: 127.0.0.1:6381, tenant: b}]
upstreams: {main: {url: redis://h}}
tenants:
  a: {upstream: main, users: {default: {password: x}}}
  b: {upstream: main, users: {default: {password: x}}}
`)
    expect(config.tenants.size).toBe(2)
  })

  it('port 0 may be asked for more than once', () => {
    const config = parse(`
listeners: [{address: 127.0.0.1:0}, {address: 127.0.0.1:0}]
admin: {address: 127.0.0.1:0}
upstreams: {main: {url: redis://h}}
tenants: {a: {upstream: main, users: {default: {password: x}}}}
`)
    expect(config.listeners).toHaveLength(2)
  })

  describe('admin', () => {
    const admin = (keys: string) =>
      parse(`
listeners: [{address: 127.0.0.1:6380}]
admin: {${keys}}
upstreams: {main: {url: redis://h}}
tenants: {a: {upstream: main, users: {default: {password: x}}}}
`).admin

    it('may have a socket only, which is its owner’s', () => {
      expect(admin('socket: unix:/tmp/a.sock')).toEqual({
        address: undefined,
        socket: { path: '/tmp/a.sock', mode: 0o600 },
      })
    })

    it('may have an address only', () => {
      expect(admin('address: 127.0.0.1:1')).toEqual({ address: { host: '127.0.0.1', port: 1 }, socket: undefined })
    })

    it('must have one of them', () => {
      expect(() => admin('')).toThrow('k.yaml:3:1: admin: has neither address nor socket')
    })

    it('has no mode without a socket', () => {
      expect(() => admin('address: 127.0.0.1:1, mode: "0600"')).toThrow(
        'k.yaml:3:31: admin.mode: only the socket has a mode, and there is none',
      )
    })

    it('has no socket that is none', () => {
      expect(() => admin('socket: /tmp/a.sock')).toThrow(
        /admin\.socket: .* is not the address of a unix socket\n {4}write unix:\/tmp\/a\.sock/,
      )
    })
  })

  it('sentinels are at most 32', () => {
    const nodes = (count: number) => {
      const list = Array.from({ length: count }, (_, i) => `"10.0.0.1:${26_000 + i}"`)
      return parse(`
listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {sentinel: {master: m, nodes: [${list}]}}}
tenants: {a: {upstream: main, users: {default: {password: x}}}}
`)
    }
    expect(nodes(32).upstreams.get('main')?.sentinel?.nodes).toHaveLength(32)
    expect(() => nodes(33)).toThrow(/upstreams\.main\.sentinel\.nodes: 33 sentinels\n {4}name at most 32/)
  })

  it('adopts prefixes of any printable character that is safe', () => {
    const config = parse(`
listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://h}}
tenants: {a: {upstream: main, prefix: "a/b.c-d_e~f@g#h!i|j&k%l=m<n>(o),p;q+r$", users: {default: {password: x}}}}
`)
    expect(config.tenants.get('a')?.prefix).toBe('a/b.c-d_e~f@g#h!i|j&k%l=m<n>(o),p;q+r$')
  })
})

describe('overrides', () => {
  const text = `
listeners: [{address: 127.0.0.1:6380, tenant: acme, login: optional}]
upstreams: {main: {url: redis://h}}
tenants: {acme: {upstream: main}}
`
  const load = (overrides: { listen?: string; admin?: string; logLevel?: string }, file = text) =>
    parseConfig(file, { source: 'k.yaml', env: {}, baseDir: '/nowhere', overrides })

  it('go before the file', () => {
    expect(load({ listen: 'unix:/tmp/k.sock', admin: '127.0.0.1:1', logLevel: 'warn' })).toMatchObject({
      listeners: [{ address: { path: '/tmp/k.sock' }, tenant: 'acme', login: 'optional' }],
      admin: { address: { port: 1 } },
      log: { level: 'warn' },
    })
  })

  it('are checked like the file: protected mode sees the address that will be used', () => {
    expect(() => load({ listen: '0.0.0.0:6380' })).toThrow(/protected mode/)
  })

  it('cannot choose among several listeners', () => {
    const two = text.replace('listeners: [', 'listeners: [{address: 127.0.0.1:6381, tenant: acme}, ')
    expect(() => load({ listen: '127.0.0.1:1' }, two)).toThrow(/the file has 2 listeners/)
  })

  it('say their own name when they are wrong', () => {
    expect(() => load({ listen: '99' })).toThrow('k.yaml: --listen or KEYWARD_LISTEN: "99" is not an address')
  })
})
