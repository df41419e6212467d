import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decodeReply } from '../../src/resp/reply-decoder.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** SLOWLOG: each tenant's own slow requests, told in Redis' own form. */

/** Milliseconds: more than any request takes while nothing stands still, on a busy machine too. */
const SLOW = 200

let redis: RedisServer
let alone: RedisServer
let keyward: Keyward
const open: RawClient[] = []

beforeAll(async () => {
  ;[redis, alone] = await Promise.all([startRedis(), startRedis()])
  const tenant = (name: string, more: object = {}) => ({
    upstream: 'main',
    users: { default: { password: name } },
    slowlog: { slowerThan: `${SLOW}ms` },
    ...more,
  })
  keyward = await startKeyward(
    configFor(redis, {
      upstreams: { main: { url: redis.url }, alone: { url: alone.url } },
      tenants: {
        acme: tenant('acme', { databases: 4 }),
        beta: tenant('beta'),
        few: tenant('few', { slowlog: { slowerThan: `${SLOW}ms`, entries: 3 } }),
        none: tenant('none', { slowlog: { slowerThan: `${SLOW}ms`, entries: 0 } }),
        whole: tenant('whole', { upstream: 'alone', prefix: '' }),
      },
    }),
  )
})

beforeEach(async () => {
  for (const name of ['acme', 'beta', 'few', 'whole']) await (await connect(name)).command('SLOWLOG', 'RESET')
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(keyward.proxy.faults).toBe(0)
})

afterAll(async () => {
  keyward?.stop()
  await Promise.all([redis?.stop(), alone?.stop()])
})

async function connect(password = 'acme'): Promise<RawClient> {
  const client = await keyward.connect({ password })
  open.push(client)
  return client
}

async function connectBare(): Promise<RawClient> {
  const client = await RawClient.connect({ port: redis.port })
  open.push(client)
  return client
}

interface Entry {
  readonly id: number
  readonly time: number
  readonly microseconds: number
  readonly args: readonly string[]
  readonly address: string
  readonly name: string
}

/** SLOWLOG GET, newest first. */
async function entries(client: RawClient, count = -1): Promise<readonly Entry[]> {
  const [frame] = await client.exchange(request('SLOWLOG', 'GET', count))
  const text = (bytes: Buffer | undefined) => (bytes ?? Buffer.alloc(0)).toString('latin1')
  return (decodeReply(frame, 0, frame.length).items ?? []).map(({ items = [] }) => {
    const [id, time, microseconds, args, address, name] = items
    return {
      id: Number(text(id.text)),
      time: Number(text(time.text)),
      microseconds: Number(text(microseconds.text)),
      args: (args.items ?? []).map((arg) => text(arg.text)),
      address: text(address.text),
      name: text(name.text),
    }
  })
}

type Words = readonly (string | number | Buffer)[]

/** Sends requests in one go while the server stands still, and takes their replies. */
async function slowly(client: RawClient, requests: readonly Words[], server = redis): Promise<string[]> {
  await server.kill('SIGSTOP')
  client.send(Buffer.concat(requests.map((words) => request(...words))))
  await new Promise((resolve) => setTimeout(resolve, 2 * SLOW))
  await server.kill('SIGCONT')
  return (await client.replies(requests.length)).map((reply) => reply.toString('latin1'))
}

describe('an entry', () => {
  const keys = (count: number) => Array.from({ length: count }, (_, i) => `key-${i}`)
  const LOGGED: readonly Words[] = [
    ['SET', 'k', 'v'],
    ['set', Buffer.from('\r\n\x00"acme:0:', 'latin1'), 'acme:0:value'],
    ['SET', 'k', 'v'.repeat(128)],
    ['SET', 'k', 'v'.repeat(129)],
    ['SET', 'k'.repeat(128), 'v'],
    ['SET', 'k'.repeat(130), 'v'],
    ['SET', '', ''],
    ['MGET', ...keys(31)],
    ['MGET', ...keys(32)],
    ['MGET', ...keys(100)],
    ['MSET', ...keys(40)],
    ['ZADD', 'z', '1', 'acme:0:m'],
    ['ZUNIONSTORE', 'to', '2', 'z', 'none', 'WEIGHTS', '1', '2'],
    ['XADD', 's', '1-1', 'f', 'v'],
    ['XREAD', 'COUNT', '1', 'STREAMS', 's', 'other', '0', '0'],
    ['GEORADIUS', 'g', '1', '1', '1', 'km', 'STORE', 'to'],
    ['OBJECT', 'ENCODING', 'k'],
    ['MOVE', 'k', '1'],
    ['COPY', 'z', 'copied', 'DB', '2'],
    ['SORT', 'l', 'BY', 'w_*', 'GET', 'o_*', 'STORE', 'to'],
    // What makes it the pattern of a key is not among the bytes that are shown.
    ['SORT', 'l', 'BY', `${'w'.repeat(300)}*`, 'GET', '#'],
    ['SORT', 'l', 'BY', `${'w'.repeat(300_000)}*`],
    ['LPUSH', 'k'],
    ['INCR', 'z'],
    ['EVALSHA'],
  ]

  test('has the arguments that a server of its own would show', async () => {
    const bare = await connectBare()
    await bare.command('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
    await bare.command('SLOWLOG', 'RESET')
    for (const words of LOGGED) await bare.command(...words)
    const theirs = (await entries(bare)).map(({ args }) => args)
    await bare.command('CONFIG', 'SET', 'slowlog-log-slower-than', '10000000')
    await bare.command('FLUSHALL')

    const client = await connect()
    await slowly(client, LOGGED)
    const ours = (await entries(client)).map(({ args }) => args)
    const notOwn = theirs.filter(([name]) => !['SLOWLOG', 'CONFIG'].includes(name))
    expect(ours).toEqual(notOwn)
    expect(ours.length).toBe(LOGGED.length - 2)
  })

  test('of a script shows its command as it was sent', async () => {
    const client = await connect()
    const words = ['eVaL', 'return KEYS[1]', '1', 'k', 'v']
    for (let i = 0; i < 2; i++) await client.command(...words)
    await slowly(client, [words])
    expect((await entries(client)).map(({ args }) => args)[0]).toEqual(words)
  })

  test('says when, how long, who, and what that one is called', async () => {
    const client = await connect()
    await client.command('CLIENT', 'SETNAME', 'worker-1')
    const address = /addr=(\S+)/.exec(await client.command('CLIENT', 'INFO'))?.[1]
    await slowly(client, [['GET', 'a']])
    const [entry, ...others] = await entries(client)
    expect(others).toEqual([])
    expect(entry).toMatchObject({ args: ['GET', 'a'], address, name: 'worker-1' })
    expect(Math.abs(entry.time - Date.now() / 1000)).toBeLessThan(30)
    expect(entry.microseconds).toBeGreaterThan(SLOW * 1000)
    expect(entry.microseconds).toBeLessThan(60_000_000)
  })

  test('of a big value counts the bytes that it leaves out', async () => {
    const client = await connect()
    const size = 300 * 1024
    await slowly(client, [
      ['SET', 'k', 'v'.repeat(size)],
      ['MSET', 'a', 'x'.repeat(size), 'b', 'y'.repeat(size), 'c', 'z'],
    ])
    const more = `... (${size - 128} more bytes)`
    expect((await entries(client)).map(({ args }) => args)).toEqual([
      ['MSET', 'a', `${'x'.repeat(128)}${more}`, 'b', `${'y'.repeat(128)}${more}`, 'c', 'z'],
      ['SET', 'k', `${'v'.repeat(128)}${more}`],
    ])
  })

  test('is made of jobs and of EXEC, not of what blocks or is answered here', async () => {
    const client = await connect()
    await slowly(client, [['KEYS', 'a*']])
    await client.command('MULTI')
    await slowly(client, [['PING'], ['CLIENT', 'ID'], ['INCR', 'n'], ['EXEC']])
    await client.command('BLPOP', 'q', (2 * SLOW) / 1000)
    await client.command('XREAD', 'BLOCK', 2 * SLOW, 'STREAMS', 's', '$')
    await client.command('WAIT', 5, 2 * SLOW)
    const names = (await entries(client)).map(({ args }) => args.join(' ')).reverse()
    // INCR was slow to be queued, not to be executed.
    expect(names).toEqual(['KEYS a*', 'EXEC'])
  })

  test('no secret is in it', async () => {
    const client = await connect()
    await slowly(client, [
      ['GET', 'a'],
      ['AUTH', 'secret'],
      ['HELLO', '2', 'AUTH', 'default', 'acme'],
    ])
    expect((await entries(client)).map(({ args }) => args)).toEqual([['GET', 'a']])
  })

  test('what waited here was not slow', async () => {
    const [client, other] = [await connect(), await connect()]
    await other.command('CLIENT', 'PAUSE', 60_000)
    client.send(request('GET', 'a'))
    await client.silence(5 * SLOW)
    await other.command('CLIENT', 'UNPAUSE')
    await client.reply()
    expect((await entries(other)).filter(({ microseconds }) => microseconds >= 5 * SLOW * 1000)).toEqual([])
  })
})

describe('the log', () => {
  test('is the tenant’s own', async () => {
    const [acme, beta] = [await connect('acme'), await connect('beta')]
    await slowly(acme, [['GET', 'a']])
    expect(await acme.command('SLOWLOG', 'LEN')).toBe(':1\r\n')
    expect(await beta.command('SLOWLOG', 'LEN')).toBe(':0\r\n')
    expect(await beta.command('SLOWLOG', 'RESET')).toBe('+OK\r\n')
    expect(await acme.command('SLOWLOG', 'LEN')).toBe(':1\r\n')
  })

  test('keeps the newest, and numbers them on after RESET', async () => {
    const client = await connect('few')
    await slowly(
      client,
      ['a', 'b', 'c', 'd', 'e'].map((key) => ['GET', key]),
    )
    const kept = await entries(client)
    expect(kept.map(({ args }) => args[1])).toEqual(['e', 'd', 'c'])
    expect(kept.map(({ id }) => id)).toEqual([kept[2].id + 2, kept[2].id + 1, kept[2].id])
    expect((await entries(client, 2)).map(({ args }) => args[1])).toEqual(['e', 'd'])
    await client.command('SLOWLOG', 'RESET')
    await slowly(client, [['GET', 'f']])
    expect((await entries(client)).map(({ id }) => id)).toEqual([kept[0].id + 1])
  })

  test('of no entries stays empty', async () => {
    const client = await connect('none')
    await slowly(client, [['GET', 'a']])
    expect(await client.command('SLOWLOG', 'LEN')).toBe(':0\r\n')
  })

  test('of the tenant without a prefix is kept here, too', async () => {
    const client = await connect('whole')
    await slowly(
      client,
      [
        ['GET', 'acme:a'],
        ['KEYS', '*'],
      ],
      alone,
    )
    expect((await entries(client)).map(({ args }) => args)).toEqual([
      ['KEYS', '*'],
      ['GET', 'acme:a'],
    ])
  })

  test('is described in CONFIG GET, in Redis’ units', async () => {
    const client = await connect('few')
    expect(await client.command('CONFIG', 'GET', 'slowlog-*')).toBe(
      '*4\r\n$23\r\nslowlog-log-slower-than\r\n$6\r\n200000\r\n$15\r\nslowlog-max-len\r\n$1\r\n3\r\n',
    )
  })
})

test.each([2, 3])('answers and errors are those of a server of its own, RESP%i', async (protocol) => {
  const rows = [
    'GET',
    'GET 0',
    'GET -1',
    'GET 5',
    'GET -2',
    'GET abc',
    'GET 01',
    'GET 1 2',
    'get 1 2 3',
    'LEN',
    'LEN x',
  ]
  rows.push('RESET', 'RESET x', 'HELP', 'HELP x', 'NOSUCH', 'GET 9223372036854775807', 'GET 9223372036854775808')
  const [bare, ours] = [await connectBare(), await connect()]
  for (const client of [bare, ours]) await client.command('HELLO', protocol)
  await bare.command('SLOWLOG', 'RESET')
  for (const row of ['', ...rows]) {
    const words = ['SLOWLOG', ...row.split(' ')].filter((word) => word !== '')
    expect([row, await ours.command(...words)]).toEqual([row, await bare.command(...words)])
  }
  // In MULTI too.
  const transaction = Buffer.concat([
    request('MULTI'),
    request('SLOWLOG', 'LEN'),
    request('SLOWLOG', 'GET', 'x'),
    request('EXEC'),
  ])
  expect((await ours.exchange(transaction, 4)).map(String)).toEqual((await bare.exchange(transaction, 4)).map(String))
})
