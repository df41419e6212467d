import { type Frame, MissingReplies, show, showArgs, takeFrames } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { bytesOf, isRequest, type Sequence, type Step } from './cases/sequence.ts'
import type { Place } from './combinations.ts'
import { agree, type ModeRow, modeOf, rowOf } from './modes.ts'
import type { Sides } from './sides.ts'
import { differences } from './state.ts'
import type { Tally } from './tally.ts'

/** One sequence, on fresh connections over a fresh pool, on both sides. */
export interface SequenceRun {
  readonly sides: Sides
  readonly sequence: Sequence
  readonly protocol: 2 | 3
  readonly place: Place
  /** Each request waits for the reply to the one before; else all go out in one write. */
  readonly stepwise: boolean
  readonly tally: Tally
}

/** Returns one text for each difference. */
export async function runSequence(run: SequenceRun): Promise<string[]> {
  const { sides, sequence, protocol, place } = run
  const { login = true, databases = false } = sequence
  const doors = sides.doors(place)
  await Promise.all([doors.bare.reload(), doors.proxied.reload()])
  const options = { protocol, login, databases, place }
  const [bare, proxied] = await Promise.all([sides.bare(options), sides.proxied(options)])
  try {
    const problems =
      sequence.closes === true ? await throughClose(run, bare, proxied) : await frames(run, bare, proxied)
    if (databases) return problems
    const [left, right] = await Promise.all([doors.bare.state(), doors.proxied.state()])
    return [...problems, ...differences(left, right)]
  } finally {
    bare.destroy()
    proxied.destroy()
  }
}

/** All bytes up to the end of the connection. */
async function throughClose({ sequence, tally }: SequenceRun, bare: RawClient, proxied: RawClient): Promise<string[]> {
  const bytes = sequence.steps.map(bytesOf).join('')
  bare.send(bytes)
  proxied.send(bytes)
  const [left, right] = (await Promise.all([bare.closed(), proxied.closed()])).map((rest) => rest.toString('latin1'))
  tally.add(sequence.name, 'exact')
  return left === right ? [] : [`bare    ${show(left, 600)}\n    proxied ${show(right, 600)}`]
}

async function frames(run: SequenceRun, bare: RawClient, proxied: RawClient): Promise<string[]> {
  const { sequence, stepwise, tally } = run
  const { steps, replies = steps.filter(isRequest).length } = sequence
  const [left, right] = await Promise.all([
    collect(bare, steps, replies, stepwise),
    collect(proxied, steps, replies, stepwise),
  ])
  const problems: string[] = []
  for (let i = 0; i < replies; i++) {
    // With fewer replies than requests, which request a reply belongs to is not known.
    const step = replies === steps.length ? steps[i] : undefined
    const row = sequence.modes?.[i] ?? rowOfStep(step)
    tally.add(sequence.name, modeOf(row, left[i]))
    if (left[i] !== undefined && right[i] !== undefined && agree(row, left[i], right[i])) continue
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

function rowOfStep(step: Step | undefined): ModeRow | undefined {
  if (step === undefined || (typeof step !== 'string' && 'raw' in step)) return undefined
  return rowOf(typeof step === 'string' ? step.split(' ') : step)
}

function showStep(step: Step): string {
  if (typeof step === 'string') return step
  return 'raw' in step ? show(step.raw, 80) : showArgs(step)
}
