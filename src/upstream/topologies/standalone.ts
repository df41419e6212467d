import { formatAddress } from '../address.ts'
import type { Address } from '../options.ts'
import type { Topology, TopologyView } from './topology.ts'

/**
 * One server behind one name. Where the name leads is looked up at every connect; what happens when it leads to another server,
 * as in a failover by DNS, is the node's business, since only a connection can tell which server that is.
 */
export class StandaloneTopology implements Topology {
  readonly primary: Address
  /** Its own INFO tells. */
  readonly replicas = undefined

  constructor(address: Address) {
    this.primary = address
  }

  start(): void {}
  stop(): void {}
  doubt(): void {}

  failover(): Promise<void> {
    const where = formatAddress(this.primary)
    return Promise.reject(
      new Error(`no Sentinel is configured for ${where}: have its replica promoted, Keyward follows the name`),
    )
  }

  view(): TopologyView {
    return { kind: 'standalone', sentinels: [] }
  }
}
