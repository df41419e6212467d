import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Tenant } from '../../src/session/tenant.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** MONITOR: the requests of one tenant, as a server of its own would show them. */

const MIB = 2 ** 20

let redis: RedisServer
/** Nobody else is on it. */
let bare: RedisServer
let keyward: Keyward
const open: RawClient[] = []

beforeAll(async () => {
  ;[redis, bare] = await Promise.all([startRedis(), startRedis()])
  const tenant = (name: string, more: object = {}) => ({
    upstream: 'main',
    users: { default: { password: name } },
    ...more,
  })
  keyward = await startKeyward(
    configFor(redis, {
      tenants: {
        acme: tenant('acme', { databases: 16 }),
        beta: tenant('beta'),
        small: tenant('small', { buffers: { output: '1MiB' } }),
      },
    }),
  )
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  for (const name of ['acme', 'beta', 'small']) expect(monitored(name)).toBe(false)
  expect(keyward.proxy.faults).toBe(0)
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
  await bare?.stop()
})

function monitored(name: string): boolean {
  return keyward.proxy.stats({ name } as Tenant).monitors !== undefined
}

async function connect(password = 'acme'): Promise<RawClient> {
  const client = await keyward.connect({ password })
  open.push(client)
  return client
}

async function connectBare(): Promise<RawClient> {
  const client = await RawClient.connect({ port: bare.port })
  open.push(client)
  return client
}

/** Lines of MONITOR without what differs from run to run: the time and the address. */
function withoutTime(text: string): string {
  return text.replace(/^\+\d{9,}\.\d{6} \[(\d+) [^\]]+\]/gm, '+T [$1 A]')
}

const LAST = 'the last one'

/** What a monitor has seen up to a PING of ours. */
async function seen(monitor: RawClient, client: RawClient): Promise<string> {
  await client.command('PING', LAST)
  const text = withoutTime((await monitor.receive(`"PING" "${LAST}"\r\n`)).toString('latin1'))
  return text.slice(0, text.lastIndexOf('+T'))
}

type Words = readonly (string | Buffer)[]
const split = (line: string): Words => line.split(' ')

describe('what is shown', () => {
  const WATCHED: readonly Words[] = [
    split('PING'),
    split('ping'),
    split('ECHO x'),
    split('SELECT 3'),
    ['SET', Buffer.from('k\n\r\t\x07\x08"\\ \x00\x7f\xff', 'latin1'), 'é'],
    split('GET 12345'),
    ['SET', '', ''],
    split('CONFIG GET port'),
    split('CLIENT ID'),
    split('CLIENT SETNAME bob'),
    split('CLIENT LIST'),
    split('CLIENT KILL 1.2.3.4:5'),
    split('CLIENT PAUSE 0'),
    split('SLOWLOG LEN'),
    split('SLOWLOG HELP'),
    split('LATENCY LATEST'),
    split('COMMAND COUNT'),
    split('HELLO 2'),
    split('HELLO 2 SETNAME al'),
    split('NOSUCH a'),
    split('GET'),
    split('SELECT 99'),
    split('SELECT 0'),
    split('MULTI'),
    split('SET a 1'),
    split('CLIENT GETNAME'),
    split('SELECT 2'),
    split('SET b 1'),
    split('EXEC'),
    split('GET b'),
    split('MULTI'),
    split('SET dropped 1'),
    split('DISCARD'),
    split('MULTI'),
    split('MULTI'),
    split('SET c 1'),
    split('EXEC'),
    split('MULTI'),
    split('SET aborted 1'),
    split('NOSUCH'),
    split('EXEC'),
    split('EXEC'),
    split('DISCARD'),
    split('MULTI'),
    split('MONITOR'),
    split('EXEC'),
    split('WATCH q'),
    split('UNWATCH'),
    split('DBSIZE'),
    split('KEYS *'),
    split('SCAN 0'),
    split('RANDOMKEY'),
    split('RPUSH l a'),
    split('BLPOP l 1'),
    split('SORT l'),
    split('WAIT 0 0'),
    split('OBJECT HELP'),
    split('FLUSHDB'),
  ]

  async function runOn(connectOne: () => Promise<RawClient>): Promise<string> {
    const monitor = await connectOne()
    expect(await monitor.command('MONITOR')).toBe('+OK\r\n')
    const client = await connectOne()
    for (const words of WATCHED) await client.command(...words)
    return seen(monitor, client)
  }

  test('is what a server of its own shows, byte for byte but for time and address', async () => {
    const theirs = await runOn(connectBare)
    const ours = await runOn(connect)
    // The login of the second client.
    expect(ours.replace('+T [0 A] "AUTH" "(redacted)" "(redacted)"\r\n', '')).toBe(theirs)
    expect(theirs).toContain('"k\\n\\r\\t\\a\\b\\"\\\\ \\x00\\x7f\\xff"')
  })

  test('the address is the client’s own, the time is now', async () => {
    const monitor = await connect()
    await monitor.command('MONITOR')
    const client = await connect()
    const before = Date.now()
    const address = /addr=(\S+)/.exec(await client.command('CLIENT', 'INFO'))?.[1]
    const line = (await monitor.receive('"CLIENT" "INFO"\r\n')).toString('latin1')
    const time = Number(/\+(\d+\.\d{6}) \[0 ([^\]]+)\] "CLIENT"/.exec(line)?.[1]) * 1000
    expect(line).toContain(`[0 ${address}] "CLIENT" "INFO"`)
    expect(Math.abs(time - before)).toBeLessThan(20_000)
  })

  test('secrets are not, neither right ones nor wrong ones', async () => {
    const monitor = await connect()
    await monitor.command('MONITOR')
    const client = await keyward.connect()
    open.push(client)
    const secrets: readonly Words[] = [
      ['AUTH', 'secret1'],
      ['AUTH', 'default', 'acme'],
      ['AUTH', 'default', 'secret2'],
      ['AUTH', 'a', 'secret3', 'b'],
      ['HELLO', '3', 'AUTH', 'default', 'secret4'],
      ['HELLO', '2', 'AUTH', 'default', 'acme', 'SETNAME', 'al'],
      ['HELLO', '9', 'AUTH', 'default', 'secret5'],
    ]
    for (const words of secrets) await client.command(...words)
    const text = await seen(monitor, client)
    expect(text).not.toMatch(/secret|acme/)
    expect(text.match(/"AUTH"( "\(redacted\)"){2,3}/g)?.length).toBe(6)
    expect(text).toContain('"HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "al"')
  })

  test('no request of another tenant, and nobody else’s names', async () => {
    const monitor = await connect()
    await monitor.command('MONITOR')
    const other = await connect('beta')
    const client = await connect()
    for (let i = 0; i < 50; i++) {
      await other.command('SET', `theirs-${i}`, 'x')
      await client.command('SET', `ours-${i}`, 'x')
    }
    const text = await seen(monitor, client)
    expect(text).not.toContain('theirs')
    expect(text).not.toContain('acme:')
    expect([...text.matchAll(/"SET" "ours-(\d+)" "x"/g)].map(([, i]) => Number(i))).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    )
  })

  test('what is very long is counted instead', async () => {
    const monitor = await connect()
    await monitor.command('MONITOR')
    const client = await connect()
    await client.command('SET', 'k', 'v'.repeat(100 * 1024))
    await client.command('DEL', ...Array.from({ length: 30 }, () => 'k'.repeat(60 * 1024)))
    const text = await seen(monitor, client)
    expect(text).toContain(`v... (${36 * 1024} more bytes)"\r\n`)
    expect(text.slice(-39)).toBe('kkkkkkkkkk" "... (12 more arguments)"\r\n')
  })
})

describe('a client that monitors', () => {
  /** What it may do itself. Those that go upstream are in another test: here the reply comes before the line. */
  const OWN: readonly Words[] = [
    split('PING'),
    split('MONITOR'),
    split('GET a'),
    split('SET a b'),
    split('KEYS *'),
    split('DBSIZE'),
    split('SCAN 0'),
    split('BLPOP x 0'),
    split('PFCOUNT x'),
    split('ECHO x'),
    split('CLIENT SETNAME monitor'),
    split('CLIENT GETNAME'),
    split('SLOWLOG RESET'),
    split('SELECT 2'),
    split('CLIENT REPLY OFF'),
    split('PING'),
    split('GET a'),
    split('CLIENT REPLY ON'),
    split('RESET'),
  ]

  test.each([2, 3])('gets replies and lines as from a server of its own, RESP%i', async (protocol) => {
    const results = []
    for (const client of [await connectBare(), await connect()]) {
      if (protocol === 3) await client.command('HELLO', 3)
      await client.command('MONITOR')
      client.send(Buffer.concat(OWN.map((words) => request(...words))))
      results.push(withoutTime((await client.receive('+RESET\r\n')).toString('latin1')))
    }
    expect(results[1]).toBe(results[0])
    expect(results[0]).toContain("-ERR Replica can't interact with the keyspace\r\n")
  })

  test('is refused the keyspace in MULTI too, and shown in CLIENT LIST', async () => {
    for (const client of [await connectBare(), await connect()]) {
      await client.command('MONITOR')
      const requests = ['MULTI', 'GET a', 'EXEC', 'WATCH k', 'WAIT 0 0', 'CLIENT INFO'].map((line) =>
        request(...split(line)),
      )
      client.send(Buffer.concat(requests))
      // Lines and replies mix in another order, where the replies come from the upstream.
      const text = (await client.receive(' redir=')).toString('latin1')
      const replies = text.split('\r\n').filter((line) => /^[-:]|^\+(OK|QUEUED)/.test(line))
      expect(replies).toEqual([
        '+OK',
        "-ERR Replica can't interact with the keyspace",
        '-EXECABORT Transaction discarded because of previous errors.',
        '+OK',
        ':0',
      ])
      expect(text).toMatch(/ flags=O /)
    }
  })

  test('has its +OK in its place behind what it sent before, and no line in front of it', async () => {
    await (await connect()).command('SET', 'big', 'x'.repeat(MIB))
    const noisy = await connect()
    let stop = false
    const noise = (async () => {
      while (!stop) await noisy.command('PING')
    })()
    for (let i = 0; i < 20; i++) {
      const client = await connect()
      client.send(Buffer.concat([request('GET', 'big'), request('MONITOR'), request('PING', 'mine')]))
      expect((await client.reply()).length).toBeGreaterThan(MIB)
      expect(String(await client.reply())).toBe('+OK\r\n')
      const rest = (await client.receive('"PING" "mine"\r\n')).toString('latin1')
      expect(rest).toContain('$4\r\nmine\r\n')
      client.destroy()
    }
    stop = true
    await noise
  })

  test('stops at RESET and at QUIT', async () => {
    const client = await connect()
    for (const ending of ['RESET', 'QUIT']) {
      const monitor = await connect()
      await monitor.command('MONITOR')
      await client.command('PING')
      await monitor.receive('"PING"\r\n')
      expect(monitored('acme')).toBe(true)
      expect(await monitor.command(ending)).toBe(ending === 'RESET' ? '+RESET\r\n' : '+OK\r\n')
      expect(await eventually(() => !monitored('acme'))).toBe(true)
      await client.command('PING')
      if (ending === 'RESET') expect(await monitor.command('AUTH', 'acme')).toBe('+OK\r\n')
      expect(await monitor.command('GET', 'nothing').catch(() => 'closed')).toBe(
        ending === 'RESET' ? '$-1\r\n' : 'closed',
      )
    }
  })

  test('that logs in as another tenant sees that one’s requests, and no more of the first', async () => {
    const monitor = await connect()
    await monitor.command('MONITOR')
    const acme = await connect()
    const beta = await connect('beta')
    expect(await monitor.command('AUTH', 'acme', 'no')).toMatch(/^\+/)
    monitor.send(request('AUTH', 'beta/default', 'beta'))
    await monitor.receive('+OK\r\n')
    expect(monitored('acme')).toBe(false)
    await acme.command('SET', 'hidden', 'x')
    await beta.command('SET', 'shown', 'x')
    const text = (await monitor.receive('"shown" "x"\r\n')).toString('latin1')
    expect(text).not.toContain('hidden')
  })

  test('two get the same', async () => {
    const [one, two, client] = [await connect(), await connect(), await connect()]
    await one.command('MONITOR')
    await two.command('MONITOR')
    await client.command('INCR', 'n')
    const lines = await Promise.all([one, two].map((each) => each.receive('"INCR" "n"\r\n')))
    expect(String(lines[0])).toContain(withoutTimeEnd(String(lines[1])))
  })

  test('and does not read is cut at its output limit; the others do not notice', async () => {
    const monitor = await connect('small')
    await monitor.command('MONITOR')
    monitor.pauseReading()
    const client = await connect('small')
    const stats = keyward.proxy.stats({ name: 'small' } as Tenant)
    const value = 'v'.repeat(60 * 1024)
    let sent = 0
    while (monitored('small') && sent < 100 * MIB) {
      expect(await client.command('SET', 'k', value)).toBe('+OK\r\n')
      sent += value.length
    }
    expect(monitored('small')).toBe(false)
    expect(stats.errors.get('OUTPUTLIMIT')).toBe(1)
    expect(await client.command('STRLEN', 'k')).toBe(`:${value.length}\r\n`)
  })
})

/** The last line of a text, as the other monitor must have it. */
function withoutTimeEnd(text: string): string {
  return text.slice(text.lastIndexOf('+'))
}
