import dns from 'node:dns'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ask as askServer } from '../helpers/ask.ts'
import { Crew, withCrewTenants } from '../helpers/crew.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * One name, which leads to the primary of the day, as at ElastiCache, Azure and Redis Cloud: the old primary says READONLY, or
 * its connections are lost, and soon or late the name leads to the new one. Clients are not to notice. Both servers are real;
 * what is not is the resolver's answer for this one name.
 */
const NAME = 'redis.keyward.test'
const DELAY = { default: 700, long: 4000, drill: 4000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 700

class Server {
  readonly host: string
  readonly redis: RedisServer

  static async start(host: string, port?: number): Promise<Server> {
    const diskless = ['repl-diskless-sync yes', 'repl-diskless-sync-delay 0', 'repl-backlog-size 32mb']
    const config = [`bind ${host}`, `replica-announce-ip ${host}`, ...diskless]
    return new Server(host, await startRedis({ config, port }))
  }

  private constructor(host: string, redis: RedisServer) {
    this.host = host
    this.redis = redis
  }

  ask<T = unknown>(...args: (string | number)[]): Promise<T> {
    return askServer<T>({ host: this.host, port: this.redis.port }, args)
  }

  async isReplicaOf(primary: Server): Promise<void> {
    await this.ask('REPLICAOF', primary.host, primary.redis.port)
    expect(await eventually(async () => (await this.ask<string[]>('ROLE'))[3] === 'connected')).toBe(true)
    const isThere = async () => (await primary.ask<string>('INFO', 'replication')).includes('state=online')
    expect(await eventually(isThere)).toBe(true)
  }

  /** Connections of Keyward, without those that only rest. */
  async keywards(): Promise<number> {
    return (await this.ask<string>('CLIENT', 'LIST')).split('\n').filter((line) => line.includes('name=keyward')).length
  }
}

let old: Server
let next: Server
let leadsTo: Server
let keyward: Keyward
const clients: RawClient[] = []

beforeEach(async () => {
  old = await Server.start('127.0.0.1')
  next = await Server.start('127.0.0.2', old.redis.port)
  await next.isReplicaOf(old)
  leadsTo = old
  const lookup = dns.lookup as (...args: unknown[]) => void
  vi.spyOn(dns, 'lookup').mockImplementation(((host: string, options: object, done: (...args: unknown[]) => void) => {
    if (host !== NAME) lookup(host, options, done)
    else if ('all' in options && options.all === true) done(null, [{ address: leadsTo.host, family: 4 }])
    else done(null, leadsTo.host, 4)
  }) as typeof dns.lookup)
})

afterEach(async () => {
  vi.restoreAllMocks()
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  await Promise.all([old?.redis.stop(), next?.redis.stop()])
  expect(keyward?.proxy.faults).toBe(0)
})

async function start(upstream: Record<string, unknown> = {}): Promise<void> {
  const config = configFor({ url: `redis://${NAME}:${old.redis.port}` }, {}, upstream)
  keyward = await startKeyward(withCrewTenants(config))
  expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
}

async function connect(protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

async function ask(client: RawClient, ...requests: (string | number)[][]): Promise<string[]> {
  return (await client.exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)).map(String)
}

/** The two change places, and nothing is lost; the name stays as it is. */
async function swap(): Promise<void> {
  await old.ask('FAILOVER', 'TO', next.host, next.redis.port)
  expect(await eventually(async () => (await next.ask<string[]>('ROLE'))[0] === 'master')).toBe(true)
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('demoted, and the name moves later: writes wait and are executed by the new primary, and nobody sees READONLY', async () => {
  await start()
  const crew = new Crew(keyward, 'EXECABORT', (rawKey) => next.ask('GET', rawKey))
  await crew.everybody(1)
  await swap()
  await pause(DELAY)
  const { reads } = crew
  leadsTo = next
  expect(await eventually(() => crew.requests > 0 && !crew.writesWait)).toBe(true)
  const { requests } = crew
  expect(await eventually(() => crew.requests > requests + 500)).toBe(true)
  await crew.end()
  expect(reads).toBeGreaterThan(20)
  expect(crew.readsWhileWritesWaited).toBeGreaterThan(20)
  expect(await eventually(async () => (await old.keywards()) === 0)).toBe(true)
})

test('killed, and the name moves later: nobody sees more than -OUTCOMEUNKNOWN, and readers nothing', async () => {
  await start()
  const crew = new Crew(keyward, 'OUTCOMEUNKNOWN', (rawKey) => next.ask('GET', rawKey))
  await crew.everybody(1)
  await old.redis.kill('SIGKILL')
  await next.ask('REPLICAOF', 'NO', 'ONE')
  await pause(DELAY)
  leadsTo = next
  const { requests } = crew
  expect(await eventually(() => crew.requests > requests + 500)).toBe(true)
  await crew.end()
})

test('what is open moves, too: transactions abort, what blocks waits on, subscribers hear what is published there', async () => {
  await start()
  const [multi, watcher, taker, follower, other] = await Promise.all([
    connect(),
    connect(3),
    connect(),
    connect(3),
    connect(),
  ])
  await ask(other, ['XADD', 's', '1-1', 'f', 'old'])
  expect(await ask(multi, ['MULTI'], ['SET', 'tx', 1])).toEqual(['+OK\r\n', '+QUEUED\r\n'])
  expect(await ask(watcher, ['WATCH', 'tx'], ['GET', 'tx'])).toEqual(['+OK\r\n', '_\r\n'])
  taker.send(request('BLPOP', 'q', 0))
  follower.send(request('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'))
  const subscribers = await Promise.all([connect(2), connect(3)])
  for (const subscriber of subscribers) await subscriber.exchange(request('SUBSCRIBE', 'news'))
  const blocked = async () => /^blocked_clients:2\r$/m.test(await old.ask<string>('INFO', 'clients'))
  expect(await eventually(blocked)).toBe(true)
  await swap()
  other.send(Buffer.concat([request('XADD', 's', '2-1', 'f', 'new'), request('RPUSH', 'q', 'x')]))
  await pause(DELAY)
  leadsTo = next
  expect((await other.replies(2)).map(String)).toEqual(['$3\r\n2-1\r\n', ':1\r\n'])
  expect(String(await taker.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
  expect(String(await follower.reply())).toContain('2-1')
  expect(await ask(multi, ['EXEC'], ['GET', 'tx'])).toEqual([expect.stringMatching(/^-EXECABORT/), '$-1\r\n'])
  expect(await ask(watcher, ['MULTI'], ['SET', 'tx', 3], ['EXEC'])).toEqual([
    '+OK\r\n',
    '+QUEUED\r\n',
    expect.stringMatching(/^-EXECABORT/),
  ])
  for (const client of [multi, watcher]) {
    const replies = await ask(client, ['MULTI'], ['SET', 'tx', 4], ['EXEC'])
    expect(replies).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n'])
  }
  for (const [i, subscriber] of subscribers.entries()) {
    expect(await eventually(async () => (await ask(other, ['PUBLISH', 'news', 'after']))[0] !== ':0\r\n')).toBe(true)
    expect(String(await subscriber.reply())).toBe(`${'*>'[i]}3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nafter\r\n`)
  }
  expect(await eventually(async () => (await old.keywards()) === 0)).toBe(true)
})

test('who only runs transactions is moved as well, and never told READONLY', async () => {
  await start()
  const client = await connect()
  const transaction = [['MULTI'], ['INCR', 'tx'], ['EXEC']]
  expect((await ask(client, ...transaction))[2]).toBe('*1\r\n:1\r\n')
  await swap()
  leadsTo = next
  const seen: string[] = []
  expect(
    await eventually(async () => {
      const replies = await ask(client, ...transaction)
      seen.push(...replies)
      return replies[2] === '*1\r\n:2\r\n'
    }),
  ).toBe(true)
  expect(seen.filter((reply) => /READONLY/.test(reply))).toEqual([])
})

test('some of the connections are lost, and the name leads elsewhere: all others follow', async () => {
  await start()
  const clients = await Promise.all([connect(2), connect(3)])
  for (const client of clients) expect(await ask(client, ['GET', 'a'])).toHaveLength(1)
  const subscriber = await connect()
  await subscriber.exchange(request('SUBSCRIBE', 'news'))
  await swap()
  leadsTo = next
  const lane = /^id=(\d+) .*name=keyward .*cmd=get /m.exec(await old.ask<string>('CLIENT', 'LIST'))?.[1]
  expect(await old.ask('CLIENT', 'KILL', 'ID', Number(lane))).toBe(1)
  expect(await eventually(async () => (await old.keywards()) === 0)).toBe(true)
  for (const client of clients) expect(await ask(client, ['SET', 'a', 1])).toEqual(['+OK\r\n'])
  expect(await eventually(async () => (await ask(clients[0], ['PUBLISH', 'news', 'x']))[0] === ':1\r\n')).toBe(true)
  expect(String(await subscriber.reply())).toContain('news')
})

test('the name never moves: reads go on all the time, and after hold.time writers are told READONLY', async () => {
  await start({ hold: { time: '3s' } })
  const [writer, ...readers] = await Promise.all([connect(), connect(2), connect(3)])
  await ask(writer, ['SET', 'a', 1])
  await swap()
  let longest = 0
  const over = writer.exchange(request('SET', 'a', 2))
  let done = false
  const reading = readers.map(async (reader) => {
    while (!done) {
      const begun = performance.now()
      expect(await ask(reader, ['GET', 'a'])).toEqual(['$1\r\n1\r\n'])
      longest = Math.max(longest, performance.now() - begun)
    }
  })
  expect(String(await over)).toMatch(/^-READONLY /)
  done = true
  await Promise.all(reading)
  console.log(`longest read ${Math.round(longest)} ms`)
  expect(longest).toBeLessThan(2500)
  expect(await ask(writer, ['SET', 'a', 2], ['GET', 'a'])).toEqual([
    expect.stringMatching(/^-READONLY /),
    '$1\r\n1\r\n',
  ])
  // And when it does move, after all, it is found.
  leadsTo = next
  expect(await eventually(async () => (await ask(writer, ['SET', 'a', 3]))[0] === '+OK\r\n')).toBe(true)
})

test('a replica that always was one says READONLY at once', async () => {
  leadsTo = next
  await start()
  const client = await connect()
  const begun = performance.now()
  const write = await ask(client, ['SET', 'a', 1], ['GET', 'a'], ['SET', 'a', 2])
  expect(write).toEqual([expect.stringMatching(/^-READONLY /), '$-1\r\n', expect.stringMatching(/^-READONLY /)])
  expect(performance.now() - begun).toBeLessThan(5000)
})

test('a replica at our connect, promoted since: when it is demoted again, nobody sees READONLY', async () => {
  leadsTo = next
  await start({ hold: { time: '60s' } })
  const client = await connect()
  expect((await ask(client, ['SET', 'a', 1]))[0]).toMatch(/^-READONLY /)
  await swap()
  const view = () => keyward.proxy.view().upstreams[0]
  expect(await eventually(() => view().role === 'master')).toBe(true)
  expect(await ask(client, ['SET', 'a', 2])).toEqual(['+OK\r\n'])
  await next.ask('FAILOVER', 'TO', old.host, old.redis.port)
  expect(await eventually(async () => (await old.ask<string[]>('ROLE'))[0] === 'master')).toBe(true)
  const write = ask(client, ['SET', 'a', 3])
  await pause(DELAY)
  leadsTo = old
  expect(await write).toEqual(['+OK\r\n'])
  expect(await old.ask('GET', 'acme:a')).toBe('3')
})

test('demoted while nobody writes: writes wait before the first of them is refused', async () => {
  await start({ hold: { time: '60s' } })
  const client = await connect()
  await ask(client, ['SET', 'a', 1])
  await swap()
  const view = () => keyward.proxy.view().upstreams[0]
  expect(await eventually(() => view().waits === 'writes' && view().role === 'slave')).toBe(true)
  expect(await ask(client, ['GET', 'a'])).toEqual(['$1\r\n1\r\n'])
  const write = ask(client, ['SET', 'a', 2])
  leadsTo = next
  expect(await write).toEqual(['+OK\r\n'])
  expect(view().waits).toBe('nothing')
})
