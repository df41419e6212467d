import { Exchange } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import type { Connection } from './connection.ts'
import { OwnClient } from './own-client.ts'

type Answer = (reply: string | undefined) => void

/** Keyward's own requests on a connection (PING of an idle lane, CLIENT KILL of a lost one). No client waits for them. */
export class Control extends OwnClient {
  /** A lost one is not repeated, and fences nothing. */
  readonly gone = true

  constructor() {
    super(-1)
  }

  /** `answer` gets the reply as text, or undefined when there will be none. `patience` in milliseconds. */
  ask(connection: Connection, args: readonly string[], now: number, patience: number, answer: Answer): void {
    const x = new Exchange(this, CONTROL, now)
    x.bytes = encodeRequest(args)
    x.end = x.bytes.length
    x.patience = patience
    x.note = answer
    this.pending++
    connection.schedule(x)
  }

  deliver(x: Exchange, _type: number, buf: Buffer, start: number, end: number): boolean {
    ;(x.note as Answer)(buf.toString('latin1', start, end))
    return true
  }

  fail(x: Exchange): void {
    ;(x.note as Answer)(undefined)
  }
}

/** Flagged as neither reading nor writing: never repeated, and nobody's data is at stake. */
const CONTROL: CommandSpec = {
  name: 'keyward',
  index: 0,
  arity: -1,
  flags: 0,
  categories: [],
  keySpecs: [],
  firstKey: 0,
  lastKey: 0,
  keyStep: 0,
  channel: 0,
  route: 'shared',
  open: 'refused',
  presence: 'always',
  refusal: '',
  quirk: {},
  subcommands: undefined,
}
