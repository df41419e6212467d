import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { Crew, withCrewTenants } from '../helpers/crew.ts'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { Sentinel } from '../helpers/sentinel.ts'
import { type DataServer, type SentinelSet, startSentinelSet } from '../helpers/sentinel-set.ts'

/**
 * Clients that know nothing of Sentinel go on while the primary becomes another server: politely, by `PROXY FAILOVER`,
 * because it was killed, or because it hangs. Nobody is disconnected; a planned failover shows nobody anything but a
 * pause, and any other nothing but -OUTCOMEUNKNOWN.
 */
const ROUNDS = { default: 1, long: 5, drill: 20 }[process.env.KEYWARD_TIER ?? 'default'] ?? 1

let set: SentinelSet
let keyward: Keyward

beforeAll(async () => {
  set = await startSentinelSet()
})

afterAll(async () => {
  await set?.stop()
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  keyward?.stop()
  expect(keyward?.proxy.faults).toBe(0)
})

const clients: RawClient[] = []

async function connect(protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

/** Requests in one write, their replies as text. */
async function ask(client: RawClient, ...requests: (string | number)[][]): Promise<string[]> {
  return (await client.exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)).map(String)
}

async function start(upstream: Record<string, unknown> = {}): Promise<void> {
  keyward = await startKeyward(withCrewTenants(set.config({}, upstream)))
  expect(await eventually(() => keyward.proxy.ready().ready)).toBe(true)
}

const upstream = () => keyward.proxy.view().upstreams[0]
const writesWait = () => keyward.proxy.upstreams.get('main')?.primary.writesWait === true
const hire = (worst: 'nothing' | 'EXECABORT' | 'OUTCOMEUNKNOWN') =>
  new Crew(keyward, worst, async (rawKey) => (await set.primary()).ask('GET', rawKey))

/** Resolves when Keyward is at another primary than `old`, and some more has happened there. */
async function followed(old: DataServer, crew: Crew): Promise<void> {
  const now = await set.waitSwitched(old)
  expect(await eventually(() => upstream().address === `127.0.0.1:${now.announced}` && upstream().usable)).toBe(true)
  const { requests } = crew
  expect(await eventually(() => crew.requests > requests + 500)).toBe(true)
}

/** A client that blocks, as the server of the day sees it. */
async function blocks(server: DataServer, command: string): Promise<void> {
  const isBlocked = (line: string) => line.includes(`cmd=${command}`) && /flags=\S*b/.test(line)
  expect(await eventually(async () => (await server.ask<string>('CLIENT', 'LIST')).split('\n').some(isBlocked))).toBe(
    true,
  )
}

async function failoverTimeout(milliseconds: number): Promise<void> {
  for (const sentinel of set.sentinels) {
    await sentinel.ask('SENTINEL', 'SET', set.master, 'failover-timeout', milliseconds)
  }
}

/** A planned failover whose new primary takes its time: `meanwhile` is what happens while writes wait for it. */
async function slowFailover(meanwhile: () => Promise<void>): Promise<DataServer> {
  await failoverTimeout(20_000)
  const replicas = await set.replicas()
  for (const replica of replicas) await replica.kill('SIGSTOP')
  const old = await set.failover()
  expect(await eventually(writesWait)).toBe(true)
  await meanwhile()
  expect(writesWait()).toBe(true)
  for (const replica of replicas) await replica.kill('SIGCONT')
  const now = await set.waitSwitched(old)
  expect(await eventually(() => upstream().address === `127.0.0.1:${now.announced}` && upstream().usable)).toBe(true)
  await failoverTimeout(3000)
  return old
}

describe('planned', () => {
  const ways = [
    ['SENTINEL FAILOVER', async () => void (await set.failover())],
    [
      'PROXY FAILOVER',
      async () => expect(await keyward.proxy.operations.failover(undefined, 20_000)).toMatch(/nothing was lost/),
    ],
  ] as const

  for (const [name, failOver] of ways) {
    test(`${name}: clients at work see nothing but a pause of their writes`, { timeout: ROUNDS * 60_000 }, async () => {
      await start()
      for (let round = 0; round < ROUNDS; round++) {
        const old = await set.settled()
        const crew = hire('nothing')
        await crew.everybody()
        await failOver()
        await followed(old, crew)
        await crew.end()
        expect(crew.readsWhileWritesWaited).toBeGreaterThan(20)
      }
      expect(upstream().moves).toMatchObject({ count: ROUNDS, lossy: 0, unproven: 0 })
    })
  }

  test('reads go on, writes and what is behind them wait, and what nobody waits for any more is dropped', async () => {
    await set.settled()
    await start()
    const [reader, writer, mixed, leaver, late] = await Promise.all([
      connect(),
      connect(3),
      connect(),
      connect(),
      connect(),
    ])
    await ask(writer, ['DEL', 'n', 'left', 'a'], ['SET', 'n', 7])
    const big = 'x'.repeat(2_000_000)
    await slowFailover(async () => {
      for (let i = 0; i < 50; i++)
        expect(await ask(reader, ['GET', 'n'], ['EXISTS', 'n'])).toEqual(['$1\r\n7\r\n', ':1\r\n'])
      writer.send(Buffer.concat([request('INCR', 'n'), request('GET', 'n')]))
      mixed.send(
        Buffer.concat([request('GET', 'n'), request('INCR', 'a'), request('GET', 'a'), request('SET', 'big', big)]),
      )
      expect(String(await mixed.reply())).toBe('$1\r\n7\r\n')
      leaver.send(request('INCR', 'left'))
      late.send(Buffer.concat([request('MULTI'), request('INCR', 'a'), request('EXEC')]))
      expect(await eventually(() => places(keyward).held >= 3 && places(keyward).pinsWaiting === 1)).toBe(true)
      const there = places(keyward).clients
      leaver.reset()
      expect(await eventually(() => places(keyward).clients === there - 1)).toBe(true)
      await writer.silence(100)
      expect(await ask(reader, ['GET', 'a'], ['DBSIZE'])).toEqual(['$-1\r\n', expect.stringMatching(/^:/)])
    })
    expect((await writer.replies(2)).map(String)).toEqual([':8\r\n', '$1\r\n8\r\n'])
    const [raised, read, set_] = (await mixed.replies(3)).map(String)
    expect([raised, read.slice(4), set_]).toEqual([
      expect.stringMatching(/^:[12]/),
      expect.stringMatching(/^[12]/),
      '+OK\r\n',
    ])
    expect((await late.replies(3)).map(String)).toEqual([
      '+OK\r\n',
      '+QUEUED\r\n',
      expect.stringMatching(/^\*1\r\n:[12]/),
    ])
    expect(await ask(reader, ['GET', 'a'], ['GET', 'left'], ['STRLEN', 'big'])).toEqual([
      '$1\r\n2\r\n',
      '$-1\r\n',
      `:${big.length}\r\n`,
    ])
  })

  test('transactions that are open are gone and their clients stay; what blocks waits on, and subscribers hear what comes', async () => {
    const before = await set.settled()
    await start()
    const [multi, watcher, taker, follower, confirmer, other] = await Promise.all([
      connect(),
      connect(3),
      connect(),
      connect(3),
      connect(),
      connect(),
    ])
    await ask(other, ['DEL', 'tx', 'q', 's'], ['XADD', 's', '1-1', 'f', 'old'])
    expect(await ask(multi, ['MULTI'], ['SET', 'tx', 1])).toEqual(['+OK\r\n', '+QUEUED\r\n'])
    expect(await ask(watcher, ['WATCH', 'tx'], ['GET', 'tx'])).toEqual(['+OK\r\n', '_\r\n'])
    taker.send(request('BLPOP', 'q', 0))
    follower.send(request('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'))
    await blocks(before, 'blpop')
    await blocks(before, 'xread')
    const subscribers = await Promise.all([connect(2), connect(3)])
    for (const subscriber of subscribers) await subscriber.exchange(request('SUBSCRIBE', 'news'))
    expect(await ask(confirmer, ['SET', 'confirmed', 1])).toEqual(['+OK\r\n'])
    await slowFailover(async () => {
      multi.send(request('SET', 'tx', 2))
      other.send(Buffer.concat([request('XADD', 's', '2-1', 'f', 'new'), request('RPUSH', 'q', 'x')]))
      await multi.silence(50)
    })
    expect(String(await multi.reply())).toMatch(/^(\+QUEUED|-EXECABORT)/)
    expect(await ask(multi, ['EXEC'], ['GET', 'tx'])).toEqual([expect.stringMatching(/^-EXECABORT/), '$-1\r\n'])
    expect(await ask(watcher, ['MULTI'], ['SET', 'tx', 3], ['EXEC'])).toEqual([
      '+OK\r\n',
      '+QUEUED\r\n',
      expect.stringMatching(/^-EXECABORT/),
    ])
    for (const client of [multi, watcher]) {
      expect(await ask(client, ['MULTI'], ['SET', 'tx', 4], ['EXEC'])).toEqual([
        '+OK\r\n',
        '+QUEUED\r\n',
        '*1\r\n+OK\r\n',
      ])
    }
    expect((await other.replies(2)).map(String)).toEqual(['$3\r\n2-1\r\n', ':1\r\n'])
    expect(String(await taker.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
    expect(String(await follower.reply())).toContain('2-1')
    for (const [i, subscriber] of subscribers.entries()) {
      const heard = subscriber.reply()
      const hears = eventually(async () => {
        await ask(other, ['PUBLISH', 'news', 'after'])
        return (await Promise.race([heard, undefined])) !== undefined
      })
      expect(await hears).toBe(true)
      expect(String(await heard)).toBe(`${'*>'[i]}3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nafter\r\n`)
    }
    // Nothing was lost, so what was written before counts as before.
    expect(await eventually(async () => (await ask(confirmer, ['WAIT', 2, 100]))[0] === ':2\r\n')).toBe(true)
  })

  test('a connection that is full of writes: reads among them go on', async () => {
    await set.settled()
    await start({ lanes: 1 })
    const [reader, ...writers] = await Promise.all(Array.from({ length: 7 }, () => connect()))
    const many = Buffer.concat(Array.from({ length: 60 }, (_, i) => request('SET', `w${i}`, 'x'.repeat(20_000))))
    let [over, reads] = [false, 0]
    const writing = writers.map(async (writer) => {
      while (!over) expect(new Set((await writer.exchange(many, 60)).map(String))).toEqual(new Set(['+OK\r\n']))
    })
    const reading = (async () => {
      for (; !over; reads++) expect(await ask(reader, ['STRLEN', 'w1'])).toEqual([expect.stringMatching(/^:/)])
    })()
    expect(await eventually(() => reads > 20)).toBe(true)
    await slowFailover(async () => {
      const before = reads
      expect(await eventually(() => reads > before + 50)).toBe(true)
    })
    over = true
    await Promise.all([reading, ...writing])
  })

  test('a WAIT that takes its time does not keep the old primary from being drained', async () => {
    await set.settled()
    await start()
    const client = await connect()
    client.send(Buffer.concat([request('SET', 'w', 1), request('WAIT', 9, 0)]))
    expect(String(await client.reply())).toBe('+OK\r\n')
    await blocks(await set.primary(), 'wait')
    expect(await keyward.proxy.operations.failover(undefined, 20_000)).toMatch(/nothing was lost/)
  })

  test('a reload meanwhile: writes wait on, and none is lost', async () => {
    await set.settled()
    await start()
    const crew = hire('EXECABORT')
    await crew.everybody()
    await slowFailover(async () => {
      const source = { source: 'test.yaml', env: process.env, baseDir: process.cwd() }
      const next = parseConfig(stringify(withCrewTenants(set.config({}, { lanes: 3 }))), source)
      await keyward.proxy.reload(next)
      expect(await eventually(writesWait)).toBe(true)
    })
    const { requests } = crew
    expect(await eventually(() => crew.requests > requests + 500)).toBe(true)
    await crew.end()
  })

  test('that is called off: writes go on at the old primary, also when a replica says that it is one', async () => {
    const old = await set.settled()
    await start()
    const crew = hire('nothing')
    await crew.everybody()
    await failoverTimeout(1500)
    const replicas = await set.replicas()
    for (const replica of replicas) await replica.kill('SIGSTOP')
    await set.failover()
    expect(await eventually(writesWait)).toBe(true)
    expect(await eventually(() => !writesWait())).toBe(true)
    const { requests } = crew
    expect(await eventually(() => crew.requests > requests + 500)).toBe(true)
    for (const replica of replicas) await replica.kill('SIGCONT')
    expect(
      await eventually(async () => {
        const roles = await Promise.all(replicas.map((replica) => replica.ask<[string]>('ROLE')))
        return roles.some(([role]) => role === 'master')
      }),
    ).toBe(true)
    await failoverTimeout(3000)
    expect(await set.settled()).toBe(old)
    await crew.end()
    expect(upstream()).toMatchObject({ address: `127.0.0.1:${old.announced}`, moves: { count: 0 } })
  })
})

describe('not planned', () => {
  const ways = [
    ['killed', (old: DataServer) => old.kill('SIGKILL'), (old: DataServer) => old.restart()],
    ['stopped', (old: DataServer) => old.kill('SIGSTOP'), (old: DataServer) => old.kill('SIGCONT')],
  ] as const

  for (const [name, lose, find] of ways) {
    test(`${name}: nobody sees more than -OUTCOMEUNKNOWN, and readers nothing`, {
      timeout: ROUNDS * 60_000,
    }, async () => {
      await start()
      for (let round = 0; round < ROUNDS; round++) {
        const old = await set.settled()
        const crew = hire('OUTCOMEUNKNOWN')
        await crew.everybody()
        await lose(old)
        await followed(old, crew)
        await crew.end()
        await find(old)
        // One for each that was under way at most.
        expect(crew.unknown).toBeLessThan(2000)
      }
      expect(upstream().moves).toMatchObject({ count: ROUNDS })
    })
  }

  test('WAIT answers for no write of before the switch, and counts again for later ones', async () => {
    const old = await set.settled()
    await start()
    const [before, both] = await Promise.all([connect(), connect(3)])
    for (const client of [before, both]) expect(await ask(client, ['SET', 'w', 1])).toEqual(['+OK\r\n'])
    await old.kill('SIGKILL')
    const now = await set.waitSwitched(old)
    expect(await eventually(() => upstream().address === `127.0.0.1:${now.announced}` && upstream().usable)).toBe(true)
    await old.restart()
    await set.settled()
    expect(await ask(before, ['WAIT', 1, 300])).toEqual([':0\r\n'])
    expect(await ask(both, ['SET', 'w', 2], ['WAIT', 1, 300])).toEqual(['+OK\r\n', ':0\r\n'])
    for (const client of [before, both]) {
      expect(await ask(client, ['SET', 'w', 3], ['WAIT', 2, 10_000])).toEqual(['+OK\r\n', ':2\r\n'])
    }
  })
})

describe('sentinels', () => {
  /** A planned failover with everybody at work. */
  async function unnoticed(): Promise<void> {
    const old = await set.primary()
    const crew = hire('nothing')
    await crew.everybody()
    await set.failover()
    await followed(old, crew)
    await crew.end()
  }

  test('one more watches another server under the same name: it is outvoted', async () => {
    await set.settled()
    const other = await startRedis()
    const liar = await Sentinel.prepare({})
    const where = { host: '127.0.0.1', port: other.port }
    await liar.begin({ ...where, master: set.master, quorum: 1, replicas: [], others: [], options: [] })
    const { sentinel } = set.upstream as { sentinel: { nodes: string[] } }
    await start({ sentinel: { ...sentinel, nodes: [`127.0.0.1:${liar.port}`, ...sentinel.nodes] } })
    await unnoticed()
    await liar.stop()
    await other.stop()
  })

  test('one is dead: the others are enough', async () => {
    await set.settled()
    await set.sentinels[0].kill()
    await start()
    await unnoticed()
    await set.sentinels[0].restart()
    await set.pace('fast')
  })

  test('all are dead: the primary of the day goes on being used, also when its connections are lost', async () => {
    const old = await set.settled()
    await start()
    const client = await connect()
    expect(await ask(client, ['SET', 'd', 1])).toEqual(['+OK\r\n'])
    for (const sentinel of set.sentinels) await sentinel.kill()
    expect(await eventually(() => upstream().topology.sentinels.every(({ connected }) => !connected))).toBe(true)
    await old.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    expect(await ask(client, ['INCR', 'd'], ['GET', 'd'])).toEqual([':2\r\n', '$1\r\n2\r\n'])
    expect(keyward.proxy.ready()).toMatchObject({ ready: true })

    keyward.stop()
    keyward = await startKeyward(withCrewTenants(set.config()))
    const early = await connect()
    early.send(request('INCR', 'd'))
    expect(await eventually(() => places(keyward).held === 1)).toBe(true)
    await early.silence(500)
    expect(keyward.proxy.ready()).toEqual({ ready: false, reason: expect.stringMatching(/main .*sentinel/i) })
    await Promise.all(set.sentinels.map((sentinel) => sentinel.restart()))
    expect(String(await early.reply())).toBe(':3\r\n')
    expect(keyward.proxy.ready()).toMatchObject({ ready: true })
    await set.pace('fast')
  })
})
