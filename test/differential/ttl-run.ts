import { type Args, ask, encode, type Frame, MissingReplies, showArgs, takeFrames } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import type { Row } from './cases/ttl.ts'
import { difference } from './conversation.ts'
import { Backdoor } from './state.ts'
import { PREFIX, type TtlPlace, type TtlSides } from './ttl-sides.ts'

/** How all rows are sent. */
export type Sending =
  | 'one by one'
  | 'in one write'
  | 'each in MULTI'
  | 'all in one MULTI'
  | 'behind WATCH'
  | 'with replies off'
  | 'with each reply skipped'

export interface TtlRun {
  readonly sides: TtlSides
  readonly rows: readonly Row[]
  readonly protocol: 2 | 3
  readonly place: TtlPlace
  readonly sending: Sending
  /** All keys have a time to live beforehand, longer than that of the rule; else none has. */
  readonly lasting: boolean
  /** In place of BIG. */
  readonly value: string
}

/** A row with the names of its keys in it. */
interface Line {
  readonly args: Args
  readonly keys: readonly { readonly role: string; readonly kind: string; readonly name: string }[]
}

/** 2100. */
const FAR = '4102444800'

/** Returns one text for each difference, and for each key that has a time to live where it should not, or has none. */
export async function runRows(run: TtlRun): Promise<string[]> {
  const { sides, rows, protocol, place, sending, lasting } = run
  const lines = rows.map((row, i) => lineOf(row, i, run))
  const bareDoor = new Backdoor(await sides.bare(place), fillOf(lines, '', lasting), [{ prefix: '' }])
  const prefix = PREFIX[place]
  const rawDoor = new Backdoor(await sides.raw(), fillOf(lines, prefix, lasting), [{ prefix }])
  const bare = await sides.bare(place)
  if (protocol === 3) await ask(bare, [['HELLO', '3']])
  const proxied = await sides.proxied(protocol, place)
  try {
    await Promise.all([bareDoor.reload(), rawDoor.reload()])
    const requests = lines.map(({ args }) => args)
    const problems = await compare(bare, proxied, requests, sending)
    const [left, right] = await Promise.all([bareDoor.state(), rawDoor.state()])
    for (const { args, keys } of lines) {
      for (const key of keys) {
        const found = judge(key, left.get(key.name), right.get(key.name), lasting)
        if (found !== undefined) problems.push(`${showArgs(args)}: ${key.name} ${found}`)
      }
    }
    for (const name of right.keys())
      if (!left.has(name)) problems.push(`there is ${name}, and nothing of it on the bare side`)
    return problems
  } finally {
    for (const side of [bareDoor, rawDoor]) side.close()
    for (const client of [bare, proxied]) client.destroy()
  }
}

/** What is wrong with a key, as Backdoor.state() tells of it on both sides. */
function judge({ role }: { role: string }, bare: string | undefined, proxied: string | undefined, lasting: boolean) {
  const content = (state: string | undefined) => state?.slice(0, state.lastIndexOf(' ')) ?? 'is missing'
  if (content(bare) !== content(proxied)) return `is ${content(proxied)}, on the bare side ${content(bare)}`
  if (proxied === undefined) return undefined
  const stays = proxied.endsWith(' stays')
  if (stays && (role === 'w' || lasting)) return 'has no time to live'
  if (!stays && role === 'r' && bare?.endsWith(' stays') === true) return 'was only read and has a time to live'
  return undefined
}

function lineOf(row: Row, i: number, { sides, value }: TtlRun): Line {
  const keys: Line['keys'][number][] = []
  const args = (typeof row === 'string' ? row.split(' ') : row).map((word) => {
    if (word === 'BIG') return value
    if (word === 'PAYLOAD') return sides.payload
    const parts = /^([wrd])\.([a-z]+\d*)$/.exec(word)
    if (parts === null) return word
    const key = { role: parts[1], kind: parts[2].replace(/\d$/, ''), name: `${i}/${parts[2]}` }
    keys.push(key)
    return key.name
  })
  return { args, keys }
}

/** What each kind of key holds. */
const CONTENT: Readonly<Record<string, readonly Args[]>> = {
  none: [],
  str: [['SET', '$', 'hello']],
  int: [['SET', '$', '42']],
  bits: [['SET', '$', '\x0f\xf0\xaa']],
  big: [['SETRANGE', '$', '1999999', 'x']],
  hll: [['PFADD', '$', 'a', 'b']],
  hash: [['HSET', '$', 'f', 'v', 'n', '10']],
  list: [['RPUSH', '$', 'a', 'b', 'c', 'b']],
  one: [['RPUSH', '$', 'a']],
  heavy: [['RPUSH', '$', 'x'.repeat(1_500_000), 'b', 'y'.repeat(300_000)]],
  set: [['SADD', '$', 'a', 'b', 'c']],
  single: [['SADD', '$', 'c']],
  zset: [['ZADD', '$', '1', 'a', '2', 'b', '3', 'c']],
  lex: [['ZADD', '$', '0', 'a', '0', 'b', '0', 'c']],
  geo: [['GEOADD', '$', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania']],
  stream: [
    ['XADD', '$', '1-1', 'f', 'v'],
    ['XADD', '$', '2-1', 'f', 'v'],
    ['XGROUP', 'CREATE', '$', 'g', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', '$', '>'],
  ],
}

function fillOf(lines: readonly Line[], prefix: string, lasting: boolean): Args[] {
  const all: Args[] = [['FLUSHDB']]
  for (const { name, kind } of new Map(lines.flatMap(({ keys }) => keys.map((key) => [key.name, key]))).values()) {
    const commands = CONTENT[kind]
    if (commands === undefined) throw new Error(`no such kind of key: ${kind}`)
    for (const command of commands) all.push(command.map((word) => (word === '$' ? prefix + name : word)))
    if (lasting && commands.length > 0) all.push(['EXPIREAT', prefix + name, FAR])
  }
  return all
}

const MULTI: Args = ['MULTI']
const EXEC: Args = ['EXEC']

async function compare(bare: RawClient, proxied: RawClient, requests: readonly Args[], sending: Sending) {
  switch (sending) {
    case 'one by one': {
      const problems: string[] = []
      for (const args of requests) problems.push(...(await same(bare, proxied, [args])))
      return problems
    }
    case 'in one write':
      return same(bare, proxied, requests)
    case 'each in MULTI':
      return same(
        bare,
        proxied,
        requests.flatMap((args) => [MULTI, args, EXEC]),
      )
    case 'all in one MULTI': {
      // What is refused at queueing would refuse them all.
      const queueing = await ask(bare, [MULTI, ...requests, ['DISCARD']])
      const queued = requests.filter((_, i) => queueing[i + 1] === '+QUEUED\r\n')
      return same(bare, proxied, [MULTI, ...queued, EXEC, ['PING']])
    }
    case 'behind WATCH':
      return same(bare, proxied, [['WATCH', 'watched'], ...requests, MULTI, ['PING'], EXEC])
    case 'with replies off':
      return same(bare, proxied, [['CLIENT', 'REPLY', 'OFF'], ...requests, ['CLIENT', 'REPLY', 'ON'], ['PING']], 2)
    case 'with each reply skipped':
      return same(
        bare,
        proxied,
        [...requests.flatMap((args): Args[] => [['CLIENT', 'REPLY', 'SKIP'], args]), ['PING']],
        1,
      )
  }
}

/** All requests in one write to both sides. `replies`: how many frames come; default: one for each. */
async function same(bare: RawClient, proxied: RawClient, requests: readonly Args[], replies = requests.length) {
  const bytes = requests.map(encode).join('')
  bare.send(bytes)
  proxied.send(bytes)
  const [left, right] = await Promise.all([take(bare, replies), take(proxied, replies)])
  const problems: string[] = []
  for (let i = 0; i < replies; i++) {
    if (left[i] === right[i] && left[i] !== undefined) continue
    problems.push(difference(replies === requests.length ? requests[i] : ['?'], left[i], right[i]))
    // The rest is out of step.
    if (left[i] === undefined || right[i] === undefined) break
  }
  return problems
}

/** Those that do not come are differences. */
async function take(client: RawClient, count: number): Promise<readonly Frame[]> {
  try {
    return await takeFrames(client, count)
  } catch (error) {
    if (error instanceof MissingReplies) return error.frames
    throw error
  }
}
