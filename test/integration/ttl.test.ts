import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What the rules of a tenant make of the times that its keys live. Replies of each command are compared in differential/. */
const MINUTE = 60_000
const HOUR = 60 * MINUTE

const RULES = [
  { keys: 'job:*', default: '1h', max: '4h', min: '10m' },
  { keys: 'job*', default: '3h' },
  { keys: 'most:*', max: '4h' },
  { keys: 'least:*', min: '1h' },
  { keys: 'deny:*', default: '1h', persist: 'deny' },
  { keys: 'clamp:*', default: '1h', persist: 'clamp' },
  { keys: 'most-clamp:*', max: '2h', persist: 'clamp' },
  { keys: 'allow:*', default: '1h' },
  { keys: 'jitter:*', default: '10h', max: '20h', jitter: '50%' },
  { keys: 'dry:*', default: '1h', max: '4h', min: '10m', persist: 'deny', dryRun: true },
]

let redis: RedisServer
let keyward: Keyward
let client: RawClient
let bare: RawClient

/** Milliseconds: of the tenant `numbered`, SLOWLOG has what takes longer. */
const SLOW = 50

const config = (ttl: readonly object[] = RULES) => {
  const tenant = { upstream: 'main', users: { default: { password: 'acme' } } }
  return configFor(redis, {
    tenants: {
      acme: { ...tenant, ttl },
      numbered: {
        ...tenant,
        databases: 4,
        slowlog: { slowerThan: `${SLOW}ms` },
        ttl,
        users: { default: { password: 'n' } },
      },
    },
  })
}

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(config())
  client = await keyward.connect({ password: 'acme' })
  bare = await RawClient.connect({ port: redis.port })
})

afterAll(async () => {
  for (const one of [client, bare]) one?.destroy()
  keyward?.stop()
  await redis?.stop()
})

beforeEach(async () => {
  await bare.command('FLUSHALL')
})

/** Milliseconds; undefined: the key has none; null: there is no such key. */
async function left(key: string, prefix = 'acme:'): Promise<number | undefined | null> {
  const time = Number((await bare.command('PTTL', prefix + key)).slice(1))
  return time === -2 ? null : time === -1 ? undefined : time
}

/** The key lives so long from now, but for what a slow machine needs. */
async function expectLeft(key: string, time: number | undefined | null, what = key, prefix?: string): Promise<void> {
  const found = await left(key, prefix)
  if (typeof time !== 'number') expect(found, what).toBe(time)
  else {
    // `min` in whole seconds is rounded up.
    expect(found, what).toBeLessThanOrEqual(time + 1000)
    expect(found, what).toBeGreaterThan(time - 5 * MINUTE)
  }
}

const inSeconds = (time: number) => String(Math.floor((Date.now() + time) / 1000))
const inMilliseconds = (time: number) => String(Date.now() + time)
const DAY = 24 * HOUR

/** Words of a request; `$` is the key. What its time to live is afterwards. */
type Case = readonly [words: string | (() => string), time: number | undefined | null]

/** Runs each over a key that is not there, and over a string that has no time to live. */
async function runCases(prefix: string, cases: readonly Case[], kinds = ['none', 'string']): Promise<void> {
  for (const [i, [make, time]] of cases.entries()) {
    for (const kind of kinds) {
      const key = `${prefix}${i}-${kind}`
      if (kind === 'string') await bare.command('SET', `acme:${key}`, '1')
      const words = (typeof make === 'string' ? make : make()).split(' ')
      const reply = await client.command(...words.map((word) => (word === '$' ? key : word)))
      await expectLeft(key, time, `${words.join(' ')}, ${kind}: ${JSON.stringify(reply)}`)
    }
  }
}

describe('default, max and min', () => {
  const cases: readonly Case[] = [
    ['SET $ v', HOUR],
    ['SET $ v EX 86400', 4 * HOUR],
    ['SET $ v PX 86400000', 4 * HOUR],
    [() => `SET $ v EXAT ${inSeconds(DAY)}`, 4 * HOUR],
    [() => `SET $ v PXAT ${inMilliseconds(DAY)}`, 4 * HOUR],
    ['SET $ v EX 5', 10 * MINUTE],
    ['SET $ v PX 1', 10 * MINUTE],
    [() => `SET $ v EXAT ${inSeconds(5000)}`, 10 * MINUTE],
    [() => `SET $ v PXAT ${inMilliseconds(5000)}`, 10 * MINUTE],
    ['SET $ v EX 7200', 2 * HOUR],
    ['set $ v ex 7200 get', 2 * HOUR],
    ['SET $ v EXAT 1', null],
    ['SETEX $ 86400 v', 4 * HOUR],
    ['SETEX $ 7200 v', 2 * HOUR],
    ['SETEX $ 5 v', 10 * MINUTE],
    ['PSETEX $ 86400000 v', 4 * HOUR],
    ['PSETEX $ 5 v', 10 * MINUTE],
    ['INCR $', HOUR],
    ['APPEND $ x', HOUR],
    ['GETSET $ x', HOUR],
    ['MSET $ x', HOUR],
  ]

  test('what makes a key, or writes one that has no time to live', () => runCases('job:', cases))

  const over: readonly Case[] = [
    ['EXPIRE $ 86400', 4 * HOUR],
    ['PEXPIRE $ 86400000', 4 * HOUR],
    [() => `EXPIREAT $ ${inSeconds(DAY)}`, 4 * HOUR],
    [() => `PEXPIREAT $ ${inMilliseconds(DAY)}`, 4 * HOUR],
    ['EXPIRE $ 5', 10 * MINUTE],
    ['PEXPIRE $ 1', 10 * MINUTE],
    [() => `EXPIREAT $ ${inSeconds(5000)}`, 10 * MINUTE],
    ['EXPIRE $ 7200', 2 * HOUR],
    ['EXPIRE $ 86400 NX', 4 * HOUR],
    ['EXPIRE $ 86400 XX', HOUR],
    ['EXPIRE $ 86400 LT', 4 * HOUR],
    ['EXPIRE $ 86400 GT', HOUR],
    ['EXPIRE $ 0', null],
    ['PEXPIREAT $ 1', null],
    ['GETEX $ EX 86400', 4 * HOUR],
    ['GETEX $ PX 5', 10 * MINUTE],
    [() => `GETEX $ EXAT ${inSeconds(DAY)}`, 4 * HOUR],
    [() => `GETEX $ PXAT ${inMilliseconds(DAY)}`, 4 * HOUR],
    ['GETEX $', HOUR],
    ['SET $ v NX', HOUR],
    ['SET $ v XX', HOUR],
    ['SET $ v KEEPTTL', HOUR],
    ['SETNX $ v', HOUR],
    ['GETEX $ EXAT 1', null],
  ]

  test('what needs a key', () => runCases('job:', over, ['string']))

  test('without a default, only the times that clients ask for are bounded', async () => {
    await runCases('most:', [
      ['SET $ v', undefined],
      ['INCR $', undefined],
      ['SET $ v EX 86400', 4 * HOUR],
      ['SETEX $ 7200 v', 2 * HOUR],
      ['SETEX $ 86400 v', 4 * HOUR],
    ])
    await runCases('least:', [
      ['SET $ v', undefined],
      ['SET $ v EX 86400', DAY],
      ['PSETEX $ 1 v', HOUR],
    ])
  })

  test('a key that has a time to live keeps it', async () => {
    await client.command('SET', 'job:1', 1, 'EX', 7200)
    for (const words of [
      'INCR job:1',
      'APPEND job:1 0',
      'SET job:1 5 KEEPTTL',
      'SETNX job:1 x',
      'GETEX job:1',
      'SETRANGE job:1 0 7',
    ]) {
      await client.command(...words.split(' '))
      await expectLeft('job:1', 2 * HOUR, words)
    }
    await client.command('SET', 'job:1', 'again')
    await expectLeft('job:1', HOUR)
  })

  test('RESTORE', async () => {
    await bare.command('SET', 'x', 'payload')
    const [dump] = await bare.exchange(request('DUMP', 'x'))
    const payload = dump.subarray(dump.indexOf('\r\n') + 2, -2)
    const restore = (key: string, ttl: string | number, ...more: string[]) =>
      client.command('RESTORE', key, ttl, payload, ...more)
    expect(await restore('job:1', 0)).toBe('+OK\r\n')
    await expectLeft('job:1', HOUR)
    expect(await restore('job:2', DAY)).toBe('+OK\r\n')
    await expectLeft('job:2', 4 * HOUR)
    expect(await restore('job:3', 0, 'ABSTTL', 'REPLACE')).toBe('+OK\r\n')
    await expectLeft('job:3', HOUR)
    expect(await restore('job:4', inMilliseconds(DAY), 'ABSTTL')).toBe('+OK\r\n')
    await expectLeft('job:4', 4 * HOUR)
    expect(await restore('job:5', 5)).toBe('+OK\r\n')
    await expectLeft('job:5', 10 * MINUTE)
    expect(await restore('job:1', 0, 'REPLACE')).toBe('+OK\r\n')
    await expectLeft('job:1', HOUR)
    expect(await restore('job:1', 0)).toMatch(/^-BUSYKEY /)
    expect(await restore('most:1', 0)).toBe('+OK\r\n')
    await expectLeft('most:1', undefined)
  })

  test('inline requests, odd cases and binary names', async () => {
    const replies = await client.exchange('sEt job:inline v\r\nINCR job:n\r\nexpire job:n 86400\r\n', 3)
    expect(replies.map(String)).toEqual(['+OK\r\n', ':1\r\n', ':1\r\n'])
    await expectLeft('job:inline', HOUR)
    await expectLeft('job:n', 4 * HOUR)
    const name = 'job:\r\n$3\r\nx\xff\0'
    const key = Buffer.from(name, 'latin1')
    expect(await client.command('SET', key, '')).toBe('+OK\r\n')
    expect(await client.command('GET', key)).toBe('$0\r\n\r\n')
    const pttl = await bare.exchange(request('PTTL', Buffer.concat([Buffer.from('acme:'), key])))
    expect(Number(String(pttl[0]).slice(1))).toBeGreaterThan(HOUR - 5 * MINUTE)
  })
})

describe('which rule counts', () => {
  test('of several that match, the first; of none, none', async () => {
    await client.command('SET', 'job:1', 'v')
    await client.command('SET', 'jobless', 'v')
    await client.command('SET', 'other', 'v')
    await client.command('RPUSH', 'other:list', 'v')
    await expectLeft('job:1', HOUR)
    await expectLeft('jobless', 3 * HOUR)
    await expectLeft('other', undefined)
    await expectLeft('other:list', undefined)
  })

  test('each key of a request has its own', async () => {
    const keys = ['job:1', 'jobless', 'other', 'allow:1', 'most:1']
    expect(await client.command('MSET', ...keys.flatMap((key) => [key, 'v']))).toBe('+OK\r\n')
    await expectLeft('job:1', HOUR)
    await expectLeft('jobless', 3 * HOUR)
    await expectLeft('other', undefined)
    await expectLeft('allow:1', HOUR)
    await expectLeft('most:1', undefined)
  })

  test('the rule of the new name, when a key gets one', async () => {
    await client.command('SET', 'other', 'v')
    expect(await client.command('RENAME', 'other', 'jobless')).toBe('+OK\r\n')
    await expectLeft('jobless', 3 * HOUR)
    // It brings the time that it has.
    expect(await client.command('RENAMENX', 'jobless', 'job:1')).toBe(':1\r\n')
    await expectLeft('job:1', 3 * HOUR)
    expect(await client.command('COPY', 'job:1', 'other')).toBe(':1\r\n')
    await expectLeft('other', 3 * HOUR)
    await client.command('SET', 'forever', 'v')
    expect(await client.command('COPY', 'forever', 'job:1', 'REPLACE')).toBe(':1\r\n')
    await expectLeft('job:1', HOUR)
    await expectLeft('forever', undefined)
    await client.command('SADD', 'a', 'x', 'y')
    await client.command('SADD', 'job:s', 'x')
    await client.command('EXPIRE', 'job:s', 7200)
    expect(await client.command('SUNIONSTORE', 'job:s', 'job:s', 'a')).toBe(':2\r\n')
    await expectLeft('job:s', HOUR, 'overwritten, it has lost its time')
    await expectLeft('a', undefined)
    expect(await client.command('SORT', 'a', 'ALPHA', 'STORE', 'jobless')).toBe(':2\r\n')
    await expectLeft('jobless', 3 * HOUR)
    await client.command('RPUSH', 'l', 'x')
    expect(await client.command('LMOVE', 'l', 'job:l', 'LEFT', 'RIGHT')).toBe('$1\r\nx\r\n')
    await expectLeft('job:l', HOUR)
  })

  test('other tenants, and commands that only read, have none', async () => {
    await bare.command('SET', 'acme:job:old', 'v')
    for (const words of [
      'GET job:old',
      'EXISTS job:old',
      'TTL job:old',
      'TYPE job:old',
      'TOUCH job:old',
      'OBJECT ENCODING job:old',
    ]) {
      await client.command(...words.split(' '))
    }
    await expectLeft('job:old', undefined)
    const other = await keyward.connect({ password: 'n' })
    expect(await other.command('SET', 'job:1', 'v')).toBe('+OK\r\n')
    await expectLeft('job:1', HOUR, 'a tenant with the same rules', 'numbered:0:')
    other.destroy()
  })
})

describe('persist', () => {
  const both = async (key: string) => {
    await client.command('SET', key, 'v', 'EX', 7200)
    const replies = [await client.command('GETEX', key, 'PERSIST')]
    const between = await left(key)
    await client.command('EXPIRE', key, 7200)
    replies.push(await client.command('PERSIST', key))
    return { replies, between, after: await left(key) }
  }

  test('allow: it is the way to keep a key for good', async () => {
    const { replies, between, after } = await both('allow:1')
    expect(replies).toEqual(['$1\r\nv\r\n', ':1\r\n'])
    expect([between, after]).toEqual([undefined, undefined])
    // Until the next write.
    await client.command('APPEND', 'allow:1', 'x')
    await expectLeft('allow:1', HOUR)
  })

  test('deny: nothing changes', async () => {
    const { replies, between, after } = await both('deny:1')
    expect(replies).toEqual(['$1\r\nv\r\n', ':0\r\n'])
    for (const time of [between, after]) expect(time).toBeGreaterThan(2 * HOUR - 5 * MINUTE)
    expect(await client.command('PERSIST', 'deny:none')).toBe(':0\r\n')
    expect(await client.command('GETEX', 'deny:none', 'PERSIST')).toBe('$-1\r\n')
  })

  test('deny, in MULTI', async () => {
    await client.command('SET', 'deny:1', 'v')
    const requests = [['MULTI'], ['GETEX', 'deny:1', 'persist'], ['PERSIST', 'deny:1'], ['INCR', 'deny:n'], ['EXEC']]
    const replies = await client.exchange(Buffer.concat(requests.map((args) => request(...args))), 5)
    expect(replies.map(String)).toEqual([
      '+OK\r\n',
      '+QUEUED\r\n',
      '+QUEUED\r\n',
      '+QUEUED\r\n',
      '*3\r\n$1\r\nv\r\n:0\r\n:1\r\n',
    ])
    await expectLeft('deny:1', HOUR)
    await expectLeft('deny:n', HOUR)
  })

  test('deny, where the client wants no reply, and behind requests under way', async () => {
    await client.command('SET', 'deny:1', 'v', 'EX', 7200)
    const requests = [
      ['INCR', 'deny:n'],
      ['PERSIST', 'deny:1'],
      ['CLIENT', 'REPLY', 'SKIP'],
      ['PERSIST', 'deny:1'],
      ['INCR', 'deny:n'],
    ]
    const replies = await client.exchange(Buffer.concat(requests.map((args) => request(...args))), 3)
    expect(replies.map(String)).toEqual([':1\r\n', ':0\r\n', ':2\r\n'])
    await expectLeft('deny:1', 2 * HOUR)
  })

  test('clamp: the time of the rule in place of for ever', async () => {
    const { replies, between, after } = await both('clamp:1')
    expect(replies).toEqual(['$1\r\nv\r\n', ':1\r\n'])
    for (const time of [between, after]) {
      expect(time).toBeLessThanOrEqual(HOUR)
      expect(time).toBeGreaterThan(HOUR - 5 * MINUTE)
    }
    await client.command('SET', 'most-clamp:1', 'v', 'EX', 600)
    expect(await client.command('PERSIST', 'most-clamp:1')).toBe(':1\r\n')
    await expectLeft('most-clamp:1', 2 * HOUR)
  })
})

test('jitter shortens every time that the rule sets, by up to its share, and no other', async () => {
  const times = async (kind: string, words: readonly string[]) => {
    const found: number[] = []
    for (let i = 0; i < 60; i++) {
      const key = `jitter:${kind}:${i}`
      await client.command(words[0], key, ...words.slice(1))
      found.push((await left(key)) as number)
    }
    return { least: Math.min(...found), most: Math.max(...found) }
  }
  const made = [
    [await times('set', ['SET', 'v']), 10 * HOUR],
    [await times('hash', ['HSET', 'f', 'v']), 10 * HOUR],
    [await times('clamped', ['SET', 'v', 'EX', '86400']), 20 * HOUR],
  ] as const
  for (const [{ least, most }, whole] of made) {
    expect(least).toBeGreaterThan(whole / 2 - 5 * MINUTE)
    expect(most).toBeLessThanOrEqual(whole)
    // That 60 numbers at random are all in one half of the range happens once in 10^18 runs.
    expect(least).toBeLessThan(whole * 0.75)
    expect(most).toBeGreaterThan(whole * 0.75 - 5 * MINUTE)
  }
  await client.command('SET', 'jitter:1', 'v', 'EX', 7200)
  await expectLeft('jitter:1', 2 * HOUR)
})

test('dryRun changes nothing, and counts what it would have done', async () => {
  const counted = () => keyward.proxy.view().ttl.find(({ tenant, keys }) => tenant === 'acme' && keys === 'dry:*')
  expect(counted()).toMatchObject({ dryRun: true, defaulted: 0, clampedMax: 0, clampedMin: 0, persistDenied: 0 })
  await runCases('dry:', [
    ['SET $ v', undefined],
    ['INCR $', undefined],
    ['SET $ v EX 86400', DAY],
    ['PSETEX $ 300000 v', 5 * MINUTE],
  ])
  await bare.command('SET', 'acme:dry:p', 'v', 'EX', 7200)
  expect(await client.command('PERSIST', 'dry:p')).toBe(':1\r\n')
  await expectLeft('dry:p', undefined)
  expect(await client.command('GETEX', 'dry:p', 'EX', '86400')).toBe('$1\r\nv\r\n')
  await expectLeft('dry:p', DAY)
  expect(await client.command('MSET', 'dry:1', 'v', 'job:1', 'v')).toBe('+OK\r\n')
  await expectLeft('dry:1', undefined)
  await expectLeft('job:1', HOUR)
  // Each case ran twice; MSET and GETEX, which may find no string, once.
  expect(counted()).toMatchObject({ defaulted: 6, clampedMax: 3, clampedMin: 2, persistDenied: 1 })
})

describe('in numbered databases', () => {
  let numbered: RawClient

  beforeEach(async () => {
    numbered?.destroy()
    numbered = await keyward.connect({ password: 'n' })
  })

  afterAll(() => numbered?.destroy())

  test('MOVE and COPY into another: the key gets its time there', async () => {
    await bare.command('SET', 'numbered:0:job:1', 'v')
    expect(await numbered.command('MOVE', 'job:1', 2)).toBe(':1\r\n')
    await expectLeft('job:1', null, 'in 0', 'numbered:0:')
    await expectLeft('job:1', HOUR, 'in 2', 'numbered:2:')
    await bare.command('SET', 'numbered:0:from', 'v')
    expect(await numbered.command('COPY', 'from', 'job:2', 'DB', 3)).toBe(':1\r\n')
    await expectLeft('from', undefined, 'from', 'numbered:0:')
    await expectLeft('job:2', HOUR, 'in 3', 'numbered:3:')
    // Both are there: neither is moved.
    await bare.command('SET', 'numbered:0:job:1', 'v')
    expect(await numbered.command('MOVE', 'job:1', 2)).toBe(':0\r\n')
    expect(await numbered.command('MOVE', 'job:1', 9)).toMatch(/^-ERR .*out of range/)
    expect(await numbered.command('COPY', 'from', 'job:2', 'DB', 9)).toMatch(/^-ERR .*out of range/)
    expect(await numbered.command('PING')).toBe('+PONG\r\n')
  })

  test('in MULTI, too, and behind a SELECT there', async () => {
    await bare.command('SET', 'numbered:0:job:1', 'v')
    const requests = [
      ['MULTI'],
      ['INCR', 'job:n'],
      ['MOVE', 'job:1', '2'],
      ['SELECT', '3'],
      ['INCR', 'job:n'],
      ['SET', 'job:s', 'v'],
      ['COPY', 'job:s', 'job:c', 'DB', '1'],
      ['EXEC'],
      ['INCR', 'job:last'],
    ]
    const replies = await numbered.exchange(Buffer.concat(requests.map((args) => request(...args))), requests.length)
    expect(replies.slice(-2).map(String)).toEqual(['*6\r\n:1\r\n:1\r\n+OK\r\n:1\r\n+OK\r\n:1\r\n', ':1\r\n'])
    for (const [db, key] of [
      [0, 'job:n'],
      [2, 'job:1'],
      [3, 'job:n'],
      [3, 'job:s'],
      [1, 'job:c'],
      [3, 'job:last'],
    ] as const) {
      await expectLeft(key, HOUR, `${key} in ${db}`, `numbered:${db}:`)
    }
  })

  test('FLUSHDB and FLUSHALL answer as ever', async () => {
    await numbered.command('SET', 'job:1', 'v')
    expect(await numbered.command('FLUSHDB')).toBe('+OK\r\n')
    await expectLeft('job:1', null, 'flushed', 'numbered:0:')
    await numbered.command('SET', 'job:1', 'v')
    expect(await numbered.command('FLUSHALL', 'ASYNC')).toBe('+OK\r\n')
    await expectLeft('job:1', null, 'flushed', 'numbered:0:')
  })
})

test('a reload changes the rules for clients that are there, between two requests', async () => {
  const reload = (ttl: readonly object[]) =>
    keyward.proxy.reload(
      parseConfig(stringify(config(ttl)), { source: 'test.yaml', env: process.env, baseDir: process.cwd() }),
    )
  try {
    await client.command('MULTI')
    await client.command('INCR', 'job:1')
    await reload([{ keys: 'job:*', default: '6h' }])
    await client.command('INCR', 'job:2')
    expect(await client.command('EXEC')).toBe('*2\r\n:1\r\n:1\r\n')
    await expectLeft('job:1', HOUR)
    await expectLeft('job:2', 6 * HOUR)
    await reload([])
    expect(await client.command('SET', 'job:3', 'v')).toBe('+OK\r\n')
    await expectLeft('job:3', undefined)
  } finally {
    await reload(RULES)
  }
  expect(await client.command('SET', 'job:3', 'v')).toBe('+OK\r\n')
  await expectLeft('job:3', HOUR)
})

describe('what others see of it', () => {
  test('MONITOR of the tenant shows the requests as its clients sent them', async () => {
    const watcher = await keyward.connect({ password: 'acme' })
    expect(await watcher.command('MONITOR')).toBe('+OK\r\n')
    await client.command('SET', 'job:1', 'v')
    await client.command('EXPIRE', 'job:1', 86400)
    await client.command('INCR', 'job:n')
    await client.command('MULTI')
    await client.command('INCR', 'job:n')
    await client.command('EXEC')
    await client.command('GET', 'job:end')
    const lines = String(await watcher.receive('"job:end"\r\n'))
      .trim()
      .split('\r\n')
    watcher.destroy()
    expect(lines.map((line) => line.replace(/^[^"]*\] /, ''))).toEqual([
      '"SET" "job:1" "v"',
      '"EXPIRE" "job:1" "86400"',
      '"INCR" "job:n"',
      '"MULTI"',
      '"INCR" "job:n"',
      '"EXEC"',
      '"GET" "job:end"',
    ])
  })

  test('SLOWLOG has nothing of what follows a request', async () => {
    const slow = await keyward.connect({ password: 'n' })
    await slow.command('SLOWLOG', 'RESET')
    await redis.kill('SIGSTOP')
    slow.send(request('HSET', 'job:h', 'f', 'v'))
    await slow.silence(4 * SLOW)
    await redis.kill('SIGCONT')
    expect(String(await slow.reply())).toBe(':1\r\n')
    const [log] = await slow.exchange(request('SLOWLOG', 'GET', '10'))
    slow.destroy()
    expect(String(log)).toContain(String(request('HSET', 'job:h', 'f', 'v')))
    expect(String(log)).not.toContain('PEXPIRE')
  })

  test('the server sends `expire` behind the event of the write', async () => {
    await bare.command('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')
    const watcher = await RawClient.connect({ port: redis.port })
    await watcher.exchange(request('SUBSCRIBE', '__keyspace@0__:acme:job:1', '__keyspace@0__:acme:end'), 2)
    for (const words of ['SET job:1 v', 'APPEND job:1 x', 'DEL job:1', 'RPUSH job:1 x', 'SET end v']) {
      await client.command(...words.split(' '))
    }
    const events: string[] = []
    for (let event = ''; !event.includes(':end'); ) {
      event = String(await watcher.reply())
      events.push(event.split('\r\n')[6])
    }
    watcher.destroy()
    await bare.command('CONFIG', 'SET', 'notify-keyspace-events', '')
    expect(events).toEqual(['set', 'expire', 'append', 'del', 'rpush', 'expire', 'set'])
  })
})

test('Keyward counted no fault', () => {
  expect(keyward.proxy.faults).toBe(0)
})
