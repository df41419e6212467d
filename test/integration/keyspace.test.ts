import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * SCAN, KEYS, DBSIZE, RANDOMKEY, FLUSHDB and FLUSHALL speak of the tenant's database, among many keys of others, and
 * leave the server to the others meanwhile.
 */

const FOREIGN = 60_000
const AWKWARD = [
  '',
  '*',
  'a*b',
  'a?',
  '[ab]',
  'a[',
  '\\',
  'a\\*',
  '^x',
  'x-y',
  'a b',
  'a\r\nb',
  'acme:k',
  '\0',
  'ÿ\xfe',
]

let redis: RedisServer
let bare: RawClient
let keyward: Keyward
let acme: RawClient
let beta: RawClient

beforeAll(async () => {
  redis = await startRedis()
  bare = await RawClient.connect({ port: redis.port })
  await load(bare, 'foreign:', FOREIGN)
}, 60_000)

afterAll(async () => {
  bare?.destroy()
  await redis?.stop()
})

async function open(upstream = {}, more = {}): Promise<void> {
  keyward = await startKeyward(configFor(redis, more, upstream))
  acme = await keyward.connect({ password: 'acme' })
  beta = await keyward.connect({ password: 'beta' })
}

afterEach(async () => {
  acme?.destroy()
  beta?.destroy()
  expect(await leftovers(keyward)).toEqual({})
  keyward?.stop()
  await bare.exchange(Buffer.concat([request('EVAL', CLEAN, 0, 'acme:*'), request('EVAL', CLEAN, 0, 'beta:*')]), 2)
})

const CLEAN =
  "local n = 0 for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', k) n = n + 1 end return n"

async function load(client: RawClient, prefix: string, count: number): Promise<void> {
  const batch = 5000
  for (let i = 0; i < count; i += batch) {
    const args: string[] = []
    for (let k = i; k < Math.min(i + batch, count); k++) args.push(`${prefix}${k}`, 'v')
    await client.command('MSET', ...args)
  }
}

/** The items of a flat array of bulk strings, one character a byte. */
function items(frame: Buffer): string[] {
  const list: string[] = []
  let at = frame.indexOf('\r\n') + 2
  while (at < frame.length) {
    const line = frame.indexOf('\r\n', at)
    const length = Number(frame.toString('latin1', at + 1, line))
    list.push(frame.toString('latin1', line + 2, line + 2 + length))
    at = line + 4 + length
  }
  return list
}

interface Walk {
  readonly keys: string[]
  readonly calls: number
}

/** SCAN to the end. */
async function scanAll(client: RawClient, ...options: (string | number | Buffer)[]): Promise<Walk> {
  const keys: string[] = []
  let cursor = '0'
  let calls = 0
  do {
    const [frame] = await client.exchange(request('SCAN', cursor, ...options))
    const [, next] = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(frame.toString('latin1', 0, 40)) ?? []
    cursor = next
    keys.push(...items(frame.subarray(frame.indexOf('*', 1))))
    calls++
  } while (cursor !== '0')
  return { keys, calls }
}

const latin1 = (text: string) => Buffer.from(text, 'latin1')

async function scanCalls(): Promise<number> {
  const info = await bare.command('INFO', 'commandstats')
  return Number(/cmdstat_scan:calls=(\d+)/.exec(info)?.[1] ?? 0)
}

describe('SCAN', () => {
  beforeEach(() => open())

  test('shows all of the tenant’s keys and no others’, whatever they look like', async () => {
    for (const key of AWKWARD) await acme.command('SET', latin1(key), 'v')
    await beta.command('SET', 'b', 'v')
    const { keys } = await scanAll(acme)
    expect([...new Set(keys)].sort()).toEqual([...AWKWARD].sort())
    expect((await scanAll(beta)).keys).toEqual(['b'])
  })

  test('patterns mean what they mean on a Redis of one’s own', async () => {
    const own = await RawClient.connect({ port: redis.port })
    await own.command('SELECT', 9)
    for (const key of AWKWARD) {
      await acme.command('SET', latin1(key), 'v')
      await own.command('SET', latin1(key), 'v')
    }
    for (const pattern of [
      '*',
      '**',
      '?',
      'a*',
      '[a]*',
      '[^a]*',
      '\\*',
      '\\\\',
      'a\\*b',
      '',
      'acme:*',
      '*k',
      'a[',
      '[',
      '^*',
    ]) {
      const mine = new Set((await scanAll(acme, 'MATCH', latin1(pattern))).keys)
      const theirs = new Set((await scanAll(own, 'MATCH', latin1(pattern))).keys)
      expect([pattern, [...mine].sort()]).toEqual([pattern, [...theirs].sort()])
      const [listed] = await acme.exchange(request('KEYS', latin1(pattern)))
      const [expected] = await own.exchange(request('KEYS', latin1(pattern)))
      expect([pattern, items(listed).sort()]).toEqual([pattern, items(expected).sort()])
    }
    await own.command('FLUSHDB')
    own.destroy()
  })

  test('TYPE is kept, and the later of two options counts', async () => {
    await acme.command('SET', 'string', 'v')
    await acme.command('RPUSH', 'list', 'v')
    await bare.command('RPUSH', 'foreign:list', 'v')
    expect((await scanAll(acme, 'TYPE', 'list')).keys).toEqual(['list'])
    expect((await scanAll(acme, 'MATCH', 'nothing', 'COUNT', 1000, 'MATCH', 's*')).keys).toEqual(['string'])
    await bare.command('DEL', 'foreign:list')
  })

  test('pages are filled up: few calls for few keys among many', async () => {
    await load(acme, 'k', 50)
    const { keys, calls } = await scanAll(acme)
    expect(new Set(keys).size).toBe(50)
    // Redis looks at 10 keys a call: 6,000 calls. How many fit into the fill time depends on the machine.
    expect(calls).toBeLessThan(600)
  })

  test('a page of COUNT 1 holds what was found, not a thousand keys', async () => {
    await load(acme, 'k', 3000)
    const [frame] = await acme.exchange(request('SCAN', 0, 'COUNT', 1))
    expect(items(frame.subarray(frame.indexOf('*', 1))).length).toBeLessThan(200)
  })

  test('counts what Redis looked at, and what it was good for', async () => {
    await load(acme, 'k', 10)
    await scanAll(acme, 'COUNT', 1000)
    const stats = keyward.proxy.view().tenants.find(({ name }) => name === 'acme')?.stats
    expect(stats?.scanExamined).toBeGreaterThanOrEqual(FOREIGN)
    expect(stats?.scanReturned).toBeGreaterThanOrEqual(10)
    expect(stats?.scanReturned).toBeLessThan(FOREIGN / 10)
  })
})

describe('KEYS', () => {
  test('more than the output limit is an error, and the connection goes on', async () => {
    const tenant = (name: string) => ({ upstream: 'main', users: { default: { password: name } } })
    await open({}, { tenants: { acme: { ...tenant('acme'), buffers: { output: '64KiB' } }, beta: tenant('beta') } })
    await load(acme, 'a-rather-long-name-of-a-key-', 2000)
    expect(await acme.command('KEYS', '*')).toMatch(/^-ERR the reply would be larger/)
    expect(await acme.command('KEYS', 'a-rather-long-name-of-a-key-7')).toContain('key-7\r\n')
    expect(await acme.command('PING')).toBe('+PONG\r\n')
  })

  test('goes on when the connection is lost under it', async () => {
    await open({ scan: { share: '5%' } })
    await load(acme, 'k', 500)
    acme.send(request('KEYS', '*'))
    const before = await scanCalls()
    await eventually(async () => (await scanCalls()) > before + 2)
    await bare.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    const frame = await acme.reply()
    expect(new Set(items(frame)).size).toBe(500)
  })
})

describe('DBSIZE', () => {
  test('counts the tenant’s keys, of the database that is selected', async () => {
    await open({}, { tenants: tenantsWithDatabases() })
    await load(acme, 'k', 20)
    await acme.command('SELECT', 3)
    expect(await acme.command('DBSIZE')).toBe(':0\r\n')
    await acme.command('SET', 'a', 'v')
    expect(await acme.command('DBSIZE')).toBe(':1\r\n')
    await acme.command('SELECT', 0)
    expect(await acme.command('DBSIZE')).toBe(':20\r\n')
    expect(await beta.command('DBSIZE')).toBe(':0\r\n')
  })

  test('asked by many at once costs a walk at a time, and nobody gets a count older than the question', async () => {
    await open()
    await load(acme, 'k', 10)
    const clients = await Promise.all(Array.from({ length: 40 }, () => keyward.connect({ password: 'acme' })))
    const before = await scanCalls()
    const replies = await Promise.all(
      clients.map(async (client, i) => {
        await client.command('SET', `own-${i}`, 'v')
        return Number((await client.command('DBSIZE')).slice(1))
      }),
    )
    const walks = ((await scanCalls()) - before) / (FOREIGN / 1000)
    for (const reply of replies) expect(reply).toBeGreaterThanOrEqual(11)
    expect(Math.max(...replies)).toBe(50)
    expect(walks).toBeLessThan(5)
    for (const client of clients) client.destroy()
  })

  test('stops when the last who asked has left', async () => {
    await open({ scan: { share: '1%' } })
    const before = await scanCalls()
    acme.send(request('DBSIZE'))
    await eventually(async () => (await scanCalls()) > before)
    acme.reset()
    await eventually(() => keyward.proxy.clients.size === 1)
    const then = await scanCalls()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(await scanCalls()).toBeLessThanOrEqual(then + 1)
  })

  test('leaves WATCH and the order of a pipeline alone', async () => {
    await open()
    const pipeline = [
      ['SET', 'a', 1],
      ['WATCH', 'a'],
      ['DBSIZE'],
      ['SET', 'b', 1],
      ['DBSIZE'],
      ['MULTI'],
      ['INCR', 'b'],
      ['EXEC'],
      ['DBSIZE'],
      ['PING'],
    ]
    const frames = await acme.exchange(Buffer.concat(pipeline.map((args) => request(...args))), pipeline.length)
    expect(frames.map(String)).toEqual([
      '+OK\r\n',
      '+OK\r\n',
      ':1\r\n',
      '+OK\r\n',
      ':2\r\n',
      '+OK\r\n',
      '+QUEUED\r\n',
      '*1\r\n:2\r\n',
      ':2\r\n',
      '+PONG\r\n',
    ])
  })
})

describe('RANDOMKEY', () => {
  test('is nil for an empty tenant, and finds every key of a small one among many others', async () => {
    await open()
    expect(await acme.command('RANDOMKEY')).toBe('$-1\r\n')
    await load(acme, 'k', 8)
    const seen = new Map<string, number>()
    for (let i = 0; i < 160; i++) {
      const key = items(Buffer.from(`*1\r\n${await acme.command('RANDOMKEY')}`))[0]
      seen.set(key, (seen.get(key) ?? 0) + 1)
    }
    expect([...seen.keys()].sort()).toEqual(Array.from({ length: 8 }, (_, i) => `k${i}`))
    expect(Math.max(...seen.values())).toBeLessThan(100)
  })
})

describe('FLUSHDB and FLUSHALL', () => {
  test('delete the database, or all of them, of one tenant', async () => {
    await open({}, { tenants: tenantsWithDatabases() })
    for (const client of [acme, beta]) {
      for (const db of [0, 3]) {
        await client.command('SELECT', db)
        await load(client, 'k', 20)
      }
    }
    expect(await acme.command('FLUSHDB', 'async')).toBe('+OK\r\n')
    expect(await acme.command('DBSIZE')).toBe(':0\r\n')
    await acme.command('SELECT', 0)
    expect(await acme.command('DBSIZE')).toBe(':20\r\n')
    expect(await acme.command('FLUSHALL', 'SYNC')).toBe('+OK\r\n')
    expect(await acme.command('DBSIZE')).toBe(':0\r\n')
    expect(await beta.command('DBSIZE')).toBe(':20\r\n')
    expect(await bare.command('DBSIZE')).toBe(`:${FOREIGN + 40}\r\n`)
  })

  test('what another client of the tenant writes meanwhile waits, and stays', async () => {
    await open({ scan: { share: '5%' } })
    await load(acme, 'k', 2000)
    const other = await keyward.connect({ password: 'acme' })
    acme.send(request('FLUSHDB'))
    expect(await eventually(() => keyward.proxy.gates.closed)).toBe(true)
    // The others' requests go on.
    expect(await beta.command('SET', 'b', 'v')).toBe('+OK\r\n')
    const order: string[] = []
    const flushed = acme.reply().then((frame) => order.push(`flush ${frame}`))
    const written = other.command('SET', 'k7', 'new').then((reply) => order.push(`set ${reply}`))
    await Promise.all([flushed, written])
    expect(order).toEqual(['flush +OK\r\n', 'set +OK\r\n'])
    expect(await other.command('GET', 'k7')).toBe('$3\r\nnew\r\n')
    expect(await acme.command('DBSIZE')).toBe(':1\r\n')
    other.destroy()
  })

  test('after hold.time the others go on before the end', async () => {
    await open({ scan: { share: '2%' }, hold: { time: '300ms', memory: '16MiB' } })
    await load(acme, 'k', 500)
    const other = await keyward.connect({ password: 'acme' })
    acme.send(request('FLUSHDB'))
    expect(await eventually(() => keyward.proxy.gates.closed)).toBe(true)
    expect(await other.command('SET', 'k7', 'new')).toBe('+OK\r\n')
    expect(acme.pending).toBe(0)
    expect(keyward.proxy.gates.overruns).toBe(1)
    expect(await acme.reply()).toEqual(Buffer.from('+OK\r\n'))
    other.destroy()
  })

  test('goes on to its end when the client leaves, and when connections are lost', async () => {
    await open({ scan: { share: '5%' } })
    await load(acme, 'k', 2000)
    acme.send(request('FLUSHDB'))
    expect(await eventually(() => keyward.proxy.gates.closed)).toBe(true)
    acme.reset()
    await bare.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    expect(await eventually(() => !keyward.proxy.gates.closed, 60_000)).toBe(true)
    const other = await keyward.connect({ password: 'acme' })
    expect(await other.command('DBSIZE')).toBe(':0\r\n')
    other.destroy()
  })
})

test('in MULTI they are refused when they are queued, and EXEC aborts', async () => {
  await open()
  for (const args of [['KEYS', '*'], ['SCAN', '0'], ['DBSIZE'], ['RANDOMKEY'], ['FLUSHDB'], ['FLUSHALL']]) {
    expect(await acme.command('MULTI')).toBe('+OK\r\n')
    expect(await acme.command(...args)).toBe('-ERR Command not allowed inside a transaction\r\n')
    expect(await acme.command('EXEC')).toMatch(/^-EXECABORT /)
  }
})

function tenantsWithDatabases(): object {
  const tenant = (name: string) => ({ upstream: 'main', databases: 5, users: { default: { password: name } } })
  return { acme: tenant('acme'), beta: tenant('beta') }
}
