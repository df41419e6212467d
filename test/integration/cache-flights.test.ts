import { expect, test } from 'vitest'
import { ALL_KEYS, cachedConfig, callsOf, executed, hits } from '../helpers/cached.ts'
import type { ConfigObject } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { bare, clients, connect, keyward, net, stageCacheBehindProxy, start } from './cache-stage.ts'

/**
 * Many clients that miss the same key cause one read; whoever asks after a write gets what is behind it, whatever was
 * under way; and what a read brings that a write has overtaken is never kept.
 *
 * Redis is behind a proxy that can keep its replies, all but those of the feed.
 */
/** Over the configured `bulk`. */
const BIG = 'x'.repeat(5000)

stageCacheBehindProxy()

async function startWarm(upstream: ConfigObject = {}, cache: ConfigObject = {}): Promise<RawClient> {
  await start(cachedConfig(net, { upstream: { keepAlive: '1h', ...upstream }, cache }))
  const client = await connect()
  expect(await hits(client, bare)).toBe(true)
  return client
}

/** Replies of lanes are kept from now on. */
function hold(): void {
  net.others.stall = 'reply'
}

const gets = async () => (await callsOf(bare)).get('get') ?? 0
/** So many requests of clients have been read, and wait for an answer. */
const waiting = (count: number) => eventually(() => places(keyward).unanswered === count, 30_000)
const received = async (client: RawClient) => String(await client.reply())

test('a thousand clients miss the same key at once: one read', { timeout: 120_000 }, async () => {
  await startWarm()
  const crowd: RawClient[] = []
  for (let i = 0; i < 1000; i += 50) crowd.push(...(await Promise.all(Array.from({ length: 50 }, () => connect()))))
  await bare.command('SET', 'acme:k', 'v')
  // What the cache knows of the key is gone when this is.
  await clients[0].command('SET', 'k', 'w')
  const seen = await executed(bare, async () => {
    hold()
    for (const client of crowd) client.send(request('GET', 'k'))
    expect(await waiting(1000)).toBe(true)
    net.release()
    for (const client of crowd) expect(await received(client)).toBe('$1\r\nw\r\n')
  })
  expect(seen).toEqual({ get: 1, pttl: 1 })
  expect(await executed(bare, () => clients[0].command('GET', 'k'))).toEqual({})
})

test('a key that is missing, one of the wrong type: one read for all, too', async () => {
  await startWarm()
  await clients[0].command('SADD', 'set', 'a')
  const crowd = await Promise.all(Array.from({ length: 40 }, () => connect()))
  for (const [key, reply] of [
    ['gone', '$-1\r\n'],
    ['set', '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'],
  ]) {
    const seen = await executed(bare, async () => {
      hold()
      for (const client of crowd) client.send(request('GET', key))
      expect(await waiting(40)).toBe(true)
      net.release()
      for (const client of crowd) expect(await received(client)).toBe(reply)
    })
    expect(seen.get).toBe(1)
  }
})

test('each protocol, each command and each argument has a flight of its own', async () => {
  const two = await startWarm()
  await two.command('HSET', 'h', 'f', 1, 'g', 2)
  const asked: [RawClient, string[], string][] = []
  for (let i = 0; i < 5; i++) {
    const [old, modern] = [await connect(2), await connect(3), await connect(3)]
    asked.push([old, ['HGETALL', 'h'], '*4\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\ng\r\n$1\r\n2\r\n'])
    asked.push([modern, ['HGETALL', 'h'], '%2\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\ng\r\n$1\r\n2\r\n'])
    asked.push(
      [await connect(), ['HGET', 'h', 'f'], '$1\r\n1\r\n'],
      [await connect(), ['HGET', 'h', 'g'], '$1\r\n2\r\n'],
    )
  }
  const seen = await executed(bare, async () => {
    hold()
    for (const [client, words] of asked) client.send(request(...words))
    expect(await waiting(asked.length)).toBe(true)
    net.release()
    for (const [client, , reply] of asked) expect(await received(client)).toBe(reply)
  })
  expect(seen).toEqual({ hgetall: 2, hget: 2, pttl: 4 })
})

test('who comes after a write past Keyward does not join the read of before, and its reply is not kept', async () => {
  const reader = await startWarm()
  const late = await connect()
  await reader.command('SET', 'k', 'old')
  for (let i = 0; i < 10; i++) {
    const [old, now] = [`$4\r\nold${i}\r\n`, `$4\r\nnew${i}\r\n`]
    await reader.command('SET', 'k', `old${i}`)
    const before = await gets()
    hold()
    reader.send(request('GET', 'k'))
    // The server has answered; the reply is on its way.
    expect(await eventually(async () => (await gets()) === before + 1)).toBe(true)
    await bare.command('SET', 'acme:k', `new${i}`)
    // The feed is not kept up, so sooner or later a flight of its own is begun for who asks now.
    const others: RawClient[] = []
    const begun = async () => {
      const one = await connect()
      one.send(request('GET', 'k'))
      others.push(one)
      return eventually(async () => (await gets()) >= before + 2, 100)
    }
    expect(await eventually(begun, 10_000)).toBe(true)
    late.send(request('GET', 'k'))
    expect(await waiting(2 + others.length)).toBe(true)
    net.release()
    expect([old, now]).toContain(await received(reader))
    expect(await received(others[others.length - 1])).toBe(now)
    expect(await received(late)).toBe(now)
    for (let n = 0; n < 3; n++) expect(await reader.command('GET', 'k')).toBe(now)
    for (const other of others) other.destroy()
  }
})

test('who has written does not join the read of before its write', async () => {
  const reader = await startWarm({ lanes: 1 })
  const [writer, third] = [await connect(), await connect()]
  for (let i = 0; i < 10; i++) {
    await reader.command('SET', 'k', `old${i}`)
    hold()
    reader.send(request('GET', 'k'))
    expect(await waiting(1)).toBe(true)
    writer.send(Buffer.concat([request('SET', 'k', `new${i}`), request('GET', 'k')]))
    expect(await waiting(3)).toBe(true)
    third.send(request('GET', 'k'))
    expect(await waiting(4)).toBe(true)
    net.release()
    expect(await received(reader)).toContain(`old${i}`)
    expect((await writer.replies(2)).map(String)).toEqual(['+OK\r\n', `$4\r\nnew${i}\r\n`])
    expect(await received(third)).toContain(`new${i}`)
    for (const one of [reader, writer, third]) expect(await one.command('GET', 'k')).toContain(`new${i}`)
  }
})

test('a reply that comes after the write that overtook it on another lane is not kept', async () => {
  // Big values have a lane of their own, so a write can be answered while an older read is still on its way.
  const reader = await startWarm({ bulk: '4KiB' })
  const writer = await connect()
  const big = (n: number) => `${n}`.repeat(5000)
  await writer.command('SET', 'the lane is there', big(0))
  for (let i = 0; i < 9; i++) {
    const key = `k${i}`
    await reader.command('SET', key, 'small')
    const before = await gets()
    net.others.stall = 'reply'
    reader.send(request('GET', key))
    expect(await eventually(async () => (await gets()) > before)).toBe(true)
    writer.send(request('SET', key, big(i)))
    expect(await eventually(async () => (await bare.command('STRLEN', `acme:${key}`)) === ':5000\r\n')).toBe(true)
    net.release()
    expect(await received(reader)).toBe('$5\r\nsmall\r\n')
    expect(await received(writer)).toBe('+OK\r\n')
    for (const one of [reader, writer]) expect(await one.command('GET', key)).toBe(`$5000\r\n${big(i)}\r\n`)
  }
})

/** Each writes `new` to a key, on a connection of its own, in a chunk with a text that marks it. `before` makes that connection be there. */
const SLOW_WRITES: Readonly<Record<string, { before?: Buffer; write: (key: string) => Buffer[]; mark: string }>> = {
  'a big value': {
    before: request('SET', 'big', BIG),
    write: (key) => [request('SET', key, `new${BIG}`)],
    mark: 'acme:k',
  },
  'several keys': {
    before: request('SET', 'big', BIG),
    write: (key) => [request('MSET', key, 'new', 'l', BIG)],
    mark: 'acme:k',
  },
  'a transaction': {
    write: (key) => [request('MULTI'), request('SET', key, 'new'), request('EXEC')],
    mark: 'EXEC',
  },
  'a transaction of several': {
    write: (key) => [request('MULTI'), request('DEL', 'x'), request('MSET', key, 'new', 'l', 1), request('EXEC')],
    mark: 'EXEC',
  },
  'RENAME in a transaction': {
    before: request('SET', 'n', 'new'),
    write: (key) => [request('MULTI'), request('RENAME', 'n', key), request('EXEC')],
    mark: 'EXEC',
  },
}

test.each(Object.keys(SLOW_WRITES))(
  '%s, long on its way: what is read meanwhile is not told once it is acknowledged',
  async (name) => {
    const { before, write, mark } = SLOW_WRITES[name]
    const reader = await startWarm({ bulk: '4KiB' })
    const writer = await connect()
    for (let i = 0; i < 5; i++) {
      const key = `k${i}`
      if (before !== undefined) await writer.exchange(before)
      await reader.command('SET', key, 'old')
      // Late enough that nobody but the write itself says that it was done.
      net.feed.delay = 500
      expect(await hits(reader, bare, key)).toBe(true)
      net.holdRequest(mark)
      const requests = write(key)
      writer.send(Buffer.concat(requests))
      expect(await eventually(() => net.stuck)).toBe(true)
      for (let n = 0; n < 3; n++) expect(await reader.command('GET', key)).toBe('$3\r\nold\r\n')
      net.release()
      net.feed.delay = 500
      await writer.replies(requests.length)
      for (let n = 0; n < 3; n++) {
        expect(await reader.command('GET', key)).toMatch(/^\$\d+\r\nnew/)
        expect(await writer.command('GET', key)).toMatch(/^\$\d+\r\nnew/)
      }
      net.release()
    }
  },
)

test('whoever leads leaves: the others are answered all the same', async () => {
  const first = await startWarm()
  await first.command('SET', 'k', 'v')
  const crowd = await Promise.all(Array.from({ length: 10 }, () => connect()))
  hold()
  first.send(request('GET', 'k'))
  expect(await waiting(1)).toBe(true)
  for (const client of crowd) client.send(request('GET', 'k'))
  expect(await waiting(11)).toBe(true)
  first.reset()
  crowd[3].reset()
  expect(await waiting(9)).toBe(true)
  net.release()
  for (const client of crowd.filter((_, i) => i !== 3)) expect(await received(client)).toBe('$1\r\nv\r\n')
})

test('the connection is lost under way: everybody gets the value', async () => {
  const first = await startWarm()
  await first.command('SET', 'k', 'v')
  const crowd = await Promise.all(Array.from({ length: 20 }, () => connect()))
  hold()
  for (const client of crowd) client.send(request('GET', 'k'))
  expect(await waiting(20)).toBe(true)
  net.cut()
  net.release()
  for (const client of crowd) expect(await received(client)).toBe('$1\r\nv\r\n')
  expect(await hits(first, bare, 'k')).toBe(true)
})

test('the server hangs: everybody who follows is told so, in time', async () => {
  const first = await startWarm({ timeouts: { request: '500ms' } })
  await first.command('SET', 'k', 'v')
  const crowd = await Promise.all(Array.from({ length: 20 }, () => connect()))
  hold()
  for (const client of crowd) client.send(request('GET', 'k'))
  for (const client of crowd) expect(await received(client)).toMatch(/^-UPSTREAMTIMEOUT |^\$1\r\nv\r\n$/)
  net.release()
  expect(await eventually(async () => (await first.command('GET', 'k')) === '$1\r\nv\r\n')).toBe(true)
  expect(await hits(first, bare, 'k')).toBe(true)
})

test('a fetch that times out: each who waits for it waits one time-out in all, counted from its own request', {
  timeout: 60_000,
}, async () => {
  const REQUEST = 4000
  const first = await startWarm({ timeouts: { request: `${REQUEST}ms` } })
  const [second, third, writer] = [await connect(), await connect(), await connect()]
  await first.command('SET', 'k', 'v')
  const took = async (client: RawClient) => {
    const begun = performance.now()
    client.send(request('GET', 'k'))
    expect(await received(client)).toMatch(/^-UPSTREAMTIMEOUT /)
    return performance.now() - begun
  }
  hold()
  const all = [took(first), took(second)]
  expect(await waiting(2)).toBe(true)
  // The flight is half over when this one boards it, so it has half of its own time left, which it spends upstream.
  await new Promise((resolve) => setTimeout(resolve, REQUEST / 2))
  all.push(took(third))
  // This one is in front of it there, and has all of its time.
  await new Promise((resolve) => setTimeout(resolve, 0.45 * REQUEST))
  writer.send(request('SET', 'l', 'v'))
  for (const time of await Promise.all(all)) {
    expect(time).toBeGreaterThan(REQUEST - 100)
    expect(time).toBeLessThan(1.35 * REQUEST)
  }
  const { errors } = keyward.proxy.stats(keyward.proxy.config.tenants.get('acme'))
  expect(errors.get('UPSTREAMTIMEOUT')).toBe(3)
  net.release()
  await received(writer)
  expect(await eventually(async () => (await first.command('GET', 'k')) === '$1\r\nv\r\n')).toBe(true)
  expect(await hits(first, bare, 'k')).toBe(true)
})

test('what follows a read that waits is answered behind it, in its order', async () => {
  const first = await startWarm()
  const client = await connect()
  await first.command('MSET', 'a', 1, 'b', 2)
  hold()
  client.send(
    Buffer.concat([
      request('GET', 'a'),
      request('GET', 'b'),
      request('PING'),
      request('SET', 'a', 3),
      request('GET', 'a'),
      request('ECHO', 'x'),
    ]),
  )
  expect(await waiting(6)).toBe(true)
  net.release()
  expect((await client.replies(6)).map(String)).toEqual([
    ...['$1\r\n1\r\n', '$1\r\n2\r\n', '+PONG\r\n', '+OK\r\n', '$1\r\n3\r\n', '$1\r\nx\r\n'],
  ])
})

test('a flight is no way around a write that is held while the upstream is away', async () => {
  const reader = await startWarm({ hold: { time: '20s' } }, { rules: [ALL_KEYS] })
  const writer = await connect()
  await reader.command('SET', 'k', 'old')
  expect(await hits(reader, bare, 'k')).toBe(true)
  net.refused = 'all'
  net.cut()
  expect(await eventually(() => !keyward.proxy.view().upstreams[0].usable)).toBe(true)
  writer.send(request('SET', 'k', 'new'))
  reader.send(request('GET', 'k'))
  expect(await waiting(2)).toBe(true)
  net.release()
  expect(await received(writer)).toBe('+OK\r\n')
  expect(['$3\r\nnew\r\n', '$3\r\nold\r\n']).toContain(await received(reader))
  expect(await reader.command('GET', 'k')).toBe('$3\r\nnew\r\n')
})
