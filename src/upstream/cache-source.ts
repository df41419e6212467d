import { Exchange } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import type { ErrorCode } from '../errors.ts'
import type { Hearer } from './invalidations/hearer.ts'
import type { Node } from './node.ts'
import { OwnClient } from './own-client.ts'
import { RawKeys } from './raw-keys.ts'

/** Gets a whole reply and its RESP type byte, or undefined (and 0) when there was none; `late`: in time. */
type Done = (type: number, reply: Buffer | undefined, late: boolean) => void

/**
 * Fetches of one tenant in one protocol: exchanges like those of a client, on the shared lanes, that only read. Limit: whoever calls
 * has one (`cache.maxFetches`), and those that were given up count for the lane, as of any client.
 */
class Fetcher extends OwnClient {
  readonly gone = false
  private readonly node: Node
  private readonly protocol: 2 | 3
  /** What fails now fails within a call. */
  private scheduling = false

  constructor(node: Node, tenantIndex: number, protocol: 2 | 3) {
    super(tenantIndex)
    this.node = node
    this.protocol = protocol
  }

  /** `bulk`: its reply is expected to be big. */
  fetch(spec: CommandSpec, request: Buffer, bulk: boolean, done: Done): void {
    const { node, protocol } = this
    const x = new Exchange(this, spec, node.clock.now)
    x.setBytes(request)
    x.plain = false
    x.patience = node.options.timeouts.request
    x.note = done
    // Behind those before it, so that they are executed in their order.
    const follows =
      this.pending > 0 && this.via?.fits(protocol, bulk) === true ? this.via : node.lanesOf(protocol, bulk)
    this.pending++
    this.scheduling = true
    follows.schedule(x)
    this.scheduling = false
  }

  deliver(x: Exchange, type: number, buf: Buffer, start: number, end: number, stable: boolean): boolean {
    // One that came in pieces has been put together in bytes of its own.
    const own = stable && start === 0 && end === buf.length ? buf : Buffer.from(buf.subarray(start, end))
    ;(x.note as Done)(type, own, false)
    return true
  }

  fail(x: Exchange, code: ErrorCode): void {
    if (this.scheduling) setImmediate(x.note as Done, 0, undefined, false)
    else (x.note as Done)(0, undefined, code === 'UPSTREAMTIMEOUT')
  }
}

/** What the near cache needs of one upstream: what is behind keys, and whether that has changed since. */
export class UpstreamCacheSource {
  readonly feed: Hearer
  private readonly primary: Node
  /** By tenant and protocol. */
  private readonly fetchers: (Fetcher | undefined)[] = []
  private readonly keys = new RawKeys()
  /** Fetches that were not made. */
  private refused = 0

  constructor(primary: Node, feed: Hearer) {
    this.primary = primary
    this.feed = feed
  }

  /** Requests fail, or wait for a server that cannot be reached. */
  get down(): boolean {
    const { availability, usable } = this.primary
    return !usable || availability.breaker.opened
  }

  /** The server drops keys that are not used, and hears nothing of those that are used here. False, too, while it is not known. */
  get evicts(): boolean {
    const { limit, policy } = this.primary.probes.health.report?.memory ?? {}
    return limit !== undefined && policy !== undefined && /l[rf]u$/.test(policy)
  }

  /**
   * Sends a request for raw keys, whole, to the primary, as a client's would be: held while it is away, repeated when its connection
   * is lost. `done` is called once, never at once: with the reply, which nobody changes later, or undefined when there was none (`late`:
   * in time), or when writes to one of the keys would not be heard of; once Keyward stops, not at all. Those of one tenant and protocol that are made in one turn of the event loop go
   * out together, and are executed in their order.
   */
  fetch(tenantIndex: number, spec: CommandSpec, request: Buffer, protocol: 2 | 3, done: Done): void {
    if (this.primary.ended || !this.covered(spec, request)) {
      this.refused++
      setImmediate(done, 0, undefined, false)
      return
    }
    const fetcher = this.fetcher(tenantIndex, protocol)
    const { at } = this.keys
    const { bigKeys } = this.primary
    fetcher.fetch(spec, request, !bigKeys.empty && bigKeys.has(NONE, request, at[0], at[1]), done)
  }

  /** Are writes to all of its keys told of now? Leaves the keys in `this.keys`. */
  private covered(spec: CommandSpec, request: Buffer): boolean {
    const { feed, keys } = this
    if (feed.coverage === undefined || !keys.read(spec, request)) return false
    for (let i = 0; i < keys.count; i++) if (!feed.covers(request, keys.at[2 * i], keys.at[2 * i + 1])) return false
    return true
  }

  private fetcher(tenantIndex: number, protocol: 2 | 3): Fetcher {
    const at = 2 * tenantIndex + protocol - 2
    return (this.fetchers[at] ??= new Fetcher(this.primary, tenantIndex, protocol))
  }

  /** Fetches under way, and those that were not made: writes to their keys would not be heard of. */
  view() {
    let pending = 0
    for (const fetcher of this.fetchers) pending += fetcher?.pending ?? 0
    return { pending, refused: this.refused }
  }
}

const NONE = Buffer.alloc(0)
