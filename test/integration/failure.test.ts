import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { ScriptedServer } from '../helpers/scripted-server.ts'

/** What a client sees when a standalone upstream fails: the table of failures, row by row. */
const UNKNOWN = '-OUTCOMEUNKNOWN sent but not confirmed: it may or may not have been executed\r\n'
const TIMEOUT = '-UPSTREAMTIMEOUT no reply from the upstream Redis in time\r\n'
const DOWN = /^-UPSTREAMDOWN not sent/
const ABORT = '-EXECABORT Transaction discarded because of previous errors.\r\n'
const REQUEST_TIME = 1500
const HOLD_TIME = 3000

let redis: RedisServer
let bare: RawClient

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
})

afterAll(async () => {
  bare?.destroy()
  await redis?.stop()
})

let fault: FaultProxy
let keyward: Keyward
let client: RawClient

async function startAll(upstream: ConfigObject = {}): Promise<void> {
  fault = await FaultProxy.start({ port: redis.port })
  keyward = await startKeyward(
    configFor(
      fault,
      {},
      { timeouts: { request: `${REQUEST_TIME}ms`, connect: '2s' }, hold: { time: `${HOLD_TIME}ms` }, ...upstream },
    ),
  )
  client = await keyward.connect({ password: 'acme' })
  expect(await client.command('PING')).toBe('+PONG\r\n')
  // Every way that the tests use has a connection.
  expect(await client.command('SET', 'ready', 1)).toBe('+OK\r\n')
}

beforeEach(async () => {
  await bare.exchange(Buffer.concat([request('FLUSHALL'), request('CONFIG', 'RESETSTAT')]), 2)
})

afterEach(async () => {
  client?.destroy()
  expect(keyward.log.filter(({ level }) => level >= 50)).toEqual([])
  keyward?.stop()
  await fault?.stop()
})

/** How often the server has executed a command. */
async function calls(command: string): Promise<number> {
  return Number(/calls=(\d+)/.exec((await redis.info('commandstats')).get(`cmdstat_${command}`) ?? '')?.[1] ?? 0)
}

/** Waits until the server has executed it so often. */
async function executed(command: string, times: number): Promise<void> {
  expect(await eventually(async () => (await calls(command)) >= times)).toBe(true)
}

const value = async (key: string) => String((await bare.exchange(request('GET', `acme:${key}`)))[0])

describe('not sent', () => {
  test('held while the upstream is away, then executed in order', async () => {
    await startAll()
    fault.faults = { refuse: true }
    fault.reset()
    expect(await eventually(() => places(keyward).lanes === 0)).toBe(true)
    client.send(Buffer.concat([request('SET', 'a', 1), request('INCR', 'a'), request('GET', 'a')]))
    await client.silence(400)
    expect(places(keyward)).toMatchObject({ held: 3 })
    fault.heal()
    expect((await client.replies(3)).map(String)).toEqual(['+OK\r\n', ':2\r\n', '$1\r\n2\r\n'])
    expect(places(keyward)).toMatchObject({ held: 0, heldBytes: 0 })
  })

  test('past hold.time it is refused, and was not executed', async () => {
    await startAll()
    fault.faults = { refuse: true }
    fault.reset()
    expect(await eventually(() => places(keyward).lanes === 0)).toBe(true)
    const begun = performance.now()
    expect(await client.command('SET', 'a', 1)).toMatch(DOWN)
    const waited = performance.now() - begun
    expect(waited).toBeGreaterThan(HOLD_TIME - 200)
    expect(await client.command('PING')).toBe('+PONG\r\n')
    fault.heal()
    expect(await client.command('SET', 'b', 2)).toBe('+OK\r\n')
    expect(await value('a')).toBe('$-1\r\n')
  })

  test('more than hold.memory is refused at once', async () => {
    await startAll({ hold: { time: '20s', memory: '64KiB' } })
    fault.faults = { refuse: true }
    fault.reset()
    expect(await eventually(() => places(keyward).lanes === 0)).toBe(true)
    for (let i = 0; i < 20; i++) client.send(request('SET', `held:${i}`, 'x'.repeat(10_000)))
    const other = await keyward.connect({ password: 'acme' })
    expect(await other.command('SET', 'too much', 'x'.repeat(10_000))).toMatch(DOWN)
    expect(places(keyward).heldBytes).toBeLessThanOrEqual(64 * 1024)
    fault.heal()
    const replies = (await client.replies(20)).map(String)
    expect(replies.slice(0, 5)).toEqual(Array(5).fill('+OK\r\n'))
    expect(replies.at(-1)).toMatch(DOWN)
    other.destroy()
  })

  test('what a client that has left was waiting for is dropped', async () => {
    await startAll()
    fault.faults = { refuse: true }
    fault.reset()
    expect(await eventually(() => places(keyward).lanes === 0)).toBe(true)
    client.send(request('SET', 'a', 1))
    expect(await eventually(() => places(keyward).held === 1)).toBe(true)
    client.reset()
    expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
    fault.heal()
    client = await keyward.connect({ password: 'acme' })
    expect(await client.command('SET', 'b', 1)).toBe('+OK\r\n')
    expect(await value('a')).toBe('$-1\r\n')
    expect(await calls('set')).toBe(2)
  })

  test('a transaction waits for its connection, too', async () => {
    await startAll()
    fault.faults = { refuse: true }
    fault.reset()
    expect(await eventually(() => places(keyward).lanes === 0)).toBe(true)
    client.send(Buffer.concat([request('MULTI'), request('SET', 'a', 1), request('EXEC')]))
    await client.silence(300)
    fault.heal()
    expect((await client.replies(3)).map(String)).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n'])
  })
})

describe('sent, the connection is lost', () => {
  test('a read is sent again', async () => {
    await startAll()
    await client.command('SET', 'a', 1)
    fault.faults = { blackHole: 'reply' }
    client.send(request('GET', 'a'))
    await executed('get', 1)
    fault.heal()
    fault.reset()
    expect(String(await client.reply())).toBe('$1\r\n1\r\n')
    expect(await calls('get')).toBe(2)
  })

  test('a read in front of a write of the same client is not', async () => {
    await startAll()
    await client.command('SET', 'a', 1)
    fault.faults = { blackHole: 'reply' }
    client.send(Buffer.concat([request('GET', 'a'), request('INCR', 'a'), request('GET', 'a')]))
    await executed('incr', 1)
    fault.heal()
    fault.reset()
    expect((await client.replies(3)).map(String)).toEqual([UNKNOWN, UNKNOWN, '$1\r\n2\r\n'])
    expect(await calls('incr')).toBe(1)
  })

  test('a write is not, and the connection of its client stays', async () => {
    await startAll()
    fault.faults = { blackHole: 'reply' }
    client.send(request('INCR', 'a'))
    await executed('incr', 1)
    fault.heal()
    fault.reset()
    expect(String(await client.reply())).toBe(UNKNOWN)
    expect(await client.command('GET', 'a')).toBe('$1\r\n1\r\n')
    expect(await calls('incr')).toBe(1)
  })

  test('nothing is executed twice, wherever the connection is cut', async () => {
    // Most of these cuts are in handshakes: that is no reason to refuse anything here.
    await startAll({ breaker: { errors: '100%' } })
    for (const direction of ['request', 'reply'] as const) {
      for (let after = 0; after < 60; after += 3) {
        await bare.command('DEL', 'acme:n')
        const probe = fault.cuts
        // A lane that is opened anew counts its bytes from its handshake on: cut somewhere in what follows it.
        fault.faults = { cut: { direction, after: after * 40 } }
        fault.reset()
        const requests = Array.from({ length: 10 }, () => request('INCR', 'n'))
        client.send(Buffer.concat(requests))
        const replies = (await client.replies(10)).map(String)
        fault.heal()
        const confirmed = replies.filter((reply) => reply.startsWith(':')).length
        const unknown = replies.filter((reply) => reply === UNKNOWN).length
        expect(confirmed + unknown, `${probe} ${replies}`).toBe(10)
        const count = Number(/\r\n(\d+)\r\n/.exec(await value('n'))?.[1] ?? 0)
        expect(count).toBeGreaterThanOrEqual(confirmed)
        expect(count).toBeLessThanOrEqual(confirmed + unknown)
        // Confirmed numbers are all different: none was executed twice.
        const numbers = replies.filter((reply) => reply.startsWith(':'))
        expect(new Set(numbers).size).toBe(numbers.length)
      }
    }
    expect(fault.cuts).toBeGreaterThan(10)
  })
})

describe('sent, no reply in time', () => {
  test('a read and a write are told apart, and late replies go to nobody else', async () => {
    await startAll()
    await client.command('SET', 'a', 'old')
    fault.faults = { stall: 'reply' }
    client.send(Buffer.concat([request('GET', 'a'), request('SET', 'a', 'new')]))
    expect((await client.replies(2)).map(String)).toEqual([TIMEOUT, UNKNOWN])
    expect(places(keyward).abandoned).toBe(2)
    const other = await keyward.connect({ password: 'acme' })
    other.send(request('ECHO', 'mine'))
    other.send(request('STRLEN', 'a'))
    fault.heal()
    expect((await other.replies(2)).map(String)).toEqual(['$4\r\nmine\r\n', ':3\r\n'])
    expect(await client.command('GET', 'a')).toBe('$3\r\nnew\r\n')
    expect(await eventually(() => places(keyward).abandoned === 0)).toBe(true)
    other.destroy()
  })

  test('a connection that stays silent is given up', async () => {
    await startAll()
    fault.faults = { blackHole: 'both' }
    client.send(request('GET', 'a'))
    expect(String(await client.reply())).toBe(TIMEOUT)
    const accepted = fault.accepted
    expect(await eventually(() => fault.accepted > accepted, 4 * REQUEST_TIME + 10_000)).toBe(true)
    fault.heal()
    expect(await eventually(async () => (await client.command('SET', 'a', 1)) === '+OK\r\n')).toBe(true)
  })

  test('a blocking command has its own time on top', async () => {
    await startAll()
    const begun = performance.now()
    expect(await client.command('BLPOP', 'nothing', (REQUEST_TIME + 700) / 1000)).toBe('*-1\r\n')
    expect(performance.now() - begun).toBeGreaterThan(REQUEST_TIME + 600)
  })
})

describe('answered, but not executed', () => {
  test.each([
    'LOADING Redis is loading the dataset in memory',
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  ])('%s: held and sent again', async (text) => {
    // Both once: were only the first refused, it could not be sent behind the second any more.
    let refusals = 2
    const server = await ScriptedServer.start((args) => {
      if (args[0].toUpperCase() !== 'SET') return undefined
      return refusals-- > 0 ? `-${text}\r\n` : '+OK\r\n'
    })
    fault = await FaultProxy.start({ port: server.port })
    keyward = await startKeyward(configFor(server, {}, { hold: { time: '20s' } }))
    client = await keyward.connect({ password: 'acme' })
    const replies = await client.exchange(Buffer.concat([request('SET', 'a', 1), request('SET', 'a', 2)]), 2)
    expect(replies.map(String)).toEqual(['+OK\r\n', '+OK\r\n'])
    // The order of the two was kept: the last to be executed is the last that was sent.
    expect(server.requests.filter(([name]) => name === 'SET').at(-1)).toEqual(['SET', 'acme:a', '2'])
    await server.stop()
  })

  test('a blocking command that was refused so is issued again on another connection', async () => {
    let refusals = 2
    const server = await ScriptedServer.start((args) => {
      if (args[0].toUpperCase() !== 'BLPOP') return undefined
      return refusals-- > 0
        ? '-LOADING Redis is loading the dataset in memory\r\n'
        : '*2\r\n$6\r\nacme:q\r\n$1\r\nx\r\n'
    })
    fault = await FaultProxy.start({ port: server.port })
    keyward = await startKeyward(configFor(server))
    client = await keyward.connect({ password: 'acme' })
    expect(await client.command('BLPOP', 'q', 0)).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
    expect(refusals).toBe(-1)
    await server.stop()
  })

  test('READONLY for ever from a server whose INFO is closed is passed on, without a storm of connections', async () => {
    const server = await ScriptedServer.start((args) => {
      if (args[0].toUpperCase() === 'INFO')
        return "-NOPERM User default has no permissions to run the 'info' command\r\n"
      return args[0].toUpperCase() === 'BLPOP'
        ? "-READONLY You can't write against a read only replica.\r\n"
        : undefined
    })
    fault = await FaultProxy.start({ port: server.port })
    keyward = await startKeyward(configFor(fault, {}, { hold: { time: '1s' } }))
    client = await keyward.connect({ password: 'acme' })
    expect(await client.command('BLPOP', 'q', 0)).toMatch(/^-READONLY /)
    expect(fault.accepted).toBeGreaterThan(1)
    expect(fault.accepted).toBeLessThan(100)
    await server.stop()
  })

  test('READONLY while the upstream is a replica for a moment: held', async () => {
    await startAll({ hold: { time: '30s' } })
    const other = await startRedis()
    await bare.command('REPLICAOF', '127.0.0.1', other.port)
    client.send(Buffer.concat([request('SET', 'a', 1), request('GET', 'a')]))
    await new Promise((resolve) => setTimeout(resolve, 30))
    await bare.command('REPLICAOF', 'NO', 'ONE')
    const replies = (await client.replies(2)).map(String)
    // Either it was found to be a replica twice, then its answer counts, or the write was held until it was none.
    if (replies[0].startsWith('-')) expect(replies[0]).toMatch(/^-READONLY /)
    else expect(replies).toEqual(['+OK\r\n', '$1\r\n1\r\n'])
    expect(await eventually(async () => (await client.command('SET', 'b', 1)) === '+OK\r\n')).toBe(true)
    await other.stop()
  })

  test('READONLY of an upstream that is and stays a replica is passed on', async () => {
    const primary = await startRedis({ config: ['repl-diskless-sync-delay 0'] })
    const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${primary.port}`] })
    expect(
      await eventually(async () => (await replica.info('replication')).get('master_link_status') === 'up', 30_000),
    ).toBe(true)
    fault = await FaultProxy.start({ port: replica.port })
    keyward = await startKeyward(configFor(replica, {}, { hold: { time: '20s' } }))
    client = await keyward.connect({ password: 'acme' })
    expect(await client.command('SET', 'a', 1)).toMatch(/^-READONLY /)
    expect(await client.command('GET', 'a')).toBe('$-1\r\n')
    const begun = performance.now()
    expect(await client.command('SET', 'a', 1)).toMatch(/^-READONLY /)
    expect(performance.now() - begun).toBeLessThan(5000)
    await replica.stop()
    await primary.stop()
  })
})

describe('blocked', () => {
  /** The upstream connection on which this command waits. */
  async function waiting(command: string): Promise<string> {
    let id = ''
    const found = await eventually(async () => {
      const line = (await bare.command('CLIENT', 'LIST'))
        .split('\n')
        .find((one) => one.includes(`cmd=${command} `) && /flags=\S*b/.test(one))
      id = /id=(\d+)/.exec(line ?? '')?.[1] ?? ''
      return id !== ''
    })
    expect(found).toBe(true)
    return id
  }

  /** A replica for a moment: the server ends everything that blocks with -UNBLOCKED, and closes it. */
  async function demote(): Promise<void> {
    const requests = [request('REPLICAOF', '127.0.0.1', 1), request('REPLICAOF', 'NO', 'ONE')]
    const replies = await bare.exchange(Buffer.concat(requests), 2)
    expect(replies.map(String)).toEqual(['+OK\r\n', '+OK\r\n'])
  }

  test('a command that takes elements is not issued again when its connection is lost', async () => {
    await startAll()
    client.send(request('BLPOP', 'q', 0))
    await waiting('blpop')
    fault.reset()
    expect(String(await client.reply())).toBe(UNKNOWN)
    expect(await client.command('RPUSH', 'q', 'x')).toBe(':1\r\n')
    expect(await client.command('BLPOP', 'q', 0)).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  })

  test('unless reissueBlocked says so', async () => {
    await startAll({ reissueBlocked: true })
    client.send(request('BLPOP', 'q', 0))
    const id = await waiting('blpop')
    fault.reset()
    expect(await eventually(async () => (await waiting('blpop')) !== id)).toBe(true)
    await bare.command('RPUSH', 'acme:q', 'x')
    expect(String(await client.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  })

  test('-UNBLOCKED: issued again with the time that is left', async () => {
    await startAll()
    client.send(request('BLPOP', 'q', 0))
    await waiting('blpop')
    await demote()
    await client.silence(200)
    await bare.command('RPUSH', 'acme:q', 'x')
    expect(String(await client.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')

    const begun = performance.now()
    client.send(request('BLPOP', 'q', 2))
    await waiting('blpop')
    await demote()
    expect(String(await client.reply())).toBe('*-1\r\n')
    const took = performance.now() - begun
    expect(took).toBeGreaterThan(1800)
    expect(took).toBeLessThan(3800)
  })

  test('XREAD is issued again and misses nothing that came in between', async () => {
    await startAll()
    await client.command('XADD', 's', '1-1', 'f', 'v')
    client.send(request('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'))
    await waiting('xread')
    fault.faults = { refuse: true }
    fault.reset()
    await bare.command('XADD', 'acme:s', '2-1', 'f', 'between')
    await client.silence(200)
    fault.heal()
    expect(String(await client.reply())).toContain('between')
  })
})

describe('in MULTI or under WATCH', () => {
  test.each([
    ['MULTI', [request('MULTI'), request('SET', 'a', 1)]],
    ['WATCH', [request('WATCH', 'a'), request('GET', 'a')]],
  ])('%s: the transaction is gone, the client connection stays', async (_, begin) => {
    await startAll()
    await client.exchange(Buffer.concat(begin), begin.length)
    fault.reset()
    expect(await eventually(() => places(keyward).pinsTransaction === 0)).toBe(true)
    const rest = begin[0].includes('WATCH')
      ? [request('MULTI'), request('SET', 'a', 1), request('EXEC')]
      : [request('SET', 'a', 2), request('EXEC')]
    const replies = (await client.exchange(Buffer.concat(rest), rest.length)).map(String)
    expect(replies.at(-1)).toBe(ABORT)
    expect(await value('a')).toBe('$-1\r\n')
    const again = await client.exchange(Buffer.concat([request('MULTI'), request('SET', 'a', 3), request('EXEC')]), 3)
    expect(again.map(String)).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n'])
    expect(await value('a')).toBe('$1\r\n3\r\n')
  })

  test('EXEC was sent: its outcome is unknown', async () => {
    await startAll()
    await client.exchange(Buffer.concat([request('MULTI'), request('INCR', 'a')]), 2)
    fault.faults = { blackHole: 'reply' }
    client.send(request('EXEC'))
    await executed('exec', 1)
    fault.heal()
    fault.reset()
    expect(String(await client.reply())).toBe(UNKNOWN)
    expect(await value('a')).toBe('$1\r\n1\r\n')
    expect(await client.command('INCR', 'a')).toBe(':2\r\n')
  })
})
