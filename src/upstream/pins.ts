import type { ExchangeClient } from '../commands/exchange.ts'
import { Backoff } from '../lib/backoff.ts'
import type { Tenant } from '../session/tenant.ts'
import type { Connection } from './connection.ts'
import type { PinOptions } from './options.ts'
import type { Refusals } from './refusals.ts'

/** Blocked and transactional clients have separate caps, so that a producer never waits behind consumers (s29). */
export type PinUse = 'blocked' | 'transaction'

export interface PinHost {
  readonly pins: PinOptions
  readonly holdTime: number
  readonly open: boolean
  /** Writes have to wait, and so has what may lead to one. */
  readonly writesWait: boolean
  /** Nothing is worth waiting for. */
  readonly failsFast: boolean
  readonly refusals: Refusals
  now(): number
  /** `as`: of that tenant's user. Its end is told by Pins.closed(), also when it does not come about. */
  dialPin(protocol: 2 | 3, as: Tenant | undefined): void
  heldSince(receivedAt: number): number
  later(delay: number, fn: () => void): void
}

interface Waiter {
  readonly client: ExchangeClient
  readonly use: PinUse
  readonly protocol: 2 | 3
  readonly as: Tenant | undefined
  since: number
}

/** What makes pins interchangeable. */
function kindOf(protocol: 2 | 3, as: string | undefined): string {
  return as === undefined ? `${protocol}` : `${protocol} ${as}`
}

/**
 * Dedicated connections, lent to one client at a time. Given back only when provably clean (no MULTI, no WATCH, no
 * reply outstanding), else closed. Limits: `pins.max` of each use, `pins.perTenant` of each use for one tenant; waiters
 * are as many as clients, each for at most hold.time.
 */
export class Pins {
  private readonly host: PinHost
  private readonly idle: Connection[] = []
  private readonly uses = new Map<Connection, { readonly use: PinUse; readonly tenant: number }>()
  private readonly counts = { blocked: new Counts(), transaction: new Counts() }
  private waiters: Waiter[] = []
  /** How many are on their way, by kind. */
  private readonly opening = new Map<string, number>()
  private readonly backoff = new Backoff(50, 2000)

  constructor(host: PinHost) {
    this.host = host
  }

  view(): { idle: number; blocked: number; transaction: number; waiting: number; opening: number; oldest: number } {
    return {
      idle: this.idle.length,
      blocked: this.counts.blocked.total,
      transaction: this.counts.transaction.total,
      waiting: this.waiters.length,
      opening: [...this.opening.values()].reduce((sum, count) => sum + count, 0),
      oldest: this.waiters.length === 0 ? 0 : this.host.now() - this.waiters[0].since,
    }
  }

  /** All open pins, lent or idle. */
  *all(): Iterable<Connection> {
    yield* this.idle
    yield* this.uses.keys()
  }

  /**
   * Asks for a pin. `client.pinReady` or `pinRefused` is called, at once or later. Over the cap a blocking command is
   * refused at once (Redis' own words for it), a transaction waits for one to be given back. `receivedAt`: of the request
   * that needs it, clock time. `as`: it has to be one of that tenant's user.
   */
  ask(use: PinUse, client: ExchangeClient, protocol: 2 | 3, receivedAt: number, as?: Tenant): void {
    const full = this.full(use, client.tenantIndex)
    if (full && use === 'blocked') {
      client.pinRefused('MAXCLIENTS')
      return
    }
    if (this.host.failsFast) {
      this.host.refusals.breaker++
      client.pinRefused('UPSTREAMDOWN')
      return
    }
    this.waiters.push({ client, use, protocol, as, since: this.host.heldSince(receivedAt) })
    this.serve()
  }

  private full(use: PinUse, tenant: number): boolean {
    const counts = this.counts[use]
    return counts.total >= this.host.pins.max || counts.of(tenant) >= this.host.pins.perTenant
  }

  /** Gives idle pins to waiters and opens what is missing. */
  serve(): void {
    if (!this.host.open || this.host.writesWait) return
    const short = new Map<string, { count: number; readonly waiter: Waiter }>()
    const left: Waiter[] = []
    const served = this.waiters
    this.waiters = []
    for (const waiter of served) {
      if (waiter.client.gone) continue
      if (this.full(waiter.use, waiter.client.tenantIndex)) {
        left.push(waiter)
        continue
      }
      const { as, protocol } = waiter
      const at = this.idle.findLastIndex((pin) => pin.protocol === protocol && pin.as === as?.name)
      if (at < 0) {
        left.push(waiter)
        const kind = kindOf(protocol, as?.name)
        const missing = short.get(kind)
        if (missing === undefined) short.set(kind, { count: 1, waiter })
        else missing.count++
        continue
      }
      const pin = this.idle.splice(at, 1)[0]
      this.uses.set(pin, { use: waiter.use, tenant: waiter.client.tenantIndex })
      this.counts[waiter.use].add(waiter.client.tenantIndex, 1)
      pin.holder = waiter.client
      waiter.client.pinReady(pin)
    }
    this.waiters = left.concat(this.waiters)
    for (const [kind, { count, waiter }] of short) {
      for (let opening = this.opening.get(kind) ?? 0; opening < count; opening++) {
        this.opening.set(kind, opening + 1)
        this.host.dialPin(waiter.protocol, waiter.as)
      }
    }
  }

  private opened(protocol: 2 | 3, as: string | undefined): void {
    const kind = kindOf(protocol, as)
    const left = (this.opening.get(kind) ?? 0) - 1
    if (left > 0) this.opening.set(kind, left)
    else this.opening.delete(kind)
  }

  /** A pin that was asked for is connected. */
  ready(pin: Connection): void {
    this.opened(pin.protocol, pin.as)
    this.backoff.reset()
    this.idle.push(pin)
    this.serve()
    // The one who wanted it may have left meanwhile.
    this.coolDown()
  }

  /** `pin` goes back; `clean`: its replies proved that it holds no state of the client. A retired one is closed. */
  release(pin: Connection, clean: boolean): void {
    if (!this.forget(pin)) return
    // An UNBLOCK that is still on its way to the server would meet whatever blocks here next.
    const quiet = pin.queue.length === 0 && pin.interruption.underWay === 0
    const warm = clean && pin.ready && !pin.retired && quiet
    if (warm) this.idle.push(pin)
    else pin.close('the pin was given back')
    this.serve()
    this.coolDown()
  }

  /** Closes those that have rested for longest: a tenant that has not used its own for a while does not keep others' out. */
  private coolDown(): void {
    while (this.idle.length > this.host.pins.warm) this.idle.shift()?.close('nobody needs the pin any more')
  }

  /** Takes a lent pin out of the books; false when it was not lent. */
  private forget(pin: Connection): boolean {
    const lent = this.uses.get(pin)
    if (lent === undefined) return false
    this.uses.delete(pin)
    this.counts[lent.use].add(lent.tenant, -1)
    pin.holder = undefined
    return true
  }

  /** A pin was closed. */
  closed(pin: Connection, wasReady: boolean): void {
    const at = this.idle.indexOf(pin)
    if (at >= 0) this.idle.splice(at, 1)
    this.forget(pin)
    if (wasReady) this.serve()
    else this.failed(pin.protocol, pin.as)
  }

  /** One that was asked for did not come about. */
  failed(protocol: 2 | 3, as: string | undefined): void {
    this.host.later(this.backoff.next(), () => {
      this.opened(protocol, as)
      this.serve()
    })
  }

  /** Its node retires: those that wait ask elsewhere. */
  surrender(): void {
    for (const { client } of this.waiters.splice(0)) client.pinMoved()
  }

  /** The server is in doubt: the next pin is a new connection. */
  closeIdle(): void {
    for (const pin of this.idle.splice(0)) pin.close('the server is in doubt')
  }

  /** All who wait count as waiting since `now`. */
  waitFrom(now: number): void {
    for (const waiter of this.waiters) waiter.since = now
  }

  expire(now: number): void {
    const late = this.waiters.filter((waiter) => now - waiter.since >= this.host.holdTime || waiter.client.gone)
    if (late.length === 0) return
    this.waiters = this.waiters.filter((waiter) => !late.includes(waiter))
    for (const { client } of late) {
      if (client.gone) continue
      this.host.refusals.time++
      client.pinRefused('UPSTREAMDOWN')
    }
  }
}

class Counts {
  total = 0
  private readonly byTenant = new Map<number, number>()

  of(tenant: number): number {
    return this.byTenant.get(tenant) ?? 0
  }

  add(tenant: number, by: 1 | -1): void {
    this.total += by
    const count = this.of(tenant) + by
    if (count === 0) this.byTenant.delete(tenant)
    else this.byTenant.set(tenant, count)
  }
}
