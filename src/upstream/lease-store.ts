import { LEASE_SCRIPT } from './lease-script.ts'
import { OperatorConnection, type OperatorHost } from './operator-connection.ts'
import type { FactsLog } from './server-facts.ts'

/** In front of the keys of all buckets: no tenant has a prefix that reaches it. */
const PREFIX = 'keyward:limit:'

/** A bucket for which tokens are wanted or given back; the policy that does so says more. */
interface BucketAsk {
  /** As latin1 text. */
  readonly key: string
  readonly rate: number
  readonly burst: number
  readonly want: number
  readonly back: number
  readonly most: number
}

interface BucketGrant {
  readonly granted: number
  readonly left: number
}

export interface LeaseHost extends OperatorHost {
  /** Of the upstream. */
  readonly name: string
  readonly log: FactsLog
}

/** Milliseconds after saying that calls fail before it is said again. */
const SAY_AGAIN = 60_000

/** The buckets that all processes share, in one upstream: see lease-script.ts. */
export class UpstreamLeases {
  private readonly host: LeaseHost
  private readonly connection: OperatorConnection
  private failing = false
  /** What was said of the failure, until it is over. */
  private said = false
  private saidAt = Number.NEGATIVE_INFINITY
  private stopped = false

  constructor(host: LeaseHost) {
    this.host = host
    this.connection = new OperatorConnection(host, { lease: LEASE_SCRIPT })
  }

  /** One grant for each ask, in their order. Rejects as OperatorConnection.run does, after at most a second. */
  async lease(asks: readonly BucketAsk[]): Promise<readonly BucketGrant[]> {
    const keys = asks.map(({ key }) => Buffer.from(PREFIX + key, 'latin1'))
    const args = asks.flatMap(({ rate, burst, want, back, most }) => [rate, burst, want, back, most].map(String))
    try {
      const grants = readGrants(await this.connection.run('lease', keys, args), asks.length)
      this.succeeded()
      return grants
    } catch (error) {
      this.failed(error as Error)
      throw error
    }
  }

  stop(): void {
    this.stopped = true
    this.connection.stop()
  }

  private failed({ message }: Error): void {
    const before = this.failing
    this.failing = true
    const now = performance.now()
    if (before || this.stopped || now - this.saidAt < SAY_AGAIN) return
    this.said = true
    this.saidAt = now
    const { log, name } = this.host
    const cure = NO_RIGHTS.test(message)
      ? ': allow it with ACL SETUSER … +eval +evalsha +get +set +time ~keyward:*'
      : ''
    log.warn({ upstream: name, error: message }, `global rate limits get no tokens, onError decides${cure}`)
  }

  private succeeded(): void {
    this.failing = false
    if (!this.said) return
    this.said = false
    this.host.log.info({ upstream: this.host.name }, 'global rate limits get tokens again')
  }
}

/** Redis' words when a user may not run a command, of a script or alone, or not touch a key. */
const NO_RIGHTS = /NOPERM|can't run this command|can't access at least one of the keys|ACL failure/

function readGrants(reply: unknown, count: number): BucketGrant[] {
  if (!Array.isArray(reply) || reply.length !== 2 * count) throw new Error('the reply is not that of the lease script')
  const numbers = reply.map(Number)
  if (numbers.some(Number.isNaN)) throw new Error('the reply is not that of the lease script')
  return Array.from({ length: count }, (_, i) => ({ granted: numbers[2 * i], left: numbers[2 * i + 1] }))
}
