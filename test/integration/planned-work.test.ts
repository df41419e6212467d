import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * An operator has work to do on the servers: requests wait for as long as that takes, in Keyward, and whoever is not concerned
 * notices nothing.
 */
const HOLD_TIME = 400

let main: RedisServer
let other: RedisServer
/** Between Keyward and `main`. */
let fault: FaultProxy
let keyward: Keyward
const clients: RawClient[] = []

beforeAll(async () => {
  main = await startRedis({ config: ['repl-diskless-sync-delay 0'] })
  other = await startRedis()
  fault = await FaultProxy.start({ port: main.port })
})

afterAll(async () => {
  await Promise.all([main?.stop(), other?.stop(), fault?.stop()])
})

beforeEach(async () => {
  fault.heal()
  for (const server of [main, other]) await server.cli('FLUSHALL')
  await main.cli('CONFIG', 'RESETSTAT')
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults).toBe(0)
  // Whatever was paused: the servers know nothing of it.
  expect(await main.cli('INFO', 'commandstats')).not.toMatch(/client\|(pause|unpause)/)
})

/** acme and beta are at `main`, gamma at `other`. */
function config(upstream: ConfigObject = {}): ConfigObject {
  const tenant = (name: string, at: string) => ({ upstream: at, users: { default: { password: name } } })
  const base = configFor(fault, {}, { hold: { time: `${HOLD_TIME}ms` }, ...upstream })
  return {
    ...base,
    upstreams: { ...(base.upstreams as object), other: { url: other.url, hold: { time: `${HOLD_TIME}ms` } } },
    tenants: { acme: tenant('acme', 'main'), beta: tenant('beta', 'main'), gamma: tenant('gamma', 'other') },
  }
}

async function start(upstream: ConfigObject = {}): Promise<void> {
  keyward = await startKeyward(config(upstream))
  expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
}

async function reload(upstream: ConfigObject): Promise<void> {
  const source = { source: 'test.yaml', env: process.env, baseDir: process.cwd() }
  const next = config(upstream)
  await keyward.proxy.reload(parseConfig(stringify(next), source))
}

async function connect(tenant = 'acme', protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await keyward.connect({ password: tenant })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

const encode = (requests: readonly (readonly (string | number)[])[]) =>
  Buffer.concat(requests.map((words) => request(...words)))

async function ask(client: RawClient, ...requests: (string | number)[][]): Promise<string[]> {
  return (await client.exchange(encode(requests), requests.length)).map(String)
}

async function blocked(count: number): Promise<void> {
  const isSo = async () => (await main.info('clients')).get('blocked_clients') === String(count)
  expect(await eventually(isSo)).toBe(true)
}

/** Everything that a client may send, and what it gets for it. */
const ALL: readonly (readonly [(string | number)[], string | RegExp])[] = [
  [['SET', 'a', 1], '+OK\r\n'],
  [['GET', 'a'], '$1\r\n1\r\n'],
  [['MULTI'], '+OK\r\n'],
  [['INCR', 'a'], '+QUEUED\r\n'],
  [['EXEC'], '*1\r\n:2\r\n'],
  [['DBSIZE'], ':1\r\n'],
  [['KEYS', '*'], '*1\r\n$1\r\na\r\n'],
  [['BLPOP', 'none', 0.01], '*-1\r\n'],
  [['PUBLISH', 'news', 'x'], ':0\r\n'],
  [['FLUSHDB'], '+OK\r\n'],
  [['EXISTS', 'a'], ':0\r\n'],
]

const TARGETS = [
  ['a tenant', { tenant: 'acme' }, ['beta', 'gamma']],
  ['an upstream', { upstream: 'main' }, ['gamma']],
  ['everything', 'everything', []],
] as const

describe.each(TARGETS)('PAUSE of %s', (_, target, unconcerned) => {
  test('its requests wait, past hold.time and in their order, and are all executed', async () => {
    await start()
    const client = await connect()
    await ask(client, ['GET', 'a'])
    expect(await keyward.proxy.operations.pause(target, 10_000)).toMatch(/nothing is under way/)
    client.send(encode(ALL.map(([words]) => words)))
    const third = await connect('acme', 3)
    third.send(encode([['GET', 'b']]))
    for (const tenant of unconcerned) {
      const free = await connect(tenant)
      expect(await ask(free, ['SET', 'a', 1], ['GET', 'a'], ['DEL', 'a'])).toEqual(['+OK\r\n', '$1\r\n1\r\n', ':1\r\n'])
    }
    await client.silence(3 * HOLD_TIME)
    expect(third.pending).toBe(0)
    expect(await main.cli('DBSIZE')).toBe('0')
    expect(await keyward.proxy.operations.resume(target)).toMatch(/^resumed/)
    expect((await client.replies(ALL.length)).map(String)).toEqual(ALL.map(([, reply]) => reply))
    expect(String(await third.reply())).toBe('_\r\n')
    expect(await keyward.proxy.operations.resume(target)).toMatch(/not paused/)
  })

  test('what its client waits for no more is not executed', async () => {
    await start()
    const client = await connect()
    await ask(client, ['GET', 'a'])
    await keyward.proxy.operations.pause(target, 10_000)
    client.send(encode([['SET', 'a', 1], ['MULTI'], ['SET', 'b', 1], ['EXEC']]))
    expect(await eventually(() => places(keyward).held + places(keyward).barrier > 0)).toBe(true)
    client.reset()
    expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
    await keyward.proxy.operations.resume(target)
    const later = await connect()
    expect(await ask(later, ['EXISTS', 'a', 'b'])).toEqual([':0\r\n'])
    expect(await eventually(() => places(keyward).held + places(keyward).pinsWaiting === 0)).toBe(true)
  })

  test('what was sent before is answered, and the operator is told when not', async () => {
    await start()
    const client = await connect()
    await ask(client, ['GET', 'a'])
    fault.faults = { stall: 'reply' }
    client.send(encode([['SET', 'a', 1]]))
    expect(await eventually(async () => (await main.cli('EXISTS', 'acme:a')) === '1')).toBe(true)
    expect(await keyward.proxy.operations.pause(target, 100)).toMatch(/still not answered/)
    client.send(encode([['SET', 'a', 2]]))
    fault.heal()
    expect(String(await client.reply())).toBe('+OK\r\n')
    await client.silence(100)
    expect(await keyward.proxy.operations.pause(target, 10_000)).toMatch(/nothing is under way/)
    await keyward.proxy.operations.resume(target)
    expect(String(await client.reply())).toBe('+OK\r\n')
  })

  test('a reload meanwhile does not end it', async () => {
    await start()
    const [client, multi] = await Promise.all([connect(), connect()])
    await ask(client, ['GET', 'a'])
    expect(await ask(multi, ['MULTI'], ['SET', 'm', 1])).toEqual(['+OK\r\n', '+QUEUED\r\n'])
    await keyward.proxy.operations.pause(target, 10_000)
    client.send(
      encode([
        ['INCR', 'a'],
        ['INCR', 'a'],
      ]),
    )
    multi.send(encode([['SET', 'm', 2]]))
    expect(await eventually(() => places(keyward).held + places(keyward).barrier > 0)).toBe(true)
    await reload({ lanes: 2 })
    const later = await connect()
    later.send(encode([['INCR', 'b']]))
    await client.silence(300)
    expect([later.pending, multi.pending]).toEqual([0, 0])
    await keyward.proxy.operations.resume(target)
    expect((await client.replies(2)).map(String)).toEqual([':1\r\n', ':2\r\n'])
    expect(String(await later.reply())).toBe(':1\r\n')
    // It goes on where it was.
    expect(String(await multi.reply())).toBe('+QUEUED\r\n')
    expect(await ask(multi, ['EXEC'], ['GET', 'm'])).toEqual(['*2\r\n+OK\r\n+OK\r\n', '$1\r\n2\r\n'])
  })
})

describe('PAUSE of an upstream', () => {
  const target = { upstream: 'main' } as const

  test('what blocks is taken off the server, and waits on with the time that is left', async () => {
    await start()
    await ask(await connect(), ['XADD', 's', '1-1', 'f', 'old'])
    const [taker, follower, short, long] = await Promise.all([connect(), connect('acme', 3), connect(), connect()])
    taker.send(encode([['BLPOP', 'q', 0]]))
    follower.send(encode([['XREAD', 'BLOCK', 0, 'STREAMS', 's', '$']]))
    const begun = performance.now()
    short.send(encode([['BLPOP', 'none', 0.5]]))
    long.send(encode([['BLMOVE', 'none', 'x', 'LEFT', 'RIGHT', 2]]))
    await blocked(4)
    expect(await keyward.proxy.operations.pause(target, 10_000)).toMatch(/nothing is under way/)
    await blocked(0)
    await main.cli('RPUSH', 'acme:q', 'x')
    await main.cli('XADD', 'acme:s', '2-1', 'f', 'new')
    await short.silence(700)
    expect([taker.pending, follower.pending]).toEqual([0, 0])
    expect(await main.cli('LLEN', 'acme:q')).toBe('1')
    await keyward.proxy.operations.resume(target)
    expect(String(await taker.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
    expect(String(await follower.reply())).toContain('2-1')
    expect(String(await short.reply())).toBe('*-1\r\n')
    expect(String(await long.reply())).toBe('*-1\r\n')
    const took = performance.now() - begun
    expect(took).toBeGreaterThan(1800)
    expect(took).toBeLessThan(6000)
  })

  test('paused and resumed at once: what blocks blocks on, and is never told UNBLOCKED', async () => {
    await start()
    const [taker, follower, other] = await Promise.all([connect(), connect('acme', 3), connect()])
    await ask(other, ['XADD', 's', '1-1', 'f', 'old'])
    taker.send(encode([['BLPOP', 'q', 0]]))
    follower.send(encode([['XREAD', 'BLOCK', 0, 'STREAMS', 's', '$']]))
    for (let i = 0; i < 20; i++) {
      await blocked(2)
      const paused = keyward.proxy.operations.pause(target, 10_000)
      // The server has been asked to end them, and has not answered yet.
      await keyward.proxy.operations.resume(target)
      await paused
    }
    await blocked(2)
    await ask(other, ['RPUSH', 'q', 'x'], ['XADD', 's', '2-1', 'f', 'new'])
    expect(String(await taker.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
    expect(String(await follower.reply())).toContain('2-1')
    // Nobody else's either, once the pins are used again.
    const next = await connect()
    next.send(encode([['BLPOP', 'q', 0]]))
    await blocked(1)
    await ask(other, ['RPUSH', 'q', 'y'])
    expect(String(await next.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\ny\r\n')
  })

  test('CLIENT UNBLOCK ERROR at the same time: whoever is told 1 has unblocked the client', async () => {
    await start()
    const other = await connect()
    for (let i = 0; i < 20; i++) {
      const client = await connect()
      const id = Number((await client.command('CLIENT', 'ID')).slice(1))
      client.send(encode([['BLPOP', 'none', 0]]))
      await blocked(1)
      other.send(encode([['CLIENT', 'UNBLOCK', id, 'ERROR']]))
      for (let turn = 0; turn < i % 4; turn++) await new Promise((resolve) => setImmediate(resolve))
      const paused = keyward.proxy.operations.pause(target, 10_000)
      const told = String(await other.reply())
      await paused
      await keyward.proxy.operations.resume(target)
      if (told === ':1\r\n')
        expect(String(await client.reply())).toBe('-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n')
      else {
        expect(told).toBe(':0\r\n')
        await blocked(1)
        expect(client.pending).toBe(0)
      }
      client.destroy()
      await blocked(0)
    }
  })

  test('hold.memory is the limit of what waits, and the server is back in one piece', async () => {
    await start({ hold: { time: `${HOLD_TIME}ms`, memory: '64KiB' } })
    const [client, reader] = await Promise.all([connect(), connect()])
    await ask(client, ['GET', 'a'])
    await keyward.proxy.operations.pause(target, 10_000)
    client.send(encode(Array.from({ length: 20 }, (_, i) => ['SET', `k${i}`, 'x'.repeat(10_000)])))
    expect(await eventually(() => places(keyward).held === 6)).toBe(true)
    expect(places(keyward).heldBytes).toBeLessThanOrEqual(64 * 1024)
    reader.send(encode([['GET', 'k0']]))
    await keyward.proxy.operations.resume(target)
    const replies = (await client.replies(20)).map(String)
    expect(replies.slice(0, 6)).toEqual(Array(6).fill('+OK\r\n'))
    expect(new Set(replies.slice(6))).toEqual(new Set(['-UPSTREAMDOWN not sent: the upstream Redis is away\r\n']))
    expect(String(await reader.reply())).toBe(`$10000\r\n${'x'.repeat(10_000)}\r\n`)
  })

  test('its server may be replaced: what waits goes to the new one, with a hold.time of its own', async () => {
    await start({ hold: { time: '5s' } })
    const [client, taker] = await Promise.all([connect(), connect()])
    await ask(client, ['SET', 'a', 7])
    taker.send(encode([['BLPOP', 'q', 0]]))
    await blocked(1)
    await keyward.proxy.operations.pause(target, 10_000)
    client.send(
      encode([
        ['INCR', 'a'],
        ['RPUSH', 'q', 'x'],
      ]),
    )
    expect(await eventually(() => places(keyward).held === 2)).toBe(true)
    await main.kill('SIGKILL')
    await client.silence(200)
    await keyward.proxy.operations.resume(target)
    await client.silence(200)
    await main.restart()
    expect((await client.replies(2)).map(String)).toEqual([':1\r\n', ':1\r\n'])
    expect(String(await taker.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  })

  test('reads wait as well where replicas are read', async () => {
    const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${main.port}`] })
    const tenants = {
      acme: { upstream: 'main', users: { default: { password: 'acme' } }, replicas: { read: 'prefer' } },
    }
    keyward = await startKeyward(configFor(main, { tenants }))
    const client = await connect()
    const reads = () => keyward.proxy.view().upstreams[0].replicas.reduce((sum, one) => sum + one.reads, 0)
    expect(await eventually(async () => (await ask(client, ['GET', 'a']))[0] === '$-1\r\n' && reads() > 0)).toBe(true)
    await keyward.proxy.operations.pause(target, 10_000)
    client.send(encode([['GET', 'a']]))
    await client.silence(300)
    await keyward.proxy.operations.resume(target)
    expect(String(await client.reply())).toBe('$-1\r\n')
    await replica.stop()
  })
})

test('RECONNECT: new connections take over, and no request is lost, refused or executed twice', async () => {
  await start()
  const names = /^id=(\d+) .*name=keyward /gm
  const ids = async () => [...(await main.cli('CLIENT', 'LIST')).matchAll(names)].map(([, id]) => id)
  const [multi, taker, subscriber] = await Promise.all([connect(), connect(), connect()])
  await ask(multi, ['MULTI'], ['SET', 'm', 1])
  taker.send(encode([['BLPOP', 'q', 0]]))
  await subscriber.exchange(request('SUBSCRIBE', 'news'))
  await blocked(1)
  let over = false
  const counts = await Promise.all(
    ([2, 3, 2, 3] as const).map(async (protocol, i) => {
      const client = await connect('acme', protocol)
      return async () => {
        let count = 0
        while (!over) {
          const replies = await ask(client, ['INCR', `n${i}`], ['GET', `n${i}`], ['MULTI'], ['INCR', `n${i}`], ['EXEC'])
          const [one, two] = [count + 1, count + 2].map(String)
          count += 2
          expect(replies).toEqual([
            `:${one}\r\n`,
            `$${one.length}\r\n${one}\r\n`,
            '+OK\r\n',
            '+QUEUED\r\n',
            `*1\r\n:${two}\r\n`,
          ])
        }
        return count
      }
    }),
  )
  const work = Promise.all(counts.map((run) => run()))
  for (let round = 0; round < 3; round++) {
    const before = new Set(await ids())
    expect(await keyward.proxy.operations.reconnect('main')).toMatch(/^reconnecting main/)
    const kept = async () => (await ids()).filter((id) => before.has(id)).length
    // What is open ends where it is: the transaction, what blocks, the subscription.
    expect(await eventually(async () => (await kept()) <= 3)).toBe(true)
  }
  over = true
  const totals = await work
  for (const [i, total] of totals.entries()) expect(await main.cli('GET', `acme:n${i}`)).toBe(String(total))
  expect(await ask(multi, ['EXEC'])).toEqual(['*1\r\n+OK\r\n'])
  expect(await ask(multi, ['RPUSH', 'q', 'x'], ['PUBLISH', 'news', 'y'])).toEqual([':1\r\n', ':1\r\n'])
  expect(String(await taker.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  expect(String(await subscriber.reply())).toContain('news')
})

test('what cannot be done is refused with a cure', async () => {
  await start()
  const { operations } = keyward.proxy
  await expect(operations.pause({ tenant: 'nobody' }, 100)).rejects.toMatchObject({ cure: expect.any(String) })
  await expect(operations.resume({ upstream: 'nowhere' })).rejects.toMatchObject({ cure: expect.any(String) })
  await expect(operations.reconnect('nowhere')).rejects.toMatchObject({ cure: expect.any(String) })
  await expect(operations.failover('main', 100)).rejects.toMatchObject({
    cure: expect.stringContaining('Keyward follows'),
  })
})
