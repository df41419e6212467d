import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { HOUR, type Left, MINUTE, TtlStage } from './ttl-stage.ts'

/** What the rules of a tenant make of the times that its keys live. Replies of each command are compared in differential/. */
const DAY = 24 * HOUR

let stage: TtlStage
let client: RawClient
let bare: RawClient

beforeAll(async () => {
  stage = await TtlStage.open()
  client = stage.client
  bare = stage.bare
})

afterAll(() => stage?.stop())

beforeEach(async () => {
  await bare.command('FLUSHALL')
})

const expectLeft = (key: string, time: Left, what?: string, prefix?: string) =>
  stage.expectLeft(key, time, what, prefix)
const left = (key: string) => stage.left(key)

const inSeconds = (time: number) => String(Math.floor((Date.now() + time) / 1000))
const inMilliseconds = (time: number) => String(Date.now() + time)

/** Words of a request; `$` is the key. What its time to live is afterwards. */
type Case = readonly [words: string | (() => string), time: Left]

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
    const other = await stage.keyward.connect({ password: 'n' })
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
  const counted = () => stage.keyward.proxy.view().ttl.find(({ tenant, keys }) => tenant === 'acme' && keys === 'dry:*')
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
