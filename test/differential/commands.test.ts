import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CommandSpec, FLAG } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { type Args, ask, decode, encode, type Frame, MissingReplies, show, showArgs } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type CommandDoc, readDocs } from './grammar.ts'
import { LISTS_PER_COMMAND, type List, listsFor } from './lists.ts'
import { agree, type Mode, modeOf } from './modes.ts'
import { KEYS } from './pool.ts'
import { openSides, type Sides } from './sides.ts'
import { differences } from './state.ts'

/**
 * Every command that is open for tenants, 50 argument lists each, at least half of them wrong: what Keyward answers is
 * what a bare server answers, byte for byte, and leaves the same data behind.
 */

/** Lists that were compared byte by byte in one run with Redis 7.0; may only grow. */
const LEAST_EXACT = 21_000

/** They change or end the connection: one connection for each list, and a PING behind it. */
const SOLO = new Set(
  'auth hello quit reset select multi exec discard watch unwatch client|reply client|setname client|setinfo'.split(' '),
)

/** Between two loads of the pool, so that later lists of a command that deletes still find something. */
const CHUNK = 10

const specs = buildTable()
  .all()
  .filter(({ open }) => open === 'tenant')
const counts: Record<Mode, number> = { exact: 0, sorted: 0, shape: 0, skip: 0 }
const inexact = new Map<string, Set<Mode>>()
let ran = 0

let sides: Sides
let docs: Map<string, CommandDoc>
let payloads: string[]
/** What the pool looks like when nobody has touched it. */
let pristine: string

beforeAll(async () => {
  sides = await openSides()
  await Promise.all([sides.bareDoor.reload(), sides.proxiedDoor.reload()])
  pristine = JSON.stringify([...(await sides.bareDoor.state())])
  const client = await sides.bare()
  docs = readDocs((await ask(client, [['COMMAND', 'DOCS']]))[0])
  const keys = [
    ...KEYS.string.slice(0, 3),
    ...KEYS.list.slice(0, 2),
    ...KEYS.hash.slice(0, 2),
    'set:a',
    'zset:a',
    'stream:b',
  ]
  const dumps = (
    await ask(
      client,
      keys.map((key) => ['DUMP', key]),
    )
  ).map((frame) => decode(frame).text ?? '')
  payloads = [...dumps, ...dumps, 'not a payload', '', dumps[0].slice(0, -1)]
  client.destroy()
}, 120_000)

afterAll(() => sides?.stop())

describe.each([2, 3] as const)('RESP%i', (protocol) => {
  it.each(specs.map((spec) => [spec.name, spec] as const))('%s', { timeout: 60_000 }, async (name, spec) => {
    const lists = listsFor(name, docs.get(name), payloads)
    expect(lists.length).toBeGreaterThanOrEqual(LISTS_PER_COMMAND)
    expect(lists.filter(({ wrong }) => wrong).length * 2).toBeGreaterThanOrEqual(lists.length)
    const problems = SOLO.has(name) ? await runAlone(name, lists, protocol) : await runTogether(spec, lists, protocol)
    expect(problems).toEqual([])
    ran++
  })
})

it('compares as many lists byte by byte as it did before', () => {
  if (ran < specs.length * 2) return
  const rows = [...inexact].map(([name, modes]) => `${name} (${[...modes].join(', ')})`)
  console.log(
    `differential: ${specs.length} commands, RESP2 and RESP3; lists ${JSON.stringify(counts)}; ` +
      `not exact in every list: ${rows.join(', ')}`,
  )
  expect(counts.exact).toBeGreaterThanOrEqual(LEAST_EXACT)
})

it('made Keyward warn of nothing', () => {
  expect(sides.warnings().filter((line) => !line.includes(' refused: '))).toEqual([])
})

/** Lists whose effects are the same on both sides first, in pipelines; the state is compared after each. */
async function runTogether(spec: CommandSpec, lists: readonly List[], protocol: 2 | 3): Promise<string[]> {
  const [bare, proxied] = await Promise.all([sides.bare({ protocol }), sides.proxied({ protocol })])
  const problems: string[] = []
  try {
    const exact = lists.filter(({ args }) => modeOf(args) === 'exact')
    const other = lists.filter(({ args }) => modeOf(args) !== 'exact')
    for (let i = 0; i < exact.length && problems.length === 0; i += CHUNK) {
      const chunk = exact.slice(i, i + CHUNK).map(({ args }) => args)
      problems.push(...(await compare(spec.name, chunk, bare, proxied)))
      problems.push(...(await compareStates(chunk)))
    }
    // After these the sides may hold different data, by nature.
    for (const { args } of other) {
      problems.push(...(await compare(spec.name, [args], bare, proxied)))
      if ((spec.flags & FLAG.WRITE) !== 0) await reload()
    }
    if (problems.length > 0) await reload()
  } finally {
    bare.destroy()
    proxied.destroy()
  }
  return problems
}

async function runAlone(name: string, lists: readonly List[], protocol: 2 | 3): Promise<string[]> {
  const problems: string[] = []
  for (const { args } of lists) {
    // No reply comes of these: test/differential/cases/connection.ts has them.
    if (name === 'client|reply' && /^(off|skip)$/i.test(args[2] ?? '') && args.length === 3) continue
    const options = { protocol, databases: true }
    const [bare, proxied] = await Promise.all([sides.bare(options), sides.proxied(options)])
    try {
      if (name === 'quit') {
        const bytes = encode(args)
        bare.send(bytes)
        proxied.send(bytes)
        const [left, right] = await Promise.all([bare.closed(), proxied.closed()])
        count(name, 'exact')
        if (!left.equals(right)) problems.push(difference(args, left.toString('latin1'), right.toString('latin1')))
      } else {
        problems.push(...(await compare(name, [args, ['PING']], bare, proxied)))
      }
    } finally {
      bare.destroy()
      proxied.destroy()
    }
  }
  return problems
}

async function compare(
  name: string,
  requests: readonly Args[],
  bare: RawClient,
  proxied: RawClient,
): Promise<string[]> {
  const [left, right] = await Promise.all([ask(bare, requests).catch(partly), ask(proxied, requests).catch(partly)])
  const problems: string[] = []
  for (const [i, args] of requests.entries()) {
    // What the server in use is too old for, and Keyward answers itself, has nothing to be compared with.
    const mode = docs.has(name) ? modeOf(args) : 'skip'
    count(name, mode)
    if (left[i] === undefined || right[i] === undefined || !agree(mode, left[i], right[i])) {
      problems.push(difference(args, left[i], right[i]))
    }
  }
  return problems
}

/** Missing replies are differences at their place, not the end of the comparison. */
function partly(error: unknown): readonly Frame[] {
  if (error instanceof MissingReplies) return error.frames
  throw error
}

function difference(args: Args, bare: Frame | undefined, proxied: Frame | undefined): string {
  return `${showArgs(args)}\n    bare    ${show(bare)}\n    proxied ${show(proxied)}`
}

function count(name: string, mode: Mode): void {
  counts[mode]++
  if (mode !== 'exact') inexact.set(name, (inexact.get(name) ?? new Set()).add(mode))
}

async function compareStates(chunk: readonly Args[]): Promise<string[]> {
  const [left, right] = await Promise.all([sides.bareDoor.state(), sides.proxiedDoor.state()])
  const found = differences(left, right)
  if (found.length > 0 || JSON.stringify([...left]) !== pristine) await reload()
  return found.map((line) => `${line} after\n    ${chunk.map(showArgs).join('\n    ')}`)
}

async function reload(): Promise<void> {
  await Promise.all([sides.bareDoor.reload(), sides.proxiedDoor.reload()])
}
