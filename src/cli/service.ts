import type { Logger } from 'pino'
import { limitsText } from '../admin/limit-pages.ts'
import { statusText } from '../admin/status.ts'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/problem.ts'
import { VERSION } from '../lib/version.ts'
import { Proxy } from '../proxy.ts'
import { formatAddress } from '../upstream/address.ts'
import { type AdminChange, AdminServers } from './admin-servers.ts'
import { summary } from './check.ts'
import { listenFailure } from './listen-failure.ts'
import type { Settings } from './settings.ts'

/** The proxy with the admin servers beside it. */
export class Service {
  ending = false
  private config: Config
  private readonly settings: Settings
  private readonly log: Logger
  private readonly proxy: Proxy
  private readonly admin: AdminServers
  /** Starting, then one reload after the other. Never rejects. */
  private busy: Promise<void> = Promise.resolve()

  constructor(config: Config, from: Settings, log: Logger) {
    this.config = config
    this.settings = from
    this.log = log
    const proxy = new Proxy(config, { log })
    this.proxy = proxy
    this.admin = new AdminServers(
      {
        ready: () => proxy.ready(),
        view: () => proxy.view(),
        tenantLabels: () => this.config.metrics.tenants,
        operations: proxy.operations,
        status: () => statusText(proxy, VERSION),
        limits: (tenant) => limitsText(proxy.view(), tenant),
        tenants: () => [...this.config.tenants.keys()],
        upstreams: () => [...this.config.upstreams.keys()],
      },
      log,
    )
  }

  /** Throws Failure when an address cannot be had. The upstream is not waited for. */
  start(): Promise<void> {
    const started = this.startNow()
    this.busy = started.catch(() => undefined)
    return started
  }

  private async startNow(): Promise<void> {
    // First, so that probes are answered (not ready, and why) from the beginning.
    await this.admin.open(this.config.admin)
    try {
      await this.proxy.start()
    } catch (error) {
      this.proxy.stop()
      await this.admin.close()
      throw listenFailure(error, 'listeners[].address')
    }
    const listening = this.proxy.bound.map(formatAddress)
    const { address: admin, socket } = this.admin
    const { file } = this.settings
    this.log.info({ version: VERSION, listening, admin, socket, file }, `keyward is up: ${summary(this.config)}`)
  }

  reload(): void {
    this.busy = this.busy.then(() => this.reloadNow())
  }

  /** The whole new configuration, or the old one. */
  private async reloadNow(): Promise<void> {
    if (this.ending) return
    const { file } = this.settings
    if (file === undefined) {
      this.log.warn({}, 'SIGHUP ignored: the configuration came from flags, there is no file to read again')
      return
    }
    let change: AdminChange | undefined
    try {
      const next = this.settings.load()
      change = await this.admin.prepare(next.admin)
      await this.proxy.reload(next)
      this.config = next
      await change.commit()
      this.log.level = next.log.level
      this.log.info({ file }, `configuration reloaded: ${summary(next)}`)
    } catch (error) {
      await change?.revert()
      const problems = error instanceof ConfigError ? error.problems : undefined
      const reason =
        problems === undefined
          ? (error as Error).message
          : `${problems.length} problem${problems.length === 1 ? '' : 's'}`
      this.log.error({ file, problems, reason }, `configuration not reloaded, the old one stays: ${reason}`)
    }
  }

  /** Drains. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.ending = true
    await this.busy
    this.log.info({ signal }, 'draining')
    await this.proxy.drain()
    await this.admin.close()
    this.log.info({}, 'bye')
  }
}
