import type { DispatchClient } from './client/dispatch-client.ts'
import type { Gate, Gates } from './client/gates.ts'
import type { Tenant } from './session/tenant.ts'
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
  private readonly failingOver = new Set<Upstream>()

  constructor(host: OperatorHost) {
    this.host = host
  }

  async pause(target: Target, patience: number): Promise<string> {
    if (target !== 'everything' && 'tenant' in target) return this.pauseTenant(target.tenant, patience)
    const upstreams = this.upstreams(target)
    for (const { primary } of upstreams) primary.suspension.begin('paused', 'PROXY PAUSE')
    const drained = await until(() => upstreams.every(({ primary }) => primary.suspension.drained), patience)
    const what = nameOf(target)
    if (drained) return `paused ${what}: nothing is under way`
    const left = upstreams.reduce((sum, { primary }) => sum + primary.suspension.underWay, 0)
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
      if (this.failingOver.has(upstream)) throw this.busy(upstream)
      if (upstream.primary.suspension.since('paused') === undefined) continue
      any = true
      upstream.primary.suspension.end('paused', 'PROXY RESUME')
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
    if (this.failingOver.has(upstream)) throw this.busy(upstream)
    const { primary } = upstream
    const begun = performance.now()
    const left = () => Math.max(0, patience - (performance.now() - begun))
    this.failingOver.add(upstream)
    try {
      primary.suspension.begin('planned', 'PROXY FAILOVER')
      if (!(await until(() => primary.suspension.drained, left()))) {
        const { underWay } = primary.suspension
        throw new OperationFailed(
          `${underWay} writes are still not answered`,
          'try again when no long command runs, or give it more TIMEOUT',
        )
      }
      await this.synced(upstream, left)
      const { count, lossy } = primary.whereabouts.moves
      await this.ask(upstream)
      if (!(await until(() => primary.whereabouts.moves.count > count && primary.usable, Math.max(left(), 1000)))) {
        throw new OperationFailed('the new primary cannot be used yet', 'see the log; requests go on when it can')
      }
      const { address } = upstream.view()
      if (primary.whereabouts.moves.lossy > lossy) return `failed over to ${address}, BUT WRITES WERE LOST: see the log`
      return `failed over to ${address}: nothing was lost, writes waited ${Math.round(performance.now() - begun)} ms`
    } finally {
      this.failingOver.delete(upstream)
      primary.suspension.end('planned', 'the failover is over')
    }
  }

  private async ask({ topology }: Upstream): Promise<void> {
    try {
      await topology.failover()
    } catch (error) {
      const { message, cure } = error as Error & { cure?: string }
      throw new OperationFailed(message, cure ?? 'see the log, and SENTINEL CKQUORUM at a sentinel')
    }
  }

  /** Waits until every replica that is online has all that the primary has. */
  private async synced({ primary }: Upstream, left: () => number): Promise<void> {
    do {
      const state = await primary.probes.synced(Math.min(left(), 1000))
      if (state === 'all') return
      if (state === 'none') {
        throw new OperationFailed('the primary has no replica that is online', 'add one: REPLICAOF on another server')
      }
      await sleep(STEP)
    } while (left() > 0)
    throw new OperationFailed(
      'a replica lags behind',
      'wait until it has caught up (INFO replication), or give more TIMEOUT',
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
