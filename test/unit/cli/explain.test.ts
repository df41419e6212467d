import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { keyward } from './terminal.ts'

const dir = mkdtempSync(join(tmpdir(), 'keyward-explain-'))
const file = join(dir, 'k.yaml')
writeFileSync(
  file,
  `listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://a, bulk: 1KiB}, own: {url: redis://b}}
tenants:
  acme: {upstream: main, databases: 3, users: {default: {password: a}, reader: {password: b}}}
  near: {upstream: main, functions: trusted, replicas: {read: prefer, maxLag: 250ms}, users: {default: {password: d}}}
  whole: {upstream: own, prefix: "", users: {default: {password: c}}}
`,
)
afterAll(() => rmSync(dir, { recursive: true }))

/** The lines of an explanation by their label; several of one label are joined. */
async function explain(...args: string[]): Promise<Record<string, string>> {
  const { code, out, err } = await keyward(['explain', ...args])
  expect([code, err]).toEqual([0, ''])
  const lines: Record<string, string> = {}
  let last = ''
  for (const line of out.trimEnd().split('\n')) {
    const [, label, text] = /^(\S*)\s+(.*)$/.exec(line) ?? []
    last = label || last
    lines[last] = lines[last] === undefined ? text : `${lines[last]}; ${text}`
  }
  return lines
}

describe('without a configuration', () => {
  it('keys, request and route', async () => {
    expect(await explain('MSET', 'a', '1', 'b', '2')).toEqual({
      command: 'MSET  writes @slow @string @write',
      tenant: 'tenant: prefix tenant:, upstream main',
      keys: 'argument 1: a becomes tenant:a; argument 3: b becomes tenant:b',
      sent: 'MSET tenant:a 1 tenant:b 2',
      route: 'lane: a shared connection',
    })
  })

  it('the tenant of the environment', async () => {
    const env = { KEYWARD_TENANT: 'env', KEYWARD_PREFIX: 'e/', KEYWARD_DATABASES: '2' }
    expect((await keyward(['explain', 'GET', 'k'], env)).out).toContain('GET e/0:k')
  })

  it('a tenant of any name', async () => {
    expect((await explain('--tenant', 'acme', 'get', 'k')).sent).toBe('get acme:k')
  })

  it('arguments that look like flags belong to the command', async () => {
    expect((await explain('zadd', '-c', '-1', '--user')).sent).toBe('zadd tenant:-c -1 --user')
  })

  it('arguments of any bytes', async () => {
    expect((await explain('SET', 'ä "b"\\', '\n\x01')).sent).toBe('SET "tenant:ä \\"b\\"\\\\" "\\x0a\\x01"')
    expect((await explain('GET', '')).keys).toBe('argument 1: "" becomes tenant:')
  })

  it('pins', async () => {
    expect((await explain('BLPOP', 'a', 'b', '2.5')).route).toBe('pin: a dedicated connection, for at most 2500 ms')
    expect((await explain('BLPOP', 'a', '0')).route).toBe('pin: a dedicated connection, for as long as it blocks')
    expect((await explain('XREAD', 'STREAMS', 's', '0')).route).toMatch(/^lane: .*does not block$/)
    expect((await explain('WATCH', 'k')).route).toBe('pin: a dedicated connection, until the transaction is over')
    expect((await explain('WAIT', '1', '0')).sent).toBe('PING, then WAIT 1 0')
  })

  it('replies with keys', async () => {
    expect((await explain('LMPOP', '1', 'a', 'LEFT')).reply).toBe('keys in it lose the prefix')
    expect((await explain('LPOP', 'a')).reply).toBeUndefined()
  })

  it('local answers', async () => {
    expect((await explain('client', 'getname')).route).toMatch(/^local: /)
  })
})

describe('refusals say why, and what the client sees', () => {
  it.each([
    [
      ['FCALL', 'x', '0'],
      'only for tenants with `functions: trusted`',
      "-ERR unknown command 'FCALL', with args beginning with: 'x' '0' ",
    ],
    [['nonsense', 'a'], 'there is no such command', "-ERR unknown command 'nonsense', with args beginning with: 'a' "],
    [
      ['SET', 'k'],
      'number of arguments: it takes 2 or more, not 1',
      "-ERR wrong number of arguments for 'set' command",
    ],
    [['GET', 'k', 'l'], 'number of arguments: it takes 1, not 2', "-ERR wrong number of arguments for 'get' command"],
    [['CLIENT', 'NOSUCH'], 'CLIENT has no such subcommand', "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."],
    [
      ['CONFIG', 'SET', 'a', 'b'],
      'the configuration of the server belongs to its operator',
      "-ERR unknown subcommand 'SET'. Try CONFIG HELP.",
    ],
  ])('%s', async (args, why, reply) => {
    const lines = await explain(...args)
    expect(lines.refused).toBe(why)
    expect(lines.reply.trim()).toBe(reply.trim())
    expect(lines.sent).toBeUndefined()
  })

  it('arguments that are not open', async () => {
    const lines = await explain('CONFIG', 'SET', 'maxmemory', '1')
    expect(lines.refused).not.toBe('')
    expect(lines.reply).toBe("-ERR unknown subcommand 'SET'. Try CONFIG HELP.")
  })
})

describe('what is not simply the request with a prefix in it', () => {
  it('patterns of SORT', async () => {
    expect((await explain('SORT', 'l', 'BY', 'w_*', 'GET', '#', 'GET', 'h_*->f', 'STORE', 'd')).sent).toBe(
      'SORT tenant:l BY tenant:w_* GET # GET tenant:h_*->f STORE tenant:d',
    )
    expect((await explain('SORT', 'l', 'BY', 'nosort')).sent).toBe('SORT tenant:l BY nosort')
  })

  it('databases', async () => {
    const five = ['-c', file, '--tenant', 'acme']
    expect((await explain(...five, 'MOVE', 'k', '2')).sent).toBe('RENAMENX acme:0:k acme:2:k')
    expect((await explain(...five, 'COPY', 'a', 'b', 'DB', '1', 'REPLACE')).sent).toBe('COPY acme:0:a acme:1:b REPLACE')
    expect(await explain('MOVE', 'k', '2')).toMatchObject({
      reply: '-ERR DB index is out of range',
      route: 'local: Keyward answers it, nothing is sent upstream',
    })
  })

  it('jobs', async () => {
    expect(await explain('SCAN', '17', 'COUNT', '5000', 'MATCH', 'a*', 'TYPE', 'set')).toMatchObject({
      sent: expect.stringMatching(/^SCAN 17 MATCH tenant:a\* COUNT 1000 TYPE set; again .* scan\.fillTime/),
      route: expect.stringMatching(/^job: /),
      multi: 'refused: it is done by many upstream calls, which cannot be one with the rest',
    })
    expect((await explain('SCAN', 'x')).reply).toBe('-ERR invalid cursor')
    expect((await explain('SCAN', '0', 'COUNT', '0')).reply).toBe('-ERR syntax error')
    expect((await explain('KEYS', 'k')).sent).toBe('EXISTS tenant:k')
    expect((await explain('KEYS', '[a]*')).sent).toMatch(/^SCAN 0 MATCH tenant:\[a\]\* COUNT 1000; /)
    expect((await explain('DBSIZE')).sent).toMatch(/^SCAN 0 MATCH tenant:\* COUNT 1000; .*one walk/)
    expect((await explain('-c', file, '--tenant', 'acme', 'FLUSHDB')).sent).toMatch(/MATCH acme:0:\* .*UNLINK/)
    expect((await explain('-c', file, '--tenant', 'acme', 'FLUSHALL')).sent).toMatch(/MATCH acme:\* .*UNLINK/)
    expect((await explain('RANDOMKEY')).sent).toMatch(/^RANDOMKEY; .*MATCH tenant:\*/)
    expect((await explain('CLIENT', 'UNBLOCK', '7', 'ERROR')).sent).toMatch(/^CLIENT UNBLOCK <id> ERROR; /)
  })

  it('channels', async () => {
    const acme = ['-c', file, '--tenant', 'acme']
    expect(await explain(...acme, 'PUBLISH', 'c', 'm')).toMatchObject({
      channel: 'argument 1: c becomes acme:c',
      sent: 'PUBLISH acme:c m',
      route: 'lane: a shared connection',
    })
    expect(await explain(...acme, 'SUBSCRIBE', 'a', 'b')).toMatchObject({
      sent: 'SUBSCRIBE acme:a acme:b; once for all clients of this process that share a name',
      route: expect.stringMatching(/^subscriber: /),
    })
    expect((await explain(...acme, 'PSUBSCRIBE', 'news.[ab]*')).sent).toMatch(/^PSUBSCRIBE acme:news\.\[ab\]\*; /)
    expect((await explain(...acme, 'SUBSCRIBE', '__keyspace@1__:k')).sent).toMatch(/PSUBSCRIBE __keyspace@0__:acme:\*$/)
    expect((await explain(...acme, 'UNSUBSCRIBE', 'a')).sent).toMatch(/^UNSUBSCRIBE acme:a; if no other client /)
    expect((await explain(...acme, 'PUBSUB', 'CHANNELS')).sent).toBe('PUBSUB CHANNELS acme:*')
    expect((await explain(...acme, 'PUBSUB', 'NUMPAT')).route).toMatch(/^local: /)
    expect((await explain('-c', file, '--tenant', 'whole', 'SUBSCRIBE', 'a')).sent).toMatch(/^SUBSCRIBE a; /)
  })

  it('commands about commands', async () => {
    expect((await explain('COMMAND', 'INFO', 'get', 'fcall')).sent).toBe('COMMAND INFO get keyward-none')
  })

  it('scripts: whose user runs them, and under which SHA', async () => {
    const text = "return redis.call('get', KEYS[1])"
    const byText = await explain('EVAL', text, '1', 'k')
    expect(byText).toMatchObject({
      script: expect.stringContaining(createHash('sha1').update(text).digest('hex')),
      keys: expect.stringMatching(/^k becomes tenant:k/),
      user: expect.stringMatching(/^keyward:tenant, between AUTH/),
    })
    expect((await explain('EVALSHA', 'A'.repeat(40), '0')).script).toMatch(/^a{40}; its text is looked up /)
    expect((await explain('SCRIPT', 'LOAD', text)).sent).toMatch(/^SCRIPT LOAD /)
  })

  it('what is local, but not in MULTI', async () => {
    expect(await explain('HELLO', '3')).toMatchObject({ multi: expect.stringMatching(/^refused: /) })
  })
})

describe('with a configuration', () => {
  it('uses the prefix, the databases and the bulk size of the tenant', async () => {
    expect(await explain('-c', file, '--tenant', 'acme', 'GET', 'k')).toMatchObject({
      tenant: 'acme: prefix acme:0: (database 0), upstream main',
      sent: 'GET acme:0:k',
    })
    const big = await explain('-c', file, '--tenant', 'acme', 'SET', 'k', 'x'.repeat(2000))
    expect(big.route).toBe('bulk lane: a shared connection for what is over 1KiB')
  })

  it('tells where replicas are read', async () => {
    const near = ['-c', file, '--tenant', 'near']
    expect((await explain(...near, 'GET', 'k')).route).toBe(
      'lane: a shared connection; to a replica, if one has what the client wrote before and is at most 250 ms behind',
    )
    expect((await explain(...near, 'HSCAN', 'k', '0')).route).toBe('lane: a shared connection')
    expect((await explain(...near, 'SET', 'k', 'v')).route).toBe('lane: a shared connection')
    expect((await explain('-c', file, '--tenant', 'acme', 'GET', 'k')).route).toBe('lane: a shared connection')
  })

  it('functions: by which name, and whose user runs them', async () => {
    const near = ['-c', file, '--tenant', 'near']
    const call = await explain(...near, 'FCALL', 'f', '1', 'k', 'a')
    expect(call).toMatchObject({ function: 'f becomes keyward_near__f', route: 'lane: a shared connection' })
    expect(call.keys).toMatch(/^k becomes near:k; /)
    expect(call.user).toMatch(/^keyward:near, between AUTH keyward:near and AUTH keyward: in one write/)
    expect((await explain(...near, 'FUNCTION', 'DELETE', 'lib')).sent).toMatch(
      /^FUNCTION DELETE keyward_near__lib; as the upstream's user/,
    )
    for (const sub of ['FLUSH', 'KILL', 'LIST', 'STATS'])
      expect((await explain(...near, 'FUNCTION', sub)).sent, sub).toMatch(/^FUNCTION /)
    expect((await explain(...near, 'FUNCTION', 'LOAD', 'x')).multi).toMatch(/^refused/)
    for (const words of [
      ['FUNCTION', 'DUMP'],
      ['FUNCTION', 'RESTORE', 'x'],
    ])
      expect((await explain(...near, ...words)).refused).toBeDefined()
    expect((await explain('-c', file, '--tenant', 'acme', 'FCALL', 'f', '0')).refused).toBe(
      'only for tenants with `functions: trusted`',
    )
  })

  it('a pass-through tenant may do more', async () => {
    const lines = await explain('-c', file, '--tenant', 'whole', 'KEYS', '*')
    expect(lines).toMatchObject({ sent: 'KEYS *', route: 'lane: a shared connection' })
  })

  it.each([
    [['explain', '-c', file, 'GET', 'k'], 'which tenant? give --tenant, one of acme, near, whole'],
    [['explain', '-c', file, '--tenant', 'acmee', 'GET', 'k'], 'there is no tenant acmee; there are acme, near, whole'],
    [
      ['explain', '-c', file, '--tenant', 'acme', '--user', 'x', 'GET', 'k'],
      'tenant acme has no user x; it has default, reader',
    ],
  ])('%s', async (args, told) => {
    expect(await keyward(args)).toMatchObject({ code: 2, err: `keyward: ${told}\n` })
  })

  it('from KEYWARD_CONFIG', async () => {
    const { out } = await keyward(['explain', '--tenant', 'acme', 'GET', 'k'], { KEYWARD_CONFIG: file })
    expect(out).toContain('GET acme:0:k')
  })
})
