import type { ExchangeClient } from '../commands/exchange.ts'
import { type LaneHost, LaneSet } from './lane-set.ts'
import { Sharing } from './sharing.ts'

/** The lanes of one node, by what makes them interchangeable. */
export class LaneSets {
  private readonly host: LaneHost
  private readonly sets: LaneSet[] = []
  private shares: Sharing | undefined = undefined

  constructor(host: LaneHost) {
    this.host = host
  }

  /** The lanes for requests of this protocol and size class. */
  of(protocol: 2 | 3, bulk: boolean): LaneSet {
    const at = (protocol - 2) * 2 + (bulk ? 1 : 0)
    let set = this.sets[at]
    if (set === undefined) {
      set = new LaneSet({ protocol, identity: 'service', size: bulk ? 'bulk' : 'normal' }, this.host)
      this.sets[at] = set
    }
    return set
  }

  /** How tenants share them; undefined: first come, first served. */
  get sharing(): Sharing | undefined {
    const { fairness } = this.host.options
    if (this.shares === undefined && fairness.mode === 'on') this.shares = new Sharing(fairness)
    return this.shares
  }

  *all(): Iterable<LaneSet> {
    for (const set of this.sets) if (set !== undefined) yield set
  }

  /** What the turns were like, and what each tenant has waiting on each lane now; undefined: first come, first served. */
  fairness(nameOf: (tenant: number) => string) {
    const { sharing } = this
    if (sharing === undefined) return undefined
    const lanes = [...this.all()].flatMap(({ connections, key }) =>
      connections.map(({ queue }) => ({
        protocol: key.protocol,
        size: key.size,
        inFlight: queue.inFlight,
        waiting: [...queue.lengths().values()].map((length) => ({ ...length, tenant: nameOf(length.tenant) })),
      })),
    )
    const { waited, ...view } = sharing.view()
    return { ...view, waited: waited.map((most) => ({ ...most, tenant: nameOf(most.tenant) })), lanes }
  }

  /** Bytes held in front of all of them. */
  get heldBytes(): number {
    let sum = 0
    for (const { held } of this.all()) sum += held.bytes
    return sum
  }

  /** A lane of each, unless one is there or on its way. */
  open(): void {
    for (const set of this.all()) set.open()
  }

  /** The server is another one, and all lanes to the old one are closed. */
  renew(): void {
    for (const set of this.all()) set.renew()
  }

  release(): void {
    for (const set of this.all()) set.release()
  }

  expire(now: number): void {
    for (const set of this.all()) set.expire(now)
  }

  /** What is held counts as held since `now`. */
  heldFrom(now: number): void {
    for (const set of this.all()) set.held.restart(now)
  }

  overtaken(client: ExchangeClient): void {
    for (const set of this.all()) set.overtaken(client)
  }

  passOnRefusals(): void {
    for (const set of this.all()) set.passOnRefusals()
  }

  /** What they hold goes to those of another node. */
  surrender(to: LaneSets): void {
    for (const set of this.all()) to.of(set.key.protocol, set.key.size === 'bulk').adopt(set.surrender())
  }
}
