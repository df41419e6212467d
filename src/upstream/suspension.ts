import type { Exchange } from '../commands/exchange.ts'
import { FLAG } from '../commands/spec.ts'
import { Lifecycle } from '../lib/lifecycle.ts'
import type { Connection } from './connection.ts'
import { Control } from './control.ts'
import { type InterruptHost, interrupt } from './interrupt.ts'
import type { FactsLog } from './server-facts.ts'

/**
 * Why requests wait:
 *   failover   a planned failover is under way: what is written now may be thrown away (s13)
 *   demoted    the server was a primary and says that it is a replica now; its name will lead to the new primary
 *   planned    the operator has asked for a failover, and it has not been begun yet
 *   paused     the operator wants it
 */
export type Reason = 'failover' | 'demoted' | 'planned' | 'paused'
/** What waits. */
export type Level = 'nothing' | 'writes' | 'everything'

/**
 *   open      nothing waits
 *   draining  nothing that waits is sent any more; what was sent before is not all answered
 *   drained   the server has executed all that it will get
 */
const MOVES = {
  open: ['draining'],
  draining: ['drained', 'open'],
  drained: ['draining', 'open'],
} as const
type State = keyof typeof MOVES

const LEVELS: Readonly<Record<Reason, Level>> = {
  failover: 'writes',
  demoted: 'writes',
  planned: 'writes',
  paused: 'everything',
}

/** Milliseconds between two looks at whether all is answered. */
const LOOK = 2

export interface SuspensionHost extends InterruptHost {
  readonly name: string
  readonly holdTime: number
  readonly log: FactsLog
  /** A ready lane that can be asked something. */
  witness(): Connection | undefined
  /** Nothing waits any more, or less than before: what was held may go. `reason`: what is over. */
  resumed(reason: Reason): void
}

/**
 * Holds requests back while it is not decided which server is the primary, or while the operator wants it. What is under
 * way is answered meanwhile: commands that block and would take an element are unblocked by the server itself, and issued
 * again later. The requests wait where requests for an upstream that is away wait: in `held`, or unsent in the queue of a
 * pin. A failover may take hold.time; what the operator began, the operator ends.
 */
export class Suspension {
  level: Level = 'nothing'
  private readonly life = new Lifecycle<State>('open', MOVES)
  private readonly reasons = new Map<Reason, { readonly since: number; readonly why: string }>()
  private readonly host: SuspensionHost
  private readonly control: Control
  private timer: NodeJS.Timeout | undefined
  /** Replication offset of the server when everything was answered; undefined until known. */
  offset: number | undefined = undefined
  /** It is still to be asked for, of this server. */
  private wanted = false

  constructor(host: SuspensionHost, control: Control) {
    this.host = host
    this.control = control
  }

  get drained(): boolean {
    return this.life.state === 'drained'
  }

  /** The offset, once: of another server it says nothing. */
  takeOffset(): number | undefined {
    const offset = this.drained ? this.offset : undefined
    this.forgetOffset()
    return offset
  }

  /** Clock time since which requests wait because of `reason`. */
  since(reason: Reason): number | undefined {
    return this.reasons.get(reason)?.since
  }

  private forgetOffset(): void {
    this.offset = undefined
    this.wanted = false
  }

  get why(): string | undefined {
    for (const { why } of this.reasons.values()) return why
    return undefined
  }

  begin(reason: Reason, why: string): void {
    if (this.reasons.has(reason)) return
    const { host } = this
    this.reasons.set(reason, { since: host.now(), why })
    this.settle()
    host.log.info({ upstream: host.name, reason, why, waits: this.level }, 'requests wait')
  }

  end(reason: Reason, why: string): void {
    if (!this.reasons.delete(reason)) return
    this.settle()
    const { host } = this
    host.log.info({ upstream: host.name, reason, why, waits: this.level }, 'requests go on')
    host.resumed(reason)
  }

  /** Our node takes the place of that of `other`: what the operator began there holds here, too, and so does a demotion. */
  succeed(other: Suspension): void {
    for (const [reason, { why }] of other.reasons) if (reason !== 'failover') this.begin(reason, why)
  }

  /** The level that all reasons together ask for. */
  private settle(): void {
    const before = this.level
    let level: Level = 'nothing'
    for (const reason of this.reasons.keys()) if (level !== 'everything') level = LEVELS[reason]
    this.level = level
    if (level === before) return
    if (level === 'nothing') {
      clearTimeout(this.timer)
      this.forgetOffset()
      this.life.enter('open')
      for (const connection of this.host.connections()) connection.resume()
    } else {
      // From here on nothing that waits is sent: the failover leaves 50 to 100 ms.
      for (const connection of this.host.connections()) this.hold(connection)
      if (before === 'nothing' || level === 'everything') this.drain()
    }
  }

  /** For a connection that is new, too. */
  hold(connection: Connection): void {
    connection.suspend((x) => this.waits(x))
  }

  private drain(): void {
    this.offset = undefined
    this.wanted = true
    this.life.enter('draining')
    this.interrupt()
    clearTimeout(this.timer)
    this.look()
  }

  /** A command that takes an element must not do so at a server whose writes are thrown away. */
  private interrupt(): void {
    const { control, host } = this
    for (const pin of host.connections()) {
      const x = pin.queue.head
      if (x !== undefined && this.waits(x)) interrupt(pin, host, control)
    }
  }

  private readonly look = (): void => {
    if (this.life.state !== 'draining') return
    if (this.underWay > 0) {
      this.timer = setTimeout(this.look, LOOK)
      this.timer.unref()
      return
    }
    this.life.enter('drained')
    this.measure()
  }

  /** Requests of the kind that waits, sent and not answered. */
  get underWay(): number {
    let count = 0
    for (const { queue } of this.host.connections()) {
      for (let x = queue.next; x !== undefined && x.place !== 'scheduled'; x = x.next) if (this.waits(x)) count++
    }
    return count
  }

  /** WAIT changes nothing, and may take for ever. */
  private waits(x: Exchange): boolean {
    return !(x.client instanceof Control) && x.spec.route !== 'wait' && (this.level === 'everything' || isWrite(x))
  }

  /** Asks the server for its replication offset; what it has executed is all before that. */
  private readonly measure = (): void => {
    const { host } = this
    if (!this.drained || !this.wanted) return
    const lane = host.witness()
    if (lane === undefined) {
      // All of them are being replaced: the next one is at the same server, unless the failover was faster.
      this.timer = setTimeout(this.measure, LOOK)
      this.timer.unref()
      return
    }
    this.control.ask(lane, ['INFO', 'replication'], host.now(), host.requestTime, (reply) => {
      const found = /master_repl_offset:(\d+)/.exec(reply ?? '')
      if (!this.drained || !this.wanted) return
      if (found !== null) {
        this.offset = Number(found[1])
        this.wanted = false
      } else if (reply === undefined) {
        this.measure()
      }
    })
  }

  /** Called ten times a second. `now`: clock time. */
  tick(now: number): void {
    for (const [reason, { since }] of this.reasons) {
      if (reason === 'paused' || reason === 'planned' || now - since < this.host.holdTime) continue
      this.host.log.warn({ upstream: this.host.name, reason }, 'not decided within hold.time: requests go on as before')
      this.end(reason, 'hold.time is over')
    }
  }

  stop(): void {
    clearTimeout(this.timer)
    this.reasons.clear()
  }
}

/** What is not flagged readonly: it may write, or tell others that it did. */
export function isWrite(x: Exchange): boolean {
  return (x.spec.flags & FLAG.READONLY) === 0
}
