import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * CL.THROTTLE and CL.STATUS: the replies of redis-cell, an ordinary key of the tenant behind them, and one limit however
 * many Keywards there are. Requests that belong together go out in one write, so that they see about the same time.
 */
let redis: RedisServer
let own: RedisServer
let keyward: Keyward
let second: Keyward
let bare: RawClient
let clients: RawClient[] = []

beforeAll(async () => {
  ;[redis, own] = await Promise.all([startRedis(), startRedis()])
  const tenant = (password: string, more: object = {}) => ({
    upstream: 'main',
    users: { default: { password } },
    extensions: ['throttle'],
    ...more,
  })
  const config = configFor(redis, {
    upstreams: { main: { url: redis.url }, own: { url: own.url, hold: { time: '1s' } } },
    tenants: {
      acme: tenant('acme'),
      beta: tenant('beta'),
      five: tenant('five', { databases: 5 }),
      plain: tenant('plain', { extensions: [] }),
      alone: tenant('alone', { upstream: 'own', prefix: '' }),
    },
  })
  ;[keyward, second] = await Promise.all([startKeyward(config), startKeyward(config)])
  bare = await RawClient.connect({ port: redis.port })
}, 60_000)

beforeEach(async () => {
  await Promise.all([redis.cli('FLUSHALL'), own.cli('FLUSHALL')])
})

afterEach(() => {
  for (const client of clients) client.destroy()
  clients = []
})

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  second?.stop()
  await Promise.all([redis, own].map((server) => server?.stop()))
})

async function connect(password = 'acme', to = keyward): Promise<RawClient> {
  const client = await to.connect({ password })
  clients.push(client)
  return client
}

/** Lines of words, sent in one write; the replies. */
async function all(client: RawClient, ...lines: string[]): Promise<string[]> {
  const bytes = Buffer.concat(lines.map((line) => request(...line.split(' '))))
  return (await client.exchange(bytes, lines.length)).map((reply) => reply.toString('latin1'))
}

/** As all(), from empty buckets on; once more where a second passed between two of the requests, which the replies show. */
async function expectReplies(client: RawClient, lines: readonly string[], expected: readonly string[]): Promise<void> {
  let replies: string[] = []
  for (let tries = 0; tries < 5; tries++) {
    await Promise.all([redis.cli('FLUSHALL'), own.cli('FLUSHALL')])
    replies = await all(client, ...lines)
    if (replies.join() === expected.join()) return
  }
  expect(replies).toEqual(expected)
}

const integers = (...numbers: number[]) => `*${numbers.length}\r\n${numbers.map((n) => `:${n}\r\n`).join('')}`
const numbersIn = (reply: string) => [...reply.matchAll(/:(-?\d+)\r\n/g)].map(([, digits]) => Number(digits))
const unknown = (line: string) => {
  const [name, ...args] = line.split(' ')
  return `-ERR unknown command '${name}', with args beginning with: ${args.map((arg) => `'${arg}' `).join('')}\r\n`
}
const WRONGTYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'

describe('the examples of redis-cell', () => {
  test('user123: 15 at once, 30 a minute', async () => {
    const client = await connect()
    await expectReplies(client, ['CL.THROTTLE user123 15 30 60'], [integers(0, 16, 15, -1, 2)])
    await expectReplies(client, ['CL.THROTTLE user123 15 30 60 1'], [integers(0, 16, 15, -1, 2)])
    const allowed = Array.from({ length: 16 }, (_, i) => integers(0, 16, 15 - i, -1, 2 * (i + 1)))
    const refused = Array(2).fill(integers(1, 16, 0, 2, 32))
    await expectReplies(client, Array(18).fill('CL.THROTTLE user123 15 30 60'), [...allowed, ...refused])
  })

  test('different limits have different keys', async () => {
    await expectReplies(
      await connect(),
      ['CL.THROTTLE user123-read-rate 15 30 60', 'CL.THROTTLE user123-write-rate 5 10 60'],
      [integers(0, 16, 15, -1, 2), integers(0, 6, 5, -1, 6)],
    )
  })

  test('no burst: one every two seconds, and again when the reply says so', { timeout: 60_000 }, async () => {
    const client = await connect()
    const call = 'CL.THROTTLE user123 0 1 2 1'
    await expectReplies(client, [call, call], [integers(0, 1, 0, -1, 2), integers(1, 1, 0, 2, 2)])
    let tries = 0
    expect(
      await eventually(async () => {
        tries++
        return (await all(client, call))[0] === integers(0, 1, 0, -1, 2)
      }),
    ).toBe(true)
    expect(tries).toBeGreaterThan(1)
  })

  test('a whole file at once, more than ever fits, and a look', async () => {
    await expectReplies(
      await connect(),
      [4, 11, 7, 0, 6].map((quantity) => `CL.THROTTLE k 9 1 60 ${quantity}`),
      [
        integers(0, 10, 6, -1, 240),
        integers(1, 10, 6, -1, 240),
        integers(1, 10, 6, 60, 240),
        integers(0, 10, 6, -1, 240),
        integers(0, 10, 0, -1, 600),
      ],
    )
  })

  test('what is wrong', async () => {
    const client = await connect()
    expect(await all(client, 'CL.THROTTLE k 1 1', 'CL.THROTTLE k 1 x 1', 'CL.STATUS k 1 0 1', 'PING')).toEqual([
      '-Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]\r\n',
      "-Cell error: Couldn't parse as integer: x\r\n",
      '-Cell error: Zero rates are not supported\r\n',
      '+PONG\r\n',
    ])
    expect(await redis.cli('DBSIZE')).toBe('0')
  })
})

describe('CL.STATUS', () => {
  const look = 'CL.STATUS k 1 1 60'
  const take = 'CL.THROTTLE k 1 1 60'

  test('says what CL.THROTTLE would say, and takes nothing', async () => {
    await expectReplies(
      await connect(),
      [look, look, take, look, take, look, look, take],
      [
        integers(0, 2, 2, -1, 0),
        integers(0, 2, 2, -1, 0),
        integers(0, 2, 1, -1, 60),
        integers(0, 2, 1, -1, 60),
        integers(0, 2, 0, -1, 120),
        integers(1, 2, 0, 60, 120),
        integers(1, 2, 0, 60, 120),
        integers(1, 2, 0, 60, 120),
      ],
    )
  })

  test('leaves no key, and a key as it is', async () => {
    const client = await connect()
    await all(client, look)
    expect(await redis.cli('KEYS', '*')).toBe('')
    await all(client, take)
    const before = await redis.cli('GET', 'acme:k')
    await all(client, look)
    expect(await redis.cli('GET', 'acme:k')).toBe(before)
  })
})

describe('the key', () => {
  const take = 'CL.THROTTLE k 4 1 60'
  const full = integers(0, 5, 4, -1, 60)

  test('is a string of the tenant’s, behind its prefix, until the bucket is full', async () => {
    const client = await connect()
    await all(client, take)
    expect(await redis.cli('KEYS', '*')).toBe('acme:k')
    const [type, ttl, value] = await all(client, 'TYPE k', 'PTTL k', 'GET k')
    expect(type).toBe('+string\r\n')
    const left = Number(/:(\d+)/.exec(ttl)?.[1])
    expect(left).toBeGreaterThan(30_000)
    expect(left).toBeLessThanOrEqual(60_000)
    // Nanoseconds since the epoch, as redis-cell keeps them.
    const tat = BigInt(/\r\n(\d{19})\r\n/.exec(value)?.[1] as string) / 1_000_000n
    expect(Math.abs(Number(tat) - Date.now() - 60_000)).toBeLessThan(60_000)
  })

  test('a bucket that redis-cell has filled is gone on with', async () => {
    const client = await connect()
    await client.command('SET', 'k', `${BigInt(Date.now() + 90_000) * 1_000_000n}`)
    expect(numbersIn((await all(client, take))[0]).slice(0, 4)).toEqual([0, 5, 2, -1])
  })

  test('expires', { timeout: 60_000 }, async () => {
    const client = await connect()
    await client.command('CL.THROTTLE', 'k', '0', '5', '1')
    expect(await eventually(async () => (await redis.cli('EXISTS', 'acme:k')) === '0')).toBe(true)
    expect(await client.command('CL.STATUS', 'k', '0', '5', '1')).toBe(integers(0, 1, 1, -1, 0))
  })

  test.each(['DEL k', 'UNLINK k', 'FLUSHDB', 'FLUSHALL', 'RENAME k l'])('%s resets it', async (line) => {
    const client = await connect()
    await all(client, take, take)
    expect(await all(client, line, take)).toEqual([expect.not.stringMatching(/^-/), full])
  })

  test('belongs to one tenant, and to one database', async () => {
    const [acme, beta, five] = [await connect(), await connect('beta'), await connect('five')]
    await all(acme, take, take, take)
    expect(await all(beta, take)).toEqual([full])
    expect(await all(five, take, 'SELECT 3', take, 'SELECT 0', 'DEL k')).toEqual([
      full,
      '+OK\r\n',
      full,
      '+OK\r\n',
      ':1\r\n',
    ])
    expect((await redis.cli('KEYS', '*')).split('\n').sort()).toEqual(['acme:k', 'beta:k', 'five:3:k'])
  })

  test('of another kind, or of another meaning, is an error and stays', async () => {
    const client = await connect()
    await client.command('LPUSH', 'l', 'x')
    await client.command('SET', 's', 'x')
    const digits = '-Cell error: invalid digit found in string\r\n'
    expect(
      await all(
        client,
        'CL.THROTTLE l 1 1 1',
        'CL.STATUS l 1 1 1',
        'CL.THROTTLE s 1 1 1',
        'CL.STATUS s 1 1 1',
        'GET s',
      ),
    ).toEqual([WRONGTYPE, WRONGTYPE, digits, digits, '$1\r\nx\r\n'])
  })

  test('of a tenant without a prefix', async () => {
    await expectReplies(await connect('alone'), [take, take], [full, integers(0, 5, 3, -1, 120)])
    expect(await own.cli('KEYS', '*')).toBe('k')
  })
})

describe('to whom it does not belong', () => {
  test('it is an unknown command, in Redis’ own bytes', async () => {
    const client = await connect('plain')
    for (const line of ['CL.THROTTLE k 15 30 60', 'cl.status', 'CL.THROTTLE', "Cl.Throttle a'b \xff\0"]) {
      expect(await all(client, line)).toEqual(await all(bare, line))
    }
    expect(await all(client, 'MULTI', 'CL.THROTTLE k 1 1 1', 'EXEC')).toEqual([
      '+OK\r\n',
      unknown('CL.THROTTLE k 1 1 1'),
      '-EXECABORT Transaction discarded because of previous errors.\r\n',
    ])
    expect(await redis.cli('DBSIZE')).toBe('0')
  })

  test('it is not there before login', async () => {
    const client = await keyward.connect()
    clients.push(client)
    expect(await all(client, 'CL.THROTTLE k 15 30 60')).toEqual(['-NOAUTH Authentication required.\r\n'])
    expect(await redis.cli('DBSIZE')).toBe('0')
  })
})

describe('any number of Keywards', () => {
  test('let through what one does', { timeout: 60_000 }, async () => {
    const connections = await Promise.all([keyward, second, keyward, second].map((each) => connect('acme', each)))
    const replies = await Promise.all(
      connections.map((client) => all(client, ...Array(100).fill('CL.THROTTLE k 149 1 86400'))),
    )
    const admitted = replies.map((each) => each.filter((reply) => reply.startsWith('*5\r\n:0\r\n')).length)
    expect(admitted.reduce((a, b) => a + b)).toBe(150)
    const left = replies.flat().map((reply) => numbersIn(reply))
    // Each of the 150 was told another number of tokens that are left.
    expect(new Set(left.filter(([limited]) => limited === 0).map(([, , tokens]) => tokens)).size).toBe(150)
  })
})

describe('among other commands', () => {
  test('in a transaction', async () => {
    const lines = [
      'CL.THROTTLE k 1 1 60',
      'CL.THROTTLE k 1 1',
      'SET l x',
      'CL.STATUS k 1 1 60',
      'CL.THROTTLE k 1 1 60 2',
    ]
    const exec = [
      '*5\r\n',
      integers(0, 2, 1, -1, 60),
      '-Cell error: Usage: cl.throttle <key> <max_burst> <count per period> <period> [<quantity>]\r\n',
      '+OK\r\n',
      integers(0, 2, 1, -1, 60),
      integers(1, 2, 1, 60, 60),
    ].join('')
    const replies = ['+OK\r\n', ...Array(5).fill('+QUEUED\r\n'), exec]
    await expectReplies(await connect(), ['MULTI', ...lines, 'EXEC'], replies)
  })

  test('behind WATCH', async () => {
    const [client, other] = [await connect(), await connect()]
    await all(client, 'CL.THROTTLE k 5 1 60', 'WATCH k', 'CL.STATUS k 5 1 60')
    await all(other, 'CL.THROTTLE k 5 1 60')
    expect(await all(client, 'MULTI', 'PING', 'EXEC')).toEqual(['+OK\r\n', '+QUEUED\r\n', '*-1\r\n'])
  })

  test('in order, in one pipeline', async () => {
    const take = 'CL.THROTTLE k 1 1 60'
    await expectReplies(
      await connect(),
      ['SET k x', take, 'DEL k', take, 'TYPE k', 'CL.THROTTLE k 1 y 1', take],
      [
        '+OK\r\n',
        '-Cell error: invalid digit found in string\r\n',
        ':1\r\n',
        integers(0, 2, 1, -1, 60),
        '+string\r\n',
        "-Cell error: Couldn't parse as integer: y\r\n",
        integers(0, 2, 0, -1, 120),
      ],
    )
  })

  test('in RESP3, and where replies are off', async () => {
    const client = await connect()
    await client.command('HELLO', '3')
    const lines = ['CL.THROTTLE k 15 30 60', 'CL.STATUS k 15 30 60']
    await expectReplies(client, lines, Array(2).fill(integers(0, 16, 15, -1, 2)))
    client.send(Buffer.concat([request('CLIENT', 'REPLY', 'SKIP'), request('CL.THROTTLE', 'k', '15', '30', '60', '9')]))
    const [status] = await all(client, 'CL.STATUS k 15 30 60')
    expect(numbersIn(status)[2]).toBeLessThan(15)
  })

  test('MONITOR shows what the client sent', async () => {
    const [client, watcher] = [await connect(), await connect()]
    expect(await watcher.command('MONITOR')).toBe('+OK\r\n')
    await all(client, 'CL.THROTTLE k 15 30 60')
    const line = (await watcher.reply()).toString('latin1')
    expect(line).toMatch(/"CL\.THROTTLE" "k" "15" "30" "60"\r\n$/)
  })
})

describe('refusals of the upstream', () => {
  const take = 'CL.THROTTLE k 4 1 60'

  test('OOM, in Redis’ words', async () => {
    const client = await connect()
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1')
    try {
      expect(await all(client, take, 'SET l x', 'CL.STATUS k 4 1 60')).toEqual([
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        integers(0, 5, 5, -1, 0),
      ])
    } finally {
      await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
    }
  })

  test('NOPERM, in Redis’ words', async () => {
    // Behind a wall it would run as its tenant's user.
    const client = await connect('alone')
    await own.cli('ACL', 'SETUSER', 'default', '-eval')
    try {
      expect((await all(client, take))[0]).toMatch(/^-NOPERM .*'eval'/)
    } finally {
      await own.cli('ACL', 'SETUSER', 'default', '+eval')
    }
    expect(await all(client, take)).toEqual([integers(0, 5, 4, -1, 60)])
  })

  test('READONLY of an upstream that is meant to be a replica', { timeout: 60_000 }, async () => {
    const client = await connect('alone')
    await own.cli('REPLICAOF', '127.0.0.1', String(redis.port))
    try {
      expect(await all(client, take)).toEqual(["-READONLY You can't write against a read only replica.\r\n"])
      expect(await all(client, 'CL.STATUS k 4 1 60')).toEqual([integers(0, 5, 5, -1, 0)])
    } finally {
      await own.cli('REPLICAOF', 'NO', 'ONE')
    }
    expect(await eventually(async () => (await all(client, take))[0].startsWith('*5\r\n:0\r\n'))).toBe(true)
  })
})
