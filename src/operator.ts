import type { DispatchClient } from './client/dispatch-client.ts'
import type { Gate, Gates } from './client/gates.ts'
import type { Tenant } from './session/tenant.ts'
import { formatAddress } from './upstream/address.ts'
import type { Upstream } from './upstream/upstream.ts'

/** Says what is wrong and what to do about it; shown as it is. */
export class OperationFailed extends Error {
  readonly cure: string

  constructor(what: string, cure: string) {
    super(what)
    this.cure = cure
  }
}

/** What an operator works on; proxy.ts fills it. */
export interface OperatorHost {
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly config: { readonly tenants: ReadonlyMap<string, Tenant> }
  readonly gates: Gates
  indexOf(tenant: Tenant): number
  /** Requests of this tenant's clients, but for one, are on their way upstream; those that block do not count. */
  underWay(tenantIndex: number, but: DispatchClient | undefined): boolean
}

/** Whose requests are meant: one tenant's, those of one upstream, or everybody's. */
export type Target = { readonly tenant: string } | { readonly upstream: string } | 'everything'

/** Milliseconds between two looks at whether something has come about. */
const STEP = 5

/** Planned work: pause, resume, reconnect, failover. Each says what was done, or throws OperationFailed. */
export class Operator {
  private readonly host: OperatorHost
  /** Gates of paused tenants, by name. */
  private readonly paused = new Map<string, Gate>()
  /** By name. */
  private readonly failingOver = new Set<string>()

  constructor(host: OperatorHost) {
    this.host = host
  }

  async pause(target: Target, patience: number): Promise<string> {
    if (target !== 'everything' && 'tenant' in target) return this.pauseTenant(target.tenant, patience)
    const all = this.upstreams(target).flatMap(({ line }) => line.map(({ primary }) => primary.suspension))
    for (const suspension of all) suspension.begin('paused', 'PROXY PAUSE')
    const resumed = () => all.some((suspension) => suspension.since('paused') === undefined)
    const drained = await until(() => all.every((suspension) => suspension.drained) || resumed(), patience)
    const what = nameOf(target)
    if (resumed()) return `paused ${what}, and resumed before all requests were answered`
    if (drained) return `paused ${what}: nothing is under way`
    const left = all.reduce((sum, { underWay }) => sum + underWay, 0)
    return `paused ${what}; ${left} requests sent before are still not answered`
  }

  private async pauseTenant(name: string, patience: number): Promise<string> {
    const tenant = this.tenant(name)
    const tenantIndex = this.host.indexOf(tenant)
    if (!this.paused.has(name)) {
      const gate: Gate = {
        why: 'pause',
        tenantIndex,
        prefix: EVERY_KEY,
        writesOnly: false,
        owner: undefined,
        most: Number.POSITIVE_INFINITY,
      }
      this.paused.set(name, gate)
      this.host.gates.close(gate, Number.POSITIVE_INFINITY)
    }
    const drained = await until(() => !this.host.underWay(tenantIndex, undefined), patience)
    if (drained) return `paused tenant ${name}: nothing is under way`
    return `paused tenant ${name}; some requests sent before are still not answered`
  }

  async resume(target: Target): Promise<string> {
    if (target !== 'everything' && 'tenant' in target) {
      this.tenant(target.tenant)
      const had = this.resumeTenant(target.tenant)
      return had ? `resumed tenant ${target.tenant}` : `tenant ${target.tenant} was not paused`
    }
    const upstreams = this.upstreams(target)
    let any = false
    for (const upstream of upstreams) {
      if (this.failingOver.has(upstream.options.name)) throw this.busy(upstream)
      for (const { primary } of upstream.line) {
        if (primary.suspension.since('paused') === undefined) continue
        any = true
        primary.suspension.end('paused', 'PROXY RESUME')
      }
    }
    if (target === 'everything') for (const name of [...this.paused.keys()]) any = this.resumeTenant(name) || any
    return any ? `resumed ${nameOf(target)}` : `${nameOf(target)} was not paused`
  }

  /** Names of paused tenants. */
  get pausedTenants(): readonly string[] {
    return [...this.paused.keys()]
  }

  private resumeTenant(name: string): boolean {
    const gate = this.paused.get(name)
    if (gate === undefined) return false
    this.paused.delete(name)
    this.host.gates.open(gate)
    return true
  }

  async reconnect(upstream: string | undefined): Promise<string> {
    const upstreams = this.upstreams(upstream === undefined ? 'everything' : { upstream })
    for (const { primary } of upstreams) primary.renew()
    const names = upstreams.map(({ options }) => options.name).join(', ')
    return `reconnecting ${names}: new connections take over, old ones end what they have`
  }

  async failover(name: string | undefined, patience: number): Promise<string> {
    const upstream = this.sentinelUpstream(name)
    const { options, primary } = upstream
    if (this.failingOver.has(options.name)) throw this.busy(upstream)
    this.failingOver.add(options.name)
    const begun = performance.now()
    const left = () => Math.max(0, patience - (performance.now() - begun))
    // Writes that wait for longer than hold.time are refused, and the failover itself needs a part of that.
    const ready = begun + Math.min(patience, options.hold.time / 2)
    try {
      for (const one of upstream.line) one.primary.suspension.begin('planned', 'PROXY FAILOVER')
      await this.drained(upstream, ready)
      await this.synced(upstream, ready)
      const { moves } = primary.whereabouts
      const { count, lossy, unproven } = moves
      await this.ask(upstream)
      if (!(await until(() => moves.count > count && primary.usable, Math.max(left(), 1000)))) {
        throw new OperationFailed('the new primary cannot be used yet', 'see the log; requests go on when it can')
      }
      const { address } = primary.whereabouts
      const at = address === undefined ? 'a server that is gone again' : formatAddress(address)
      if (moves.lossy > lossy) return `failed over to ${at}, BUT WRITES WERE LOST: see the log`
      if (moves.unproven > unproven) return `failed over to ${at}; whether it has everything is not known: see the log`
      return `failed over to ${at}: nothing was lost, writes waited ${Math.round(performance.now() - begun)} ms`
    } finally {
      this.failingOver.delete(options.name)
      // A reload may have put another in its place.
      for (const one of [upstream, ...(this.host.upstreams.get(options.name)?.line ?? [])]) {
        one.primary.suspension.end('planned', 'the failover is over')
      }
    }
  }

  private async drained({ line }: Upstream, deadline: number): Promise<void> {
    const all = line.map(({ primary }) => primary.suspension)
    if (await until(() => all.every((suspension) => suspension.drained), deadline - performance.now())) return
    const underWay = all.reduce((sum, suspension) => sum + suspension.underWay, 0)
    throw new OperationFailed(
      `${underWay} writes are still not answered`,
      'try again when no long command runs; half of hold.time is the most that is waited for this',
    )
  }

  private async ask({ topology }: Upstream): Promise<void> {
    try {
      await topology.failover()
    } catch (error) {
      const { message, cure } = error as Error & { cure?: string }
      throw new OperationFailed(message, cure ?? 'see the log, and SENTINEL CKQUORUM at a sentinel')
    }
  }

  /** Waits until every replica that may be chosen has all that the primary has. */
  private async synced({ primary }: Upstream, deadline: number): Promise<void> {
    do {
      const state = await primary.probes.synced(Math.max(1, Math.min(deadline - performance.now(), 1000)))
      if (state === 'all') return
      if (state === 'none') {
        throw new OperationFailed(
          'the primary has no replica that is online and answers',
          'add one: REPLICAOF on another server',
        )
      }
      await sleep(STEP)
    } while (performance.now() < deadline)
    throw new OperationFailed(
      'a replica lags behind',
      'wait until it has caught up (INFO replication); half of hold.time is the most that is waited for this',
    )
  }

  private busy(upstream: Upstream): OperationFailed {
    return new OperationFailed(`a failover of ${upstream.options.name} is under way`, 'wait for its end')
  }

  private tenant(name: string): Tenant {
    const tenant = this.host.config.tenants.get(name)
    if (tenant === undefined)
      throw new OperationFailed(`there is no tenant ${name}`, 'see `PROXY STATUS` for the names')
    return tenant
  }

  private upstreams(target: { readonly upstream: string } | 'everything'): Upstream[] {
    if (target === 'everything') return [...this.host.upstreams.values()]
    const upstream = this.host.upstreams.get(target.upstream)
    if (upstream !== undefined) return [upstream]
    throw new OperationFailed(`there is no upstream ${target.upstream}`, 'see `PROXY STATUS` for the names')
  }

  private sentinelUpstream(name: string | undefined): Upstream {
    const all = this.upstreams(name === undefined ? 'everything' : { upstream: name })
    const found = all.filter(({ options }) => options.sentinel !== undefined)
    if (found.length === 1) return found[0]
    if (found.length > 1) throw new OperationFailed('there are several upstreams with Sentinel', 'say which one')
    throw new OperationFailed(
      name === undefined ? 'no upstream is found by Sentinel' : `upstream ${name} is not found by Sentinel`,
      'a standalone server is failed over by whoever runs it; Keyward follows its name',
    )
  }
}

function nameOf(target: { readonly upstream: string } | 'everything'): string {
  return target === 'everything' ? 'everything' : `upstream ${target.upstream}`
}

/** Whether it came about in so many milliseconds. */
async function until(condition: () => boolean, patience: number): Promise<boolean> {
  const deadline = performance.now() + patience
  while (!condition()) {
    if (performance.now() >= deadline) return false
    await sleep(STEP)
  }
  return true
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

const EVERY_KEY = Buffer.alloc(0)
