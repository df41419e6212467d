import type { Via } from '../commands/exchange.ts'
import type { Connection } from '../upstream/connection.ts'
import type { Node } from '../upstream/node.ts'
import type { RouterClient } from './router-client.ts'

/** Which replica answers the reads of one client, if any may. */
export class ReplicaWay {
  private readonly client: RouterClient
  /** The replica's lane that it read from last. */
  private last: Via | undefined = undefined
  /** The newest look at the primary when its last write had been answered; see upstream/replicas.ts. */
  private sample = 0
  /** Which replica it prefers. */
  private readonly seed = nextSeed++

  constructor(client: RouterClient) {
    this.client = client
  }

  /** A lane of the replica that it read from last? */
  leadsTo(via: Via): boolean {
    return via === this.last
  }

  /** Where a read may go when everything of this client is answered; undefined: to the primary. */
  choose({ replicas }: Node): Connection | undefined {
    const { client } = this
    if (replicas === undefined) return undefined
    if (client.unseen) {
      client.unseen = false
      this.sample = replicas.newest
    }
    this.last = replicas.choose(client, client.protocol, this.sample, client.maxLag, this.seed)
    return this.last as Connection | undefined
  }
}

let nextSeed = 0
