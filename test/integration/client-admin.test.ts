import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** CLIENT LIST, KILL, PAUSE and UNBLOCK over the tenant's own clients; LATENCY as of a server that records nothing. */

/** Milliseconds in which nothing may come. */
const QUIET = 150

let redis: RedisServer
let keyward: Keyward
let upstream: RawClient
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis({ config: ['user reader on nopass ~* &* +@all'] })
  const users = (name: string) => ({ default: { password: name }, reader: { password: `${name}-reader` } })
  keyward = await startKeyward(
    configFor(redis, {
      listeners: [{ address: '127.0.0.1:0' }],
      tenants: {
        acme: { upstream: 'main', databases: 4, users: users('acme') },
        beta: { upstream: 'main', users: users('beta') },
      },
    }),
  )
  upstream = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(() => places(keyward).pinsBlocked + places(keyward).pinsTransaction === 0)).toBe(true)
  expect(keyward.proxy.faults).toBe(0)
  expect(keyward.proxy.gates.closed).toBe(false)
  await upstream.command('FLUSHALL')
})

afterAll(async () => {
  upstream?.destroy()
  keyward?.stop()
  await redis?.stop()
})

async function connect(password = 'acme', user = 'default'): Promise<RawClient> {
  const client = await keyward.connect({ user, password })
  open.push(client)
  return client
}

async function connectBare(): Promise<RawClient> {
  const client = await RawClient.connect({ port: redis.port })
  open.push(client)
  return client
}

async function idOf(client: RawClient): Promise<string> {
  return (await client.command('CLIENT', 'ID')).slice(1).trim()
}

async function field(client: RawClient, name: string): Promise<string> {
  return new RegExp(`[ \\n]${name}=(\\S*)`).exec(await client.command('CLIENT', 'INFO'))?.[1] ?? ''
}

describe('texts', () => {
  const ROWS = [
    ...['', 'x', '127.0.0.1:1', 'ID', 'ID 0', 'ID abc', 'ID -1', 'ID 999999', 'ID 9223372036854775808'],
    ...['TYPE nope', 'TYPE slave', 'TYPE PubSub', 'TYPE master', 'USER nobody', 'ADDR 1.2.3.4:5', 'LADDR 1.2.3.4:5'],
    ...['SKIPME maybe', 'ID 999999 FOO', 'ID 999999 FOO x', 'ID 999999 ID', 'a b', 'USER reader', 'TYPE'],
    ...['ID 999999 SKIPME no', 'ID 999999 SKIPME YES TYPE normal USER default ADDR x LADDR y', 'ID 5 TYPE nope ID x'],
  ].map((row) => `KILL ${row}`)
  ROWS.push(
    ...['', 'x', '-1', '0', '1 NOPE', 'x NOPE', '1 2 3', '1.5', '01', '0 all', '0 WRITE', '-1 write'].map(
      (row) => `PAUSE ${row}`,
    ),
    ...['', 'x'].map((row) => `UNPAUSE ${row}`),
    ...[
      '',
      'x',
      '999999',
      '999999 NOPE',
      'x NOPE',
      '999999 TIMEOUT',
      '999999 error',
      '1 error x',
      '-1',
      '9'.repeat(20),
    ].map((row) => `UNBLOCK ${row}`),
    ...['TYPE x', 'FOO', 'TYPE pubsub', 'TYPE replica', 'TYPE', 'ID', 'ID x', 'ID 999999', 'USER default'].map(
      (row) => `LIST ${row}`,
    ),
    'NOSUCH',
  )
  const LATENCY = [
    ...[
      '',
      'LATEST',
      'LATEST x',
      'HISTORY',
      'HISTORY command',
      'RESET',
      'RESET a b',
      'DOCTOR x',
      'GRAPH',
      'GRAPH event',
    ],
    ...['NOSUCH', 'HELP x'],
  ]
  const words = (line: string) => line.split(' ').filter((word) => word !== '')

  test.each([2, 3])('answers and errors are those of a server of its own, RESP%i', async (protocol) => {
    const [bare, ours] = [await connectBare(), await connect()]
    for (const client of [bare, ours]) await client.command('HELLO', protocol)
    const all = [...ROWS.map((row) => ['CLIENT', ...words(row)]), ...LATENCY.map((row) => ['LATENCY', ...words(row)])]
    all.push(
      ['CLIENT', 'KILL', 'TYPE', 'no\r\npe'],
      ['CLIENT', 'KILL', 'USER', 'no\r\npe'],
      ['LATENCY', 'GRAPH', 'a\r\nb'],
    )
    for (const each of all) expect([each, await ours.command(...each)]).toEqual([each, await bare.command(...each)])
  })

  test('MAXAGE is that of Redis 7.4', async () => {
    const client = await connect()
    expect(await client.command('CLIENT', 'KILL', 'MAXAGE', 'x')).toBe(
      '-ERR maxage is not an integer or out of range\r\n',
    )
    expect(await client.command('CLIENT', 'KILL', 'MAXAGE', 0)).toBe('-ERR maxage should be greater than 0\r\n')
    await connect()
    expect(await client.command('CLIENT', 'KILL', 'MAXAGE', 100_000)).toBe(':0\r\n')
  })

  test('LATENCY DOCTOR and HISTOGRAM say that nothing is recorded', async () => {
    const client = await connect()
    expect(await client.command('LATENCY', 'DOCTOR')).toMatch(/^\$\d+\r\nLatency monitoring is disabled/)
    expect(await client.command('LATENCY', 'HISTOGRAM')).toBe('*0\r\n')
    expect(await client.command('LATENCY', 'HELP')).toContain('HISTOGRAM')
    expect(await client.command('CONFIG', 'GET', 'latency-monitor-threshold')).toContain('$1\r\n0\r\n')
  })
})

describe('CLIENT LIST and INFO', () => {
  test('tell what a client is doing', async () => {
    const [client, other] = [await connect(), await connect()]
    expect(await field(client, 'multi')).toBe('-1')
    expect(await field(client, 'flags')).toBe('N')
    const line = async () =>
      (await client.command('CLIENT', 'LIST', 'ID', await idOf(client))).includes('id=') &&
      (await client.command('CLIENT', 'LIST'))
        .split('\n')
        .find((one) => one.includes(`laddr=`) && one.includes('name=it '))
    await other.command('CLIENT', 'SETNAME', 'it')
    await other.exchange(
      Buffer.concat([request('MULTI'), request('INCR', 'n'), request('PING'), request('INCR', 'n')]),
      4,
    )
    expect(await line()).toMatch(/ flags=x .* multi=3 .* cmd=incr /)
    await other.command('DISCARD')
    expect(await line()).toMatch(/ flags=N .* multi=-1 .* cmd=discard /)
    other.send(request('BLPOP', 'q', 0))
    expect(await eventually(async () => / flags=b .* cmd=blpop /.test(String(await line())))).toBe(true)
    expect(await client.command('INFO', 'clients')).toContain('blocked_clients:1\r\n')
    await client.command('RPUSH', 'q', 'x')
    await other.reply()
    expect(await client.command('INFO', 'clients')).toContain('blocked_clients:0\r\n')
    expect(await line()).toMatch(/ flags=N /)
    await other.command('MONITOR')
    expect(await line()).toMatch(/ flags=O /)
  })
})

describe('CLIENT KILL', () => {
  test('by address, as the old form does: +OK, or an error', async () => {
    const [killer, victim] = [await connect(), await connect()]
    const address = await field(victim, 'addr')
    expect(await killer.command('CLIENT', 'KILL', address)).toBe('+OK\r\n')
    expect(await victim.closed()).toHaveLength(0)
    expect(await killer.command('CLIENT', 'KILL', address)).toBe('-ERR No such client\r\n')
  })

  test('by id, address, user, type: as many as there were', async () => {
    const killer = await connect()
    const others = await Promise.all([connect(), connect(), connect('acme-reader', 'reader')])
    const [first, second, reader] = others
    const kill = (...filter: string[]) => killer.command('CLIENT', 'KILL', ...filter)
    expect(await kill('ID', await idOf(first), 'USER', 'reader')).toBe(':0\r\n')
    expect(await kill('ID', await idOf(first))).toBe(':1\r\n')
    await first.closed()
    expect(await kill('USER', 'reader')).toBe(':1\r\n')
    await reader.closed()
    expect(await kill('ADDR', await field(second, 'addr'), 'LADDR', await field(killer, 'laddr'))).toBe(':1\r\n')
    await second.closed()
    const more = await Promise.all([connect(), connect()])
    expect(await kill('TYPE', 'normal')).toBe(':2\r\n')
    for (const client of more) await client.closed()
    expect(await killer.command('PING')).toBe('+PONG\r\n')
  })

  test('whoever kills itself is answered first, and nothing behind that', async () => {
    for (const client of [await connectBare(), await connect()]) {
      const id = await idOf(client)
      client.send(Buffer.concat([request('CLIENT', 'KILL', 'ID', id, 'SKIPME', 'no'), request('SET', 'after', 1)]))
      expect(String(await client.closed())).toBe(':1\r\n')
    }
    for (const client of [await connectBare(), await connect()]) {
      const address = await field(client, 'addr')
      client.send(Buffer.concat([request('CLIENT', 'KILL', address), request('SET', 'after', 1)]))
      expect(String(await client.closed())).toBe('+OK\r\n')
    }
    expect(await upstream.command('EXISTS', 'after', 'acme:0:after')).toBe(':0\r\n')
  })

  test('inside MULTI it happens at EXEC', async () => {
    const [killer, victim] = [await connect(), await connect()]
    const ids = [await idOf(killer), await idOf(victim)]
    await killer.command('MULTI')
    for (const id of ids) await killer.command('CLIENT', 'KILL', 'ID', id, 'SKIPME', 'no')
    await killer.command('INCR', 'n')
    expect(await victim.command('PING')).toBe('+PONG\r\n')
    killer.send(request('EXEC'))
    expect(String(await killer.closed())).toBe('*3\r\n:1\r\n:1\r\n:1\r\n')
    await victim.closed()
  })

  test('who is killed is gone for the request behind it', async () => {
    const [killer, victim] = [await connect(), await connect()]
    const id = await idOf(victim)
    const kill = request('CLIENT', 'KILL', 'ID', id)
    const replies = await killer.exchange(Buffer.concat([kill, kill, request('CLIENT', 'LIST', 'ID', id)]), 3)
    expect(replies.map(String)).toEqual([':1\r\n', ':0\r\n', '$0\r\n\r\n'])
  })

  test('a client that blocks takes nothing any more', async () => {
    const [killer, victim] = [await connect(), await connect()]
    const id = await idOf(victim)
    victim.send(request('BLPOP', 'q', 0))
    expect(await eventually(() => places(keyward).pinsBlocked === 1)).toBe(true)
    expect(await killer.command('CLIENT', 'KILL', 'ID', id)).toBe(':1\r\n')
    await victim.closed()
    expect(await eventually(() => places(keyward).pinsBlocked === 0)).toBe(true)
    expect(await eventually(async () => (await redis.info('clients')).get('blocked_clients') === '0')).toBe(true)
    await killer.command('RPUSH', 'q', 'x')
    expect(await killer.command('LLEN', 'q')).toBe(':1\r\n')
  })

  test('no client of another tenant', async () => {
    const [killer, other] = [await connect(), await connect('beta')]
    expect(await killer.command('CLIENT', 'KILL', 'ID', await idOf(other))).toBe(':0\r\n')
    expect(await killer.command('CLIENT', 'KILL', await field(other, 'addr'))).toBe('-ERR No such client\r\n')
    expect(await killer.command('CLIENT', 'KILL', 'USER', 'default')).toBe(':0\r\n')
    expect(await killer.command('CLIENT', 'KILL', 'TYPE', 'normal')).toBe(':0\r\n')
    expect(await other.command('PING')).toBe('+PONG\r\n')
  })
})

describe('CLIENT PAUSE', () => {
  test('holds back all that goes upstream, of this tenant, until UNPAUSE', async () => {
    const [client, other, foreign] = [await connect(), await connect(), await connect('beta')]
    await client.command('SET', 'a', 1)
    expect(await other.command('CLIENT', 'PAUSE', 600_000)).toBe('+OK\r\n')
    client.send(Buffer.concat([request('PING'), request('INCR', 'a'), request('GET', 'a'), request('PING')]))
    expect(String(await client.reply())).toBe('+PONG\r\n')
    // Whoever has paused is paused, too.
    other.send(request('GET', 'a'))
    await client.silence(QUIET)
    expect(other.pending).toBe(0)
    expect(await upstream.command('GET', 'acme:0:a')).toBe('$1\r\n1\r\n')
    expect(await foreign.command('SET', 'a', 'b')).toBe('+OK\r\n')
    const third = await connect()
    expect(await third.command('CLIENT', 'UNPAUSE')).toBe('+OK\r\n')
    expect((await client.replies(3)).map(String)).toEqual([':2\r\n', '$1\r\n2\r\n', '+PONG\r\n'])
    expect(String(await other.reply())).toMatch(/^\$1\r\n[12]\r\n$/)
  })

  test('WRITE lets reads through', async () => {
    const [client, other] = [await connect(), await connect()]
    await other.command('CLIENT', 'PAUSE', 600_000, 'write')
    expect(await client.command('GET', 'a')).toBe('$-1\r\n')
    expect(await client.command('DBSIZE')).toBe(':0\r\n')
    const writer = await connect()
    writer.send(request('SET', 'a', 1))
    const flusher = await connect()
    flusher.send(request('FLUSHDB'))
    const transaction = await connect()
    transaction.send(Buffer.concat([request('MULTI'), request('GET', 'a'), request('EXEC')]))
    expect((await transaction.replies(2)).map(String)).toEqual(['+OK\r\n', '+QUEUED\r\n'])
    await writer.silence(QUIET)
    expect([flusher.pending, transaction.pending]).toEqual([0, 0])
    await other.command('CLIENT', 'UNPAUSE')
    expect(String(await writer.reply())).toBe('+OK\r\n')
    expect(String(await flusher.reply())).toBe('+OK\r\n')
    expect(String(await transaction.reply())).toMatch(/^\*1\r\n/)
  })

  test('ends by itself', async () => {
    const [client, other] = [await connect(), await connect()]
    const begun = performance.now()
    await other.command('CLIENT', 'PAUSE', 400)
    expect(await client.command('INCR', 'n')).toBe(':1\r\n')
    expect(performance.now() - begun).toBeGreaterThan(390)
  })

  test('a second one makes it longer and stricter, never shorter or laxer', async () => {
    const [client, other] = [await connect(), await connect()]
    await other.command('CLIENT', 'PAUSE', 600_000, 'WRITE')
    client.send(request('INCR', 'n'))
    await other.command('CLIENT', 'PAUSE', 1)
    const reader = await connect()
    reader.send(request('GET', 'n'))
    await reader.silence(QUIET)
    await other.command('CLIENT', 'PAUSE', 1, 'WRITE')
    await reader.silence(QUIET)
    expect(client.pending).toBe(0)
    await other.command('CLIENT', 'UNPAUSE')
    expect(String(await client.reply())).toBe(':1\r\n')
    await reader.reply()
  })

  test('EXEC waits, and so does what blocks', async () => {
    const [client, other, blocker] = [await connect(), await connect(), await connect()]
    await client.exchange(Buffer.concat([request('MULTI'), request('INCR', 'n')]), 2)
    await other.command('CLIENT', 'PAUSE', 600_000)
    client.send(request('EXEC'))
    blocker.send(request('BLPOP', 'q', 0))
    await client.silence(QUIET)
    expect(await upstream.command('EXISTS', 'acme:0:n')).toBe(':0\r\n')
    await other.command('CLIENT', 'UNPAUSE')
    expect(String(await client.reply())).toBe('*1\r\n:1\r\n')
    await client.command('RPUSH', 'q', 'x')
    expect(String(await blocker.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  })

  test('what waited for a client that has left is not done', async () => {
    for (const leave of ['end', 'reset'] as const) {
      const [client, other] = [await connect(), await connect()]
      await other.command('CLIENT', 'PAUSE', 600_000)
      client.send(request('SET', 'left', 1))
      expect(await eventually(() => places(keyward).barrier === 1)).toBe(true)
      if (leave === 'end') await client.end()
      else client.reset()
      expect(await eventually(() => places(keyward).barrier === 0)).toBe(true)
      await other.command('CLIENT', 'UNPAUSE')
      expect(await other.command('EXISTS', 'left')).toBe(':0\r\n')
    }
  })

  test('the upstream hears nothing of it', async () => {
    const client = await connect()
    await upstream.command('CONFIG', 'RESETSTAT')
    await client.command('CLIENT', 'PAUSE', 600_000)
    await client.command('CLIENT', 'UNPAUSE')
    expect(await upstream.command('INFO', 'commandstats')).not.toContain('client|pause')
  })
})

describe('CLIENT UNBLOCK', () => {
  const BLOCKING: readonly (readonly [string, readonly (string | number)[]])[] = [
    ['BLPOP', ['BLPOP', 'q', 0]],
    ['BLMOVE', ['BLMOVE', 'q', 'to', 'LEFT', 'LEFT', 0]],
    ['BZPOPMIN', ['BZPOPMIN', 'z', 0]],
    ['XREAD', ['XREAD', 'BLOCK', 0, 'STREAMS', 's', '$']],
    ['WAIT', ['WAIT', 1, 0]],
  ]

  async function block(client: RawClient, words: readonly (string | number)[], count = 1): Promise<void> {
    client.send(request(...words))
    const blocked = async () => Number((await redis.info('clients')).get('blocked_clients'))
    expect(await eventually(async () => (await blocked()) === count)).toBe(true)
  }

  test.each(BLOCKING)(
    '%s gets what a server of its own would say, and its connection goes to nobody',
    async (_, words) => {
      for (const protocol of [2, 3]) {
        for (const reason of [[], ['TIMEOUT'], ['error']]) {
          const said = []
          for (const connectOne of [connectBare, connect]) {
            const [client, other] = [await connectOne(), await connectOne()]
            await client.command('HELLO', protocol)
            const id = await idOf(client)
            await block(client, words)
            const pin = /id=(\d+) \S+ \S+ \S+ name=keyward .* flags=b /.exec(
              await upstream.command('CLIENT', 'LIST'),
            )?.[1]
            expect(await other.command('CLIENT', 'UNBLOCK', id, ...reason)).toBe(':1\r\n')
            said.push(String(await client.reply()))
            expect(await other.command('CLIENT', 'UNBLOCK', id, ...reason)).toBe(':0\r\n')
            expect(await client.command('PING')).toBe('+PONG\r\n')
            expect(pin !== undefined).toBe(connectOne === connect)
            if (pin === undefined) continue
            const gone = async () => !(await upstream.command('CLIENT', 'LIST')).includes(`id=${pin} `)
            expect(await eventually(gone)).toBe(true)
          }
          expect(said[1]).toBe(said[0])
        }
      }
    },
  )

  test('waits for its turn, and later requests for it', async () => {
    const [client, other] = [await connect(), await connect()]
    const id = await idOf(client)
    await block(client, ['BLPOP', 'q', 0])
    const requests = [request('INCR', 'n'), request('CLIENT', 'UNBLOCK', id), request('INCR', 'n')]
    expect((await other.exchange(Buffer.concat(requests), 3)).map(String)).toEqual([':1\r\n', ':1\r\n', ':2\r\n'])
    expect(String(await client.reply())).toBe('*-1\r\n')
  })

  test('nobody who does not block, and nobody of another tenant', async () => {
    const [client, other, foreign] = [await connect(), await connect(), await connect('beta')]
    expect(await other.command('CLIENT', 'UNBLOCK', await idOf(client))).toBe(':0\r\n')
    const id = await idOf(foreign)
    await block(foreign, ['BLPOP', 'q', 0])
    expect(await other.command('CLIENT', 'UNBLOCK', id, 'ERROR')).toBe(':0\r\n')
    await foreign.silence(QUIET)
    await upstream.command('RPUSH', 'beta:q', 'x')
    expect(String(await foreign.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  })

  test('is refused inside MULTI', async () => {
    const client = await connect()
    await client.command('MULTI')
    expect(await client.command('CLIENT', 'UNBLOCK', 1)).toBe('-ERR Command not allowed inside a transaction\r\n')
    expect(await client.command('EXEC')).toMatch(/^-EXECABORT/)
  })
})
