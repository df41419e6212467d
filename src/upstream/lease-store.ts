import { LEASE_SCRIPT } from './lease-script.ts'
import { ScriptsConnection, type ScriptsHost } from './scripts-connection.ts'

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
}

interface BucketGrant {
  readonly granted: number
  readonly left: number
}

/** The buckets that all processes share, in one upstream: see lease-script.ts. */
export class UpstreamLeases {
  private readonly connection: ScriptsConnection

  constructor(host: ScriptsHost) {
    this.connection = new ScriptsConnection(host, { lease: LEASE_SCRIPT })
  }

  /** One grant for each ask, in their order. Rejects as ScriptsConnection.run does, after at most a second. */
  async lease(asks: readonly BucketAsk[]): Promise<readonly BucketGrant[]> {
    const keys = asks.map(({ key }) => Buffer.from(PREFIX + key, 'latin1'))
    const args = asks.flatMap(({ rate, burst, want, back }) => [rate, burst, want, back].map(String))
    const reply = await this.connection.run('lease', keys, args)
    return readGrants(reply, asks.length)
  }

  stop(): void {
    this.connection.stop()
  }
}

function readGrants(reply: unknown, count: number): BucketGrant[] {
  if (!Array.isArray(reply) || reply.length !== 2 * count) throw new Error('the reply is not that of the lease script')
  const numbers = reply.map(Number)
  if (numbers.some(Number.isNaN)) throw new Error('the reply is not that of the lease script')
  return Array.from({ length: count }, (_, i) => ({ granted: numbers[2 * i], left: numbers[2 * i + 1] }))
}
