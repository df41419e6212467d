import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Frame, MissingReplies, show, showArgs, takeFrames } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { blocking } from './cases/blocking.ts'
import { connection } from './cases/connection.ts'
import { data } from './cases/data.ts'
import { protocol } from './cases/protocol.ts'
import { bytesOf, isRequest, type Sequence, type Step } from './cases/sequence.ts'
import { streams } from './cases/streams.ts'
import { transactions } from './cases/transactions.ts'
import { agree, type Mode, modeOf } from './modes.ts'
import { openSides, SELF, type Sides } from './sides.ts'
import { differences } from './state.ts'

/** Hand-written sequences of requests: Keyward answers them as a bare server does, and leaves the same data behind. */

const GROUPS = { blocking, connection, data, protocol, streams, transactions }
/** Replies compared byte by byte; may only grow. */
const LEAST_EXACT = 4_200

const counts: Record<Mode, number> = { exact: 0, sorted: 0, shape: 0, skip: 0 }
let sides: Sides
let ran = 0

beforeAll(async () => {
  sides = await openSides()
}, 120_000)

afterAll(() => sides?.stop())

const runs = Object.entries(GROUPS).flatMap(([group, sequences]) =>
  // In one server, two connections that select the same database see each other.
  sequences
    .filter(({ databases }) => !SELF || databases !== true)
    .flatMap((sequence) =>
      (sequence.protocols ?? ([2, 3] as const)).map(
        (version) => [`${group}: ${sequence.name}, RESP${version}`, sequence, version] as const,
      ),
    ),
)

describe('sequences', () => {
  it.each(runs)('%s', { timeout: 60_000 }, async (_name, sequence, version) => {
    const problems = await run(sequence, version, false)
    if (sequence.closes !== true && sequence.replies === undefined) {
      problems.push(...(await run(sequence, version, true)).map((problem) => `step by step: ${problem}`))
    }
    expect(problems).toEqual([])
    ran++
  })
})

it('compares as many replies byte by byte as it did before', () => {
  if (ran < runs.length) return
  console.log(`differential: ${runs.length} sequences; replies ${JSON.stringify(counts)}`)
  expect(counts.exact).toBeGreaterThanOrEqual(LEAST_EXACT)
})

async function run(sequence: Sequence, version: 2 | 3, stepwise: boolean): Promise<string[]> {
  await Promise.all([sides.bareDoor.reload(), sides.proxiedDoor.reload()])
  const { login = true, databases = false } = sequence
  const options = { protocol: version, login, databases }
  const [bare, proxied] = await Promise.all([sides.bare(options), sides.proxied(options)])
  try {
    const problems =
      sequence.closes === true
        ? await throughClose(sequence, bare, proxied)
        : await frames(sequence, bare, proxied, stepwise)
    if (databases) return problems
    const [left, right] = await Promise.all([sides.bareDoor.state(), sides.proxiedDoor.state()])
    return [...problems, ...differences(left, right)]
  } finally {
    bare.destroy()
    proxied.destroy()
  }
}

/** All bytes up to the end of the connection. */
async function throughClose({ steps }: Sequence, bare: RawClient, proxied: RawClient): Promise<string[]> {
  const bytes = steps.map(bytesOf).join('')
  bare.send(bytes)
  proxied.send(bytes)
  const [left, right] = (await Promise.all([bare.closed(), proxied.closed()])).map((rest) => rest.toString('latin1'))
  counts.exact++
  return left === right ? [] : [`bare    ${show(left, 600)}\n    proxied ${show(right, 600)}`]
}

async function frames(sequence: Sequence, bare: RawClient, proxied: RawClient, stepwise: boolean): Promise<string[]> {
  const { steps, replies = steps.filter(isRequest).length } = sequence
  const [left, right] = await Promise.all([
    collect(bare, steps, replies, stepwise),
    collect(proxied, steps, replies, stepwise),
  ])
  const problems: string[] = []
  for (let i = 0; i < replies; i++) {
    // With fewer replies than requests, which request a reply belongs to is not known.
    const step = replies === steps.length ? steps[i] : undefined
    const mode = sequence.modes?.[i]?.mode ?? modeOfStep(step)
    counts[mode]++
    if (left[i] !== undefined && right[i] !== undefined && agree(mode, left[i], right[i])) continue
    problems.push(
      `reply ${i} to ${step === undefined ? '?' : showStep(step)}\n    bare    ${show(left[i])}\n    proxied ${show(right[i])}`,
    )
  }
  return problems
}

async function collect(
  client: RawClient,
  steps: readonly Step[],
  replies: number,
  stepwise: boolean,
): Promise<readonly Frame[]> {
  try {
    if (!stepwise) {
      client.send(steps.map(bytesOf).join(''))
      return await takeFrames(client, replies)
    }
    const all: Frame[] = []
    for (const step of steps) {
      client.send(bytesOf(step))
      try {
        all.push(...(await takeFrames(client, 1)))
      } catch (error) {
        if (error instanceof MissingReplies) return all
        throw error
      }
    }
    return all
  } catch (error) {
    if (error instanceof MissingReplies) return error.frames
    throw error
  }
}

function modeOfStep(step: Step | undefined): Mode {
  if (step === undefined || (typeof step !== 'string' && 'raw' in step)) return 'exact'
  return modeOf(typeof step === 'string' ? step.split(' ') : step)
}

function showStep(step: Step): string {
  if (typeof step === 'string') return step
  return 'raw' in step ? show(step.raw, 80) : showArgs(step)
}
