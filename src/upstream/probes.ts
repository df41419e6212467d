import type { Breaker } from './breaker.ts'
import type { Connection } from './connection.ts'
import type { Control } from './control.ts'
import { Health } from './health.ts'
import { healthReport } from './health-report.ts'
import { parseInfo } from './info.ts'
import type { UpstreamOptions } from './options.ts'
import type { ServerFacts } from './server-facts.ts'
import { askSynced, type Synced } from './synced.ts'

/** What probes ask of their node. */
export interface ProbesHost {
  readonly options: UpstreamOptions
  readonly facts: ServerFacts
  /** Learns what INFO says of the server. `at`: clock time at which it was asked. */
  readonly whereabouts: { probed(info: ReadonlyMap<string, string>, at: number): void }
  now(): number
  /** A ready lane: probes go where requests go. */
  witness(): Connection | undefined
}

/** Probes that may fail before the server counts as ill. */
const PATIENCE = 3

/** Asks the server for PING and INFO every `health.interval`, on a lane; its outcomes feed the breaker, and open it again. */
export class Probes {
  readonly health: Health
  private readonly host: ProbesHost
  private readonly control: Control
  private readonly breaker: Breaker
  private askedAt = Number.NEGATIVE_INFINITY
  private waiting = false

  constructor(host: ProbesHost, control: Control, breaker: Breaker) {
    this.host = host
    this.control = control
    this.breaker = breaker
    const { health, timeouts } = host.options
    this.health = new Health(PATIENCE * health.interval + timeouts.request)
  }

  /** Called ten times a second. `now`: clock time. */
  tick(now: number): void {
    if (this.waiting || now - this.askedAt < this.host.options.health.interval) return
    const lane = this.host.witness()
    if (lane === undefined) {
      this.askedAt = now
      this.health.failed('not connected')
      return
    }
    if (!this.breaker.takeProbe()) return
    this.askedAt = now
    this.waiting = true
    const { request } = this.host.options.timeouts
    let ping = 0
    this.control.ask(lane, ['PING'], now, request, () => {
      ping = this.host.now() - now
    })
    this.control.ask(lane, ['INFO'], now, request, (reply) => {
      this.waiting = false
      this.answered(reply, now, ping)
    })
    this.askForExpiry(lane, now)
  }

  private askForExpiry(lane: Connection, now: number): void {
    const { facts, options } = this.host
    const question = facts.expiry.due ? facts.expiry.question(facts.knowsExpireNx) : undefined
    if (question === undefined) return
    this.control.ask(lane, question, now, options.timeouts.request, (reply) => {
      if (reply !== undefined) facts.learnedExpiry(reply)
    })
  }

  private answered(reply: string | undefined, at: number, ping: number): void {
    const { request } = this.host.options.timeouts
    if (reply === undefined) {
      // Its connection may have been lost, which says nothing of the server; or its time was up.
      this.health.failed('no answer')
      if (this.host.now() - at > request) this.breaker.failed()
    } else if (reply.startsWith('-')) {
      // INFO may be closed to us; the server is there.
      this.health.failed(reply.slice(1).trimEnd())
      this.breaker.succeeded()
    } else {
      const info = parseInfo(Buffer.from(reply, 'latin1'))
      this.health.succeeded(healthReport(info, ping, at))
      this.breaker.succeeded()
      this.host.whereabouts.probed(info, at)
    }
  }

  /** Whether every replica that is online has all that this server has executed, within `patience` milliseconds. */
  synced(patience: number): Promise<Synced> {
    const { host, control } = this
    const lane = host.witness()
    if (lane === undefined) return Promise.resolve('unknown')
    const { request } = host.options.timeouts
    return askSynced(
      (args) => new Promise((resolve) => control.ask(lane, args, host.now(), request, resolve)),
      patience,
    )
  }

  /** It is another server from now on. */
  reset(): void {
    this.health.reset()
    this.askedAt = Number.NEGATIVE_INFINITY
  }
}
