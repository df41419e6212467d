import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Transactions of several clients at once: isolated from each other, and leaving nothing on a connection. */
let redis: RedisServer
let keyward: Keyward
let bare: RawClient
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis, {}, { pins: { max: 4, perTenant: 4, warm: 2 } }))
  bare = await RawClient.connect({ port: redis.port })
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(() => places(keyward).pinsBlocked + places(keyward).pinsTransaction === 0)).toBe(true)
  await bare.command('FLUSHALL')
})

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  await redis?.stop()
})

async function connect(password = 'acme'): Promise<RawClient> {
  const client = await keyward.connect({ password })
  open.push(client)
  return client
}

const all = (client: RawClient, ...requests: string[]) =>
  client
    .exchange(Buffer.concat(requests.map((line) => request(...line.split(' ')))), requests.length)
    .then((replies) => replies.map(String))

test("a watched key that another client changed makes EXEC answer null, another tenant's of the same name does not", async () => {
  const [one, two, foreign] = [await connect(), await connect(), await connect('beta')]
  await all(one, 'WATCH k', 'GET k')
  await all(foreign, 'SET k foreign')
  await all(one, 'MULTI', 'SET k one')
  expect(await all(one, 'EXEC')).toEqual(['*1\r\n+OK\r\n'])
  await all(one, 'WATCH k', 'GET k', 'MULTI', 'SET k two')
  await all(two, 'SET k changed')
  expect(await all(one, 'EXEC')).toEqual(['*-1\r\n'])
  expect(await all(two, 'GET k')).toEqual(['$7\r\nchanged\r\n'])
  expect(await all(foreign, 'GET k')).toEqual(['$7\r\nforeign\r\n'])
})

test('a client that changes its own watched key outside the transaction aborts it', async () => {
  const one = await connect()
  expect((await all(one, 'WATCH k', 'SET k 1', 'MULTI', 'SET k 2', 'EXEC')).at(-1)).toBe('*-1\r\n')
})

test('a hundred counters raised by check and set lose nothing', async () => {
  const clients = await Promise.all([connect(), connect(), connect()])
  await Promise.all(
    clients.map(async (client) => {
      for (let done = 0; done < 30; ) {
        const [, value] = await all(client, 'WATCH n', 'GET n')
        const next = Number(/\r\n(\d+)\r\n/.exec(value)?.[1] ?? 0) + 1
        const exec = (await all(client, 'MULTI', `SET n ${next}`, 'EXEC')).at(-1)
        if (exec === '*1\r\n+OK\r\n') done++
      }
    }),
  )
  expect(await all(clients[0], 'GET n')).toEqual(['$2\r\n90\r\n'])
})

test('a connection on which somebody left in the middle is not given to anybody', async () => {
  for (const half of [
    ['MULTI', 'SET k half'],
    ['WATCH k'],
    ['MULTI', 'NOSUCH'],
    ['MULTI'],
    ['WATCH k', 'MULTI', 'SET k half'],
  ]) {
    for (const rude of [false, true]) {
      const leaver = await connect()
      await all(leaver, ...half)
      if (rude) leaver.reset()
      else await leaver.end()
    }
  }
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect()))
  for (const [i, client] of clients.entries()) {
    expect(await all(client, 'MULTI', `SET mine:${i} ${i}`, 'EXEC')).toEqual([
      '+OK\r\n',
      '+QUEUED\r\n',
      '*1\r\n+OK\r\n',
    ])
    expect(await all(client, `GET mine:${i}`)).toEqual([`$1\r\n${i}\r\n`])
  }
  expect(await all(clients[0], 'EXISTS k')).toEqual([':0\r\n'])
})

test('a connection that was given back is used again, without a trace of its former client', async () => {
  const one = await connect()
  for (let i = 0; i < 20; i++) {
    expect((await all(one, 'WATCH k', 'MULTI', `SET k ${i}`, 'EXEC')).at(-1)).toBe('*1\r\n+OK\r\n')
    expect(await all(one, 'EXEC')).toEqual(['-ERR EXEC without MULTI\r\n'])
    expect(await all(one, 'MULTI', 'DISCARD', 'DISCARD')).toEqual([
      '+OK\r\n',
      '+OK\r\n',
      '-ERR DISCARD without MULTI\r\n',
    ])
  }
  expect(places(keyward).pins).toBeLessThanOrEqual(2)
})

test('a transaction over the cap waits for another to end, and producers never wait behind consumers', async () => {
  const consumers = await Promise.all(Array.from({ length: 4 }, () => connect()))
  for (const consumer of consumers) consumer.send(request('BLPOP', 'q', 0))
  expect(await eventually(() => places(keyward).pinsBlocked === 4)).toBe(true)
  // No room for one more blocked client: refused at once, in Redis' own words for it.
  const late = await connect()
  expect(await all(late, 'BLPOP q 0')).toEqual(['-ERR max number of clients reached\r\n'])
  // The producers' transactions have their own cap.
  const holders = await Promise.all(Array.from({ length: 4 }, () => connect()))
  for (const holder of holders) await all(holder, 'MULTI')
  const producer = await connect()
  producer.send(Buffer.concat([request('MULTI'), request('RPUSH', 'q', 'a', 'b', 'c', 'd'), request('EXEC')]))
  await producer.silence(200)
  await all(holders[0], 'DISCARD')
  expect((await producer.replies(3)).map(String).at(-1)).toBe('*1\r\n:4\r\n')
  const got = (await Promise.all(consumers.map((consumer) => consumer.reply()))).map(String).sort()
  expect(got).toEqual(['a', 'b', 'c', 'd'].map((element) => `*2\r\n$1\r\nq\r\n$1\r\n${element}\r\n`))
  expect(await eventually(() => places(keyward).pinsBlocked === 0)).toBe(true)
  expect(await all(late, 'PING')).toEqual(['+PONG\r\n'])
})

test('nothing is executed before EXEC, and all of it at once', async () => {
  const [one, two] = [await connect(), await connect()]
  await all(one, 'MULTI', 'SET a 1', 'SET b 1')
  expect(await all(two, 'MGET a b')).toEqual(['*2\r\n$-1\r\n$-1\r\n'])
  await all(one, 'EXEC')
  expect(await all(two, 'MGET a b')).toEqual(['*2\r\n$1\r\n1\r\n$1\r\n1\r\n'])
})

test('the connection of a WATCH is lost while its EXEC, which was read already, waits behind a walk: it is not executed', async () => {
  await bare.command('EVAL', "for i = 1, 200000 do redis.call('SET', 'other:' .. i, '') end", 0)
  const client = await connect()
  expect(await client.command('WATCH', 'k')).toBe('+OK\r\n')
  const pin = /^id=(\d+) .*cmd=watch /m.exec(await bare.command('CLIENT', 'LIST'))?.[1] as string
  const piece = [request('DBSIZE'), request('MULTI'), request('SET', 'k', 'late'), request('EXEC'), request('GET', 'k')]
  client.send(Buffer.concat(piece))
  expect(await bare.command('CLIENT', 'KILL', 'ID', pin)).toBe(':1\r\n')
  await bare.command('SET', 'acme:k', 'of somebody else')
  const replies = (await client.replies(5)).map(String)
  expect(replies[3]).toMatch(/^-EXECABORT /)
  expect(replies[4]).toBe('$16\r\nof somebody else\r\n')
})

test('a WATCH that gets no connection in time is an error, and the EXEC that was read with it is not executed', async () => {
  const one = await startKeyward(configFor(redis, {}, { hold: { time: '1s' }, pins: { max: 1, perTenant: 1 } }))
  const first = await one.connect({ password: 'acme' })
  const second = await one.connect({ password: 'acme' })
  try {
    expect(await first.command('WATCH', 'k')).toBe('+OK\r\n')
    const piece = [
      request('WATCH', 'k'),
      request('DBSIZE'),
      request('MULTI'),
      request('SET', 'k', 'unguarded'),
      request('EXEC'),
    ]
    second.send(Buffer.concat([...piece, request('GET', 'k'), request('MULTI'), request('EXEC')]))
    expect(String(await second.reply())).toMatch(/^-UPSTREAMDOWN /)
    expect(await first.command('UNWATCH')).toBe('+OK\r\n')
    const replies = (await second.replies(7)).map(String)
    expect(replies[3]).toMatch(/^-EXECABORT /)
    expect(replies.slice(4)).toEqual(['$-1\r\n', '+OK\r\n', '*0\r\n'])
  } finally {
    first.destroy()
    second.destroy()
    one.stop()
  }
})

test('the connection of a transaction is lost, and only that one is aborted, not the next, which was read with it', async () => {
  const client = await connect()
  const lock = await RawClient.connect({ port: redis.port })
  expect(await lock.command('CLIENT', 'PAUSE', '10000', 'WRITE')).toBe('+OK\r\n')
  const first = [request('MULTI'), request('SET', 'k', 'lost'), request('EXEC')]
  const second = [request('MULTI'), request('SET', 'j', 'kept'), request('EXEC')]
  client.send(Buffer.concat([...first, request('GET', 'k'), ...second]))
  const find = async () => /^id=(\d+) .* flags=xb .* cmd=set /m.exec(await lock.command('CLIENT', 'LIST'))?.[1]
  expect(await eventually(async () => (await find()) !== undefined)).toBe(true)
  expect(await lock.command('CLIENT', 'KILL', 'ID', (await find()) as string)).toBe(':1\r\n')
  expect(await lock.command('CLIENT', 'UNPAUSE')).toBe('+OK\r\n')
  lock.destroy()
  const replies = (await client.replies(7)).map(String)
  expect(replies.slice(2, 4)).toEqual([expect.stringMatching(/^-OUTCOMEUNKNOWN /), '$-1\r\n'])
  expect(replies[6]).toBe('*1\r\n+OK\r\n')
})

test.each([
  ['a blocked command', 'BLPOP q 0', 'blpop', 'GET other'],
  ['a watch', 'WATCH k', 'watch', 'DBSIZE'],
])(
  '%s is lost while a MULTI waits behind it: what EXEC has not executed is never executed',
  async (_, first, cmd, next) => {
    const lone = new RegExp(`^id=(\\d+) .*cmd=${cmd} user=(?!default)`, 'm')
    const find = async () => lone.exec(await bare.command('CLIENT', 'LIST'))?.[1]
    await bare.command('EVAL', "for i = 1, 200000 do redis.call('SET', 'other:' .. i, '') end", 0)
    const client = await connect()
    client.send(request(...first.split(' ')))
    expect(await eventually(async () => (await find()) !== undefined)).toBe(true)
    const pin = (await find()) as string
    // SET, its member, is not answered before EXEC and the next transaction are there.
    expect(await bare.command('CLIENT', 'PAUSE', '10000', 'WRITE')).toBe('+OK\r\n')
    client.send(Buffer.concat([request(...next.split(' ')), request('MULTI'), request('SET', 'k', 'first')]))
    expect(await eventually(() => places(keyward).barrier > 0 || places(keyward).running > 0)).toBe(true)
    expect(await bare.command('CLIENT', 'KILL', 'ID', pin)).toBe(':1\r\n')
    const before = (await client.replies(3)).map(String)
    expect(before[0]).toMatch(cmd === 'watch' ? /^\+OK/ : /^-OUTCOMEUNKNOWN /)
    expect(before[2]).toBe('+OK\r\n')
    client.send(
      Buffer.concat([['EXEC'], ['MULTI'], ['SET', 'j', '2'], ['EXEC'], ['GET', 'k']].map((one) => request(...one))),
    )
    expect(await eventually(() => places(keyward).unanswered === 6)).toBe(true)
    expect(await bare.command('CLIENT', 'UNPAUSE')).toBe('+OK\r\n')
    const after = (await client.replies(6)).map(String)
    expect(after[0]).toBe('+QUEUED\r\n')
    expect(after.slice(2, 5)).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n'])
    // A transaction of its own, behind what blocked; part of the one that was lost, behind WATCH.
    const expected = cmd === 'watch' ? [/^-EXECABORT /, /^\$-1/] : [/^\*1/, /^\$5/]
    expect([after[1], after[5]]).toEqual(expected.map((one) => expect.stringMatching(one)))
  },
)
