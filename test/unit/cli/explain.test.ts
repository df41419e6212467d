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
      ['EVAL', 'x', '0'],
      'a script computes keys that nobody can prefix',
      "-ERR unknown command 'EVAL', with args beginning with: 'x' '0' ",
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
    const lines = await explain('SORT', 'l', 'BY', 'w_*')
    expect(lines.refused).not.toBe('')
    expect(lines.reply).toContain("unknown command 'SORT'")
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

  it('a pass-through tenant may do more', async () => {
    const lines = await explain('-c', file, '--tenant', 'whole', 'KEYS', '*')
    expect(lines).toMatchObject({ sent: 'KEYS *', route: 'lane: a shared connection' })
  })

  it.each([
    [['explain', '-c', file, 'GET', 'k'], 'which tenant? give --tenant, one of acme, whole'],
    [['explain', '-c', file, '--tenant', 'acmee', 'GET', 'k'], 'there is no tenant acmee; there are acme, whole'],
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
