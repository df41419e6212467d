import {
  BY_EVENT,
  BY_KEY,
  formsOf,
  lackingEvents,
  readEventFlags,
  showEventFlags,
} from '../../keyspace/notifications.ts'
import type { Node } from '../../upstream/node.ts'

const BOTH = BY_KEY | BY_EVENT

/**
 * `notify-keyspace-events` of each tenant: what CONFIG SET said to this process, or else the server's own setting. It
 * only filters: the server sends what its own setting says. Limit: one entry for each tenant.
 */
export class EventSettings {
  private readonly own = new Map<string, number>()
  /** The server's setting that was read last. */
  private lastText = ''
  private lastFlags = 0

  /** What the tenant is told that it is, in Redis' letters. */
  show(tenant: string, node: Node): string {
    const own = this.own.get(tenant)
    return own === undefined ? (node.facts.events ?? '') : showEventFlags(own)
  }

  /** False: a letter of `text` is wrong. */
  set(tenant: string, text: string, node: Node): boolean {
    const flags = readEventFlags(text)
    if (flags === undefined) return false
    this.own.set(tenant, flags)
    this.check(flags, node)
    return true
  }

  /** In which forms the tenant gets this event: BY_KEY, BY_EVENT, both or 0. */
  formsOf(tenant: string, node: Node, event: string): number {
    const own = this.own.get(tenant)
    if (own !== undefined) return formsOf(event, own)
    // Of what class it is, the server has looked at. That it sends anything when we think that it does not: the operator
    // has changed its setting since.
    const forms = this.ofServer(node) & BOTH
    return forms === 0 ? BOTH : forms
  }

  /** The operator is told when what this tenant listens to will not come. */
  checkUpstream(tenant: string, node: Node): void {
    this.check(this.own.get(tenant) ?? this.ofServer(node), node)
  }

  private check(wanted: number, node: Node): void {
    if (node.facts.events === undefined) return
    const lacking = lackingEvents(wanted, this.ofServer(node))
    if (lacking !== '') node.facts.lacksEvents(lacking)
  }

  private ofServer(node: Node): number {
    const text = node.facts.events
    if (text === undefined) return BOTH
    if (text !== this.lastText) {
      // Redis 7.0 shows no `n` beside an `A`, so it may be there.
      this.lastFlags = readEventFlags(text.includes('A') ? `${text}n` : text) ?? BOTH
      this.lastText = text
    }
    return this.lastFlags
  }
}
