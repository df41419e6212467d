import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { callsOf } from '../helpers/cached.ts'
import { decode } from '../helpers/differential.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * CACHE.STATS and CACHE.FLUSH: what the near cache has done for its tenant, and a way to drop what is in it. acme and beta cache,
 * acme in two databases; bare has the extension and no cache; plain has neither.
 */
let redis: RedisServer
let keyward: Keyward
let upstream: RawClient
let clients: RawClient[] = []

const cache = { memory: '4MiB', rules: [{ keys: '*', maxAge: '24h', negative: '24h' }] }

beforeAll(async () => {
  redis = await startRedis()
  const tenant = (password: string, more: object) => ({ upstream: 'main', users: { default: { password } }, ...more })
  const extensions = ['cache']
  keyward = await startKeyward(
    configFor(redis, {
      tenants: {
        acme: tenant('acme', { databases: 2, cache, extensions }),
        beta: tenant('beta', { cache, extensions }),
        bare: tenant('bare', { extensions }),
        plain: tenant('plain', {}),
      },
    }),
  )
  upstream = await RawClient.connect({ port: redis.port })
  expect(await eventually(() => keyward.proxy.view().upstreams[0].invalidations.connected)).toBe(true)
}, 60_000)

afterEach(async () => {
  for (const client of clients) client.destroy()
  clients = []
  for (const password of ['acme', 'beta']) await (await connect(password)).command('CACHE.FLUSH')
})

afterAll(async () => {
  upstream?.destroy()
  keyward?.stop()
  await redis?.stop()
})

async function connect(password = 'acme'): Promise<RawClient> {
  const client = await keyward.connect({ password })
  clients.push(client)
  return client
}

/** CACHE.STATS by name. */
async function stats(client: RawClient): Promise<Readonly<Record<string, number>>> {
  const words = decode(await client.command('CACHE.STATS')).items?.map(({ text }) => text ?? '') ?? []
  return Object.fromEntries(words.flatMap((word, i) => (i % 2 === 0 ? [[word, Number(words[i + 1])]] : [])))
}

/** Those of them that grew, and by how much; what is there now, apart from that it grew, is left out. */
async function grown(client: RawClient, action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await stats(client)
  await action()
  const after = await stats(client)
  const counters = Object.entries(after).filter(([name]) => !['bytes', 'behind_ms'].includes(name))
  return Object.fromEntries(counters.map(([name, n]) => [name, n - before[name]]).filter(([, more]) => more !== 0))
}

/** GETs that Redis has executed so far. */
const gets = async () => (await callsOf(upstream)).get('get') ?? 0

/** Reads these keys until each is answered from memory. */
async function warm(client: RawClient, ...keys: string[]): Promise<void> {
  for (const key of keys) {
    expect(
      await eventually(async () => {
        const before = await gets()
        await client.command('GET', key)
        await client.command('GET', key)
        return (await gets()) === before
      }),
    ).toBe(true)
  }
}

describe('CACHE.STATS', () => {
  test('counts what clients did, and what there is', async () => {
    const client = await connect()
    await client.command('SET', 'k', 'v')
    await warm(client, 'k')
    expect(await grown(client, () => client.command('GET', 'k'))).toEqual({ hits: 1 })
    expect(await grown(client, () => client.command('STRLEN', 'k'))).toEqual({ misses: 1, stored: 1, entries: 1 })
    await client.command('SET', 'k', 'w')
    const after = await grown(client, async () => expect(await client.command('GET', 'k')).toBe('$1\r\nw\r\n'))
    expect(after).toMatchObject({ misses: 1, stored: 1, invalidations: 1 })
    const { entries, bytes, memory, behind_ms: behind } = await stats(client)
    expect([entries, memory]).toEqual([2, 4 << 20])
    expect(bytes).toBeGreaterThan(0)
    expect(bytes).toBeLessThan(memory)
    expect(behind).toBeGreaterThanOrEqual(0)
  })

  test('of one tenant alone', async () => {
    const [client, other] = [await connect(), await connect('beta')]
    const before = await stats(other)
    await warm(client, 'k')
    expect({ ...(await stats(other)), behind_ms: before.behind_ms }).toEqual(before)
  })

  test('is a map in RESP3', async () => {
    const client = await connect()
    const flat = decode(await client.command('CACHE.STATS'))
    await client.command('HELLO', '3')
    const map = decode(await client.command('CACHE.STATS'))
    expect([flat.type, map.type]).toEqual(['*', '%'])
    expect(map.items?.map(({ type }) => type)).toEqual(flat.items?.map(({ type }) => type))
    expect(map.items?.slice(0, 2).map(({ type }) => type)).toEqual(['$', ':'])
  })

  test('is all zeros where there is no cache', async () => {
    const client = await connect('bare')
    const { behind_ms: behind, ...rest } = await stats(client)
    expect(behind).toBe(-1)
    expect(Object.values(rest).every((value) => value === 0)).toBe(true)
    expect(await client.command('CACHE.FLUSH')).toBe(':0\r\n')
  })
})

describe('CACHE.FLUSH', () => {
  test('drops all of the tenant, in all its databases, and nothing of another', async () => {
    const [client, other] = [await connect(), await connect('beta')]
    await warm(client, 'a', 'b')
    await client.command('SELECT', '1')
    await warm(client, 'a')
    await warm(other, 'a')
    const before = await gets()
    expect(await client.command('CACHE.FLUSH')).toBe(':3\r\n')
    expect((await stats(client)).entries).toBe(0)
    await client.command('GET', 'a')
    expect(await gets()).toBe(before + 1)
    await other.command('GET', 'a')
    expect(await gets()).toBe(before + 1)
  })

  test('MATCH drops what KEYS would find with that pattern', async () => {
    const client = await connect()
    const keys = ['user:1', 'user:2', 'u[x]', 'other', 'bin\r\n\0']
    await warm(client, ...keys)
    await client.command('HGET', 'user:1', 'f')
    expect(await client.command('CACHE.FLUSH', 'MATCH', 'acme:*')).toBe(':0\r\n')
    expect(await client.command('cache.flush', 'match', 'user:?')).toBe(':3\r\n')
    expect(await client.command('CACHE.FLUSH', 'MATCH', 'u\\[*')).toBe(':1\r\n')
    expect(await client.command('CACHE.FLUSH', 'MATCH', '*\r\n\0')).toBe(':1\r\n')
    expect(await client.command('CACHE.FLUSH', 'MATCH', '*')).toBe(':1\r\n')
    expect(await client.command('CACHE.FLUSH')).toBe(':0\r\n')
  })

  test('puts right what Redis does not tell of', async () => {
    const client = await connect('beta')
    await client.command('SET', 'k', 'here')
    await warm(client, 'k')
    await upstream.command('SELECT', '1')
    await upstream.command('SET', 'beta:k', 'there')
    await upstream.command('SELECT', '0')
    expect(await upstream.command('SWAPDB', '0', '1')).toBe('+OK\r\n')
    await client.command('CACHE.FLUSH', 'MATCH', 'k')
    expect(await client.command('GET', 'k')).toBe('$5\r\nthere\r\n')
    await upstream.command('SWAPDB', '0', '1')
  })

  test('leaves nothing of what was being fetched', async () => {
    const [client, other] = [await connect(), await connect()]
    /** Reads a key for the first time, and does something while Redis has not answered yet. */
    const meanwhile = async (key: string, action: () => Promise<unknown>) => {
      const { misses } = await stats(other)
      await redis.kill('SIGSTOP')
      client.send(request('GET', key))
      const asked = await eventually(async () => (await stats(other)).misses > misses)
      await action()
      await redis.kill('SIGCONT')
      expect([asked, String(await client.reply())]).toEqual([true, '$-1\r\n'])
    }
    await meanwhile('kept', async () => undefined)
    expect((await stats(client)).entries).toBe(1)
    await meanwhile('dropped', async () => expect(await other.command('CACHE.FLUSH', 'MATCH', 'd*')).toBe(':0\r\n'))
    await meanwhile('gone', async () => expect(await other.command('CACHE.FLUSH')).toBe(':1\r\n'))
    expect((await stats(client)).entries).toBe(0)
  })

  test('in a pipeline stands where it was sent', async () => {
    const client = await connect()
    await warm(client, 'absent')
    const words = [['GET', 'absent'], ['CACHE.FLUSH'], ['PING'], ['CACHE.FLUSH']]
    const replies = await client.exchange(Buffer.concat(words.map((one) => request(...one))), words.length)
    expect(replies.map(String)).toEqual(['$-1\r\n', ':1\r\n', '+PONG\r\n', ':0\r\n'])
  })
})

test('what is wrong is told as Redis would tell it', async () => {
  const client = await connect()
  for (const [words, error] of [
    [['CACHE.STATS', 'x'], "ERR wrong number of arguments for 'cache.stats' command"],
    [['CACHE.FLUSH', 'x'], 'ERR syntax error'],
    [['CACHE.FLUSH', 'MATCH'], 'ERR syntax error'],
    [['CACHE.FLUSH', 'MATCH', 'a', 'b'], 'ERR syntax error'],
    [['CACHE.FLUSH', 'MATCH', 'a'.repeat(1025)], 'ERR pattern is longer than 1024 bytes'],
  ] as const) {
    expect(await client.command(...words)).toBe(`-${error}\r\n`)
  }
})

test('in MULTI they take effect when EXEC does', async () => {
  const client = await connect()
  await warm(client, 'k')
  const words = [['MULTI'], ['CACHE.FLUSH', 'MATCH', 'k'], ['CACHE.STATS'], ['CACHE.FLUSH', 'x'], ['CACHE.STATS', 'x']]
  const queued = await client.exchange(Buffer.concat(words.map((one) => request(...one))), words.length)
  expect(queued.map(String)).toEqual([
    '+OK\r\n',
    ...['+QUEUED\r\n', '+QUEUED\r\n', '+QUEUED\r\n'],
    "-ERR wrong number of arguments for 'cache.stats' command\r\n",
  ])
  expect(await client.command('EXEC')).toMatch(/^-EXECABORT/)
  expect((await stats(client)).entries).toBe(1)
  for (const one of words.slice(0, 4)) await client.command(...one)
  const [flushed, told, wrong] = decode(await client.command('EXEC')).items ?? []
  expect([flushed.text, told.type, wrong.text]).toEqual(['1', '*', 'ERR syntax error'])
})

test('to a tenant without the extension they do not exist, in the words of Redis', async () => {
  const client = await connect('plain')
  for (const words of [['CACHE.STATS'], ['cache.flush'], ['CACHE.FLUSH', 'MATCH', '*']]) {
    expect(await client.command(...words)).toBe(await upstream.command(...words))
  }
  const asked = ['COMMAND', 'INFO', 'cache.stats', 'cache.flush']
  expect(await client.command(...asked)).toBe(await upstream.command(...asked))
})

describe('COMMAND', () => {
  test.each(['2', '3'])('describes them as the server does those without keys, in RESP%s', async (protocol) => {
    const client = await connect()
    await client.command('HELLO', protocol)
    await upstream.command('HELLO', protocol)
    const [flush, , own] =
      decode(await client.command('COMMAND', 'INFO', 'cache.flush', 'nope', 'CACHE.STATS')).items ?? []
    const ping = decode(await upstream.command('COMMAND', 'INFO', 'ping')).items?.[0]
    await upstream.command('HELLO', '2')
    const plain = (value: typeof own): unknown => value.items?.map(plain) ?? value.text
    const form = (value: typeof own | undefined) => value?.items?.map(({ type, text }) => [type, text])
    expect((plain(flush) as unknown[]).slice(0, 7)).toEqual([
      'cache.flush',
      '-1',
      ['loading', 'stale'],
      ...['0', '0', '0'],
      ['@keyspace', '@slow'],
    ])
    // All that is not name, arity, tips.
    const places = [3, 4, 5, 8, 9]
    expect(places.map((i) => form(own)?.[i])).toEqual(places.map((i) => form(ping)?.[i]))
    expect(own.items?.map(({ type }) => type)).toEqual(ping?.items?.map(({ type }) => type))
  })

  test('DOCS have the form of the server’s own', async () => {
    const client = await connect()
    await client.command('HELLO', '3')
    const docs = decode(await client.command('COMMAND', 'DOCS', 'cache.flush', 'cache.stats'))
    const [, flush, , own] = docs.items ?? []
    const fields = ({ items = [] }: typeof flush) => items.filter((_, i) => i % 2 === 0).map(({ text }) => text)
    expect(fields(flush)).toEqual(['summary', 'group', 'complexity', 'arguments'])
    expect(fields(own)).toEqual(['summary', 'group', 'complexity'])
    const [pattern] = flush.items?.at(-1)?.items ?? []
    expect(pattern.items?.map(({ text, items }) => text ?? items?.map((one) => one.text))).toEqual([
      ...['name', 'pattern', 'type', 'pattern', 'token', 'MATCH'],
      ...['flags', ['optional']],
    ])
  })

  test('GETKEYS finds none', async () => {
    const client = await connect()
    expect(await client.command('COMMAND', 'GETKEYS', 'CACHE.FLUSH', 'MATCH', 'k')).toBe(
      await upstream.command('COMMAND', 'GETKEYS', 'FLUSHALL', 'ASYNC'),
    )
  })
})
