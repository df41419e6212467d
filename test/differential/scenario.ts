import { type Args, type Frame, show, showArgs } from '../helpers/differential.ts'
import type { Place } from './combinations.ts'
import { Party } from './party.ts'
import type { Sides } from './sides.ts'
import type { Tally } from './tally.ts'

/**
 * What several connections say to one another. Each connection has a name of one letter; a step sends one request on
 * one of them, and what each connection receives until the next step is compared, in order, byte by byte.
 *
 * How much that is, the bare server tells: behind each step every connection sends a PING with a number, and all that
 * comes before its answer belongs to the step. Keyward is then given the time it needs for as many frames.
 */
export interface Scenario {
  readonly name: string
  readonly steps: readonly ScenarioStep[]
  /** The versions in which it runs, all connections alike; default: both. */
  readonly protocols?: readonly (2 | 3)[]
  /** Connections that speak another version than the others. */
  readonly speaks?: Readonly<Record<string, 2 | 3>>
  /** Connections that do not log in. */
  readonly strangers?: string
  /** `{id:b}` is used. */
  readonly ids?: true
  /** Default: plain. */
  readonly places?: readonly Place[]
}

/** "a SUBSCRIBE x y" is short for a step without specialities; so is an array that begins with the connection's name. */
export type ScenarioStep = string | Args | Step

export interface Step {
  readonly on: string
  /** Nothing: only what comes is looked at. `{id:b}` and `{addr:b}` stand for CLIENT ID and the address of b. */
  readonly args: Args
  /** What comes instead of what PINGs find: so many frames on these connections, none on others. */
  readonly expect?: Readonly<Record<string, number>>
  /** These connections are closed by the server; their last bytes are compared. */
  readonly closes?: string
  /** Repeated until this comes, on both sides; compared as any other. */
  readonly until?: Frame
  /** How the frames of this step are compared when not byte by byte. */
  readonly row?: ScenarioRow
}

export interface ScenarioRow {
  readonly mode: 'sorted' | 'shape' | 'skip'
  readonly reason: string
  /** What of one connection's frames is compared; nothing for skip. */
  readonly form: (frames: readonly Frame[]) => string
}

/** The same frames in another order. */
export function anyOrder(reason: string): ScenarioRow {
  return { mode: 'sorted', reason, form: (frames) => [...frames].sort().join('') }
}

export interface ScenarioRun {
  readonly sides: Sides
  readonly scenario: Scenario
  readonly protocol: 2 | 3
  readonly place: Place
  readonly tally: Tally
}

/** By the name of the connection. */
export type Received = ReadonlyMap<string, readonly Frame[]>

/** Returns one text for each difference. */
export async function runScenario(run: ScenarioRun): Promise<string[]> {
  const steps = run.scenario.steps.map(stepOf)
  const bare = new Party(run, 'bare')
  const proxied = new Party(run, 'proxied')
  const problems: string[] = []
  const all: Frame[] = []
  try {
    const names = [...new Set(steps.flatMap(namesIn))].sort()
    await Promise.all([bare.open(names), proxied.open(names)])
    for (const [i, step] of steps.entries()) {
      const left = await bare.ask(step)
      const right = await proxied.answer(step, left)
      for (const name of new Set([...left.keys(), ...right.keys()])) {
        all.push(...(left.get(name) ?? []))
        problems.push(...compare(run, step, i, name, left.get(name) ?? [], right.get(name) ?? []))
      }
      if (problems.length > 0) return problems
    }
    problems.push(...(await proxied.nothingMore()))
  } finally {
    bare.close()
    proxied.close()
  }
  if (!pipelined(run.scenario, steps)) return problems
  const party = new Party(run, 'proxied')
  try {
    const found = await party.atOnce(steps, all.length)
    if (found.join('') !== all.join('')) {
      problems.push(`in one write\n    bare    ${show(all.join(''), 2000)}\n    proxied ${show(found.join(''), 2000)}`)
    }
  } finally {
    party.close()
  }
  return problems
}

function compare(
  { tally, scenario }: ScenarioRun,
  step: Step,
  i: number,
  name: string,
  left: readonly Frame[],
  right: readonly Frame[],
): string[] {
  const { row } = step
  for (let n = Math.max(left.length, right.length); n > 0; n--) tally.add(scenario.name, row?.mode ?? 'exact')
  const same = row === undefined ? left.join('') === right.join('') : row.form(left) === row.form(right)
  if (same) return []
  const at = `step ${i}, ${step.on} ${showArgs(step.args)}: ${name} received`
  return [`${at}\n    bare    ${show(left.join(''), 1000)}\n    proxied ${show(right.join(''), 1000)}`]
}

/** One connection, nothing that depends on the time between two requests: it can go out in one write, too. */
function pipelined({ strangers, ids }: Scenario, steps: readonly Step[]): boolean {
  const plain = (step: Step): boolean =>
    step.on === steps[0].on && step.until === undefined && step.row === undefined && step.closes === undefined
  return strangers === undefined && ids === undefined && steps.every(plain)
}

/** A step written out. */
export function stepOf(step: ScenarioStep): Step {
  if (typeof step === 'string') return stepOf(step.split(' '))
  return 'on' in step ? step : { on: step[0], args: step.slice(1) }
}

function namesIn({ on, args, expect = {}, closes = '' }: Step): string[] {
  const mentioned = [...args.join(' ').matchAll(/\{(?:id|addr):(\w)\}/g)].map(([, name]) => name)
  return [on, ...Object.keys(expect), ...closes, ...mentioned]
}
