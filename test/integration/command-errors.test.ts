import { afterAll, beforeAll, expect, test } from 'vitest'
import { unknownCommand, unknownSubcommand, wrongArity } from '../../src/commands/refusal.ts'
import { buildTable } from '../../src/commands/table.ts'
import { argsOf } from '../helpers/arg-view.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** A command that is not executed is answered in Redis' own bytes. */
const table = buildTable()
let redis: RedisServer
let client: RawClient

beforeAll(async () => {
  redis = await startRedis()
  client = await RawClient.connect({ port: redis.port })
}, 60_000)

afterAll(async () => {
  client?.destroy()
  await redis?.stop()
})

/** What we would answer to a command that does not exist or has a wrong number of arguments. */
function ours(words: readonly Buffer[]): string {
  const args = argsOf(...words)
  const spec = table.find(words[0], 0, words[0].length)
  if (spec === undefined) return unknownCommand(args)
  if (spec.subcommands === undefined || words.length === 1) return wrongArity(spec)
  const sub = table.findSub(spec, words[1], 0, words[1].length)
  return sub === undefined ? unknownSubcommand(args, spec) : wrongArity(sub)
}

async function expectEqual(...words: readonly (string | Buffer)[]): Promise<void> {
  const bytes = words.map((word) => (typeof word === 'string' ? Buffer.from(word, 'latin1') : word))
  const [reply] = await client.exchange(request(...bytes))
  const text = ours(bytes).replace(/[\r\n]/g, ' ')
  expect(`-${text}\r\n`, JSON.stringify(words)).toBe(reply.toString('latin1'))
}

test('unknown commands', async () => {
  await expectEqual('foo')
  await expectEqual('FOO', 'a', 'b')
  await expectEqual('', '', '')
  await expectEqual("fo'o", "a'b", '"', '\\')
  await expectEqual('client|id')
  await expectEqual('get|x', 'k')
  await expectEqual('get ', 'k')
  await expectEqual('%s%n', '%d%%')
  await expectEqual('a\r\nb', 'c\r\n+OK\r\n', '\n', '\r')
  await expectEqual('n\0ul', 'x\0y', '\0', 'z')
  await expectEqual(Buffer.from([0xff, 0xfe, 0x80]), Buffer.from([0xc3, 0x28, 0x07, 0x1b]))
})

test('long ones', async () => {
  for (const length of [1, 63, 64, 126, 127, 128, 129, 5000]) {
    await expectEqual('x'.repeat(length))
    await expectEqual('foo', 'y'.repeat(length), 'z'.repeat(length), 'w')
    await expectEqual('x'.repeat(length), ...Array.from({ length }, () => ''))
    await expectEqual('foo', 'y'.repeat(length - 1), 'ab\0cd', 'efghijklmnopqrstuvwxyz')
  }
  await expectEqual('x'.repeat(127) + '\0'.repeat(3), 'a')
})

test('unknown subcommands, and containers without one', async () => {
  const containers = table.all().filter((spec) => spec.subcommands !== undefined && spec.presence === 'always')
  for (const container of containers) {
    const name = container.name === 'command' ? 'COMMAND' : container.name
    if (container.arity === -2) await expectEqual(name)
    await expectEqual(name, 'nope')
    await expectEqual(name, '')
    await expectEqual(name.toUpperCase(), 'n\0ope', 'x')
    await expectEqual(name, "a'b\r\nc", 'x', 'y')
    await expectEqual(name, 'x'.repeat(200))
  }
})

test('wrong arity, for every command that has one', async () => {
  const here = new Set(await known())
  for (const spec of table.all()) {
    const name = spec.name.split('|')
    if (!here.has(spec.name) || spec.subcommands !== undefined) continue
    const least = Math.abs(spec.arity)
    const wrong = [...(spec.arity > 0 ? [least + 1] : []), ...(least > name.length ? [least - 1] : [])]
    for (const length of wrong) {
      // Where another server's arity is wider than this one's, the table has the wider one; then it is not wrong.
      await expectEqual(...name, ...Array.from({ length: length - name.length }, () => 'x'))
    }
  }
})

/** What this very server has. */
async function known(): Promise<string[]> {
  const lines = (await redis.cli('COMMAND', 'LIST')).split('\n')
  return [...lines, ...table.all().flatMap((spec) => (spec.name.includes('|') ? [spec.name] : []))].filter(
    (name) => !(redis.kind === 'redis' && redis.version.startsWith('7.0.') && isNewer(name)),
  )
}

/** Not in Redis 7.0, where it is an unknown subcommand. */
function isNewer(name: string): boolean {
  return table.byName(name)?.presence === 'newer' || name === 'client|no-touch' || name === 'client|setinfo'
}
