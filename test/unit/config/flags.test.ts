import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { configFromFlags, type Flags } from '../../../src/config/flags.ts'
import { ConfigError } from '../../../src/config/problem.ts'

const SIDECAR = { listen: '127.0.0.1:6380', upstream: 'redis://127.0.0.1:6379', tenant: 'acme' }

function problems(flags: Flags, env: NodeJS.ProcessEnv = {}) {
  try {
    configFromFlags(flags, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, cure }) => [path, cure])
    throw error
  }
  return []
}

describe('a sidecar from flags alone', () => {
  it('is one tenant without login', () => {
    const config = configFromFlags(SIDECAR, {})
    expect(config.listeners).toEqual([
      { address: { host: '127.0.0.1', port: 6380 }, tls: undefined, tenant: 'acme', login: 'optional' },
    ])
    expect(config.upstreams.get('main')?.address).toEqual({ host: '127.0.0.1', port: 6379 })
    expect(config.tenants.get('acme')).toMatchObject({ upstream: 'main', prefix: 'acme:', databases: undefined })
    expect(config).toMatchObject({ admin: undefined, source: undefined, log: { level: 'info' } })
  })

  it('asks for a login when KEYWARD_PASSWORD is set', () => {
    const config = configFromFlags({ ...SIDECAR, listen: '0.0.0.0:6380' }, { KEYWARD_PASSWORD: 'pw' })
    expect(config.listeners[0].login).toBe('required')
    expect(config.tenants.get('acme')?.users.get('default')?.digest).toEqual(createHash('sha256').update('pw').digest())
  })

  it('takes prefix, databases, admin and log level', () => {
    const more = { prefix: '', admin: '127.0.0.1:9380', logLevel: 'warn' }
    expect(configFromFlags({ ...SIDECAR, ...more }, {})).toMatchObject({
      admin: { address: { host: '127.0.0.1', port: 9380 } },
      log: { level: 'warn' },
    })
    expect(configFromFlags({ ...SIDECAR, ...more }, {}).tenants.get('acme')?.prefix).toBe('')
    expect(configFromFlags({ ...SIDECAR, databases: '16' }, {}).tenants.get('acme')?.databases).toBe(16)
  })

  it('finds its upstream by sentinels', () => {
    const upstream = 'sentinel://10.0.0.1:26379,[::1]:26380/mymaster'
    expect(configFromFlags({ ...SIDECAR, upstream }, {}).upstreams.get('main')).toMatchObject({
      address: undefined,
      sentinel: {
        master: 'mymaster',
        nodes: [
          { host: '10.0.0.1', port: 26379 },
          { host: '::1', port: 26380 },
        ],
      },
    })
  })

  it('takes each from the environment, a flag before its variable, an empty variable as none', () => {
    const env = {
      KEYWARD_LISTEN: '127.0.0.1:1',
      KEYWARD_UPSTREAM: 'redis://other',
      KEYWARD_TENANT: 'env',
      KEYWARD_PREFIX: '',
      KEYWARD_DATABASES: '3',
      KEYWARD_ADMIN: '127.0.0.1:2',
      KEYWARD_LOG_LEVEL: 'error',
    }
    const config = configFromFlags({ listen: '127.0.0.1:9' }, env)
    expect(config).toMatchObject({
      listeners: [{ address: { port: 9 } }],
      admin: { address: { port: 2 } },
      log: { level: 'error' },
    })
    expect(config.tenants.get('env')).toMatchObject({ prefix: 'env:', databases: 3 })
  })
})

describe('what is wrong is told by its flag', () => {
  it('missing ones', () => {
    expect(problems({})).toEqual([
      ['--upstream (KEYWARD_UPSTREAM)', 'give --upstream redis://host:port, or a configuration file'],
      ['--tenant (KEYWARD_TENANT)', 'give --tenant NAME, or a configuration file'],
    ])
  })

  it('protected mode', () => {
    expect(problems({ ...SIDECAR, listen: '0.0.0.0:6380' })).toEqual([
      ['--listen (KEYWARD_LISTEN)', 'set KEYWARD_PASSWORD, or listen on 127.0.0.1 or a unix socket'],
    ])
    expect(problems({ ...SIDECAR, listen: 'unix:/tmp/k.sock' })).toEqual([])
  })

  it('an empty password', () => {
    expect(problems(SIDECAR, { KEYWARD_PASSWORD: '' })).toEqual([
      ['KEYWARD_PASSWORD', 'give it a value; an empty secret protects nothing'],
    ])
  })

  it('all of them at once', () => {
    const flags = {
      listen: '6380',
      upstream: 'redis://h/1',
      tenant: 'a b',
      prefix: 'x y',
      databases: 'many',
      admin: 'x',
      logLevel: 'loud',
    }
    const told = problems(flags).map(([path]) => path)
    expect(told.sort()).toEqual([
      '--admin (KEYWARD_ADMIN)',
      '--databases (KEYWARD_DATABASES)',
      '--listen (KEYWARD_LISTEN)',
      '--log-level (KEYWARD_LOG_LEVEL)',
      '--prefix (KEYWARD_PREFIX)',
      '--tenant (KEYWARD_TENANT)',
      '--upstream (KEYWARD_UPSTREAM)',
    ])
  })

  it.each([
    ['sentinel://10.0.0.1:26379', 'after --upstream, sentinel://host:port,host:port/name'],
    ['sentinel://10.0.0.1/mymaster', 'write the port too: 10.0.0.1:26379'],
    ['sentinel://10.0.0.1:26379,/mymaster', 'write host:port, such as 127.0.0.1:26379'],
  ])('%s', (upstream, cure) => {
    expect(problems({ ...SIDECAR, upstream })).toEqual([
      ['--upstream (KEYWARD_UPSTREAM)', expect.stringContaining(cure)],
    ])
  })

  it('a password in a sentinel:// is not told', () => {
    const told = problems({ ...SIDECAR, upstream: 'sentinel://user:hunter2@10.0.0.1:26379/mymaster' })
    expect(told).toHaveLength(1)
    expect(JSON.stringify(told)).not.toContain('hunter2')
  })

  it('a tenant whose own prefix is reserved', () => {
    expect(problems({ ...SIDECAR, tenant: 'keyward' })[0][0]).toBe('--prefix (KEYWARD_PREFIX)')
  })
})
