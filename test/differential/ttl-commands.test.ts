import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CommandSpec, FLAG } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { type Args, ask, decode, showArgs } from '../helpers/differential.ts'
import { COMPLETE } from './combinations.ts'
import { Conversation } from './conversation.ts'
import { SCENARIOS, WHOLE } from './elsewhere.ts'
import { listsFor } from './lists.ts'
import { rowBeside } from './modes.ts'
import { FAR, KEYS, poolCommands, withPrefix } from './pool.ts'
import { Random } from './random.ts'
import { Backdoor, differences } from './state.ts'
import { Tally } from './tally.ts'
import { openTtlSides, PREFIX, type TtlSides } from './ttl-sides.ts'

/**
 * The generated argument lists of every command that writes, half of them wrong, over keys all of which have a time to
 * live: with a rule for all keys the replies are those of a server that knows of none, the data is the same, and whatever
 * the command took from a key, afterwards no key is without a time to live.
 */

/** Replies that were compared byte by byte in one run of the default tier with Redis 7.0; may only grow. */
const LEAST_EXACT = 6_700

/** Whose replies tell whether a key had a time to live: each list finds the keys as they were. */
const TELLING = new Set(['expire', 'expireat', 'persist', 'pexpire', 'pexpireat'])
const CHUNK = 10

interface Circumstances {
  readonly protocol: 2 | 3
  readonly multi: boolean
}

const EVERY: readonly Circumstances[] = ([2, 3] as const).flatMap((protocol) =>
  [false, true].map((multi) => ({ protocol, multi })),
)

const specs = buildTable()
  .all()
  .filter(
    ({ open, flags, subcommands }) => open === 'tenant' && subcommands === undefined && (flags & FLAG.WRITE) !== 0,
  )
  .filter(({ name }) => name === 'copy' || !(WHOLE.has(name) || SCENARIOS.has(name)))

const runs = specs.flatMap((spec) =>
  (COMPLETE ? EVERY : [new Random(`times to live of ${spec.name}`).pick(EVERY)]).map(
    (circumstances) =>
      [
        spec.name,
        `RESP${circumstances.protocol}${circumstances.multi ? ' in MULTI' : ''}`,
        spec,
        circumstances,
      ] as const,
  ),
)

const tally = new Tally()
let ran = 0
let sides: TtlSides
let bareDoor: Backdoor
let rawDoor: Backdoor
let payloads: string[]

beforeAll(async () => {
  sides = await openTtlSides()
  const lasting: Args = ['EVAL', EXPIRE_ALL, '0', FAR]
  bareDoor = new Backdoor(await sides.bare(), [['FLUSHDB'], ...poolCommands(), lasting], [{ prefix: '' }])
  const prefix = PREFIX.plain
  const fill = [['FLUSHDB'], ...withPrefix(poolCommands(), prefix), lasting]
  rawDoor = new Backdoor(await sides.raw(), fill, [{ prefix }])
  await reload()
  const client = await sides.bare()
  const keys = [...KEYS.string.slice(0, 3), KEYS.list[0], KEYS.hash[0], 'set:a', 'zset:a', 'stream:b']
  const dumps = await ask(
    client,
    keys.map((key) => ['DUMP', key]),
  )
  payloads = [...dumps.map((frame) => decode(frame).text ?? ''), 'not a payload', '']
  client.destroy()
}, 120_000)

afterAll(async () => {
  bareDoor?.close()
  rawDoor?.close()
  await sides?.stop()
})

const EXPIRE_ALL = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('EXPIREAT', key, ARGV[1]) end"

describe('commands', () => {
  it.each(runs)('%s, %s', { timeout: 60_000 }, async (name, _text, spec, circumstances) => {
    ran++
    // What the server in use is too old for, and Keyward answers itself, has nothing to be compared with.
    if (!sides.docs.has(name)) return
    expect(await runLists(spec, circumstances)).toEqual([])
  })
})

it('compares as many lists byte by byte as it did before', () => {
  if (ran < runs.length) return
  console.log(`differential, with times to live: ${runs.length} runs\n  ${tally.text()}; ${tally.inexactText()}`)
  expect(tally.counts.exact).toBeGreaterThanOrEqual(LEAST_EXACT)
})

it('made Keyward warn of nothing', () => {
  expect(sides.warnings()).toEqual([])
  expect(sides.keyward.proxy.faults).toBe(0)
})

/** Returns one text for each difference. */
async function runLists({ name }: CommandSpec, { protocol, multi }: Circumstances): Promise<string[]> {
  const lists = listsFor(name, sides.docs.get(name), payloads).map(({ args }) => args)
  const [bare, proxied] = await Promise.all([sides.bare(), sides.proxied(protocol)])
  try {
    if (protocol === 3) await ask(bare, [['HELLO', '3']])
    const queued = multi ? await queueable(lists) : lists
    const conversation = new Conversation(bare, proxied, tally, rowBeside)
    const problems: string[] = []
    for (const chunk of chunksOf(name, queued)) {
      const requests: Args[] = multi ? [['MULTI'], ...chunk, ['EXEC']] : [...chunk]
      problems.push(...(await conversation.say(name, requests)), ...(await compareKeys(chunk)))
      if (problems.length > 0) break
    }
    if (problems.length > 0) await reload()
    return problems
  } finally {
    bare.destroy()
    proxied.destroy()
  }
}

/** Without those that would abort the transaction. */
async function queueable(lists: readonly Args[]): Promise<Args[]> {
  const client = await sides.bare()
  const frames = await ask(client, [['MULTI'], ...lists, ['DISCARD']])
  client.destroy()
  return lists.filter((_, i) => frames[i + 1] === '+QUEUED\r\n')
}

/** Lists after which the sides hold different data by nature are alone, as are those that the ones before would change. */
function chunksOf(name: string, lists: readonly Args[]): Args[][] {
  const inexact = lists.filter((args) => rowBeside(args) !== undefined)
  const exact = lists.filter((args) => rowBeside(args) === undefined)
  const size = TELLING.has(name) ? 1 : CHUNK
  const chunks = inexact.map((args) => [args])
  for (let i = 0; i < exact.length; i += size) chunks.push(exact.slice(i, i + size))
  return chunks
}

async function compareKeys(chunk: readonly Args[]): Promise<string[]> {
  const [left, right] = await Promise.all([bareDoor.state(), rawDoor.state()])
  if (!bareDoor.pristine(left) || !rawDoor.pristine(right)) await reload()
  const after = ` after\n    ${chunk.map(showArgs).join('\n    ')}`
  const forever = [...right].filter(([, state]) => state.endsWith(' stays')).map(([key]) => JSON.stringify(key))
  const found = forever.length > 0 ? [`no time to live: ${forever.slice(0, 5).join(' ')}${after}`] : []
  if (rowBeside(chunk[0]) !== undefined) return found
  const lasting = (state: ReadonlyMap<string, string>) =>
    new Map([...state].map(([key, row]) => [key, row.replace(/ \w+$/, '')]))
  return [...found, ...differences(lasting(left), lasting(right)).map((line) => line + after)]
}

async function reload(): Promise<void> {
  await Promise.all([bareDoor.reload(), rawDoor.reload()])
}
