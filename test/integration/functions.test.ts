import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * `functions: trusted`: each trusted tenant has functions of its own, under names of its own, and they touch its own keys, as far as the
 * upstream has walls. Nobody else knows that there are any. What they answer is compared in differential/functions.test.ts.
 */

const tenant = (name: string, more: object = {}) => ({
  upstream: 'main',
  users: { default: { password: name } },
  ...more,
})
const trusted = { functions: 'trusted' }
const TENANTS = {
  acme: tenant('acme', trusted),
  beta: tenant('beta', trusted),
  // Names of functions are the same in upper and lower case.
  ACME: tenant('ACME', trusted),
  gamma: tenant('gamma'),
  near: tenant('near', { ...trusted, cache: { memory: '1MiB', rules: [{ keys: '*', maxAge: '1h' }] } }),
  numbered: tenant('numbered', { ...trusted, databases: 3, scripts: 'deny' }),
}

const library = (body: string, name = 'lib') => `#!lua name=${name}\n${body}`
const named = (value: string) => library(`redis.register_function('who', function() return '${value}' end)`)

let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis({ config: ['lua-time-limit 100'] })
  keyward = await startKeyward(configFor(redis, { tenants: TENANTS, scripts: { largest: '4KiB' } }))
}, 60_000)

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

async function withClient<T>(password: string, use: (client: RawClient) => Promise<T>): Promise<T> {
  const client = await keyward.connect({ password })
  try {
    return await use(client)
  } finally {
    client.destroy()
  }
}

/** The command of each tenant, one after the other. */
async function each(tenants: readonly string[], ...args: (string | number)[]): Promise<string[]> {
  const replies: string[] = []
  for (const name of tenants) replies.push(await withClient(name, (client) => client.command(...args)))
  return replies
}

describe('names', () => {
  it('are those of one tenant', async () => {
    for (const name of ['acme', 'beta', 'ACME'])
      expect(await each([name], 'FUNCTION', 'LOAD', named(name))).toEqual(['$3\r\nlib\r\n'])
    expect(await each(['acme', 'beta', 'ACME', 'numbered'], 'FCALL', 'who', 0)).toEqual([
      '$4\r\nacme\r\n',
      '$4\r\nbeta\r\n',
      '$4\r\nACME\r\n',
      '-ERR Function not found\r\n',
    ])
    expect(await redis.cli('FUNCTION', 'LIST')).not.toMatch(/^(lib|who)$/m)
  })

  it('are not known to a tenant that is not trusted', async () => {
    expect(await each(['gamma'], 'FCALL', 'who', 0)).toEqual([
      "-ERR unknown command 'FCALL', with args beginning with: 'who' '0' \r\n",
    ])
    for (const sub of ['LIST', 'STATS', 'FLUSH', 'KILL', 'HELP'])
      expect(await each(['gamma'], 'FUNCTION', sub)).toEqual([
        `-ERR unknown command 'FUNCTION', with args beginning with: '${sub}' \r\n`,
      ])
  })

  it('cannot be said in full', async () => {
    expect(await each(['acme'], 'FCALL', 'keyward_beta__who', 0)).toEqual(['-ERR Function not found\r\n'])
    expect(await each(['acme'], 'FUNCTION', 'DELETE', 'keyward_beta__lib')).toEqual(['-ERR Library not found\r\n'])
    expect(await each(['acme'], 'FUNCTION', 'LIST', 'LIBRARYNAME', '*keyward_beta*')).toEqual(['*0\r\n'])
    for (const name of ['*', '[^x]*', '?', 'keyward_beta__*'])
      expect((await each(['numbered'], 'FUNCTION', 'LIST', 'LIBRARYNAME', name))[0]).toBe('*0\r\n')
  })

  it('of one tenant go with FLUSH and DELETE', async () => {
    expect(await each(['ACME'], 'FUNCTION', 'FLUSH')).toEqual(['+OK\r\n'])
    expect(await each(['ACME', 'acme', 'beta'], 'FCALL', 'who', 0)).toEqual([
      '-ERR Function not found\r\n',
      '$4\r\nacme\r\n',
      '$4\r\nbeta\r\n',
    ])
    expect(await each(['beta'], 'FUNCTION', 'DELETE', 'lib')).toEqual(['+OK\r\n'])
    expect(await each(['beta', 'acme'], 'FCALL', 'who', 0)).toEqual(['-ERR Function not found\r\n', '$4\r\nacme\r\n'])
  })

  it('are found in MULTI, behind WATCH and in RESP3, too', async () => {
    await withClient('acme', async (client) => {
      for (const command of ['MULTI', 'FCALL who 0', 'SET k v']) await client.command(...command.split(' '))
      expect(await client.command('EXEC')).toBe('*2\r\n$4\r\nacme\r\n+OK\r\n')
      await client.command('WATCH', 'k')
      expect(await client.command('FCALL', 'who', 0)).toBe('$4\r\nacme\r\n')
      await client.command('HELLO', 3)
      expect(await client.command('FCALL', 'who', 0)).toBe('$4\r\nacme\r\n')
    })
  })
})

describe('keys', () => {
  const BODY = [
    "redis.register_function('set', function(k, a) return redis.call('SET', k[1], a[1]) end)",
    "redis.register_function('raw', function(k, a) return redis.call(unpack(a)) end)",
  ].join('\n')

  beforeAll(async () => {
    for (const name of ['acme', 'numbered']) await each([name], 'FUNCTION', 'LOAD', library(BODY, 'keys'))
    await redis.cli('SET', 'beta:secret', '1')
  })

  it('get the prefix of the database', async () => {
    expect(await each(['acme'], 'FCALL', 'set', 1, 'a', 'v')).toEqual(['+OK\r\n'])
    expect(await redis.cli('GET', 'acme:a')).toBe('v')
    await withClient('numbered', async (client) => {
      await client.command('SELECT', 2)
      expect(await client.command('FCALL', 'set', 1, 'b', 'v')).toBe('+OK\r\n')
      for (const command of ['MULTI', 'SELECT 1', 'FCALL set 1 c v']) await client.command(...command.split(' '))
      expect(await client.command('EXEC')).toBe('*2\r\n+OK\r\n+OK\r\n')
    })
    expect(await redis.cli('MGET', 'numbered:2:b', 'numbered:1:c')).toBe('v\nv')
  })

  it.each([
    'GET beta:secret',
    'DEL beta:secret',
    'KEYS *',
    'SCAN 0',
    'RANDOMKEY',
    'DBSIZE',
    'FLUSHALL',
    'CONFIG GET *',
    'ACL LIST',
    'FUNCTION LIST',
    'FUNCTION FLUSH',
    'PUBLISH beta:news x',
    'SELECT 1',
    'CLIENT LIST',
    'INFO',
  ])('of others are out of reach: %s', async (command) => {
    const args = command.split(' ')
    const inMulti = await withClient('acme', async (client) => {
      await client.command('MULTI')
      await client.command('FCALL', 'raw', 0, ...args)
      return client.command('EXEC')
    })
    const [alone] = await each(['acme'], 'FCALL', 'raw', 0, ...args)
    expect(alone).toMatch(/^-(ERR|NOPERM) .*(can't|permission|not allowed|can’t)/)
    expect(inMulti).toMatch(/^\*1\r\n-(ERR|NOPERM) .*(can't|permission|not allowed|can’t)/)
    expect(await redis.cli('GET', 'beta:secret')).toBe('1')
  })
})

it('outdates what is cached', async () => {
  const body = "redis.register_function('set', function(k, a) return redis.call('SET', k[1], a[1]) end)"
  await withClient('near', async (client) => {
    expect(await client.command('FUNCTION', 'LOAD', library(body))).toBe('$3\r\nlib\r\n')
    for (let i = 0; i < 200; i++) {
      expect(await client.command('FCALL', 'set', 1, 'k', i)).toBe('+OK\r\n')
      for (const _ of [1, 2]) expect(await client.command('GET', 'k')).toBe(`$${`${i}`.length}\r\n${i}\r\n`)
    }
  })
})

it('is made to know its users again', async () => {
  const ask = async () => (await each(['acme'], 'FCALL', 'who', 0))[0]
  await redis.cli('ACL', 'DELUSER', 'keyward:acme')
  expect(await ask()).toBe('$4\r\nacme\r\n')
  for (const users of [['keyward:'], ['keyward:', 'keyward:acme']]) {
    // That closes the lanes, which the first call may find out.
    await redis.cli('ACL', 'DELUSER', ...users)
    expect(await eventually(async () => (await ask()) === '$4\r\nacme\r\n')).toBe(true)
  }
})

it('refuses a library over scripts.largest', async () => {
  const code = named('x'.repeat(5000))
  expect((await each(['acme'], 'FUNCTION', 'LOAD', code))[0]).toMatch(/^-ERR unknown subcommand 'LOAD'/)
})

it('refuses FUNCTION in MULTI, but not HELP', async () => {
  await withClient('acme', async (client) => {
    await client.command('MULTI')
    expect(await client.command('FUNCTION', 'HELP')).toBe('+QUEUED\r\n')
    expect(await client.command('FUNCTION', 'LIST')).toBe('-ERR Command not allowed inside a transaction\r\n')
    expect(await client.command('EXEC')).toMatch(/^-EXECABORT/)
  })
})

it('shows what the client said in SLOWLOG', async () => {
  const body = "redis.register_function('slow', function(k) for i = 1, 2e7 do end return k[1] end)"
  expect(await each(['acme'], 'FUNCTION', 'LOAD', library(body, 'slow'))).toEqual(['$4\r\nslow\r\n'])
  await withClient('acme', async (client) => {
    await client.command('FCALL', 'slow', 1, 'key', 'argument')
    const log = await client.command('SLOWLOG', 'GET', 1)
    expect(log).toContain('*5\r\n$5\r\nFCALL\r\n$4\r\nslow\r\n$1\r\n1\r\n$3\r\nkey\r\n$8\r\nargument\r\n')
    expect(log).not.toMatch(/AUTH|keyward/)
    await client.command('EVAL', 'for i = 1, 2e7 do end return 1', 1, 'key', 'argument')
    expect(await client.command('SLOWLOG', 'GET', 1)).toMatch(
      /\*5\r\n\$4\r\neval\r\n\$30\r\nfor i = 1, 2e7 do end return 1\r\n\$1\r\n1\r\n\$3\r\nkey\r\n\$8\r\nargument\r\n/i,
    )
  })
}, 30_000)

it('is ended by KILL of its tenant, and of nobody else', { timeout: 60_000 }, async () => {
  const body = "redis.register_function('endless', function(k) while true do end end)"
  expect(await each(['numbered'], 'FUNCTION', 'LOAD', library(body, 'endless'))).toEqual(['$7\r\nendless\r\n'])
  const [counted] = await each(['numbered'], 'FUNCTION', 'STATS')
  expect(counted).toContain('$15\r\nlibraries_count\r\n:2\r\n$15\r\nfunctions_count\r\n:3\r\n')
  const runner = await keyward.connect({ password: 'numbered' })
  await runner.command('SELECT', 1)
  runner.send('*4\r\n$5\r\nFCALL\r\n$7\r\nendless\r\n$1\r\n1\r\n$3\r\nkey\r\n')
  const shown =
    '$4\r\nname\r\n$7\r\nendless\r\n$7\r\ncommand\r\n*4\r\n$5\r\nFCALL\r\n$7\r\nendless\r\n$1\r\n1\r\n$3\r\nkey\r\n'
  const statsOf = async (name: string) => (await each([name], 'FUNCTION', 'STATS'))[0]
  expect(await eventually(async () => (await statsOf('numbered')).includes(shown))).toBe(true)
  // As they were counted last.
  expect(await statsOf('numbered')).toContain('$15\r\nlibraries_count\r\n:2\r\n$15\r\nfunctions_count\r\n:3\r\n')
  const stats = await statsOf('acme')
  expect(stats).toContain('running_script\r\n$-1\r\n')
  expect(stats).not.toContain('endless')
  for (const command of ['FUNCTION', 'SCRIPT'])
    expect(await each(['acme'], command, 'KILL')).toEqual(['-NOTBUSY No scripts in execution right now.\r\n'])
  expect(await each(['numbered'], 'FUNCTION', 'KILL')).toEqual(['+OK\r\n'])
  expect((await runner.reply()).toString()).toMatch(
    /^-ERR Script killed by user with .* script: .*on @user_function:2\.\r\n$/,
  )
  runner.destroy()
  expect(await each(['numbered'], 'FUNCTION', 'KILL')).toEqual(['-NOTBUSY No scripts in execution right now.\r\n'])
})

it('is open and closed by a reload, in transactions, too', async () => {
  const config = (functions: string) => configFor(redis, { tenants: { acme: tenant('acme', { functions }) } })
  const own = await startKeyward(config('refused'))
  const reload = (functions: string) =>
    own.proxy.reload(parseConfig(stringify(config(functions)), { source: 'test.yaml', env: {}, baseDir: '.' }))
  const client = await own.connect({ password: 'acme' })
  const inMulti = async (...args: (string | number)[]) => {
    await client.command('MULTI')
    await client.command(...args)
    return client.command('EXEC')
  }
  // From now on the pool has a connection of the user who may not call functions.
  for (const _ of [1, 2]) {
    await client.command('EVAL', 'return 1', 0)
    await inMulti('EVAL', 'return 1', 0)
  }
  expect(await inMulti('FCALL', 'who', 0)).toMatch(/^-EXECABORT/)
  await reload('trusted')
  expect(await inMulti('FCALL', 'who', 0)).toBe('*1\r\n$4\r\nacme\r\n')
  expect(await client.command('FCALL', 'who', 0)).toBe('$4\r\nacme\r\n')
  await reload('refused')
  expect(await client.command('FCALL', 'who', 0)).toMatch(/^-ERR unknown command/)
  client.destroy()
  own.stop()
})

describe('without walls', () => {
  it('still scopes names and keys, and nothing else', async () => {
    const off = await startKeyward(configFor(redis, { tenants: TENANTS }, { walls: 'off' }))
    const client = await off.connect({ password: 'acme' })
    expect(await client.command('FCALL', 'who', 0)).toBe('$4\r\nacme\r\n')
    expect(await client.command('FCALL', 'set', 1, 'a', 'w')).toBe('+OK\r\n')
    expect(await client.command('GET', 'a')).toBe('$1\r\nw\r\n')
    expect(await client.command('FCALL', 'raw', 0, 'GET', 'beta:secret')).toBe('$1\r\n1\r\n')
    await client.command('MULTI')
    await client.command('FCALL', 'who', 0)
    expect(await client.command('EXEC')).toBe('*1\r\n$4\r\nacme\r\n')
    client.destroy()
    off.stop()
  })

  it('and without a prefix all is as on the server', async () => {
    const own = await startRedis()
    const off = await startKeyward(configFor(own, { tenants: { acme: tenant('acme', { prefix: '' }) } }))
    const client = await off.connect({ password: 'acme' })
    expect(await client.command('FUNCTION', 'LOAD', named('me'))).toBe('$3\r\nlib\r\n')
    expect(await client.command('FCALL', 'who', 0)).toBe('$2\r\nme\r\n')
    expect(await client.command('FUNCTION', 'STATS')).toContain('libraries_count\r\n:1\r\n')
    expect(await client.command('FUNCTION', 'KILL')).toMatch(/^-NOTBUSY/)
    expect(await client.command('FUNCTION', 'DUMP')).toMatch(/^\$\d/)
    expect(await own.cli('FUNCTION', 'LIST')).toMatch(/^lib$/m)
    client.destroy()
    off.stop()
    await own.stop()
  })
})
