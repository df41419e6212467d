import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { watchFolder } from '../../scripts/lib/watchdog.mjs'
import { ask } from './ask.ts'
import { FaultProxy } from './fault-proxy.ts'
import { freePort } from './free-port.ts'
import { end, exited, launch, type RedisOptions, theRedis } from './redis.ts'

/** One primary as a sentinel has to know it. */
export interface Monitored {
  readonly master: string
  readonly host: string
  readonly port: number
  readonly quorum: number
  /** Replicas and sentinels that it need not find out about first. */
  readonly replicas: readonly { readonly host: string; readonly announced: number }[]
  readonly others: readonly { readonly port: number; readonly id: string }[]
  /** Further lines of sentinel.conf, "sentinel <option> <master> <value>" without the first and the third word. */
  readonly options: readonly (readonly [option: string, value: string | number])[]
}

export interface SentinelStart {
  /** Its own `requirepass`. */
  readonly password?: string
  readonly tls?: RedisOptions['tls']
  /** Further lines, in front of those about the primary. */
  readonly lines?: readonly string[]
  /** Others, Keyward too, reach it through a fault proxy. */
  readonly proxied?: boolean
  /** Default: at random. */
  readonly id?: string
}

/** A real sentinel. */
export class Sentinel {
  /** As sentinels name it: its proxy's, if it has one. */
  readonly port: number
  /** Where it really listens. */
  readonly ownPort: number
  readonly id: string
  readonly proxy: FaultProxy | undefined
  private child: Awaited<ReturnType<typeof launch>> | undefined
  private readonly options: SentinelStart
  private readonly dir: string
  private periods: readonly (string | number)[] = []

  /** One that does not run yet, but has its port and its id, which the others have to be told. */
  static async prepare(options: SentinelStart): Promise<Sentinel> {
    const ownPort = await freePort()
    const proxy = options.proxied === true ? await FaultProxy.start({ port: ownPort }) : undefined
    return new Sentinel(options, ownPort, proxy)
  }

  private constructor(options: SentinelStart, ownPort: number, proxy: FaultProxy | undefined) {
    this.options = options
    this.ownPort = ownPort
    this.proxy = proxy
    this.port = proxy?.port ?? ownPort
    this.id = options.id ?? randomBytes(20).toString('hex')
    this.dir = mkdtempSync(join(tmpdir(), 'keyward-sentinel-'))
    watchFolder(this.dir)
  }

  get pid(): number {
    return this.child?.pid as number
  }

  /** Starts it for the first time; resolves when it listens. */
  async begin(monitored: Monitored): Promise<void> {
    this.write(monitored)
    await this.restart()
  }

  /** Neither killed nor stopped; a stopped one counts as alive. */
  get alive(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  /** One command; the reply as ioredis gives it. Sentinels have no data, so no proxy in between. */
  ask<T = unknown>(...args: (string | number)[]): Promise<T> {
    return ask<T>({ port: this.ownPort, password: this.options.password, tls: this.options.tls }, args)
  }

  /** Names and milliseconds for SENTINEL DEBUG; after a restart, too. Redis 6.2 has none: then it takes its time. */
  async pace(periods: readonly (string | number)[]): Promise<void> {
    this.periods = periods
    if (periods.length > 0) await this.ask('SENTINEL', 'DEBUG', ...periods).catch(() => {})
  }

  /** Sends a signal; resolves once the process is gone (SIGKILL, SIGTERM) or at once (SIGSTOP, SIGCONT). */
  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
    const { child } = this
    if (child === undefined) return
    const gone = signal === 'SIGKILL' || signal === 'SIGTERM' ? exited(child) : undefined
    child.kill(signal)
    await gone
  }

  /** Starts it again with the file that it has kept, ending it first if it runs. */
  async restart(): Promise<void> {
    if (this.child !== undefined) await end(this.child)
    const redis = await theRedis()
    this.child = await launch(redis, [], [], [join(this.dir, 'sentinel.conf'), '--sentinel'], 'Sentinel ID is')
    await this.pace(this.periods)
  }

  /** Ends it and removes its files. May be called twice. */
  async stop(): Promise<void> {
    if (this.child !== undefined) await end(this.child)
    this.child = undefined
    await this.proxy?.stop()
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 })
  }

  /** Its configuration, which it writes itself from its start on. */
  private write(monitored: Monitored): void {
    const { password, tls, lines = [] } = this.options
    const text = ['bind 127.0.0.1', `dir "${this.dir}"`, 'daemonize no', 'loglevel notice', ...lines]
    if (tls === undefined) text.push(`port ${this.ownPort}`)
    else {
      text.push('port 0', `tls-port ${this.ownPort}`, 'tls-replication yes', `tls-auth-clients ${tls.clients ?? 'no'}`)
      text.push(`tls-cert-file "${tls.cert}"`, `tls-key-file "${tls.key}"`, `tls-ca-cert-file "${tls.ca}"`)
    }
    if (password !== undefined) text.push(`requirepass "${password}"`, `sentinel sentinel-pass "${password}"`)
    text.push(`sentinel myid ${this.id}`, 'sentinel announce-ip 127.0.0.1', `sentinel announce-port ${this.port}`)
    const { master, host, port, quorum, replicas, others, options } = monitored
    text.push(`sentinel monitor ${master} ${host} ${port} ${quorum}`)
    for (const [option, value] of options) text.push(`sentinel ${option} ${master} ${value}`)
    for (const { host, announced } of replicas) text.push(`sentinel known-replica ${master} ${host} ${announced}`)
    for (const other of others) text.push(`sentinel known-sentinel ${master} 127.0.0.1 ${other.port} ${other.id}`)
    writeFileSync(join(this.dir, 'sentinel.conf'), `${text.join('\n')}\n`)
  }
}
