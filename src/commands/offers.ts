import { decodeReply } from '../resp/reply-decoder.ts'
import type { Reply } from '../resp/types.ts'
import { FLAG } from './flags.ts'
import { keyRange } from './key-range.ts'
import type { KeySpec } from './key-spec.ts'

/** What the table has of a command that was reviewed: a CommandSpec. */
interface Reviewed {
  readonly name: string
  readonly flags: number
  readonly keySpecs: readonly KeySpec[]
}

/** What a server's COMMAND says of one command. */
interface Offered {
  readonly places: string
  readonly writes: boolean
  readonly reads: boolean
}

/**
 * In Redis 8.0 some of their arguments (VALUES with a count near 2^63) end the server. Those of 8.4, which brought VRANGE, were tried.
 */
const VECTOR_SETS: ReadonlySet<string> = new Set(
  'vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vrem vsetattr vsim'.split(' '),
)

/** Nothing of ours is like it. */
const UNCLEAR = '?'

/**
 * The commands of one upstream, by its own COMMAND. A newer server's command, or a module's, is open to tenants where it is among
 * them with its keys in the places that were reviewed, and writes if and only if the review says so.
 */
export class Offers {
  private readonly commands: ReadonlyMap<string, Offered>
  private readonly judged = new Map<Reviewed, boolean>()

  constructor(commands: ReadonlyMap<string, Offered>) {
    this.commands = commands
  }

  has(spec: Reviewed): boolean {
    let judgement = this.judged.get(spec)
    if (judgement === undefined) {
      judgement = this.judge(spec)
      this.judged.set(spec, judgement)
    }
    return judgement
  }

  /** Whether it has a command of this name, whatever it says of it. */
  knows(name: string): boolean {
    return this.commands.has(name)
  }

  /** In lower case; a subcommand is "container|sub". */
  names(): Iterable<string> {
    return this.commands.keys()
  }

  private judge(spec: Reviewed): boolean {
    const offered = this.commands.get(spec.name)
    if (offered === undefined) return false
    if (VECTOR_SETS.has(spec.name) && !this.commands.has('vrange')) return false
    return (
      offered.places === placesOf(spec.keySpecs) &&
      offered.writes === ((spec.flags & FLAG.WRITE) !== 0) &&
      offered.reads === ((spec.flags & FLAG.READONLY) !== 0)
    )
  }
}

/**
 * Reads the reply to COMMAND, of RESP2 or RESP3. undefined: it is not what Redis 7 would say. Of an older server's, without key
 * specs, it takes the names only.
 */
export function readOffers(frame: Buffer): Offers | undefined {
  const commands = new Map<string, Offered>()
  try {
    for (const command of itemsOf(decodeReply(frame, 0, frame.length))) add(commands, command)
  } catch {
    return undefined
  }
  return new Offers(commands)
}

/** https://redis.io/docs/latest/commands/command/ */
function add(commands: Map<string, Offered>, command: Reply): void {
  const [name, , flags, , , , , , specs, subcommands] = itemsOf(command)
  const words = itemsOf(flags).map(textOf)
  commands.set(textOf(name).toLowerCase(), {
    places: specs === undefined ? UNCLEAR : placesOf(itemsOf(specs).map(keySpecOf)),
    writes: words.includes('write'),
    reads: words.includes('readonly'),
  })
  if (subcommands !== undefined) for (const sub of itemsOf(subcommands)) add(commands, sub)
}

/** https://redis.io/docs/latest/develop/reference/key-specs/ */
function keySpecOf(reply: Reply): KeySpec {
  const fields = fieldsOf(reply)
  return {
    begin: beginOf(fieldsOf(fields.get('begin_search'))),
    find: findOf(fieldsOf(fields.get('find_keys'))),
    flags: itemsOf(fields.get('flags')).map((flag) => textOf(flag).toLowerCase()),
  }
}

function beginOf(fields: ReadonlyMap<string, Reply>): KeySpec['begin'] {
  const spec = fieldsOf(fields.get('spec'))
  if (textOf(fields.get('type')) !== 'index') return 'unknown'
  return { index: numberOf(spec.get('index')) }
}

function findOf(fields: ReadonlyMap<string, Reply>): KeySpec['find'] {
  const spec = fieldsOf(fields.get('spec'))
  const number = (field: string) => numberOf(spec.get(field))
  switch (textOf(fields.get('type'))) {
    case 'range':
      return { lastKey: number('lastkey'), step: number('keystep'), limit: number('limit') }
    case 'keynum':
      return { keyNum: number('keynumidx'), firstKey: number('firstkey'), step: number('keystep') }
    default:
      return 'unknown'
  }
}

/**
 * The places of keys as one text, the same for the same places: one range where they are one, however many specs say so. Flags of
 * access are left out, since they are often left at their defaults.
 */
function placesOf(specs: readonly KeySpec[]): string {
  const unclear = specs.some(
    ({ begin, find, flags }) =>
      begin === 'unknown' || find === 'unknown' || flags.includes('incomplete') || !('index' in begin),
  )
  if (unclear) return UNCLEAR
  const { first, last, step } = keyRange(specs)
  if (first >= 0) return `${first} ${last} ${step}`
  const keys = specs.filter(({ flags }) => !flags.includes('not_key'))
  return keys.map(({ begin, find }) => JSON.stringify([begin, find])).join(';')
}

function itemsOf(reply: Reply | undefined): readonly Reply[] {
  if (reply?.items === undefined) throw new Error('not an aggregate')
  return reply.items
}

/** Maps of RESP3, and what RESP2 makes of them. */
function fieldsOf(reply: Reply | undefined): ReadonlyMap<string, Reply> {
  const items = itemsOf(reply)
  const fields = new Map<string, Reply>()
  for (let i = 0; i + 1 < items.length; i += 2) fields.set(textOf(items[i]).toLowerCase(), items[i + 1])
  return fields
}

function textOf(reply: Reply | undefined): string {
  if (reply?.text === undefined) throw new Error('not a text')
  return reply.text.toString('latin1')
}

function numberOf(reply: Reply | undefined): number {
  return Number(textOf(reply))
}
