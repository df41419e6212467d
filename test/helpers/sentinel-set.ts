import { type DataServer, startDataServer } from './data-server.ts'
import { type ConfigObject, configFor } from './keyward.ts'
import type { Network } from './network.ts'
import type { RedisOptions } from './redis.ts'
import { type Monitored, Sentinel, type SentinelStart } from './sentinel.ts'
import { unsettled } from './unsettled.ts'

export type { DataServer } from './data-server.ts'

export interface SentinelSetOptions {
  /** Default 2. */
  readonly replicas?: number
  /** Default 3. */
  readonly sentinels?: number
  /** Default: more than half of the sentinels. */
  readonly quorum?: number
  /** `requirepass` and `masterauth` of the servers. */
  readonly password?: string
  /** `requirepass` of the sentinels. */
  readonly sentinelPassword?: string
  /** For servers and sentinels. */
  readonly tls?: RedisOptions['tls']
  /** `down-after-milliseconds`; default 1000. */
  readonly downAfter?: number
  /** `failover-timeout` in milliseconds; default 3000. A failed election is repeated after twice this time. */
  readonly failoverTimeout?: number
  /**
   * Sentinels look and publish more often than they do in the field, where the server can be told to (Redis 7): an old
   * primary is made a replica a second after the switch instead of ten. Default true.
   */
  readonly fast?: boolean
  /** Every server and sentinel is behind a fault proxy, and everybody knows it by its proxy's port. */
  readonly proxied?: boolean
  /** Every server is on a machine of its own in this network; sentinels, tests and Keyward are on this one. */
  readonly network?: Network
  /** Further lines for the servers' configuration. */
  readonly server?: readonly string[]
  /** Further lines for the sentinels' configuration. */
  readonly sentinel?: readonly string[]
}

/** All names are this one's. */
const MASTER = 'mymaster'
/** Milliseconds that anything here may take. */
const PATIENCE = 60_000
/**
 * SENTINEL DEBUG's names, and milliseconds of Redis 7, in the field and fast. A sentinel that was stopped does nothing
 * for a TILT-PERIOD. Not PING-PERIOD: replicas that were silent for five of it are no candidates in a failover.
 */
const PERIODS = [
  ['INFO-PERIOD', 10_000, 300],
  ['PUBLISH-PERIOD', 2000, 200],
  ['ASK-PERIOD', 1000, 200],
  ['TILT-PERIOD', 30_000, 2000],
] as const

/** Starts a primary, its replicas and their sentinels; resolves when they all know each other and are in sync. */
export async function startSentinelSet(options: SentinelSetOptions = {}): Promise<SentinelSet> {
  const set = new SentinelSet(options)
  try {
    await set.begin()
  } catch (error) {
    await set.stop()
    throw error
  }
  return set
}

/** A primary, replicas and sentinels, as real processes. */
export class SentinelSet {
  readonly master = MASTER
  /** The first one begins as the primary. */
  readonly servers: DataServer[] = []
  readonly sentinels: Sentinel[] = []
  private readonly options: SentinelSetOptions

  constructor(options: SentinelSetOptions) {
    this.options = options
  }

  /** An upstream of Keyward's configuration. */
  get upstream(): ConfigObject {
    const { password, sentinelPassword, tls } = this.options
    return {
      sentinel: {
        master: MASTER,
        nodes: this.sentinels.map(({ port }) => `127.0.0.1:${port}`),
        ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
        ...(tls === undefined ? {} : { tls: { ca: tls.ca } }),
      },
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls: { ca: tls.ca } }),
    }
  }

  /** For `natMap`: past the proxies of the servers, so that who uses it is not cut off by partition(). */
  get past(): Record<string, string> {
    return Object.fromEntries(
      this.servers.map(({ announced, port }) => [`127.0.0.1:${announced}`, `127.0.0.1:${port}`]),
    )
  }

  /** A whole configuration with tenants acme and beta, as configFor makes it. */
  config(more: ConfigObject = {}, upstream: ConfigObject = {}): ConfigObject {
    return configFor({ url: '' }, { upstreams: { main: { ...this.upstream, ...upstream } }, ...more })
  }

  /** The server that more than half of the sentinels name and that says that it is a primary; rejects if there is none. */
  async primary(): Promise<DataServer> {
    const named = await this.named()
    if (named === undefined) throw new Error('no majority of the sentinels names a primary')
    const [role] = await named.ask<[string]>('ROLE')
    if (role !== 'master') throw new Error(`${named.announced}, which the sentinels name, is a ${role}`)
    return named
  }

  /** All servers but the primary. */
  async replicas(): Promise<DataServer[]> {
    const primary = await this.primary()
    return this.servers.filter((server) => server !== primary)
  }

  /** Asks for a planned failover, until a sentinel begins with one. Resolves with the primary that it takes off. */
  async failover(): Promise<DataServer> {
    const old = await this.primary()
    await until('SENTINEL FAILOVER', async () => {
      for (const sentinel of this.sentinels.filter(({ alive }) => alive)) {
        const reply = await sentinel.ask('SENTINEL', 'FAILOVER', MASTER).catch((error: Error) => error.message)
        if (reply === 'OK') return true
        // Another sentinel may be the leader of one that has just begun: asking on would begin a second one.
        if (/INPROG/.test(String(reply))) return `${reply}`
      }
      return 'no sentinel does it'
    })
    return old
  }

  /** Resolves with the new primary once most sentinels name another than `old`, and it is one. */
  async waitSwitched(old: DataServer): Promise<DataServer> {
    let now: DataServer | undefined
    await until(`a primary other than ${old.announced}`, async () => {
      // The old one may be stopped: no question to it.
      if ((await this.named()) === old) return 'still the old one'
      now = await this.primary()
      return now !== old || 'still the old one'
    })
    return now as DataServer
  }

  /**
   * Resolves with the primary when all sentinels that run agree on it, know all servers and each other, and see none of
   * them down, and all servers are replicas of it and have what it had a moment before.
   */
  async settled(): Promise<DataServer> {
    let primary: DataServer | undefined
    await until('the set to settle', async () => {
      primary = await this.primary()
      return unsettled(primary, this.servers, this.sentinels, MASTER)
    })
    return primary as DataServer
  }

  /** One more, which the others find by themselves. */
  async addSentinel(): Promise<Sentinel> {
    const sentinel = await Sentinel.prepare(this.sentinelStart())
    this.sentinels.push(sentinel)
    await sentinel.begin({ ...this.monitored(await this.primary(), sentinel), replicas: [], others: [] })
    if (this.options.fast !== false) await this.pace('fast')
    return sentinel
  }

  /** Ends one and makes the others forget it, as its operator would: one after the other, SENTINEL RESET. */
  async removeSentinel(sentinel: Sentinel): Promise<void> {
    this.sentinels.splice(this.sentinels.indexOf(sentinel), 1)
    await sentinel.stop()
    for (const other of this.sentinels) {
      await other.ask('SENTINEL', 'RESET', MASTER)
      await until('a sentinel to find the others again', async () => {
        const others = await other.ask<unknown[]>('SENTINEL', 'SENTINELS', MASTER)
        return others.length === this.sentinels.length - 1 || `${others.length} found`
      })
    }
  }

  /**
   * Cuts a server off from whoever reaches it by its announced address: replicas, sentinels, and Keyward unless it has
   * `past` as its natMap. Nothing arrives and nothing is refused. Behind a proxy, what was sent arrives when it is
   * healed; with a `network`, packets are lost, both ways. Needs one of the two.
   */
  async partition(server: DataServer): Promise<void> {
    if (server.proxy !== undefined) server.proxy.faults = { stall: 'both' }
    else if (server.machine !== undefined) await server.machine.cut()
    else throw new Error('a partition needs a set that is proxied, or a network')
  }

  /** Ends all partitions. */
  async heal(): Promise<void> {
    for (const { proxy } of [...this.servers, ...this.sentinels]) proxy?.heal()
    await Promise.all(this.servers.map(({ machine }) => machine?.mend()))
  }

  /** How often sentinels look and publish from now on: as they do in the field, or as option `fast` says. */
  async pace(pace: 'field' | 'fast'): Promise<void> {
    const periods = PERIODS.flatMap(([name, field, fast]) => [name, pace === 'fast' ? fast : field])
    await Promise.all(this.sentinels.map((sentinel) => sentinel.pace(periods)))
  }

  /** Ends all processes. May be called twice. */
  async stop(): Promise<void> {
    await Promise.all([...this.servers, ...this.sentinels].map((each) => each.stop()))
  }

  /** Starts everything: startSentinelSet calls it. */
  async begin(): Promise<void> {
    const { replicas = 2, sentinels = 3 } = this.options
    this.servers.push(...(await Promise.all(Array.from({ length: 1 + replicas }, () => this.startServer()))))
    const [primary, ...others] = this.servers
    await Promise.all(others.map((server) => server.ask('REPLICAOF', primary.host, primary.announced)))
    // Someone may take a port between our look and the sentinel's bind; then all of them get new ones.
    for (let attempt = 1; ; attempt++) {
      this.sentinels.push(
        ...(await Promise.all(Array.from({ length: sentinels }, () => Sentinel.prepare(this.sentinelStart())))),
      )
      try {
        await Promise.all(this.sentinels.map((sentinel) => sentinel.begin(this.monitored(primary, sentinel))))
        break
      } catch (error) {
        if (attempt === 5 || !/in use/i.test(String(error))) throw error
        await Promise.all(this.sentinels.splice(0).map((sentinel) => sentinel.stop()))
      }
    }
    if (this.options.fast !== false) await this.pace('fast')
    await this.settled()
  }

  private sentinelStart(): SentinelStart {
    const { sentinelPassword: password, tls, proxied, network, sentinel = [] } = this.options
    // One that is bound to the loopback interface alone would reach no server beyond it.
    const lines = network === undefined ? sentinel : ['bind 0.0.0.0', 'protected-mode no', ...sentinel]
    return { password, tls, proxied, lines }
  }

  private monitored(primary: DataServer, sentinel: Sentinel): Monitored {
    const { sentinels = 3, quorum, password, downAfter = 1000, failoverTimeout = 3000 } = this.options
    const votes = quorum ?? Math.floor(sentinels / 2) + 1
    const at = this.sentinels.indexOf(sentinel)
    return {
      master: MASTER,
      host: primary.host,
      port: primary.announced,
      quorum: votes,
      replicas: this.servers.filter((server) => server !== primary),
      others: this.sentinels.filter((other) => other !== sentinel),
      options: [
        // Those beyond the quorum notice later: who is not a candidate has a vote for one, and an election between
        // sentinels that all began in the same moment would often have to be repeated.
        ['down-after-milliseconds', at < votes ? downAfter : downAfter + 1000],
        ['failover-timeout', failoverTimeout],
        ['parallel-syncs', 2],
        ...(password === undefined ? [] : [['auth-pass', password] as const]),
      ],
    }
  }

  private startServer(): Promise<DataServer> {
    return startDataServer(this.options, () => this.named())
  }

  /** Whom more than half of all sentinels name; once they do, it does not wait for what the others say. */
  private named(): Promise<DataServer | undefined> {
    const { servers, sentinels } = this
    const votes = new Map<DataServer, number>()
    return new Promise((resolve) => {
      let left = sentinels.length
      const count = (word?: [host: string, port: string]) => {
        const server = servers.find(({ host, announced }) => host === word?.[0] && announced === Number(word[1]))
        if (server !== undefined) {
          votes.set(server, (votes.get(server) ?? 0) + 1)
          if ((votes.get(server) as number) > sentinels.length / 2) resolve(server)
        }
        if (--left === 0) resolve(undefined)
      }
      for (const sentinel of sentinels) {
        const word = sentinel.ask<[string, string]>('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)
        word.then(count, () => count())
      }
    })
  }
}

/** Waits until `check` resolves with true; what it says or throws instead is in the error when patience ends. */
async function until(what: string, check: () => Promise<true | string>): Promise<void> {
  const deadline = Date.now() + PATIENCE
  for (;;) {
    const state = await check().catch((error: Error) => error.message)
    if (state === true) return
    if (Date.now() >= deadline) throw new Error(`waited for ${what}: ${state}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
