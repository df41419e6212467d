import type { Logger } from 'pino'
import { AdminServer } from '../admin/server.ts'
import { formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/problem.ts'
import { VERSION } from '../lib/version.ts'
import { Proxy } from '../proxy.ts'
import { summary } from './check.ts'
import type { Settings } from './settings.ts'
import { Failure } from './terminal.ts'

/** The proxy with the admin server beside it. */
export class Service {
  ending = false
  private config: Config
  private readonly settings: Settings
  private readonly log: Logger
  private readonly proxy: Proxy
  private admin: AdminServer | undefined
  /** Starting, then one reload after the other. Never rejects. */
  private busy: Promise<void> = Promise.resolve()

  constructor(config: Config, from: Settings, log: Logger) {
    this.config = config
    this.settings = from
    this.log = log
    this.proxy = new Proxy(config, { log })
  }

  /** Throws Failure when an address cannot be had. The upstream is not waited for. */
  start(): Promise<void> {
    const started = this.startNow()
    this.busy = started.catch(() => undefined)
    return started
  }

  private async startNow(): Promise<void> {
    // First, so that probes are answered (not ready, and why) from the beginning.
    this.admin = await this.openAdmin(this.config)
    try {
      await this.proxy.start()
    } catch (error) {
      this.proxy.stop()
      await this.admin?.close()
      throw listenFailure(error, 'listeners')
    }
    const listening = this.proxy.bound.map(formatAddress)
    const admin = this.admin === undefined ? undefined : formatAddress(this.admin.bound)
    const { file } = this.settings
    this.log.info({ version: VERSION, listening, admin, file }, `keyward is up: ${summary(this.config)}`)
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
    let admin: AdminServer | undefined
    const moved = (next: Config) => JSON.stringify(next.admin) !== JSON.stringify(this.config.admin)
    try {
      const next = this.settings.load()
      if (moved(next)) admin = await this.openAdmin(next)
      await this.proxy.reload(next)
      if (moved(next)) {
        await this.admin?.close()
        this.admin = admin
      }
      this.config = next
      this.log.level = next.log.level
      this.log.info({ file }, `configuration reloaded: ${summary(next)}`)
    } catch (error) {
      await admin?.close()
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
    await this.admin?.close()
    this.log.info({}, 'bye')
  }

  private async openAdmin(config: Config): Promise<AdminServer | undefined> {
    if (config.admin === undefined) return undefined
    const { proxy } = this
    const admin = new AdminServer(
      { address: config.admin.address, version: VERSION, log: this.log },
      { ready: () => proxy.ready(), view: () => proxy.view(), tenantLabels: () => this.config.metrics.tenants },
    )
    try {
      await admin.listen()
    } catch (error) {
      throw listenFailure(error, 'admin')
    }
    return admin
  }
}

/** The system's refusal of an address, in words; any other error as it is. */
function listenFailure(error: unknown, key: 'listeners' | 'admin'): unknown {
  const { code, address, port, path, message } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  // For unix sockets Node has the path in `address`, and no port.
  const where =
    port !== undefined && port >= 0 ? formatAddress({ host: address ?? '', port }) : `unix:${path ?? address}`
  const cure = code === undefined ? undefined : CURES[code]
  if (cure === undefined)
    return code === undefined ? error : new Failure(`cannot listen on ${where}: ${message}`, `change ${key}`)
  return new Failure(
    `cannot listen on ${where}: ${cure[0]}`,
    `${cure[1]}, or change ${key === 'admin' ? 'admin.address' : 'listeners[].address'}`,
  )
}

const CURES: Readonly<Record<string, readonly [what: string, cure: string]>> = {
  EADDRINUSE: ['it is in use', 'stop what listens there'],
  EACCES: ['permission denied', 'run as a user that may (ports below 1024 and the folder of a socket need permission)'],
  EPERM: ['permission denied', 'run as a user that may'],
  EADDRNOTAVAIL: ['this host does not have the address', 'use one that `ip address` shows'],
  ENOTFOUND: ['the name does not exist', 'use an address of this host'],
  ENOENT: ['the folder does not exist', 'make it'],
  ENOTSOCK: ['there is a file of that name', 'remove it'],
}
