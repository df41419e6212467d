import type { Exchange } from '../commands/exchange.ts'
import { FLAG } from '../commands/spec.ts'
import type { DispatchClient } from './dispatch-client.ts'

/** One closed gate: which requests of a tenant wait. */
export interface Gate {
  readonly why: 'flush' | 'pause'
  readonly tenantIndex: number
  /** Only requests whose raw keys begin with it: one database, or all of them. */
  readonly prefix: Buffer
  /** CLIENT PAUSE … WRITE: reads go on. */
  readonly writesOnly: boolean
  /** Whose own requests pass: the one for whom it was closed. */
  readonly owner: DispatchClient | undefined
  /** Bytes of requests that may wait; past that it opens. */
  readonly most: number
}

interface Closed {
  readonly gate: Gate
  readonly waiting: Set<DispatchClient>
  /** Of requests, when their clients came to wait. */
  bytes: number
  readonly timer: NodeJS.Timeout
}

/**
 * Gates hold requests back at their clients' barriers: while a FLUSHDB sweeps, so that nothing is deleted that was
 * acknowledged behind it; while CLIENT PAUSE lasts. A gate opens when whoever closed it says so, at its time limit, or
 * when more bytes wait than it may hold: what waited then goes on, nothing is refused.
 */
export class Gates {
  private readonly gates = new Map<Gate, Closed>()
  /** Some gate is closed: all that the path of a request looks at. */
  closed = false
  /** How often a FLUSHDB took longer, or held back more, than `hold` allows. */
  overruns = 0

  get count(): number {
    return this.gates.size
  }

  /** Closes `gate` for at most `time` milliseconds. */
  close(gate: Gate, time: number): void {
    const timer = setTimeout(() => this.overrun(gate), Math.min(time, LONGEST))
    timer.unref()
    this.gates.set(gate, { gate, waiting: new Set(), bytes: 0, timer })
    this.closed = true
  }

  /** Does nothing when it is open already. */
  open(gate: Gate): void {
    const closed = this.gates.get(gate)
    if (closed === undefined) return
    this.gates.delete(gate)
    this.closed = this.gates.size > 0
    clearTimeout(closed.timer)
    for (const client of closed.waiting) if (!client.gone) client.reopened()
  }

  /** Is x, of `client`, held back? If so, the client is told when the gate opens. */
  holds(client: DispatchClient, x: Exchange): boolean {
    for (const closed of this.gates.values()) {
      const { gate, waiting } = closed
      if (!applies(gate, client, x)) continue
      if (waiting.has(client)) return true
      waiting.add(client)
      closed.bytes += client.requestBytes
      // Not from here: the client is in the middle of sending.
      if (closed.bytes > gate.most) setImmediate(() => this.overrun(gate))
      return true
    }
    return false
  }

  private overrun(gate: Gate): void {
    if (!this.gates.has(gate)) return
    if (gate.why === 'flush') this.overruns++
    this.open(gate)
  }
}

function applies(gate: Gate, client: DispatchClient, x: Exchange): boolean {
  if (gate.tenantIndex !== client.tenantIndex || gate.owner === client) return false
  if (gate.writesOnly && (x.spec.flags & (FLAG.WRITE | FLAG.PUBSUB)) === 0 && x.spec.name !== 'exec') return false
  const { prefix } = gate
  return x.prefix.length >= prefix.length && x.prefix.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}

/** setTimeout takes no more. */
const LONGEST = 2 ** 31 - 1
