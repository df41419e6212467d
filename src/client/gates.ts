import type { Exchange } from '../commands/exchange.ts'
import { mayWrite } from '../commands/may-write.ts'
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
  /** The same by tenant: however many tenants pause, a request meets the gates of its own. */
  private readonly byTenant = new Map<number, Closed[]>()
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
    const closed: Closed = { gate, waiting: new Set(), bytes: 0, timer }
    this.gates.set(gate, closed)
    this.byTenant.set(gate.tenantIndex, [...this.of(gate.tenantIndex), closed])
    this.closed = true
  }

  /** Does nothing when it is open already. */
  open(gate: Gate): void {
    const closed = this.gates.get(gate)
    if (closed === undefined) return
    this.gates.delete(gate)
    const others = this.of(gate.tenantIndex).filter((one) => one !== closed)
    if (others.length > 0) this.byTenant.set(gate.tenantIndex, others)
    else this.byTenant.delete(gate.tenantIndex)
    this.closed = this.gates.size > 0
    clearTimeout(closed.timer)
    for (const client of closed.waiting) if (!client.gone) client.reopened()
  }

  private of(tenantIndex: number): readonly Closed[] {
    return this.byTenant.get(tenantIndex) ?? NONE
  }

  /** Is x, of `client`, held back? If so, the client is told when the gate opens. */
  holds(client: DispatchClient, x: Exchange): boolean {
    for (const closed of this.of(client.tenantIndex)) {
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

  /** Reads of this tenant's clients may be held back: they must not be answered from memory instead. */
  stopReads(tenantIndex: number): boolean {
    return this.of(tenantIndex).some(({ gate }) => !gate.writesOnly)
  }

  /** A request of `client` waits for the end of CLIENT PAUSE. */
  pauses(client: DispatchClient): boolean {
    return this.of(client.tenantIndex).some(({ gate, waiting }) => gate.why === 'pause' && waiting.has(client))
  }

  /** `client` has left: a gate may stay closed for long after that. */
  forget(client: DispatchClient): void {
    for (const { waiting } of this.of(client.tenantIndex)) waiting.delete(client)
  }

  private overrun(gate: Gate): void {
    if (!this.gates.has(gate)) return
    if (gate.why === 'flush') this.overruns++
    this.open(gate)
  }
}

function applies(gate: Gate, client: DispatchClient, x: Exchange): boolean {
  if (gate.owner === client) return false
  if (gate.writesOnly && !mayWrite(x.spec) && x.spec.name !== 'exec') return false
  if (CROSSING.has(x.spec.name)) return true
  const { prefix } = gate
  return x.prefix.length >= prefix.length && x.prefix.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}

/** They may write into other databases than the one they are sent in: members of a transaction behind SELECT, too. */
const CROSSING: ReadonlySet<string> = new Set(['copy', 'exec', 'move'])

const NONE: readonly Closed[] = []

/** setTimeout takes no more. */
const LONGEST = 2 ** 31 - 1
