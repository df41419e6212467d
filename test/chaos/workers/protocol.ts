/**
 * What the drill and its workers say to each other. A worker is a process with one client library; its last argument
 * is a WorkerOrder as JSON. It prints "ready" when all its clients are connected, and reads lines: "round <n>" begins
 * the work of a round, "stop" ends it, after which it prints a RoundReport as one line of JSON; "quit" ends it.
 * All times are milliseconds of the wall clock, which the processes share.
 */
export type Role =
  /** GETs of values that do not change. */
  | 'read'
  /** INCRs of a counter of its own. */
  | 'incr'
  /** The same, each with WAIT 1 behind it. */
  | 'wait'
  /** BLPOPs. */
  | 'pop'
  /** RPUSHes of numbers, each once. */
  | 'push'
  /** SUBSCRIBEs. */
  | 'hear'
  /** PUBLISHes to those. */
  | 'say'

export interface ClientOrder {
  readonly id: string
  /** Its password, too. */
  readonly tenant: string
  readonly role: Role
  /** Requests that it has in flight at a time. */
  readonly depth: number
  /** What distinguishes its queue or channel from others'. */
  readonly group: string
}

export interface WorkerOrder {
  readonly port: number
  /** Instead of `port`: straight to Redis, as the library itself does it. */
  readonly sentinels?: readonly { readonly host: string; readonly port: number }[]
  readonly master?: string
  /** ioredis' option: follow +switch-master of all sentinels. */
  readonly failoverDetector?: boolean
  readonly clients: readonly ClientOrder[]
}

export interface ClientReport extends ClientOrder {
  /** INCRs sent, or RPUSHes. */
  readonly sent: number
  readonly acked: number
  /** INCRs that a WAIT 1 behind them has confirmed. */
  readonly covered: number
  /** Requests of any kind that got OUTCOMEUNKNOWN. */
  readonly unknown: number
  /** Those of them that were INCRs. */
  readonly unknownIncrs: number
  /** All other errors; the first twenty. */
  readonly errors: readonly { readonly at: number; readonly text: string }[]
  readonly errorCount: number
  /** Replies that must not be. */
  readonly wrong: readonly string[]
  /** Good replies in all. */
  readonly good: number
  /** The longest time without a good reply, from `gapFrom` on. */
  readonly gap: number
  readonly gapFrom: number
  /** Requests without any reply when patience had ended. */
  readonly pending: number
  /** Numbers: pushed for sure, perhaps, and popped. */
  readonly pushed: readonly number[]
  readonly maybePushed: readonly number[]
  readonly popped: readonly number[]
  /** It heard what was published after the end of the round. */
  readonly heardLast: boolean
}

export interface RoundReport {
  readonly library: string
  readonly clients: readonly ClientReport[]
  /** Good replies in each tenth of a second, by the number of that tenth since the epoch. */
  readonly good: Readonly<Record<string, number>>
  /** Requests that took longer than SLOW, or got no good reply. */
  readonly slow: readonly SlowRequest[]
  /** Whatever happened to connections. */
  readonly troubles: readonly { readonly id: string; readonly at: number; readonly what: string }[]
}

export interface SlowRequest {
  readonly id: string
  readonly command: string
  readonly from: number
  readonly to: number
  readonly outcome: 'good' | 'unknown' | 'error'
}

export const SLOW = 25
/** Milliseconds between two requests of a client, so that 50 of them leave the machine some air. */
export const PAUSE = 15
/** Milliseconds in which all that is under way must be answered after "stop". */
export const PATIENCE = 20_000
export const VALUES = 8

export const valueKey = (i: number) => `value:${i % VALUES}`
export const valueOf = (i: number) => `the value ${i % VALUES}`
export const counterKey = (id: string, round: number) => `counter:${id}:${round}`
export const queueKey = (group: string, round: number) => `queue:${group}:${round}`
export const channelOf = (group: string) => `channel:${group}`
