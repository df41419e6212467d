import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ageServer } from '../differential/ttl-sides.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A write and what gives its keys a time to live are one piece: nobody sees one without the other, and the client hears of the
 * write when both are done.
 */
const UNKNOWN = '-OUTCOMEUNKNOWN sent but not confirmed: it may or may not have been executed\r\n'
const ROUNDS = { default: 150, long: 3000, drill: 10_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 150

let redis: RedisServer
let fault: FaultProxy
let keyward: Keyward
let bare: RawClient

beforeEach(async () => {
  redis = await startRedis()
  fault = await FaultProxy.start({ port: redis.port })
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  bare.destroy()
  keyward.stop()
  await fault.stop()
  await redis.stop()
})

async function start(
  upstream: ConfigObject = {},
  through: { readonly url: string } = redis,
  more: ConfigObject = {},
): Promise<void> {
  const ttl = [{ keys: '*', default: '1h' }]
  const tenants = { acme: { upstream: 'main', users: { default: { password: 'acme' } }, ttl, ...more } }
  // What plays an old server is none, and would get walls, which an old one cannot have.
  keyward = await startKeyward(configFor(through, { tenants }, { walls: 'off', ...upstream }))
}

const connect = () => keyward.connect({ password: 'acme' })
const pttl = async (key: string) => Number((await bare.command('PTTL', `acme:${key}`)).slice(1))
const pieces = (...requests: readonly (readonly (string | number)[])[]) =>
  Buffer.concat(requests.map((args) => request(...args)))

describe.each([false, true])('a server that is old: %s', (old) => {
  const age = () => old && ageServer(keyward)

  test("a client's own WATCH behind a write in one pipeline sees nobody else's write", async () => {
    await start()
    const client = await connect()
    await client.command('PING')
    age()
    for (let i = 0; i < ROUNDS; i++) {
      const replies = await client.exchange(
        pieces(
          ['INCR', `k${i}`],
          ['LPUSH', `l${i}`, 'x'],
          ['WATCH', `k${i}`, `l${i}`],
          ['MULTI'],
          ['GET', `k${i}`],
          ['EXEC'],
        ),
        6,
      )
      expect(String(replies[5])).toBe('*1\r\n$1\r\n1\r\n')
    }
    client.destroy()
  })

  test("another client's WATCH, once the write is acknowledged, sees none", async () => {
    await start()
    const [writer, reader] = [await connect(), await connect()]
    await writer.command('PING')
    age()
    for (let i = 0; i < ROUNDS; i++) {
      const key = `k${i}`
      expect(await writer.command('HSET', key, 'f', i)).toBe(':1\r\n')
      const replies = await reader.exchange(pieces(['WATCH', key], ['MULTI'], ['HLEN', key], ['EXEC']), 4)
      expect(String(replies[3])).toBe('*1\r\n:1\r\n')
      // Past Keyward, too.
      const direct = await bare.exchange(
        pieces(['WATCH', `acme:${key}`], ['PTTL', `acme:${key}`], ['MULTI'], ['EXEC']),
        4,
      )
      expect(Number(String(direct[1]).slice(1))).toBeGreaterThan(0)
      expect(String(direct[3])).toBe('*0\r\n')
    }
    for (const client of [writer, reader]) client.destroy()
  })

  test('nothing of anybody comes between the two on the server', async () => {
    await start({ lanes: 4 })
    const clients = await Promise.all(Array.from({ length: 8 }, connect))
    await clients[0].command('PING')
    age()
    const monitor = await RawClient.connect({ port: redis.port })
    await monitor.command('MONITOR')
    await Promise.all(
      clients.map(async (client, c) => {
        for (let i = 0; i < ROUNDS / 10; i++) {
          const key = `${c}:${i}`
          await client.exchange(
            pieces(['INCR', key], ['GET', key], ['SADD', `${key}s`, 'x'], ['MSET', `${key}a`, 1, `${key}b`, 2]),
            4,
          )
        }
      }),
    )
    await bare.command('PING', 'that is all')
    const lines = String(await monitor.receive('"that is all"')).split('\r\n')
    const words = lines.map((line) => [...line.matchAll(/"([^"]*)"/g)].map(([, word]) => word))
    let writes = 0
    const expected = (line: string, key: string) =>
      old
        ? new RegExp(`"EVAL" .* "1" "${key}" "3600000"$`).test(line)
        : line.endsWith(`"PEXPIRE" "${key}" "3600000" "NX"`)
    // What a script does has lines of its own.
    const outside = lines
      .map((line, i) => [line, words[i]] as const)
      .filter(([line]) => !/^\+[\d.]+ \[0 lua\]/.test(line))
    outside.forEach(([, [command, ...args]], i) => {
      if (!['INCR', 'SADD', 'MSET'].includes(command)) return
      writes++
      const keys = command === 'MSET' ? [args[0], args[2]] : [args[0]]
      for (const [n, key] of keys.entries()) {
        expect(outside[i + 1 + n][0]).toSatisfy((line: string) => expected(line, key))
      }
    })
    expect(writes).toBe(clients.length * Math.ceil(ROUNDS / 10) * 3)
    for (const client of [...clients, monitor]) client.destroy()
  })
})

describe('the reply is held until what follows the write is answered', () => {
  /** So many bytes of the answers come back, then the connection is lost. */
  async function cutAfter(bytes: number, ...requests: readonly (readonly string[])[]): Promise<readonly string[]> {
    const client = await connect()
    fault.cutFrom(`\r\nacme:${requests[0][1]}\r\n`, 'reply', bytes)
    const replies = await client.exchange(pieces(...requests), requests.length)
    client.destroy()
    return replies.map(String)
  }

  test('a write whose reply is in and whose PEXPIRE may not have been is not acknowledged', async () => {
    await start({ lanes: 1 }, fault)
    // The expiry is sent again on the next connection: the next cut must not hit that.
    const mended = async (...keys: readonly string[]) => {
      for (const key of keys) expect(await eventually(async () => (await pttl(key)) > 0)).toBe(true)
      const client = await connect()
      await client.command('GET', 'a')
      client.destroy()
    }
    expect(await cutAfter(':1\r\n'.length, ['INCR', 'a'])).toEqual([UNKNOWN])
    await mended('a')
    expect(await cutAfter(':1\r\n:'.length, ['INCR', 'b'])).toEqual([UNKNOWN])
    await mended('b')
    expect(await cutAfter(':1\r\n:1\r\n'.length, ['INCR', 'c'], ['INCR', 'd'])).toEqual([':1\r\n', UNKNOWN])
    await mended('c', 'd')
    // Both keys of two have to be done.
    expect(await cutAfter('+OK\r\n:1\r\n'.length, ['MSET', 'e', '1', 'f', '1'])).toEqual([UNKNOWN])
    await mended('e', 'f')
    expect(fault.cuts).toBe(4)
    // This one says it all in itself.
    expect(await cutAfter('+OK\r\n'.length, ['SET', 'g', '1'], ['INCR', 'h'])).toEqual(['+OK\r\n', UNKNOWN])
    expect(await pttl('g')).toBeGreaterThan(0)
  })

  test('in any number of chunks', async () => {
    await start({ lanes: 1 }, fault)
    const client = await connect()
    // What its lane asks first is long.
    expect(await client.command('SET', 'ready', '1')).toBe('+OK\r\n')
    fault.faults = { trickle: 1 }
    const replies = await client.exchange(
      pieces(
        ['INCR', 'a'],
        ['RPUSH', 'l', 'x', 'y'],
        ['LPOP', 'l', '5'],
        ['MSET', 'b', 1, 'c', 2],
        ['INCR', 'l2'],
        ['GET', 'a'],
      ),
      6,
    )
    expect(replies.map(String)).toEqual([
      ':1\r\n',
      ':2\r\n',
      '*2\r\n$1\r\nx\r\n$1\r\ny\r\n',
      '+OK\r\n',
      ':1\r\n',
      '$1\r\n1\r\n',
    ])
    const inMulti = await client.exchange(pieces(['MULTI'], ['INCR', 'a'], ['LPUSH', 'm', 'x'], ['EXEC']), 4)
    expect(String(inMulti[3])).toBe('*2\r\n:2\r\n:1\r\n')
    fault.heal()
    for (const key of ['a', 'b', 'c', 'l2', 'm']) expect(await pttl(key)).toBeGreaterThan(0)
    client.destroy()
  })

  test('a server that is slow: the write is abandoned with what follows it, and the next reply is the right one', async () => {
    await start({ lanes: 1, timeouts: { request: '300ms' } }, fault)
    const client = await connect()
    expect(await client.command('INCR', 'a')).toBe(':1\r\n')
    fault.faults = { stall: 'reply' }
    expect(await client.command('MSET', 'a', 5, 'b', 6)).toMatch(/^-OUTCOMEUNKNOWN /)
    fault.heal()
    // The slots that were abandoned are filled; nothing is out of step.
    for (let i = 6; i < 40; i++) expect(await client.command('INCR', 'a')).toBe(`:${i}\r\n`)
    expect(await pttl('b')).toBeGreaterThan(0)
    client.destroy()
    expect(await leftovers(keyward)).toEqual({})
  })

  test('a client that leaves in the middle leaves nothing behind', async () => {
    await start({ lanes: 1 }, fault)
    const stays = await connect()
    await stays.command('PING')
    for (let i = 0; i < 20; i++) {
      const client = await connect()
      fault.faults = { latency: 2 }
      client.send(pieces(['INCR', `a${i}`], ['LPUSH', `l${i}`, 'x'], ['MULTI'], ['INCR', `m${i}`], ['EXEC']))
      expect(await stays.command('INCR', 'n')).toBe(`:${i + 1}\r\n`)
      client.reset()
    }
    fault.heal()
    expect(await stays.command('INCR', 'n')).toBe(':21\r\n')
    stays.destroy()
    expect(await leftovers(keyward)).toEqual({})
    for (let i = 0; i < 20; i++) for (const key of [`a${i}`, `l${i}`, `m${i}`]) expect(await pttl(key)).not.toBe(-1)
  })
})

describe('blocking', () => {
  test('what is moved by a command that waited has a time to live, as has what it was taken from', async () => {
    await start()
    const [taker, giver] = [await connect(), await connect()]
    for (const [words, reply] of [
      ['BLMOVE from to LEFT RIGHT 0', '$1\r\nx\r\n'],
      ['BRPOPLPUSH from to 0', '$1\r\ny\r\n'],
      ['BLPOP none from 0', '*2\r\n$4\r\nfrom\r\n$1\r\nx\r\n'],
      ['BLMPOP 0 2 none from RIGHT', '*2\r\n$4\r\nfrom\r\n*1\r\n$1\r\ny\r\n'],
    ] as const) {
      taker.send(request(...words.split(' ')))
      expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '1')).toBe(true)
      expect(await giver.command('RPUSH', 'from', 'x', 'y')).toBe(':2\r\n')
      expect(String(await taker.reply())).toBe(reply)
      expect(await pttl('from')).toBeGreaterThan(0)
      await giver.command('DEL', 'from')
    }
    expect(await pttl('to')).toBeGreaterThan(0)
    // Past Keyward, so the destination alone is what Keyward can see to.
    taker.send(pieces(['BLMOVE', 'raw', 'new', 'LEFT', 'RIGHT', '0'], ['GET', 'x']))
    expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '1')).toBe(true)
    await bare.command('RPUSH', 'acme:raw', 'x', 'y')
    expect((await taker.replies(2)).map(String)).toEqual(['$1\r\nx\r\n', '$-1\r\n'])
    expect(await pttl('new')).toBeGreaterThan(0)
    expect(await pttl('raw')).toBeGreaterThan(0)
    for (const client of [taker, giver]) client.destroy()
  })

  test('what waits when the server becomes a replica waits again afterwards, with what follows it', async () => {
    await start({ hold: { time: '30s' } })
    const taker = await connect()
    const blocked = async () => (await redis.info('clients')).get('blocked_clients')
    taker.send(pieces(['BLMOVE', 'from', 'to', 'LEFT', 'RIGHT', '0'], ['INCR', 'a']))
    expect(await eventually(async () => (await blocked()) === '1')).toBe(true)
    await bare.command('REPLICAOF', '127.0.0.1', '1')
    expect(await eventually(async () => (await blocked()) === '0')).toBe(true)
    await bare.command('REPLICAOF', 'NO', 'ONE')
    expect(await eventually(async () => (await blocked()) === '1')).toBe(true)
    await bare.command('RPUSH', 'acme:from', 'x', 'y')
    expect((await taker.replies(2)).map(String)).toEqual(['$1\r\nx\r\n', ':1\r\n'])
    for (const key of ['from', 'to', 'a']) expect(await pttl(key), key).toBeGreaterThan(0)
    taker.destroy()
  })

  test('a time-out, CLIENT UNBLOCK, and a client that leaves', async () => {
    await start()
    const [taker, other] = [await connect(), await connect()]
    expect(await taker.command('BLMOVE', 'none', 'to', 'LEFT', 'RIGHT', '0.01')).toBe('*-1\r\n')
    const id = (await taker.command('CLIENT', 'ID')).slice(1, -2)
    for (const [how, reply] of [
      ['TIMEOUT', '*-1\r\n'],
      ['ERROR', '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n'],
    ]) {
      taker.send(request('BLMOVE', 'none', 'to', 'LEFT', 'RIGHT', '0'))
      expect(await eventually(async () => (await other.command('CLIENT', 'UNBLOCK', id, how)) === ':1\r\n')).toBe(true)
      expect(String(await taker.reply())).toBe(reply)
    }
    taker.send(request('BLMOVE', 'none', 'to', 'LEFT', 'RIGHT', '0'))
    expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '1')).toBe(true)
    taker.reset()
    expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '0')).toBe(true)
    expect(await other.command('INCR', 'a')).toBe(':1\r\n')
    other.destroy()
    expect(await leftovers(keyward)).toEqual({})
  })
})

test('writes that a limit holds back go out whole, and one that it rejects not at all', async () => {
  const limits = [
    { name: 'held', commands: '-@all +incr +mset', rate: '20/s', burst: 1, action: 'delay', maxDelay: '30s' },
    { name: 'none', commands: '-@all +lpush', rate: '1/h', burst: 1 },
  ]
  await start({}, redis, { limits })
  const client = await connect()
  const replies = await client.exchange(
    pieces(
      ['INCR', 'a'],
      ['INCR', 'b'],
      ['MSET', 'c', 1, 'd', 2],
      ['LPUSH', 'e', 'x'],
      ['LPUSH', 'f', 'x'],
      ['SADD', 'g', 'x'],
    ),
    6,
  )
  expect(replies.map((reply) => String(reply).slice(0, 6))).toEqual([
    ':1\r\n',
    ':1\r\n',
    '+OK\r\n',
    ':1\r\n',
    '-RATEL',
    ':1\r\n',
  ])
  for (const key of ['a', 'b', 'c', 'd', 'e', 'g']) expect(await pttl(key), key).toBeGreaterThan(0)
  expect(await pttl('f')).toBe(-2)
  client.destroy()
  expect(await leftovers(keyward)).toEqual({})
})

describe('a server that refuses for a while', () => {
  test('what was not executed is sent again with what follows it', async () => {
    await start({ hold: { time: '20s' } })
    const client = await connect()
    expect(await client.command('INCR', 'a')).toBe(':1\r\n')
    await bare.command('REPLICAOF', '127.0.0.1', '1')
    client.send(pieces(['INCR', 'a'], ['MSET', 'b', 1, 'c', 2], ['SET', 'd', 1]))
    expect(await eventually(() => places(keyward).held > 0)).toBe(true)
    await bare.command('REPLICAOF', 'NO', 'ONE')
    expect((await client.replies(3)).map(String)).toEqual([':2\r\n', '+OK\r\n', '+OK\r\n'])
    for (const key of ['a', 'b', 'c', 'd']) expect(await pttl(key)).toBeGreaterThan(0)
    expect(await client.command('INCR', 'a')).toBe(':3\r\n')
    client.destroy()
  })

  test('a server out of memory refuses the write, and the rest of the connection is in step', async () => {
    await start()
    const client = await connect()
    await bare.command('CONFIG', 'SET', 'maxmemory', 1)
    const replies = await client.exchange(
      pieces(['INCR', 'a'], ['MULTI'], ['INCR', 'b'], ['LPUSH', 'c', 'x'], ['EXEC'], ['GET', 'a'], ['DEL', 'a']),
      7,
    )
    const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
    expect(replies.map(String)).toEqual([
      OOM,
      '+OK\r\n',
      OOM,
      OOM,
      '-EXECABORT Transaction discarded because of previous errors.\r\n',
      '$-1\r\n',
      ':0\r\n',
    ])
    await bare.command('CONFIG', 'SET', 'maxmemory', 0)
    const after = await client.exchange(pieces(['INCR', 'a'], ['MULTI'], ['INCR', 'b'], ['EXEC'], ['INCR', 'a']), 5)
    expect(after.map(String)).toEqual([':1\r\n', '+OK\r\n', '+QUEUED\r\n', '*1\r\n:1\r\n', ':2\r\n'])
    for (const key of ['a', 'b']) expect(await pttl(key)).toBeGreaterThan(0)
    client.destroy()
  })
})
