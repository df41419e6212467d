import { describe, expect, test } from 'vitest'
import { ALL_KEYS, cachedConfig, callsOf, executed, hits, MAX_STALENESS } from '../helpers/cached.ts'
import { configFor } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { bare, connect, net, redis, reload, stageCacheBehindProxy, start } from './cache-stage.ts'

/** The near cache beside all else that Keyward does: what held without it holds with it. */
stageCacheBehindProxy()

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('while the database is emptied, nobody sees some keys gone and others still there', {
  timeout: 120_000,
}, async () => {
  await bare.command('EVAL', "for i = 1, 30000 do redis.call('SET', 'acme:' .. i, 'v') end", 0)
  await bare.command('EVAL', "for i = 1, 30000 do redis.call('SET', 'other:' .. i, 'v') end", 0)
  await start(cachedConfig(redis, { upstream: { scan: { share: '10%' } } }))
  const readers = [await connect(), await connect(), await connect(3)]
  const flusher = await connect()
  expect(await hits(readers[0], bare, '1')).toBe(true)
  let over = false
  const wrong: string[] = []
  const read = async (client: RawClient, n: number) => {
    let gone = ''
    for (let i = n; !over; i += 7) {
      const key = String(1 + (i % 30_000))
      const reply = await client.command('GET', key)
      if (!reply.startsWith('$1')) gone ||= key
      else if (gone !== '') wrong.push(`${key} is there, though ${gone} was gone before`)
    }
  }
  const reading = readers.map(read)
  await sleep(50)
  expect(await flusher.command('FLUSHDB')).toBe('+OK\r\n')
  over = true
  await Promise.all(reading)
  expect(wrong.slice(0, 3)).toEqual([])
  for (const reader of readers) expect(await reader.command('GET', '1')).not.toContain('v')
})

test('what is in memory is not told before what the client asked for earlier', async () => {
  await start(cachedConfig(net, { cache: { rules: [{ ...ALL_KEYS, keys: 'y*' }] }, upstream: { keepAlive: '1h' } }))
  const [client, other] = [await connect(), await connect()]
  for (let i = 0; i < 5; i++) {
    await bare.command('MSET', 'acme:x', `old ${i}`, `acme:y${i}`, `old ${i}`)
    expect(await hits(client, bare, `y${i}`)).toBe(true)
    net.holdRequest('acme:x')
    client.send(Buffer.concat([request('GET', 'x'), request('GET', `y${i}`)]))
    expect(await eventually(() => net.stuck)).toBe(true)
    client.send(request('MGET', `y${i}`))
    // Nobody reads x as it is now and y as it was before, as y is written first.
    await bare.command('SET', `acme:y${i}`, `new ${i}`)
    await bare.command('SET', 'acme:x', `new ${i}`)
    await other.command('PING')
    net.release()
    const told = (await client.replies(3)).map(String)
    expect(told).toEqual([`$5\r\nnew ${i}\r\n`, `$5\r\nnew ${i}\r\n`, `*1\r\n$5\r\nnew ${i}\r\n`])
  }
})

test('CLIENT PAUSE … ALL holds back what could come from memory, too', async () => {
  await start(cachedConfig(redis))
  const [client, other] = [await connect(), await connect()]
  await client.command('SET', 'k', 'v')
  expect(await hits(client, bare, 'k')).toBe(true)
  expect(await other.command('CLIENT', 'PAUSE', 600, 'ALL')).toBe('+OK\r\n')
  const paused = performance.now()
  expect(await client.command('GET', 'k')).toBe('$1\r\nv\r\n')
  expect(performance.now() - paused).toBeGreaterThan(450)
  // Reads go on while only writes are paused.
  expect(await other.command('CLIENT', 'PAUSE', 20_000, 'WRITE')).toBe('+OK\r\n')
  for (let i = 0; i < 10; i++) expect(await client.command('GET', 'k')).toBe('$1\r\nv\r\n')
  expect(await other.command('CLIENT', 'UNPAUSE')).toBe('+OK\r\n')
})

test('a write that is paused: what is told meanwhile is what was there before it, and what comes after it is not', async () => {
  await start(cachedConfig(redis))
  const [client, writer] = [await connect(), await connect()]
  await client.command('SET', 'k', 'old')
  expect(await hits(client, bare, 'k')).toBe(true)
  expect(await client.command('CLIENT', 'PAUSE', 20_000, 'WRITE')).toBe('+OK\r\n')
  writer.send(Buffer.concat([request('SET', 'k', 'new'), request('GET', 'k')]))
  await sleep(100)
  for (let i = 0; i < 20; i++) expect(await client.command('GET', 'k')).toBe('$3\r\nold\r\n')
  expect(await client.command('CLIENT', 'UNPAUSE')).toBe('+OK\r\n')
  expect((await writer.replies(2)).map(String)).toEqual(['+OK\r\n', '$3\r\nnew\r\n'])
  for (let i = 0; i < 20; i++) expect(await client.command('GET', 'k')).toBe('$3\r\nnew\r\n')
})

test('MONITOR shows what is read', async () => {
  await start(cachedConfig(redis))
  const [client, watcher] = [await connect(), await connect()]
  await client.command('SET', 'k', 'v')
  expect(await hits(client, bare, 'k')).toBe(true)
  expect(await watcher.command('MONITOR')).toBe('+OK\r\n')
  for (let i = 0; i < 5; i++) {
    await client.command('GET', 'k')
    expect(String(await watcher.reply())).toContain('"GET" "k"')
  }
})

test('a client that becomes somebody else reads what is theirs', async () => {
  await start(cachedConfig(redis, { tenant: { databases: 2 } }))
  const [acme, beta, both] = [await connect(), await connect(2, 'beta'), await connect()]
  await acme.command('SET', 'k', 'of acme')
  await beta.command('SET', 'k', 'of beta')
  for (const client of [acme, beta]) expect(await hits(client, bare, 'k')).toBe(true)
  for (let i = 0; i < 5; i++) {
    expect(await both.command('GET', 'k')).toBe('$7\r\nof acme\r\n')
    expect(await both.command('AUTH', 'default', 'beta')).toBe('+OK\r\n')
    expect(await both.command('GET', 'k')).toBe('$7\r\nof beta\r\n')
    expect(await both.command('SELECT', 1)).toBe('+OK\r\n')
    expect(await both.command('GET', 'k')).toBe('$-1\r\n')
    expect(await both.command('RESET')).toBe('+RESET\r\n')
    expect(await both.command('GET', 'k')).toMatch(/^-NOAUTH /)
    expect(await both.command('AUTH', 'default', 'acme')).toBe('+OK\r\n')
  }
})

test('subscribed clients, in RESP3, read like everybody', async () => {
  await start(cachedConfig(redis))
  const [client, writer] = [await connect(3), await connect()]
  await client.command('SET', 'k', 0)
  expect(await client.command('SUBSCRIBE', 'news')).toMatch(/^>3/)
  expect(await hits(writer, bare, 'k')).toBe(true)
  for (let i = 1; i < 20; i++) {
    // Whoever hears of a write that was acknowledged before reads what it wrote.
    await writer.command('SET', 'k', i)
    await writer.command('PUBLISH', 'news', i)
    expect(String(await client.reply())).toContain(`\r\n${i}\r\n`)
    expect(await client.command('GET', 'k')).toContain(`\r\n${i}\r\n`)
    expect(await client.command('GET', 'k')).toContain(`\r\n${i}\r\n`)
  }
})

describe('the tenant without a prefix', () => {
  const passThrough = (server: { url: string }) =>
    configFor(server, {
      tenants: {
        acme: { upstream: 'main', prefix: '', users: { default: { password: 'acme' } }, cache: { rules: [ALL_KEYS] } },
      },
    })

  test('scripts and functions write keys that they do not name', async () => {
    await start(passThrough(redis))
    const [client, other] = [await connect(), await connect()]
    expect(await hits(client, bare)).toBe(true)
    expect(
      await client.command(
        'FUNCTION',
        'LOAD',
        "#!lua name=l\nredis.register_function('w', function(keys, args) return redis.call('SET', 'k', args[1]) end)",
      ),
    ).toBe('$1\r\nl\r\n')
    const sha = (await client.command('SCRIPT', 'LOAD', "return redis.call('SET', 'k', ARGV[1])")).slice(5, 45)
    const ways = [
      (value: string) => request('EVAL', "return redis.call('SET', KEYS[1], ARGV[1])", 1, 'k', value),
      (value: string) => request('EVAL', "return redis.call('SET', 'k', ARGV[1])", 0, value),
      (value: string) => request('EVALSHA', sha, 0, value),
      (value: string) => request('FCALL', 'w', 0, value),
    ]
    for (const [i, way] of ways.entries()) {
      for (const writer of [client, other]) {
        const value = `${i}${writer === client}`
        expect(await hits(client, bare, 'k')).toBe(true)
        expect(String((await writer.exchange(way(value)))[0])).toBe('+OK\r\n')
        for (const one of [client, other]) expect(await one.command('GET', 'k')).toContain(value)
        expect(await hits(client, bare, 'k')).toBe(true)
        const inOne = await writer.exchange(
          Buffer.concat([request('MULTI'), way(`${value}!`), request('EXEC'), request('GET', 'k')]),
          4,
        )
        expect(String(inOne[3])).toContain(`${value}!`)
        for (const one of [client, other]) expect(await one.command('GET', 'k')).toContain(`${value}!`)
      }
    }
  })

  test('emptied by itself and by others, and keys of any name', async () => {
    await start(passThrough(redis))
    const client = await connect()
    for (const key of ['k', '', 'a:b', '\u0000\r\n', 'x'.repeat(300)]) {
      await client.command('SET', key, 1)
      expect(await hits(client, bare, key)).toBe(true)
      await bare.command('SET', key, 2)
      expect(await eventually(async () => (await client.command('GET', key)) === '$1\r\n2\r\n', MAX_STALENESS)).toBe(
        true,
      )
      expect(await hits(client, bare, key)).toBe(true)
      await client.command('FLUSHALL')
      expect(await client.command('GET', key)).toBe('$-1\r\n')
    }
  })
})

describe('a rule that is added', () => {
  const withRules = (...keys: string[]) =>
    cachedConfig(net, {
      cache: { rules: keys.map((one) => ({ ...ALL_KEYS, keys: one })) },
      upstream: { lanes: 1, keepAlive: '1h' },
    })

  test('what was asked for before its keys were followed is not kept', { timeout: 60_000 }, async () => {
    await start(withRules('old:*'))
    const client = await connect()
    expect(await hits(client, bare, 'old:k')).toBe(true)
    for (let i = 0; i < 5; i++) {
      const key = `new${i}:k`
      await bare.command('SET', `acme:${key}`, 'before')
      net.hold()
      // Its keys are not followed yet, since no new feed gets through.
      net.refused = 'feeds'
      await reload(withRules('old:*', `new${i}:*`))
      client.send(Buffer.concat([request('TTL', 'x'), request('GET', key), request('STRLEN', key)]))
      const asked = async () => ((await callsOf(bare)).get('strlen') ?? 0) === i + 1
      expect(await eventually(asked)).toBe(true)
      await bare.command('SET', `acme:${key}`, 'behind')
      // Now they are; the replies of before come later still.
      const { feeds } = net
      net.refused = undefined
      expect(await eventually(() => net.feeds > feeds)).toBe(true)
      await sleep(700)
      net.release()
      expect(String((await client.replies(3))[1])).toBe('$6\r\nbefore\r\n')
      // What is kept of it, if it is, is kept by then.
      await sleep(200)
      for (let n = 0; n < 20; n++) {
        expect(await client.command('GET', key)).toBe('$6\r\nbehind\r\n')
        await sleep(10)
      }
      expect(await hits(client, bare, key)).toBe(true)
    }
  })

  test('reads are right from the first moment on, and soon come from memory', async () => {
    await start(withRules('old:*'))
    const client = await connect()
    expect(await hits(client, bare, 'old:k')).toBe(true)
    for (let i = 0; i < 20; i++) {
      const key = `new${i}:k`
      await reload(withRules('old:*', `new${i}:*`))
      for (let n = 0; n < 10; n++) {
        await bare.command('SET', `acme:${key}`, n)
        const told = async () => (await client.command('GET', key)) === `$1\r\n${n}\r\n`
        expect(await eventually(told, MAX_STALENESS), `${key}: ${n}`).toBe(true)
      }
      expect(await hits(client, bare, key)).toBe(true)
      expect(Object.keys(await executed(bare, () => client.command('GET', key)))).toEqual([])
    }
  })
})
