import type { Clock } from '../lib/clock.ts'
import type { Gate, Gates } from './gates.ts'

interface Pause {
  readonly gate: Gate
  /** Clock time. */
  readonly end: number
}

/**
 * CLIENT PAUSE, one for each tenant: a closed gate, nothing of it is told to the upstream (there it would pause all
 * tenants, and make Sentinel believe that the server is down). What waits at it is bounded by each client's
 * `buffers.request` and the process' `memory`, as ever; a pause is not shortened because of it.
 */
export class Pauses {
  private readonly gates: Gates
  private readonly clock: Clock
  /** By tenant index; one that is over may still be in here. */
  private readonly pauses = new Map<number, Pause>()

  constructor(gates: Gates, clock: Clock) {
    this.gates = gates
    this.clock = clock
  }

  /**
   * Pauses a tenant's clients for `time` milliseconds. As in Redis a second pause only makes the first one longer or
   * stricter.
   */
  pause(tenantIndex: number, time: number, writesOnly: boolean): void {
    const now = this.clock.now
    const before = this.pauses.get(tenantIndex)
    const running = before !== undefined && before.end > now ? before : undefined
    const end = Math.max(now + time, running?.end ?? 0)
    if (end <= now) return
    const gate: Gate = {
      why: 'pause',
      tenantIndex,
      prefix: EVERY_KEY,
      writesOnly: writesOnly && running?.gate.writesOnly !== false,
      owner: undefined,
      most: Number.POSITIVE_INFINITY,
    }
    // First the new one, so that what waits at the old one does not slip through between.
    this.gates.close(gate, end - now)
    this.pauses.set(tenantIndex, { gate, end })
    if (running !== undefined) this.open(running)
  }

  unpause(tenantIndex: number): void {
    const pause = this.pauses.get(tenantIndex)
    if (pause === undefined) return
    this.pauses.delete(tenantIndex)
    this.open(pause)
  }

  /** Not from here: requests of others would run in the middle of the one that is being answered. */
  private open({ gate }: Pause): void {
    setImmediate(() => this.gates.open(gate))
  }
}

const EVERY_KEY = Buffer.alloc(0)
