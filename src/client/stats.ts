import type { CommandSpec } from '../commands/spec.ts'
import type { ErrorCode } from '../errors.ts'
import type { PushSink } from '../session/push-sink.ts'
import type { Session } from '../session/session.ts'
import { SlowLog } from './slowlog.ts'

/** Upper bounds of the latency histogram's buckets, in milliseconds; one more bucket for what is slower. */
export const LATENCY_BOUNDS = [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000] as const

/** Groups of commands for metrics: few enough to be labels. The first ACL category of a command that is one of these. */
export const FAMILIES = [
  'string',
  'hash',
  'list',
  'set',
  'sortedset',
  'stream',
  'bitmap',
  'hyperloglog',
  'geo',
  'pubsub',
  'scripting',
  'transaction',
  'connection',
  'keyspace',
  'other',
] as const

export function familyOf(spec: CommandSpec): number {
  const at = FAMILIES.findIndex((family) => spec.categories.includes(family))
  return at < 0 ? FAMILIES.length - 1 : at
}

/** A client that said MONITOR. */
export interface Monitor extends PushSink {
  readonly session: Session
}

/** One tenant (or the clients not logged in) in this process: counters of the hot path, read by /metrics, and what it looks at. */
export class Stats {
  clients = 0
  requests = new Float64Array(FAMILIES.length)
  bytesIn = 0
  bytesOut = 0
  /** Requests that were done by many upstream calls. */
  jobs = 0
  /** Keys that Redis looked at for SCAN and what is made of it, and those of this tenant among them. */
  scanExamined = 0
  scanReturned = 0
  /** Messages that answered no request. */
  pushes = 0
  /** Clients times names that they are subscribed to, now. */
  subscriptions = 0
  /** Clients that track now, what they have been told of, and pairs of a key and a client that has read it: now, and those that made room. */
  trackers = 0
  invalidations = 0
  trackedKeys = 0
  trackingEvicted = 0
  readonly errors = new Map<ErrorCode, number>()
  /** By reason. The reasons are those of the command table: a short, fixed list. */
  readonly refusals = new Map<string, number>()
  /** Milliseconds from which a request counts as slow, and those that did. */
  slowerThan = Number.POSITIVE_INFINITY
  readonly slowlog = new SlowLog()
  /** Its clients that said MONITOR; undefined while there is none, which is all that the path of a request looks at. */
  monitors: Set<Monitor> | undefined = undefined
  latency = new Float64Array(LATENCY_BOUNDS.length + 1)
  latencySum = 0

  error(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }

  refused(reason: string): void {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1)
  }

  get total(): number {
    let sum = 0
    for (const count of this.requests) sum += count
    return sum
  }

  observe(milliseconds: number): void {
    let i = 0
    while (i < LATENCY_BOUNDS.length && milliseconds > LATENCY_BOUNDS[i]) i++
    this.latency[i]++
    this.latencySum += milliseconds
  }
}
