import { type CommandSpec, FLAG } from '../../src/commands/spec.ts'
import { type Args, ask, encode, showArgs } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import type { Combination } from './combinations.ts'
import { Conversation, difference } from './conversation.ts'
import type { List } from './lists.ts'
import { type ModeRow, NOT_IN_MULTI } from './modes.ts'
import { type Doors, SELF, type Sides } from './sides.ts'
import { differences } from './state.ts'
import type { Tally } from './tally.ts'

/** The lists of one command in one combination, on both sides. Each function returns one text for each difference. */
export interface CommandRun {
  readonly sides: Sides
  readonly spec: CommandSpec
  readonly lists: readonly Args[]
  readonly combination: Combination
  readonly tally: Tally
  readonly rowOf: (args: Args) => ModeRow | undefined
}

/** They change or end the connection: one connection for each list, and a PING behind it. */
const SOLO = new Set(
  'auth hello quit reset select multi exec discard watch unwatch client|reply client|setname client|setinfo'.split(' '),
)

/** Between two loads of the pool, so that later lists of a command that deletes still find something. */
const CHUNK = 10

export function runCommand(run: CommandRun): Promise<string[]> {
  if (SOLO.has(run.spec.name)) return runAlone(run)
  return run.combination.multi ? runInMulti(run) : runTogether(run)
}

export function argsOf(lists: readonly List[]): readonly Args[] {
  return lists.map(({ args }) => args)
}

/** Lists whose effects are the same on both sides first, in pipelines; the state is compared after each. */
function runTogether(run: CommandRun): Promise<string[]> {
  const { spec, lists } = run
  return talk(run, async (conversation) => {
    const problems: string[] = []
    for (const chunk of chunks(lists.filter((args) => run.rowOf(args) === undefined))) {
      problems.push(...(await conversation.say(spec.name, chunk)), ...(await compareStates(run, chunk)))
      if (problems.length > 0) break
    }
    // After these the sides may hold different data, by nature.
    for (const args of lists.filter((args) => run.rowOf(args) !== undefined)) {
      problems.push(...(await conversation.say(spec.name, [args])))
      if ((spec.flags & FLAG.WRITE) !== 0) await reload(run)
    }
    if (problems.length > 0) await reload(run)
    return problems
  })
}

/** The same in transactions of several lists. Lists that are refused at queueing have transactions of their own. */
function runInMulti(run: CommandRun): Promise<string[]> {
  const { spec, lists } = run
  return talk(run, async (conversation) => {
    const whole = (args: readonly Args[]): Args[] => [MULTI, ...args, EXEC]
    const refused: Args[] = []
    const queued: Args[] = []
    const probe = await ask(conversation.bare, [MULTI, ...lists, DISCARD])
    const problems: string[] = []
    for (const [i, args] of lists.entries()) {
      if (probe[i + 1] !== '+QUEUED\r\n') refused.push(args)
      else if (mayBeQueued(spec.name)) queued.push(args)
      else {
        run.tally.add(spec.name, 'skip')
        problems.push(...(await refusedInMulti(conversation.proxied, args)))
      }
    }
    for (const chunk of chunks(queued.filter((args) => run.rowOf(args) === undefined))) {
      problems.push(...(await conversation.say(spec.name, whole(chunk))), ...(await compareStates(run, chunk)))
      if (problems.length > 0) break
    }
    for (const args of queued.filter((args) => run.rowOf(args) !== undefined)) {
      problems.push(...(await conversation.say(spec.name, whole([args]))))
      if ((spec.flags & FLAG.WRITE) !== 0) await reload(run)
    }
    // Each alone between others that could run, then all of them: nothing of it may run.
    const around: Args[] = [
      ['SET', 'str', 'changed'],
      ['DEL', 'list'],
    ]
    const aborted = refused.flatMap((args) => whole([around[0], args, around[1]]))
    problems.push(...(await conversation.say(spec.name, [...aborted, ...whole(refused)])))
    problems.push(...(await compareStates(run, refused)))
    return problems
  })
}

/** A connection for each list. */
async function runAlone({ sides, spec, lists, combination, tally, rowOf }: CommandRun): Promise<string[]> {
  const { name } = spec
  const { protocol, multi, place } = combination
  const refused = multi && !mayBeQueued(name)
  const problems: string[] = []
  for (const args of lists) {
    // No reply comes of these: test/differential/cases/connection.ts has them.
    if (name === 'client|reply' && /^(off|skip)$/i.test(args[2] ?? '') && args.length === 3 && !refused) continue
    const options = { protocol, databases: true, place }
    const [bare, proxied] = await Promise.all([sides.bare(options), sides.proxied(options)])
    const requests: Args[] = multi ? [MULTI, args, ['PING'], EXEC] : [args, ['PING']]
    try {
      if (name === 'quit') {
        const bytes = (multi ? [MULTI, args] : [args]).map(encode).join('')
        bare.send(bytes)
        proxied.send(bytes)
        const [left, right] = await Promise.all([bare.closed(), proxied.closed()])
        tally.add(name, 'exact')
        if (!left.equals(right)) problems.push(difference(args, left.toString('latin1'), right.toString('latin1')))
      } else if (refused) {
        tally.add(name, 'skip')
        problems.push(...(await refusedInMulti(proxied, args)))
      } else problems.push(...(await new Conversation(bare, proxied, tally, rowOf).say(name, requests)))
    } finally {
      bare.destroy()
      proxied.destroy()
    }
  }
  return problems
}

function mayBeQueued(name: string): boolean {
  return SELF || NOT_IN_MULTI[name] === undefined
}

/** What NOT_IN_MULTI promises of Keyward: an error at queueing, nothing executed, and a connection that goes on. */
export async function refusedInMulti(client: RawClient, args: Args): Promise<string[]> {
  const frames = await ask(client, [MULTI, args, EXEC, ['PING']])
  const [, queueing, exec, ping] = frames
  const right = /^-ERR /.test(queueing) && /^-EXECABORT /.test(exec) && ping === '+PONG\r\n'
  return right ? [] : [`${showArgs(args)} in MULTI: ${JSON.stringify(frames)}`]
}

async function talk(run: CommandRun, use: (conversation: Conversation) => Promise<string[]>): Promise<string[]> {
  const { sides, combination, tally, rowOf } = run
  await settle(run)
  const [bare, proxied] = await Promise.all([sides.bare(combination), sides.proxied(combination)])
  try {
    return await use(new Conversation(bare, proxied, tally, rowOf))
  } finally {
    bare.destroy()
    proxied.destroy()
  }
}

/** The place of the pool that is loaded now; a run in another loads it there. */
const loaded = new WeakMap<Sides, Doors>()

async function settle(run: CommandRun): Promise<void> {
  if (loaded.get(run.sides) !== doorsOf(run)) await reload(run)
}

async function reload(run: CommandRun): Promise<void> {
  const { bare, proxied } = doorsOf(run)
  await Promise.all([bare.reload(), proxied.reload()])
  loaded.set(run.sides, doorsOf(run))
}

async function compareStates(run: CommandRun, requests: readonly Args[]): Promise<string[]> {
  const { bare, proxied } = doorsOf(run)
  const [left, right] = await Promise.all([bare.state(), proxied.state()])
  const found = differences(left, right)
  if (found.length > 0 || !bare.pristine(left)) await reload(run)
  return found.map((line) => `${line} after\n    ${requests.map(showArgs).join('\n    ')}`)
}

function doorsOf({ sides, combination }: CommandRun): Doors {
  return sides.doors(combination.place)
}

function chunks(lists: readonly Args[]): Args[][] {
  return Array.from({ length: Math.ceil(lists.length / CHUNK) }, (_, i) => lists.slice(i * CHUNK, (i + 1) * CHUNK))
}

const MULTI: Args = ['MULTI']
const EXEC: Args = ['EXEC']
const DISCARD: Args = ['DISCARD']
