import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, NOTHING_LEFT } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

// Rates are so low that no token comes back while a test runs, unless it waits for one.

let redis: RedisServer
let keyward: Keyward | undefined

beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  keyward?.stop()
  keyward = undefined
  await redis.cli('FLUSHALL')
})
afterAll(async () => {
  keyward?.stop()
  await redis.stop()
})

async function limited(...limits: readonly object[]): Promise<RawClient> {
  keyward = await startKeyward(config(...limits))
  return enter()
}

function config(...limits: readonly object[]) {
  const users = { default: { password: 'acme' }, reader: { password: 'reader' } }
  return configFor(redis, {
    tenants: {
      acme: { upstream: 'main', users, limits },
      beta: { upstream: 'main', users: { default: { password: 'beta' } } },
    },
  })
}

async function enter(password = 'acme', user = 'default'): Promise<RawClient> {
  return (keyward as Keyward).connect({ password, user })
}

async function all(client: RawClient, ...requests: readonly Buffer[]): Promise<readonly string[]> {
  const replies = await client.exchange(Buffer.concat(requests), requests.length)
  return replies.map(String)
}

function rule(name: string) {
  const view = (keyward as Keyward).proxy.view().limits.find((one) => one.rule === name)
  if (view === undefined) throw new Error(`no rule ${name}`)
  return view
}

const refused = (name: string, rate: string) =>
  expect.stringMatching(new RegExp(`^-RATELIMITED ${name}: ${rate}; retry after [1-9][0-9]* ms\r\n$`))

test('one error for each request that is over, in its place, and the connection stays', async () => {
  const client = await limited({ name: 'few', rate: '3/m', burst: 3 })
  const replies = await all(client, ...['a', 'b', 'c', 'd', 'e'].map((key) => request('SET', key, key)))
  expect(replies).toEqual(['+OK\r\n', '+OK\r\n', '+OK\r\n', refused('few', '3/m'), refused('few', '3/m')])
  expect(await client.command('PING')).toBe('+PONG\r\n')
  expect(await redis.cli('DBSIZE')).toBe('3')
  expect(rule('few')).toMatchObject({ allowed: 3, rejected: 2, delayed: 0, shadowed: 0 })
  await client.end()
})

test('the time that the refusal names is enough', async () => {
  const client = await limited({ name: 'slow', rate: '1/s', burst: 1 })
  await client.command('SET', 'a', 1)
  const refusal = await client.command('SET', 'b', 1)
  const time = Number(/retry after (\d+) ms/.exec(refusal)?.[1])
  expect(time).toBeGreaterThan(0)
  expect(time).toBeLessThanOrEqual(1000)
  await new Promise((resolve) => setTimeout(resolve, time + 2))
  expect(await client.command('SET', 'b', 1)).toBe('+OK\r\n')
  await client.end()
})

test('other tenants are not concerned', async () => {
  const client = await limited({ name: 'one', rate: '1/m' })
  const other = await enter('beta')
  expect(await all(client, request('GET', 'a'), request('GET', 'a'))).toEqual(['$-1\r\n', refused('one', '1/m')])
  expect(await all(other, ...Array(10).fill(request('GET', 'a')))).toEqual(Array(10).fill('$-1\r\n'))
  await Promise.all([client.end(), other.end()])
})

test('in MULTI it is the error of the queued command, and EXEC aborts', async () => {
  const client = await limited({ name: 'two', rate: '2/m', burst: 2 })
  const replies = await all(
    client,
    request('MULTI'),
    request('SET', 'a', 1),
    request('SET', 'b', 1),
    request('SET', 'c', 1),
    request('EXEC'),
  )
  expect(replies).toEqual([
    '+OK\r\n',
    '+QUEUED\r\n',
    '+QUEUED\r\n',
    refused('two', '2/m'),
    '-EXECABORT Transaction discarded because of previous errors.\r\n',
  ])
  expect(await redis.cli('DBSIZE')).toBe('0')
  expect(await leftovers(keyward as Keyward, { ...NOTHING_LEFT, clients: 1 })).toEqual({})
  await client.end()
})

test('what opens and ends connections and transactions is never refused', async () => {
  const client = await limited({ name: 'everything', commands: '+@all', rate: '1/m' })
  await client.command('GET', 'a')
  const replies = await all(
    client,
    request('HELLO', '2', 'AUTH', 'default', 'acme').subarray(),
    request('WATCH', 'k'),
    request('UNWATCH'),
    request('MULTI'),
    request('DISCARD'),
    request('MULTI'),
    request('EXEC'),
    request('AUTH', 'acme'),
    request('RESET'),
    request('AUTH', 'acme'),
  )
  for (const reply of replies) expect(reply).not.toContain('RATELIMITED')
  expect(await client.command('PING')).toEqual(refused('everything', '1/m'))
  await client.end()
})

test('by default, PING, SELECT and CLIENT do not count', async () => {
  const client = await limited({ name: 'one', rate: '1/m' })
  const requests = [request('PING'), request('SELECT', 0), request('CLIENT', 'SETNAME', 'x'), request('ECHO', 'x')]
  for (const reply of await all(client, ...requests, ...requests)) expect(reply).not.toContain('RATELIMITED')
  expect(await client.command('GET', 'a')).toBe('$-1\r\n')
  expect(await client.command('GET', 'a')).toEqual(refused('one', '1/m'))
  await client.end()
})

test('commands: only those that the rule names', async () => {
  const client = await limited({ name: 'writes', commands: '+@write -del', rate: '1/m' })
  const replies = await all(
    client,
    request('SET', 'a', 1),
    request('SET', 'a', 2),
    request('GET', 'a'),
    request('DEL', 'a'),
  )
  expect(replies).toEqual(['+OK\r\n', refused('writes', '1/m'), '$1\r\n1\r\n', ':1\r\n'])
  await client.end()
})

test('keys: any key of the request counts, once', async () => {
  const client = await limited({ name: 'jobs', keys: 'job:*', rate: '2/m', burst: 2 })
  const replies = await all(
    client,
    request('MSET', 'x', 1, 'job:1', 1, 'job:2', 1),
    request('GET', 'jab:1'),
    request('GET', 'job:1'),
    request('GET', 'job:1'),
    request('GET', 'job'),
  )
  expect(replies).toEqual(['+OK\r\n', '$-1\r\n', '$1\r\n1\r\n', refused('jobs', '2/m'), '$-1\r\n'])
  await client.end()
})

describe('buckets', () => {
  test('per user', async () => {
    const client = await limited({ name: 'mine', per: 'user', rate: '1/m' })
    const reader = await enter('reader', 'reader')
    const again = await enter()
    expect(await client.command('GET', 'a')).toBe('$-1\r\n')
    expect(await again.command('GET', 'a')).toEqual(refused('mine', '1/m'))
    expect(await reader.command('GET', 'a')).toBe('$-1\r\n')
    expect(rule('mine').offenders).toEqual([{ name: 'default', count: 1, over: 0 }])
    await Promise.all([client.end(), reader.end(), again.end()])
  })

  test('per address: a new connection from there has no new tokens', async () => {
    const client = await limited({ name: 'there', per: 'address', rate: '1/m' })
    expect(await client.command('GET', 'a')).toBe('$-1\r\n')
    await client.end()
    const again = await enter()
    expect(await again.command('GET', 'a')).toEqual(refused('there', '1/m'))
    expect(rule('there')).toMatchObject({ buckets: 1, offenders: [{ name: '127.0.0.1', count: 1 }] })
    await again.end()
  })

  test('per match: one for each thing that the star stands for', async () => {
    const client = await limited({ name: 'per-key', per: 'match', keys: 'rl:key:*', rate: '1/m' })
    const replies = await all(
      client,
      request('INCR', 'rl:key:a'),
      request('INCR', 'rl:key:b'),
      request('INCR', 'rl:key:a'),
      request('INCR', 'rl:ip:a'),
      request('MGET', 'rl:key:c', 'rl:key:b'),
      request('GET', 'rl:key:c'),
    )
    expect(replies).toEqual([
      ':1\r\n',
      ':1\r\n',
      refused('per-key', '1/m'),
      ':1\r\n',
      refused('per-key', '1/m'),
      // What MGET had taken of c it gave back.
      '$-1\r\n',
    ])
    expect(
      rule('per-key')
        .offenders.map(({ name }) => name)
        .sort(),
    ).toEqual(['a', 'b'])
    await client.end()
  })

  test('a request that names several counts once', async () => {
    const shade = { name: 'shade', per: 'match', keys: 'rl:*', rate: '1/m', action: 'shadow' }
    const client = await limited({ name: 'keys', per: 'match', keys: 'rl:*', rate: '2/m', burst: 2 }, shade)
    await all(client, request('MGET', 'rl:a', 'rl:b', 'rl:c'), request('MGET', 'rl:b', 'rl:c', 'rl:d'))
    expect(rule('keys')).toMatchObject({ allowed: 2, rejected: 0 })
    expect(rule('shade')).toMatchObject({ allowed: 1, shadowed: 1 })
    await client.end()
  })

  test('thousands of names in one request stop nobody', async () => {
    const client = await limited({ name: 'bytes', per: 'match', keys: 'rl:*', rate: '100MiB/s' })
    const other = await enter('beta')
    const keys = Array.from({ length: 40_000 }, (_, i) => `rl:${i}`)
    client.send(request('MGET', ...keys))
    const begun = performance.now()
    await other.command('PING')
    expect(String(await client.reply()).length).toBeGreaterThan(40_000)
    // Quadratic, it took 15 s.
    expect(performance.now() - begun).toBeLessThan(5000)
    await Promise.all([client.end(), other.end()])
  })

  test('names for whom there is no room share one', async () => {
    const client = await limited({ name: 'per-key', per: 'match', keys: '*', rate: '1/m', buckets: 2 })
    const replies = await all(client, ...['a', 'b', 'c', 'd'].map((key) => request('GET', key)))
    expect(replies).toEqual(['$-1\r\n', '$-1\r\n', '$-1\r\n', refused('per-key', '1/m')])
    expect(rule('per-key')).toMatchObject({ buckets: 2, mostBuckets: 2, overflows: 2 })
    await client.end()
  })
})

test('a request that one rule refuses costs the others nothing', async () => {
  const client = await limited(
    { name: 'all', rate: '3/m', burst: 3 },
    { name: 'writes', commands: '+@write', rate: '1/m' },
  )
  const replies = await all(client, ...Array(5).fill(request('SET', 'a', 1)))
  expect(replies).toEqual(['+OK\r\n', ...Array(4).fill(refused('writes', '1/m'))])
  expect(await all(client, ...Array(3).fill(request('GET', 'a')))).toEqual([
    '$1\r\n1\r\n',
    '$1\r\n1\r\n',
    refused('all', '3/m'),
  ])
  expect(rule('all')).toMatchObject({ allowed: 3, rejected: 1 })
  await client.end()
})

test('shadow counts, and refuses nothing', async () => {
  const client = await limited({ name: 'watched', rate: '2/m', burst: 2, action: 'shadow' })
  const replies = await all(client, ...Array(5).fill(request('GET', 'a')))
  expect(replies).toEqual(Array(5).fill('$-1\r\n'))
  expect(rule('watched')).toMatchObject({ allowed: 2, rejected: 0, shadowed: 3 })
  await client.end()
})

test('costs', async () => {
  const client = await limited({
    name: 'dear',
    rate: '10/m',
    burst: 10,
    costs: [
      { commands: '+@list', cost: 4 },
      { commands: '+lrange', cost: 8 },
    ],
  })
  const replies = await all(client, request('LRANGE', 'l', 0, -1), request('LPUSH', 'l', 1), request('GET', 'a'))
  expect(replies).toEqual(['*0\r\n', refused('dear', '10/m'), '$-1\r\n'])
  await client.end()
})

test('replyUnit: large replies cost more, afterwards', async () => {
  const client = await limited({ name: 'large', rate: '10/m', burst: 10, replyUnit: '1KiB' })
  await client.command('SET', 'big', 'x'.repeat(20_000))
  expect((await client.command('GET', 'big')).length).toBeGreaterThan(20_000)
  expect(await client.command('GET', 'small')).toEqual(refused('large', '10/m'))
  expect(rule('large').tokens).toBeLessThan(-5)
  await client.end()
})

describe('bytes', () => {
  test('of requests and of replies', async () => {
    const client = await limited({ name: 'bandwidth', rate: '1KiB/h', burst: '60KiB' })
    await client.command('SET', 'k', 'x'.repeat(10_000))
    expect(rule('bandwidth').tokens).toBeLessThan(60 * 1024 - 10_000)
    expect(rule('bandwidth').tokens).toBeGreaterThan(60 * 1024 - 10_300)
    const get = request('GET', 'k')
    const before = rule('bandwidth').tokens as number
    const [reply] = await all(client, get)
    expect(reply.length).toBe(10_010)
    const spent = before - (rule('bandwidth').tokens as number)
    expect(spent).toBeGreaterThan(get.length + reply.length - 500)
    expect(spent).toBeLessThan(get.length + reply.length + 1)
    await client.end()
  })

  test('what EXEC returns is charged to the rules that count its members', async () => {
    const client = await limited(
      { name: 'reads', commands: '+@read', rate: '1KiB/h', burst: '1MiB' },
      { name: 'writes', commands: '+@write', rate: '1KiB/h', burst: '1MiB' },
    )
    await redis.cli('SET', 'acme:k', 'x'.repeat(50_000))
    const replies = await all(client, request('MULTI'), request('GET', 'k'), request('GET', 'k'), request('EXEC'))
    expect(replies[3].length).toBeGreaterThan(100_000)
    const spent = (name: string) => 1024 * 1024 - (rule(name).tokens as number)
    expect(spent('reads')).toBeGreaterThan(100_000)
    expect(spent('reads')).toBeLessThan(101_000)
    expect(spent('writes')).toBeLessThan(1)
    await client.end()
  })

  test('also what Keyward answers itself in it', async () => {
    const client = await limited({ name: 'bandwidth', rate: '1KiB/h', burst: '1MiB' })
    const replies = await all(client, request('MULTI'), ...Array(20).fill(request('INFO')), request('EXEC'))
    const size = (replies.at(-1) as string).length
    expect(size).toBeGreaterThan(20_000)
    expect(1024 * 1024 - (rule('bandwidth').tokens as number)).toBeGreaterThan(size)
    await client.end()
  })

  test('local answers behind one that is under way are charged as they are', async () => {
    const client = await limited({ name: 'bandwidth', rate: '1KiB/h', burst: '1MiB' })
    const requests = [request('GET', 'x'), ...Array(100).fill(request('TIME'))]
    const replies = await all(client, ...requests)
    const bytes = requests.reduce((sum, one) => sum + one.length, 0) + replies.join('').length
    const spent = 1024 * 1024 - (rule('bandwidth').tokens as number)
    expect(spent).toBeGreaterThan(bytes - 500)
    expect(spent).toBeLessThan(bytes + 10)
    await client.end()
  })

  test('who found no room when it came pays for its replies once it has a bucket of its own', async () => {
    const client = await limited({
      name: 'mine',
      per: 'user',
      rate: '1KiB/s',
      burst: '100KiB',
      buckets: 1,
      commands: '+get',
    })
    await redis.cli('SET', 'acme:k', 'x'.repeat(60_000))
    const reader = await enter('reader', 'reader')
    for (let i = 0; i < 2; i++) expect(await reader.command('GET', 'k')).toMatch(/^\$60000/)
    expect(await reader.command('GET', 'k')).toMatch(/^-RATELIMITED/)
    await client.end()
    await eventually(() => (keyward as Keyward).proxy.clients.size === 1)
    let passed = 0
    for (let i = 0; i < 10; i++) if ((await reader.command('GET', 'k')).startsWith('$')) passed++
    expect(passed).toBeLessThanOrEqual(2)
    await reader.end()
  })

  test('what Keyward answers itself is charged, too', async () => {
    const client = await limited({ name: 'bandwidth', commands: '+@all', rate: '1KiB/h', burst: '1MiB' })
    const [reply] = await all(client, request('COMMAND'))
    expect(reply.length).toBeGreaterThan(10_000)
    expect(1024 * 1024 - (rule('bandwidth').tokens as number)).toBeGreaterThan(reply.length)
    await client.end()
  })

  test('a reply that comes in pieces, or passes before it is whole, counts whole', async () => {
    const client = await limited({ name: 'bandwidth', rate: '1KiB/h', burst: '1MiB' })
    await redis.cli('SET', 'acme:k', 'x')
    await redis.cli('SETRANGE', 'acme:k', String(3_000_000), 'x')
    expect((await client.command('GET', 'k')).length).toBeGreaterThan(3_000_000)
    expect(rule('bandwidth').tokens).toBeLessThan(1024 * 1024 - 3_000_000)
    expect(await client.command('GET', 'k')).toEqual(refused('bandwidth', '1KiB/h'))
    await client.end()
  })
})

test('a reload keeps the buckets of rules that stay as they are, and gives others new ones', async () => {
  const keep = { name: 'keep', commands: '+get', rate: '1/m' }
  const client = await limited(keep, { name: 'change', commands: '+set', rate: '1/m' })
  const { proxy } = keyward as Keyward
  expect(await all(client, request('GET', 'a'), request('SET', 'a', 1))).toEqual(['$-1\r\n', '+OK\r\n'])
  const other = await startKeyward(config({ name: 'change', commands: '+set', rate: '2/m' }, keep))
  const next = { ...other.proxy.config, listeners: proxy.config.listeners }
  other.stop()
  await proxy.reload(next)
  expect(await all(client, request('GET', 'a'), request('SET', 'a', 2))).toEqual([refused('keep', '1/m'), '+OK\r\n'])
  await client.end()
})

test('CLIENT REPLY OFF: a refusal is not heard either', async () => {
  const client = await limited({ name: 'one', rate: '1/m' })
  const replies = await all(client, request('GET', 'a'))
  expect(replies).toEqual(['$-1\r\n'])
  client.send(Buffer.concat([request('CLIENT', 'REPLY', 'OFF'), request('GET', 'a'), request('CLIENT', 'REPLY', 'ON')]))
  expect(String(await client.reply())).toBe('+OK\r\n')
  await client.end()
})

test('a client that leaves leaves nothing behind', async () => {
  const client = await limited({ name: 'there', per: 'address', rate: '10/s', action: 'delay', maxDelay: '10s' })
  client.send(Buffer.concat(Array(30).fill(request('INCR', 'n'))))
  await eventually(() => rule('there').waiting > 0)
  client.reset()
  await eventually(() => rule('there').waiting === 0 && (keyward as Keyward).proxy.delays.count === 0)
  expect(await leftovers(keyward as Keyward)).toEqual({})
})
