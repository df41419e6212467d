import type { ExchangeClient } from '../commands/exchange.ts'
import { formatAddress } from './address.ts'
import type { Connection } from './connection.ts'
import { Control } from './control.ts'
import { healthReport } from './health-report.ts'
import { parseInfo } from './info.ts'
import { Node } from './node.ts'
import type { NodeEnv, NodeOwner } from './node-env.ts'
import type { Address, UpstreamOptions } from './options.ts'
import { ReplicaLag, type ReplicaPosition } from './replica-lag.ts'

/** Replicas that are read; more are left alone. */
const MOST = 16
/** Milliseconds between two looks at how far everybody is: a quarter of the lag that is allowed, within these bounds. */
const SOONEST = 50
const LATEST = 1000
/** Milliseconds without an answer after which a replica is left, and what it was asked goes to the primary. */
const SILENT = 1000
/** Milliseconds between two looks whether one is silent, at most. */
const GLANCE = 200

/** One replica that may be read, and its node's owner: nobody looks for another primary because of it. */
class Replica implements NodeOwner {
  readonly mustBe = 'slave'
  /** It keeps no request that it cannot execute. */
  readonly sendsElsewhere = true
  readonly address: string
  readonly node: Node
  position: ReplicaPosition
  /** run_id of the process that the position is of: another one may have older data. */
  runId = ''
  private readonly lag: ReplicaLag
  /** Clock time of the question that is not answered; undefined: none. */
  askedAt: number | undefined = undefined
  /** Reads sent here. */
  reads = 0

  constructor(address: Address, options: UpstreamOptions, env: NodeEnv, lag: ReplicaLag) {
    this.address = formatAddress(address)
    this.node = new Node({ ...options, name: `${options.name} (replica ${this.address})` }, address, env, this)
    this.lag = lag
    this.position = lag.join()
  }

  /** It was lost, or cannot answer now: nothing is read here before it has said anew how far it is. */
  doubt(): void {
    this.lag.leave(this.position)
    this.position = this.lag.join()
  }

  another(): void {}

  ended(): void {}

  leave(): void {
    this.lag.leave(this.position)
    this.node.stop()
  }

  /** Something was asked for SILENT milliseconds ago, and nothing has come since. `now`: clock time. */
  silent(now: number): boolean {
    for (const { kind, lastBytesAt, queue, ready } of this.node.connections()) {
      const { head } = queue
      if (!ready || kind === 'pin' || head === undefined || head.place === 'scheduled') continue
      if (now - Math.max(lastBytesAt, head.since) >= SILENT) return true
    }
    return false
  }
}

/**
 * The replicas of an upstream, for tenants with `replicas: {read: prefer}`. The primary and they are asked for their
 * replication offsets at short intervals. A client's reads go to the same replica as long as that is fresh enough and has the
 * client's own last write; else to the next, else to the primary.
 */
export class Replicas {
  private readonly primary: Node
  private readonly env: NodeEnv
  private readonly addresses: () => readonly Address[] | undefined
  private readonly lag = new ReplicaLag()
  private readonly control = new Control()
  private list: Replica[] = []
  private timer: NodeJS.Timeout | undefined
  private interval = 0
  /** Clock times of the newest look at how far everybody is, and whether everybody answers. */
  private lookedAt = Number.NEGATIVE_INFINITY
  private glancedAt = 0
  /** Clock time of the question to the primary that is not answered. */
  private askedAt: number | undefined = undefined

  /** `addresses`: where replicas are; undefined: the primary's own INFO tells. */
  constructor(primary: Node, env: NodeEnv, addresses: () => readonly Address[] | undefined) {
    this.primary = primary
    this.env = env
    this.addresses = addresses
  }

  /** Number of the newest look at the primary: all that was answered before is in the next one. */
  get newest(): number {
    return this.lag.newest
  }

  /** Replicas are read by somebody who allows them `maxLag` milliseconds, the least of all; undefined: by nobody. */
  readBy(maxLag: number | undefined): void {
    const interval = maxLag === undefined ? 0 : Math.min(LATEST, Math.max(SOONEST, maxLag / 4))
    if (interval === this.interval) return
    this.interval = interval
    clearInterval(this.timer)
    if (interval === 0) {
      this.follow([])
      return
    }
    this.timer = setInterval(() => this.glance(), Math.min(interval, GLANCE))
    this.timer.unref()
  }

  stop(): void {
    clearInterval(this.timer)
    this.follow([])
  }

  /**
   * A lane to a replica that lags by at most `maxLag` milliseconds and has all that was answered when `sample` was the newest look;
   * undefined: none. `seed`: the same for each client, so that its reads stay together.
   */
  choose(
    client: ExchangeClient,
    protocol: 2 | 3,
    sample: number,
    maxLag: number,
    seed: number,
  ): Connection | undefined {
    const { list, lag } = this
    const { now } = this.env.clock
    // A pause of the upstream is one of all its servers: where it waits for the primary, it waits.
    if (this.primary.suspension.level === 'everything') return undefined
    for (let i = 0; i < list.length; i++) {
      const replica = list[(seed + i) % list.length]
      const { position } = replica
      if (lag.lag(position, now) > maxLag || !lag.covers(position, sample)) continue
      const lane = replica.node.lanesOf(protocol, false).lane(client)
      if (lane === undefined || lane.runId !== replica.runId) continue
      replica.reads++
      return lane
    }
    return undefined
  }

  /** The primary is another server: offsets of before prove nothing. */
  reset(): void {
    this.lag.reset()
    this.askedAt = undefined
  }

  private glance(): void {
    const now = this.env.clock.tick()
    // Had this process been held up, their answers might be there, and not be read yet.
    if (now - this.glancedAt < SILENT / 2) {
      for (const replica of this.list) {
        if (!replica.silent(now)) continue
        // It hangs. What it was asked is only read: the primary answers it.
        replica.askedAt = undefined
        replica.doubt()
        replica.node.whereabouts.leave('the replica is silent')
      }
    }
    this.glancedAt = now
    // Timers may be early by a part of a millisecond.
    if (now - this.lookedAt < this.interval - 1) return
    this.lookedAt = now
    this.lookAtPrimary(now)
    for (const replica of this.list) this.lookAt(replica, now)
  }

  private lookAtPrimary(now: number): void {
    const lane = this.primary.witness()
    if (lane === undefined || (this.askedAt !== undefined && now - this.askedAt < SILENT)) return
    this.askedAt = now
    const sample = this.lag.begin(now)
    this.control.ask(lane, ['INFO', 'replication'], now, this.primary.requestTime, (reply) => {
      if (this.askedAt === now) this.askedAt = undefined
      // Nobody answered, so nothing is known that was not known before.
      if (reply === undefined) return
      const { role, offset, id, replicas } = read(reply)
      this.lag.end(sample, role === 'master' ? offset : undefined, id)
      const told = this.addresses() ?? replicas.map(({ address }) => parse(address))
      if (role === 'master' && this.interval > 0) this.follow(told)
    })
  }

  private lookAt(replica: Replica, now: number): void {
    const { node } = replica
    const lane = node.witness()
    // Of one that is lost, nothing is known: it may come back with older data than it had.
    if (lane === undefined || lane.runId !== replica.runId) replica.doubt()
    if (lane === undefined || replica.askedAt !== undefined) return
    replica.runId = lane.runId
    replica.askedAt = now
    const { position } = replica
    this.control.ask(lane, ['INFO', 'replication'], now, node.requestTime, (reply) => {
      if (replica.askedAt === now) replica.askedAt = undefined
      // Asked before it was doubted: it says nothing of what is there now.
      if (replica.position !== position) return
      const { role, offset, id } = read(reply)
      this.lag.reported(position, role === 'slave' ? offset : undefined, id)
    })
  }

  /** Connects to those of `addresses` that are new, and leaves those that are gone. */
  private follow(addresses: readonly Address[]): void {
    const wanted = new Map(addresses.slice(0, MOST).map((address) => [formatAddress(address), address]))
    for (const replica of this.list) {
      if (wanted.delete(replica.address)) continue
      replica.leave()
      this.list = this.list.filter((one) => one !== replica)
    }
    for (const address of wanted.values()) {
      const replica = new Replica(address, this.primary.options, this.env, this.lag)
      this.list.push(replica)
      replica.node.start()
    }
  }

  /** Milliseconds of lag, Infinity where it is not known. */
  view() {
    const { now } = this.env.clock
    return this.list.map(({ address, node, position, reads }) => ({
      address,
      usable: node.usable,
      lag: this.lag.lag(position, now),
      offset: position.offset,
      reads,
      node: node.view(),
    }))
  }
}

/** `host:port`, as INFO writes it: without brackets around IPv6. */
function parse(address: string): Address {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

function read(reply: string | undefined) {
  const text = reply === undefined || reply.startsWith('-') ? '' : reply
  return healthReport(parseInfo(Buffer.from(text, 'latin1')), 0, 0).replication
}
