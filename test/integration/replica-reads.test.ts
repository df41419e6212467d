import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ask as askServer } from '../helpers/ask.ts'
import { Crew, withCrewTenants } from '../helpers/crew.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { startSentinelSet } from '../helpers/sentinel-set.ts'

/**
 * `replicas: {read: prefer}`: replicas take reads off the primary, and all that a client can tell is that other clients'
 * writes may reach it up to `maxLag` late. Its own it always sees.
 */
let primary: RedisServer
let replica: RedisServer
/** What the replica gets of the primary comes through here. */
let link: FaultProxy
let keyward: Keyward
const clients: RawClient[] = []

beforeAll(async () => {
  primary = await startRedis({ config: ['repl-diskless-sync yes', 'repl-diskless-sync-delay 0', 'repl-timeout 600'] })
  link = await FaultProxy.start({ port: primary.port })
  await startReplica()
})

afterAll(async () => {
  await Promise.all([replica?.stop(), link?.stop(), primary?.stop()])
})

afterEach(async () => {
  link.heal()
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults).toBe(0)
})

async function startReplica(): Promise<void> {
  replica = await startRedis({ config: [`replicaof 127.0.0.1 ${link.port}`, 'repl-timeout 600'] })
  const { port } = replica
  await askServer({ port }, ['CONFIG', 'SET', 'replica-announce-port', port])
}

const atPrimary = <T = unknown>(...args: (string | number)[]) => askServer<T>({ port: primary.port }, args, 20_000)
const atReplica = <T = unknown>(...args: (string | number)[]) => askServer<T>({ port: replica.port }, args, 20_000)
const view = () => keyward.proxy.view().upstreams[0]

/** acme reads replicas, beta does not. Resolves when the replica can be read. */
async function start(maxLag = '1s', more: ConfigObject = {}): Promise<void> {
  const users = (password: string) => ({ default: { password } })
  keyward = await startKeyward(
    configFor(primary, {
      tenants: {
        acme: { upstream: 'main', users: users('acme'), replicas: { read: 'prefer', maxLag } },
        beta: { upstream: 'main', users: users('beta') },
      },
      ...more,
    }),
  )
  await readable()
}

async function readable(): Promise<void> {
  const lag = async () => view().replicas.some(({ lag }) => lag < 1000)
  expect(await eventually(lag), JSON.stringify(view().replicas)).toBe(true)
}

async function connect(protocol: 2 | 3 = 2, password = 'acme'): Promise<RawClient> {
  const client = await keyward.connect({ password })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

async function ask(client: RawClient, ...requests: (string | number)[][]): Promise<string[]> {
  return (await client.exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)).map(String)
}

/** How often each command was executed since the last CONFIG RESETSTAT, without what Keyward asks for itself. */
async function calls(at: typeof atPrimary): Promise<Record<string, number>> {
  const stats = await at<string>('INFO', 'commandstats')
  const found = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name, count]) => [name, Number(count)])
  const own = /^(info|ping|client\||config\||hello|auth|role|replconf|psync|select|multi|exec|publish|command)/
  return Object.fromEntries(found.filter(([name]) => !own.test(String(name))))
}

/** Resolves when the reads of this client go to a replica: it may have written on another connection just before. */
async function readsReplica(client: RawClient): Promise<void> {
  const reads = () => view().replicas.reduce((sum, one) => sum + one.reads, 0)
  expect(
    await eventually(async () => {
      const before = reads()
      await ask(client, ['GET', 'sync'])
      return reads() > before
    }),
    JSON.stringify(view().replicas),
  ).toBe(true)
}

/** All that the primary has, the replica has, and Keyward knows it. */
async function inSync(): Promise<void> {
  const client = await connect()
  await ask(client, ['SET', 'sync', 1])
  await readsReplica(client)
}

test.each([2, 3] as const)(
  'RESP%d: reads go to the replica, writes do not, and other tenants read the primary',
  async (protocol) => {
    await start()
    const [client, other] = [await connect(protocol), await connect(protocol, 'beta')]
    const data = [
      ['SET', 's', 'v'],
      ['RPUSH', 'l', 1, 2],
      ['HSET', 'h', 'f', 'v'],
      ['ZADD', 'z', 1.5, 'm'],
      ['XADD', 'x', '1-1', 'f', 'v'],
    ]
    for (const one of [client, other]) await ask(one, ['DEL', 's', 'l', 'h', 'z', 'x'], ...data)
    await inSync()
    const reads = [
      ['GET', 's'],
      ['LRANGE', 'l', 0, -1],
      ['HGETALL', 'h'],
      ['ZSCORE', 'z', 'm'],
      ['XRANGE', 'x', '-', '+'],
      ['GET', 'none'],
      ['LLEN', 's'],
    ]
    const [reader, theirs] = [await connect(protocol), await connect(protocol, 'beta')]
    await readsReplica(reader)
    await atPrimary('CONFIG', 'RESETSTAT')
    await atReplica('CONFIG', 'RESETSTAT')
    for (let i = 0; i < 20; i++) expect(await ask(reader, ...reads)).toEqual(await ask(theirs, ...reads))
    const counts = { get: 40, lrange: 20, hgetall: 20, zscore: 20, xrange: 20, llen: 20 }
    expect(await calls(atReplica)).toEqual(counts)
    expect(await calls(atPrimary)).toEqual(counts)
  },
)

test('what a replica cannot answer, or not for sure, never goes there', async () => {
  await start()
  const client = await connect()
  await ask(client, ['DEL', 'q', 'n'], ['SET', 'a', 1], ['SADD', 'set', 'm'], ['XADD', 'x', '*', 'f', 'v'])
  await inSync()
  await atReplica('CONFIG', 'RESETSTAT')
  const each = async (...requests: (string | number)[][]) => {
    const reader = await connect()
    await readsReplica(reader)
    await atReplica('CONFIG', 'RESETSTAT')
    const replies = await ask(reader, ...requests)
    expect(await calls(atReplica), String(requests)).toEqual({})
    return replies
  }
  expect(await each(['MULTI'], ['GET', 'a'], ['EXEC'])).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n$1\r\n1\r\n'])
  expect(await each(['WATCH', 'a'], ['GET', 'a'], ['UNWATCH'])).toEqual(['+OK\r\n', '$1\r\n1\r\n', '+OK\r\n'])
  expect(await each(['BLPOP', 'q', 0.05])).toEqual(['*-1\r\n'])
  expect(await each(['XREAD', 'BLOCK', 50, 'STREAMS', 'x', '$'])).toEqual(['*-1\r\n'])
  await each(
    ['SCAN', 0],
    ['SSCAN', 'set', 0],
    ['DBSIZE'],
    ['KEYS', 'a*'],
    ['RANDOMKEY'],
    ['OBJECT', 'ENCODING', 'a'],
    ['TOUCH', 'a'],
  )
  await each(['GETDEL', 'n'], ['GETEX', 'a'], ['SORT', 'set', 'ALPHA'])
})

describe('the link to the replica is frozen', () => {
  /** Everything that may write and its own traces: requests, how many replies come, and what a read behind them must say. */
  const writes: [string, (n: number) => Buffer[], (n: number) => [(string | number)[], string]][] = [
    ['SET', (n) => [request('SET', 'k', n)], (n) => [['GET', 'k'], bulk(n)]],
    ['MULTI', (n) => [request('MULTI'), request('SET', 'k', n), request('EXEC')], (n) => [['GET', 'k'], bulk(n)]],
    [
      'WATCH, and a write outside of MULTI',
      (n) => [request('WATCH', 'k'), request('SET', 'k', n), request('UNWATCH')],
      (n) => [['GET', 'k'], bulk(n)],
    ],
    ['BLPOP', (n) => [request('RPUSH', 'q', n, n), request('BLPOP', 'q', 1)], () => [['LLEN', 'q'], ':1\r\n']],
    [
      'a big value',
      (n) => [request('SET', 'k', `${n}`.padEnd(1_200_000, 'x'))],
      () => [['STRLEN', 'k'], ':1200000\r\n'],
    ],
    ['FLUSHDB', (n) => [request('SET', 'k', n), request('FLUSHDB')], () => [['EXISTS', 'k'], ':0\r\n']],
    [
      'RENAME',
      (n) => [request('SET', 'k', n), request('RENAME', 'k', 'renamed')],
      (n) => [['GET', 'renamed'], bulk(n)],
    ],
    ['a counter', () => [request('DEL', 'k'), request('INCR', 'k')], () => [['GET', 'k'], bulk(1)]],
  ]
  function bulk(value: number): string {
    return `$${`${value}`.length}\r\n${value}\r\n`
  }

  test('a client sees its own writes, at once and whatever they were', async () => {
    await start('2s')
    const client = await connect()
    await ask(client, ['FLUSHDB'])
    let n = 0
    for (const [name, write, read] of writes) {
      link.heal()
      await inSync()
      link.faults = { stall: 'both' }
      n++
      const [ask_, expected] = read(n)
      await client.exchange(Buffer.concat(write(n)), write(n).length)
      for (let i = 0; i < 5; i++) expect(await ask(client, ask_), name).toEqual([expected])
      // And in one pipeline.
      n++
      const [again, then] = read(n)
      const replies = await client.exchange(Buffer.concat([...write(n), request(...again)]), write(n).length + 1)
      if (name !== 'BLPOP') expect(String(replies.at(-1)), name).toBe(then)
      await ask(client, ['DEL', 'q'])
    }
  })

  test('also when it asked for no replies', async () => {
    await start('2s')
    await inSync()
    const client = await connect()
    link.faults = { stall: 'both' }
    client.send(
      Buffer.concat([
        request('CLIENT', 'REPLY', 'OFF'),
        request('SET', 'k', 'silent'),
        request('CLIENT', 'REPLY', 'ON'),
        request('GET', 'k'),
      ]),
    )
    expect((await client.replies(2)).map(String)).toEqual(['+OK\r\n', '$6\r\nsilent\r\n'])
    client.send(Buffer.concat([request('CLIENT', 'REPLY', 'SKIP'), request('SET', 'k', 'quiet')]))
    expect(await ask(client, ['GET', 'k'])).toEqual(['$5\r\nquiet\r\n'])
  })

  test.each([2, 3] as const)(
    'RESP%d: in a pipeline of writes and reads, each read sees the write before it',
    async (protocol) => {
      await start('2s')
      await inSync()
      const client = await connect(protocol)
      link.faults = { stall: 'both' }
      for (let round = 0; round < 10; round++) {
        const requests = Array.from({ length: 20 }, (_, i) => [request('SET', 'k', 1000 + i), request('GET', 'k')])
        const replies = await client.exchange(
          Buffer.concat([request('GET', 'k'), ...requests.flat(), request('GET', 'k')]),
          42,
        )
        expect(replies.slice(1, -1).map(String)).toEqual(requests.flatMap((_, i) => ['+OK\r\n', bulk(1000 + i)]))
        expect(String(replies.at(-1))).toBe(bulk(1019))
      }
    },
  )

  test('a client that has not written reads the replica within maxLag, and the primary beyond it', async () => {
    await start('2500ms')
    const [writer, reader] = await Promise.all([connect(), connect()])
    await ask(writer, ['SET', 'k', 'old'])
    await inSync()
    await readsReplica(reader)
    link.faults = { stall: 'both' }
    const frozen = performance.now()
    await ask(writer, ['SET', 'k', 'new'])
    const first = await ask(reader, ['GET', 'k'])
    // Unless the machine took so long for it.
    if (performance.now() - frozen < 2000) expect(first).toEqual(['$3\r\nold\r\n'])
    expect(await eventually(async () => (await ask(reader, ['GET', 'k']))[0] === '$3\r\nnew\r\n')).toBe(true)
    expect(performance.now() - frozen).toBeLessThan(2500 + 2000)
    for (let i = 0; i < 50; i++) expect(await ask(reader, ['GET', 'k'])).toEqual(['$3\r\nnew\r\n'])
    const { reads } = view().replicas[0]
    link.heal()
    expect(
      await eventually(async () => {
        expect(await ask(reader, ['GET', 'k'])).toEqual(['$3\r\nnew\r\n'])
        return view().replicas[0].reads > reads
      }),
    ).toBe(true)
  })
})

describe('a replica that fails', () => {
  /** Reads without pause while `trouble`; returns the longest that one took. */
  async function reading(trouble: () => Promise<void>): Promise<number> {
    const readers = await Promise.all(([2, 3, 2, 3] as const).map((protocol) => connect(protocol)))
    let [over, longest, count] = [false, 0, 0]
    const work = readers.map(async (reader) => {
      for (; !over; count++) {
        const begun = performance.now()
        const replies = await ask(reader, ['GET', 'k'], ['STRLEN', 'k'], ['LRANGE', 'l', 0, -1])
        expect(replies).toEqual(['$1\r\nv\r\n', ':1\r\n', '*1\r\n$1\r\n1\r\n'])
        longest = Math.max(longest, performance.now() - begun)
      }
    })
    const done = Promise.all(work)
    done.catch(() => {})
    try {
      expect(await eventually(() => count > 50)).toBe(true)
      const { reads } = view().replicas[0]
      expect(await eventually(() => view().replicas[0].reads > reads + 50)).toBe(true)
      await trouble()
      const now = count
      expect(await eventually(() => count > now + 100)).toBe(true)
    } finally {
      over = true
    }
    await done
    return longest
  }

  async function prepare(maxLag?: string): Promise<void> {
    await start(maxLag)
    await ask(await connect(), ['FLUSHDB'], ['SET', 'k', 'v'], ['RPUSH', 'l', 1])
    await inSync()
  }

  test('killed, and started anew: its reads go to the primary, and come back', async () => {
    await prepare()
    const longest = await reading(() => replica.kill('SIGKILL'))
    expect(longest).toBeLessThan(4000)
    await replica.restart()
    await atReplica('CONFIG', 'SET', 'replica-announce-port', replica.port)
    await inSync()
  })

  test('stopped: what it was asked is answered by the primary', async () => {
    await prepare()
    const longest = await reading(async () => {
      await replica.kill('SIGSTOP')
      expect(await eventually(() => view().replicas.every(({ lag }) => lag > 1000))).toBe(true)
    })
    expect(longest).toBeLessThan(5000)
    await replica.kill('SIGCONT')
    await inSync()
  })

  test('stopped: a second later its reads go to the primary, also where it may lag by a minute', async () => {
    await prepare('60s')
    const longest = await reading(async () => {
      await replica.kill('SIGSTOP')
      expect(await eventually(() => view().replicas.every(({ usable }) => !usable))).toBe(true)
    })
    await replica.kill('SIGCONT')
    console.log(`longest read ${Math.round(longest)} ms`)
    expect(longest).toBeLessThan(2500)
    await inSync()
  })

  test('BUSY with a script: nobody is told, the primary answers', async () => {
    await prepare()
    await atReplica('CONFIG', 'SET', 'lua-time-limit', 20)
    await reading(async () => {
      const script = atReplica('EVAL', 'while true do end', 0)
      script.catch(() => {})
      const busy = async () => (await replica.cli('PING')).startsWith('BUSY')
      expect(await eventually(busy)).toBe(true)
      const { reads } = view().replicas[0]
      expect(await eventually(() => view().replicas[0].lag === Number.POSITIVE_INFINITY)).toBe(true)
      // Those on their way when it was found out were read elsewhere.
      expect(view().replicas[0].reads).toBeLessThan(reads + 50)
      await atReplica('SCRIPT', 'KILL')
      await expect(script).rejects.toThrow()
    })
    await atReplica('CONFIG', 'SET', 'lua-time-limit', 5000)
    await inSync()
  })

  test('killed, and back with old data between two looks: nobody reads what is older than his own write', async () => {
    await start('10s')
    await atPrimary('CONFIG', 'SET', 'repl-backlog-size', 64 * 1024 * 1024)
    const client = await connect()
    const offset = () => view().replicas[0].offset
    await ask(client, ['SET', 'k', 'old'])
    await inSync()
    await readsReplica(client)
    await atReplica('SAVE')
    await ask(client, ...Array.from({ length: 6 }, (_, i) => ['SET', `fill:${i}`, 'y'.repeat(900_000)]), [
      'SET',
      'k',
      'new',
    ])
    await readsReplica(client)
    // It comes back with what it had saved, and gets the rest so slowly that it can be read meanwhile.
    link.faults = { trickle: 1500, latency: 2 }
    await ask(client, ['SET', 'tick', 1])
    const before = offset()
    expect(await eventually(() => offset() !== before)).toBe(true)
    await replica.kill('SIGKILL')
    await replica.restart()
    const seen = new Set<string>()
    for (const until = performance.now() + 2500; performance.now() < until; ) {
      for (const reply of await ask(client, ['GET', 'k'], ['GET', 'k'])) seen.add(reply)
    }
    expect([...seen]).toEqual(['$3\r\nnew\r\n'])
    link.heal()
    await inSync()
    await ask(client, ['FLUSHDB'])
    await atReplica('SAVE')
  })

  test('LOADING: nobody is told', async () => {
    await prepare()
    const filler = await connect(2, 'beta')
    await filler.exchange(Buffer.concat(Array.from({ length: 500 }, (_, i) => request('SET', `k${i}`, i))), 500)
    await inSync()
    await atReplica('CONFIG', 'SET', 'loading-process-events-interval-bytes', 1024)
    await atReplica('CONFIG', 'SET', 'key-load-delay', 3000)
    const loading = async () => (await atReplica<string>('INFO', 'persistence')).includes('loading:1')
    await reading(async () => {
      const done = atReplica('DEBUG', 'RELOAD')
      expect(await eventually(loading)).toBe(true)
      await done
    })
    await atReplica('CONFIG', 'SET', 'key-load-delay', 0)
    await inSync()
  })
})

test('a planned failover: clients at work see nothing, and replicas are read before and after', async () => {
  const set = await startSentinelSet()
  const config = withCrewTenants(set.config())
  const { acme, ...others } = config.tenants as Record<string, object>
  keyward = await startKeyward({
    ...config,
    tenants: { ...others, acme: { ...acme, replicas: { read: 'prefer', maxLag: '2s' } } },
  })
  await readable()
  const crew = new Crew(keyward, 'nothing', async (rawKey) => (await set.primary()).ask('GET', rawKey))
  await crew.everybody()
  const reads = () => view().replicas.reduce((sum, one) => sum + one.reads, 0)
  expect(await eventually(() => reads() > 50)).toBe(true)
  const old = await set.failover()
  const now = await set.waitSwitched(old)
  expect(await eventually(() => view().address === `127.0.0.1:${now.announced}` && view().usable)).toBe(true)
  const before = reads()
  expect(await eventually(() => reads() > before + 50)).toBe(true)
  await crew.end()
  await set.stop()
})
