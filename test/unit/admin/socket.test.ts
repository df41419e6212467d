import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OperationFailed } from '../../../src/admin/operations.ts'
import { AdminSocket } from '../../../src/admin/socket.ts'
import { eventually } from '../../helpers/places.ts'
import { RawClient, request } from '../../helpers/raw-client.ts'
import { theRedis } from '../../helpers/redis.ts'
import { FakeSocketSource } from './source.ts'

const run = promisify(execFile)

let dir = ''
let path = ''
let source: FakeSocketSource
let server: AdminSocket
let told: { fields: object; text: string }[]

const log = {
  info: (fields: object, text: string) => void told.push({ fields, text }),
  error: (fields: object, text: string) => void told.push({ fields, text }),
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'keyward-admin-'))
  path = join(dir, 'admin.sock')
  source = new FakeSocketSource()
  told = []
  server = new AdminSocket({ path, mode: 0o600 }, source, log)
  await server.listen()
})

afterEach(async () => {
  await server.close()
  rmSync(dir, { recursive: true })
})

const connect = () => RawClient.connect({ path })

/** One request in bytes, its reply in bytes. */
async function say(...words: string[]): Promise<string> {
  const client = await connect()
  const reply = await client.command(...words)
  client.destroy()
  return reply
}

describe('what redis-cli and client libraries ask by themselves', () => {
  it.each([
    [['PING'], '+PONG\r\n'],
    [['ping', 'hey'], '$3\r\nhey\r\n'],
    [['PING', 'a', 'b'], "-ERR wrong number of arguments for 'ping' command\r\n"],
    [['COMMAND'], '*0\r\n'],
    [['COMMAND', 'DOCS'], '*0\r\n'],
    [
      ['AUTH', 'x'],
      '-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n',
    ],
    [['AUTH', 'default', 'x'], '+OK\r\n'],
    [['AUTH', 'acme', 'x'], '-WRONGPASS invalid username-password pair or user is disabled.\r\n'],
    [['AUTH'], "-ERR wrong number of arguments for 'auth' command\r\n"],
    [['AUTH', 'a', 'b', 'c'], '-ERR syntax error\r\n'],
    [['HELLO', '3'], "-ERR unknown command 'HELLO', with args beginning with: '3' \r\n"],
    [['GET', 'acme:k'], "-ERR unknown command 'GET', with args beginning with: 'acme:k' \r\n"],
    [['FLUSHALL'], "-ERR unknown command 'FLUSHALL', with args beginning with: \r\n"],
  ])('%j', async (words, reply) => expect(await say(...words)).toBe(reply))

  it('QUIT closes, and what came behind it does not count', async () => {
    const client = await connect()
    client.send(Buffer.concat([request('QUIT'), request('PROXY', 'PAUSE')]))
    expect((await client.closed()).toString()).toBe('+OK\r\n')
    expect(source.operations.asked).toEqual([])
  })
})

describe('PROXY', () => {
  it.each([
    [['PAUSE'], ['pause', 'everything', 10_000]],
    [
      ['pause', 'tenant', 'acme'],
      ['pause', { tenant: 'acme' }, 10_000],
    ],
    [
      ['PAUSE', 'UPSTREAM', 'main', 'TIMEOUT', '250'],
      ['pause', { upstream: 'main' }, 250],
    ],
    [
      ['PAUSE', 'timeout', '3600000', 'acme'],
      ['pause', { tenant: 'acme' }, 3_600_000],
    ],
    [
      ['PAUSE', 'main'],
      ['pause', { upstream: 'main' }, 10_000],
    ],
    [
      ['PAUSE', 'TENANT', 'both'],
      ['pause', { tenant: 'both' }, 10_000],
    ],
    [['RESUME'], ['resume', 'everything']],
    [
      ['RESUME', 'acme'],
      ['resume', { tenant: 'acme' }],
    ],
    [
      ['RESUME', 'UPSTREAM', 'both'],
      ['resume', { upstream: 'both' }],
    ],
    [['RECONNECT'], ['reconnect', undefined]],
    [
      ['RECONNECT', 'UPSTREAM', 'main'],
      ['reconnect', 'main'],
    ],
    [
      ['RECONNECT', 'both'],
      ['reconnect', 'both'],
    ],
    [['FAILOVER'], ['failover', undefined, 60_000]],
    [
      ['FAILOVER', 'main', 'TIMEOUT', '5'],
      ['failover', 'main', 5],
    ],
  ])('%j', async (words, asked) => {
    expect(await say('PROXY', ...words)).toBe(`+done: ${asked[0]}\r\n`)
    expect(source.operations.asked).toEqual([asked])
    expect(told).toEqual([
      { fields: { request: ['PROXY', ...words].join(' '), reply: `done: ${asked[0]}` }, text: 'admin socket' },
    ])
  })

  it.each([
    [['PAUSE', 'both'], 'both is a tenant and an upstream; say TENANT both or UPSTREAM both'],
    [['PAUSE', 'acne'], 'there is no tenant or upstream acne; did you mean acme?'],
    [['PAUSE', 'zzzzzz'], 'there is no tenant or upstream zzzzzz; there are main, both, acme, both'],
    [['PAUSE', 'UPSTREAM', 'acme'], 'there is no upstream acme; there are main, both'],
    [['RESUME', 'TENANT', 'main'], 'there is no tenant main; there are acme, both'],
    [['RECONNECT', 'acme'], 'acme is a tenant, and this is done to an upstream; there are main, both'],
    [['FAILOVER', 'mian'], 'there is no upstream mian; did you mean main?'],
    [['PAUSE', 'TENANT'], 'syntax error; write PROXY PAUSE [TENANT name | UPSTREAM name] [TIMEOUT milliseconds]'],
    [['PAUSE', 'acme', 'main'], 'syntax error; write PROXY PAUSE [TENANT name | UPSTREAM name] [TIMEOUT milliseconds]'],
    [['RESUME', 'TIMEOUT', '5'], 'syntax error; write PROXY RESUME [TENANT name | UPSTREAM name]'],
    [['RECONNECT', 'TENANT', 'acme'], 'syntax error; write PROXY RECONNECT [UPSTREAM name]'],
    [
      ['FAILOVER', 'TIMEOUT', '1', 'TIMEOUT', '2'],
      'syntax error; write PROXY FAILOVER [UPSTREAM name] [TIMEOUT milliseconds]',
    ],
    ...['0', '-1', '1.5', 'x', '', '3600001', '99999999999999999999'].map((value): [string[], string] => [
      ['PAUSE', 'TIMEOUT', value],
      'timeout is not an integer or out of range; write whole milliseconds, from 1 to 3600000 (an hour)',
    ]),
  ])('%j is refused with its cure', async (words, text) => {
    expect(await say('PROXY', ...words)).toBe(`-ERR ${text}\r\n`)
    expect(source.operations.asked).toEqual([])
  })

  it('names at most ten of many tenants', async () => {
    source.tenantNames = Array.from({ length: 5000 }, (_, i) => `tenant-number-${i}`)
    expect(await say('PROXY', 'PAUSE', 'TENANT', 'x')).toMatch(
      /; there are (tenant-number-\d, ){9}tenant-number-9 and 4990 more\r\n$/,
    )
  })

  it('STATUS is text', async () => {
    expect(await say('PROXY', 'status')).toBe('$23\r\nkeyward is well\nso far\n\r\n')
  })

  it.each([
    [['LIMITS'], 'limits of all'],
    [['limits', 'acme'], 'limits of acme'],
    [['LIMITS', 'TENANT', 'both'], 'limits of both'],
  ])('%j is text', async (words, text) => {
    expect(await say('PROXY', ...words)).toBe(`$${text.length + 1}\r\n${text}\n\r\n`)
    expect(told).toEqual([])
  })

  it.each([
    [['LIMITS', 'main'], 'there is no tenant main; there are acme, both'],
    [['LIMITS', 'acne'], 'there is no tenant acne; did you mean acme?'],
    [['LIMITS', 'UPSTREAM', 'main'], 'syntax error; write PROXY LIMITS [TENANT name]'],
    [['LIMITS', 'TENANT'], 'syntax error; write PROXY LIMITS [TENANT name]'],
  ])('%j is refused with its cure', async (words, text) => {
    expect(await say('PROXY', ...words)).toBe(`-ERR ${text}\r\n`)
  })

  it('HELP is a list of lines, in which every subcommand is', async () => {
    const help = await say('PROXY', 'HELP')
    expect(help).toMatch(/^\*\d+\r\n\+PROXY <subcommand>/)
    for (const name of ['PAUSE', 'RESUME', 'RECONNECT', 'FAILOVER', 'STATUS', 'LIMITS', 'HELP'])
      expect(help).toContain(`\r\n+${name}`)
  })

  it.each([
    [[], "-ERR wrong number of arguments for 'proxy' command\r\n"],
    [['STOP'], "-ERR unknown subcommand 'STOP'. Try PROXY HELP.\r\n"],
    [['STATUS', 'x'], "-ERR unknown subcommand 'STATUS'. Try PROXY HELP.\r\n"],
    [['a\r\nb'], "-ERR unknown subcommand 'a  b'. Try PROXY HELP.\r\n"],
  ])('%j', async (words, reply) => expect(await say('PROXY', ...words)).toBe(reply))

  it('tells why an operation failed, on one line, in UTF-8', async () => {
    source.operations.failure = new OperationFailed('the größte\r\nreplica', 'wait; then try again')
    const client = await connect()
    const [reply] = await client.exchange(request('PROXY', 'FAILOVER'))
    expect(reply.toString('utf8')).toBe('-ERR the größte replica; wait; then try again\r\n')
    client.destroy()
  })

  it('a bug of ours is told to the log', async () => {
    source.operations.failure = new TypeError('x is not a function')
    expect(await say('PROXY', 'RESUME')).toBe('-ERR internal error; see the log\r\n')
    expect(told).toMatchObject([{ fields: { err: source.operations.failure }, text: 'admin socket: request failed' }])
  })
})

describe('who waits', () => {
  it('does not keep others waiting, and gets its replies in order', async () => {
    let open = () => {}
    source.operations.gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const waiting = await connect()
    waiting.send(Buffer.concat([request('PROXY', 'PAUSE'), request('PING')]))
    expect(await eventually(() => source.operations.asked.length === 1)).toBe(true)
    expect(await say('PING')).toBe('+PONG\r\n')
    expect(await say('PROXY', 'STATUS')).toContain('keyward is well')
    await waiting.silence(50)
    open()
    expect((await waiting.replies(2)).join('')).toBe('+done: pause\r\n+PONG\r\n')
    waiting.destroy()
  })

  it('has at most 128 requests behind it', async () => {
    let open = () => {}
    source.operations.gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const client = await connect()
    client.send(Buffer.concat([request('PROXY', 'PAUSE'), ...Array.from({ length: 200 }, () => request('PING'))]))
    expect(await eventually(() => source.operations.asked.length === 1)).toBe(true)
    await client.silence(50)
    open()
    const all = (await client.closed()).toString()
    expect(all).toBe(
      `+done: pause\r\n${'+PONG\r\n'.repeat(128)}-ERR more than 128 requests wait; read the replies first\r\n`,
    )
  })

  it('may have ended its side before the reply, as from a shell', async () => {
    const client = await connect()
    client.socket.end('PROXY PAUSE acme\r\nPROXY RESUME acme\r\n')
    expect((await client.closed()).toString()).toBe('+done: pause\r\n+done: resume\r\n')
  })

  it('is not waited for when it has gone', async () => {
    source.operations.gate = new Promise(() => undefined)
    for (let i = 0; i < 16; i++) {
      const client = await connect()
      client.send(request('PROXY', 'PAUSE'))
      expect(await eventually(() => source.operations.asked.length === i + 1)).toBe(true)
      client.destroy()
    }
    expect(await eventually(async () => (await say('PING').catch(() => '')) === '+PONG\r\n')).toBe(true)
  })
})

describe('limits', () => {
  it('connections: 16, then the error that Redis has', async () => {
    const clients = []
    for (let i = 0; i < 16; i++) clients.push(await connect())
    for (const client of clients) expect(await client.command('PING')).toBe('+PONG\r\n')
    const late = await connect()
    expect((await late.closed()).toString()).toBe('-ERR max number of clients reached\r\n')
    clients.pop()?.destroy()
    expect(await eventually(async () => (await say('PING').catch(() => '')) === '+PONG\r\n')).toBe(true)
    for (const client of clients) client.destroy()
  })

  it.each([
    ['a long argument', '*1\r\n$5000\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
    ['no number', '*x\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
    [
      'many arguments',
      `*9\r\n${`$4000\r\n${'a'.repeat(4000)}\r\n`.repeat(5)}`,
      '-ERR request of more than 16384 bytes; there is none so long here\r\n',
    ],
  ])('%s', async (_what, bytes, reply) => {
    const client = await connect()
    client.send(bytes)
    expect((await client.closed()).toString()).toBe(reply)
  })

  it('a request byte by byte', async () => {
    const client = await connect()
    for (const byte of request('PROXY', 'RESUME', 'acme')) {
      client.send(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await client.reply()).toString()).toBe('+done: resume\r\n')
    client.destroy()
  })
})

describe('the file', () => {
  const at = (file: string, mode = 0o600) => new AdminSocket({ path: file, mode }, source, log)

  it('has its mode, whatever the umask, which stays', async () => {
    const before = process.umask(0)
    try {
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const wide = at(join(dir, 'wide.sock'), 0o666)
      await wide.listen()
      expect(statSync(join(dir, 'wide.sock')).mode & 0o777).toBe(0o666)
      wide.changeMode(0o640)
      expect(statSync(join(dir, 'wide.sock')).mode & 0o777).toBe(0o640)
      await wide.close()
      expect(process.umask()).toBe(0)
    } finally {
      process.umask(before)
    }
  })

  it('is gone afterwards, and its connections with it', async () => {
    const client = await connect()
    await client.command('PING')
    await server.close()
    await client.closed()
    expect(existsSync(path)).toBe(false)
    await server.listen()
  })

  it('of a dead process is replaced', async () => {
    const left = join(dir, 'left.sock')
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    await expect(run(process.execPath, ['-e', script, left])).rejects.toMatchObject({ signal: 'SIGKILL' })
    expect(existsSync(left)).toBe(true)
    const second = at(left)
    await second.listen()
    const client = await RawClient.connect({ path: left })
    expect(await client.command('PING')).toBe('+PONG\r\n')
    client.destroy()
    await second.close()
  })

  it('of a living process is left alone', async () => {
    await expect(at(path).listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await say('PING')).toBe('+PONG\r\n')
  })

  it('that is no socket is left alone', async () => {
    const file = join(dir, 'precious')
    writeFileSync(file, 'x')
    await expect(at(file).listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(statSync(file).size).toBe(1)
  })

  it('whose folder may not be written is an error', async () => {
    if (process.getuid?.() === 0) return
    chmodSync(dir, 0o500)
    await expect(at(join(dir, 'other.sock')).listen()).rejects.toMatchObject({ code: 'EACCES' })
    chmodSync(dir, 0o700)
  })

  it('of somebody who accepts and says nothing is in use', async () => {
    const mute = createServer()
    const other = join(dir, 'mute.sock')
    await new Promise<void>((resolve) => mute.listen(other, resolve))
    await expect(at(other).listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    mute.close()
  })
})

describe('redis-cli -s', () => {
  async function cli(...args: string[]): Promise<string> {
    const { cli: binary, env } = await theRedis()
    const { stdout } = await run(binary, ['-s', path, ...args], { env: { ...process.env, ...env }, timeout: 60_000 })
    return stdout
  }

  it('one command', async () => {
    expect(await cli('PROXY', 'PAUSE', 'acme')).toBe('done: pause\n')
    expect(source.operations.asked).toEqual([['pause', { tenant: 'acme' }, 10_000]])
    expect(await cli('PROXY', 'STATUS')).toBe('keyward is well\nso far\n\n')
    expect(await cli('PROXY', 'PAUSE', 'nobody')).toMatch(/^ERR there is no tenant or upstream nobody; /)
  })

  it('several, on standard input', async () => {
    const { cli: binary, env } = await theRedis()
    const child = execFile(binary, ['-s', path], { env: { ...process.env, ...env }, timeout: 60_000 })
    let out = ''
    child.stdout?.on('data', (text) => {
      out += text
    })
    child.stdin?.end('PING\nproxy resume upstream main\nPROXY HELP\n')
    await new Promise((resolve) => child.once('close', resolve))
    expect(out).toMatch(/^PONG\ndone: resume\nPROXY <subcommand>/)
    expect(source.operations.asked).toEqual([['resume', { upstream: 'main' }]])
  })
})
