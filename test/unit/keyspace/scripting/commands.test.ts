import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ArgView } from '../../../../src/commands/arg-view.ts'
import { findKeys } from '../../../../src/commands/keys.ts'
import { type CommandSpec, KeyList } from '../../../../src/commands/spec.ts'
import { commandCodes } from '../../../../src/keyspace/scripting/command-codes.ts'
import { RawClient } from '../../../helpers/raw-client.ts'
import { servers, TABLE, World } from './world.ts'

const CODES = commandCodes(TABLE, false)
const SEED = Number(process.env.KEYWARD_FUZZ_SEED ?? Date.now() % 0x7fffffff)
const ROUNDS = (process.env.KEYWARD_TIER ?? 'default') === 'default' ? 6 : 40

/** Those whose arguments the prologue makes anew; tests of their own are in calls.test.ts. */
const REMADE = new Set(['copy', 'move', 'select'])
/** Open for tenants, and what scripts may not call: Redis says so of them, or they are about more than a tenant's keys. */
const NOT_IN_SCRIPTS =
  /^(acl|asking|auth|client|cluster|command|config|dbsize|discard|exec|flushall|flushdb|hello|info|keys|lastsave|latency|monitor|multi|psubscribe|pubsub|punsubscribe|quit|randomkey|readonly|readwrite|reset|role|scan|slowlog|ssubscribe|subscribe|sunsubscribe|unsubscribe|unwatch|wait|waitaof|watch)(\||$)/

const open = TABLE.all().filter((spec) => spec.open === 'tenant' && spec.presence !== 'module')

test('each open command that names keys has a place in scripts, and nothing else has', () => {
  const without = open.filter(({ name }) => [undefined, '!'].includes(CODES.get(name) as never)).map(({ name }) => name)
  expect(without.filter((name) => !NOT_IN_SCRIPTS.test(name))).toEqual([])
  const closed = TABLE.all().filter((spec) => spec.open !== 'tenant' || spec.presence === 'module')
  expect(closed.filter(({ name }) => ![undefined, '!', 'o'].includes(CODES.get(name) as never))).toEqual([])
})

const WORDS =
  `k k2 list STORE store STOREDIST GET BY LIMIT COUNT STREAMS streams BLOCK GROUP g NOACK 0 1 2 3 -1 -0 01 +1 1.5
  # w_* nosort WITHDIST ANY ASC DESC ALPHA REPLACE KEYS MATCH x ( [ $ > * STORE\0 BY\0x`.split(/\s+/)

/** Arguments of requests of this command: words at random, of all numbers of words that it could have. */
function requests(spec: CommandSpec, count: number, seed: number): string[][] {
  const least = Math.max(0, Math.abs(spec.arity) - spec.name.split('|').length)
  return Array.from({ length: count }, (_, i) => {
    const length = spec.arity > 0 ? least : least + (i % 6)
    const [words] = fc.sample(fc.array(fc.constantFrom(...WORDS), { minLength: length, maxLength: length }), {
      numRuns: 1,
      seed: seed + i,
    })
    return words
  })
}

/** What must reach Redis: `args` with the prefix in front of all that it could take for a key or a channel. */
function expected(spec: CommandSpec, args: readonly string[]): string[] {
  const keys = new KeyList()
  findKeys(spec, ArgView.of(args.map((arg) => Buffer.from(arg))), keys)
  const at = new Set([...keys.at.subarray(0, keys.count), ...(spec.channel === 0 ? [] : [spec.channel])])
  return args.map((arg, i) => (at.has(i) ? `acme:${arg}` : arg))
}

/** The commands of scripts among MONITOR's lines. */
function fromScripts(lines: readonly string[]): string[][] {
  return lines.flatMap((line) => {
    const match = / \[0 lua\] (.*)\r\n$/.exec(line)
    return match === null ? [] : [[...match[1].matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, arg]) => arg)]
  })
}

/** Commands whose keys depend on options, with what comes in front of these. */
const BY_HAND: Readonly<Record<string, string>> = {
  georadius: 'k 1 1 1 m',
  georadiusbymember: 'k m 1 m',
  sort: 'k',
  sort_ro: 'k',
  xread: '',
  xreadgroup: 'GROUP g c',
}
const TAILS = ['STREAMS k k2 0 0', 'STORE k2', 'ASC STORE k2 COUNT 1']

/** The words that the quirk of the command looks for behind these arguments. */
function optionsOf(spec: CommandSpec, base: readonly string[]): Set<string> {
  const words = new Set<string>()
  const args = [spec.name, ...base.filter((word) => word !== ''), 'no-option', 'k']
  const view = ArgView.of(args.map((arg) => Buffer.from(arg)))
  const is = view.is.bind(view)
  view.is = (i, word) => {
    words.add(word)
    return is(i, word)
  }
  findKeys(spec, view, new KeyList())
  return words
}

const escaped = (arg: string) => arg.replaceAll('\0', '\\x00')

describe.each(await servers())('$kind $version', (server) => {
  let world: World
  let monitor: RawClient
  let marks = 0

  beforeAll(async () => {
    world = await World.open({ redis: server })
    monitor = await RawClient.connect({ port: world.redis.port })
    await monitor.command('MONITOR')
  })
  afterAll(async () => {
    monitor?.destroy()
    await world?.close()
  })

  async function logged(): Promise<string[][]> {
    const mark = `mark-${++marks}`
    await world.inside.command('ECHO', mark)
    const lines: string[] = []
    for (;;) {
      const line = (await monitor.reply()).toString('latin1')
      if (line.includes(`"ECHO" "${mark}"`)) return fromScripts(lines)
      lines.push(line)
    }
  }

  test.each([
    ['a name made at run time', () => 'return redis.pcall(unpack(ARGV))', (args: string[]) => args],
    [
      'a name in the text',
      (name: string) => `return redis.pcall('${name}', unpack(ARGV))`,
      (args: string[]) => args.slice(1),
    ],
    [
      'an error that is raised',
      (name: string) => `redis.call("${name.toUpperCase()}", unpack(ARGV)) return 1`,
      (args: string[]) => args.slice(1),
    ],
  ])('keys get the prefix where findKeys sees them: %s', async (_what, script, given) => {
    const unseen: string[] = []
    for (const spec of open) {
      if (REMADE.has(spec.name) || spec.subcommands !== undefined) continue
      const code = CODES.get(spec.name)
      const refused = code === undefined || code === '!'
      let seen = 0
      for (const words of requests(spec, ROUNDS, SEED + spec.index)) {
        const args = [...spec.name.split('|'), ...words]
        await world.run(script(args[0]), [], given(args))
        const calls = await logged()
        seen += calls.length
        if (calls.length === 0) continue
        const want = expected(spec, args)
        const [call] = calls
        expect([...call.slice(0, 1).map((name) => name.toLowerCase()), ...call.slice(1)], `seed ${SEED}`).toEqual(
          [want[0], ...want.slice(1)].map(escaped),
        )
        expect(calls.length).toBe(1)
        expect(refused, `${args.join(' ')} reached Redis`).toBe(false)
      }
      if (seen === 0 && !refused) unseen.push(spec.name)
    }
    // Redis 7.0 refuses what blocks; older servers do not know newer commands.
    const missing = []
    for (const name of unseen) {
      const [top] = name.split('|')
      const info = await world.inside.command('COMMAND', 'INFO', name)
      if (info.startsWith('*1\r\n*') && !info.includes('noscript')) missing.push(top)
    }
    expect(missing).toEqual([])
    await world.flush()
  })

  // A word that a quirk learns, and calls.lua does not, would have it take all that follows for keys.
  test('options that quirks know are known in scripts', async () => {
    for (const [name, base] of Object.entries(BY_HAND)) {
      const spec = TABLE.byName(name) as CommandSpec
      const options = optionsOf(spec, base.split(' '))
      expect(options.size, name).toBeGreaterThan(1)
      for (const option of options) {
        for (const given of ['', '0', '0 1', '0 1 2']) {
          for (const rest of ['', ...TAILS]) {
            const args = `${name} ${base} ${option} ${given} ${rest}`.split(' ').filter((word) => word !== '')
            await world.run('redis.pcall(unpack(ARGV)) return 1', [], args)
            const calls = await logged()
            // With BY and GET, SORT is refused by the prologue.
            if (calls.length === 0) continue
            expect(calls[0].slice(1), args.join(' ')).toEqual(expected(spec, args).slice(1))
          }
        }
      }
    }
  })
})
