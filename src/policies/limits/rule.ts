import type { LimitRule } from '../../session/tenant.ts'
import { compileKeys, type KeyPart } from '../key-part.ts'
import type { Buckets } from './buckets.ts'
import { Offenders } from './offenders.ts'

/** One rule of one tenant at work: its buckets, and what became of requests. */
export class Rule {
  readonly options: LimitRule
  /** Where the tokens of a global rule are. */
  readonly upstream: string
  readonly buckets: Buckets
  /** undefined: whatever the keys are. */
  readonly keys: KeyPart | undefined
  /** Milliseconds for which it may make a request wait. */
  readonly patience: number
  readonly bytes: boolean
  /** Wants to know how large replies are. */
  readonly metered: boolean
  /** By spec.index: tokens; 0: not counted. */
  readonly cost: Float64Array
  allowed = 0
  delayed = 0
  rejected = 0
  shadowed = 0
  /** Requests that wait because of it, now. */
  waiting = 0
  readonly offenders = new Offenders()

  constructor(options: LimitRule, upstream: string, buckets: Buckets, cost: Float64Array) {
    this.options = options
    this.upstream = upstream
    this.buckets = buckets
    this.cost = cost
    this.keys = options.keys === undefined ? undefined : compileKeys(options.keys)
    this.patience = options.action === 'delay' ? options.maxDelay : 0
    this.bytes = options.unit === 'bytes'
    this.metered = this.bytes || options.replyUnit !== undefined
  }

  /** Tokens for a reply of so many bytes. */
  replyCost(bytes: number): number {
    return this.bytes ? bytes : Math.floor(bytes / (this.options.replyUnit ?? Number.POSITIVE_INFINITY))
  }

  /** The error for a request that may come again in `wait` milliseconds. */
  refusal(wait: number): string {
    return `RATELIMITED ${this.options.name}: ${this.options.rateText}; retry after ${Math.ceil(wait)} ms`
  }
}
