import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import { AdminServer } from '../admin/server.ts'
import { AdminSocket } from '../admin/socket.ts'
import type { SocketSource } from '../admin/socket-source.ts'
import type { AdminSource } from '../admin/view.ts'
import type { Config } from '../config/config.ts'
import { VERSION } from '../lib/version.ts'
import { formatAddress } from '../upstream/address.ts'
import { listenFailure } from './listen-failure.ts'

/** A step from one configuration to the next, of which everything that can fail is done. */
export interface AdminChange {
  commit(): Promise<void>
  revert(): Promise<void>
}

/** How operators reach a running process: HTTP at admin.address, RESP at admin.socket. */
export class AdminServers {
  private readonly source: AdminSource & SocketSource
  private readonly log: Logger
  private config: Config['admin'] = undefined
  private http: AdminServer | undefined = undefined
  private resp: AdminSocket | undefined = undefined

  constructor(source: AdminSource & SocketSource, log: Logger) {
    this.source = source
    this.log = log
  }

  /** Where HTTP is served. */
  get address(): string | undefined {
    return this.http === undefined ? undefined : formatAddress(this.http.bound)
  }

  get socket(): string | undefined {
    return this.resp === undefined ? undefined : formatAddress({ path: this.resp.path })
  }

  /** Throws Failure when an address cannot be had. */
  async open(config: Config['admin']): Promise<void> {
    const change = await this.prepare(config)
    await change.commit()
  }

  /** Opens what `next` has and this configuration has not. Throws Failure, and then nothing has changed. */
  async prepare(next: Config['admin']): Promise<AdminChange> {
    const sameHttp = isDeepStrictEqual(next?.address, this.config?.address)
    const sameSocket = next?.socket?.path === this.config?.socket?.path
    const http = sameHttp ? undefined : await this.openHttp(next?.address)
    let resp: AdminSocket | undefined
    try {
      resp = sameSocket ? undefined : await this.openSocket(next?.socket)
    } catch (error) {
      await http?.close()
      throw error
    }
    return {
      commit: async () => {
        const before = this.config
        this.config = next
        if (!sameHttp) {
          await this.http?.close()
          this.http = http
        }
        if (!sameSocket) {
          await this.resp?.close()
          this.resp = resp
        } else if (next?.socket !== undefined && next.socket.mode !== before?.socket?.mode) {
          this.changeMode(next.socket.mode)
        }
      },
      revert: async () => {
        await http?.close()
        await resp?.close()
      },
    }
  }

  async close(): Promise<void> {
    await this.http?.close()
    await this.resp?.close()
  }

  private async openHttp(address: NonNullable<Config['admin']>['address']): Promise<AdminServer | undefined> {
    if (address === undefined) return undefined
    const server = new AdminServer({ address, version: VERSION, log: this.log }, this.source)
    try {
      await server.listen()
    } catch (error) {
      throw listenFailure(error, 'admin.address')
    }
    return server
  }

  private async openSocket(file: NonNullable<Config['admin']>['socket']): Promise<AdminSocket | undefined> {
    if (file === undefined) return undefined
    const server = new AdminSocket(file, this.source, this.log)
    try {
      await server.listen()
    } catch (error) {
      throw listenFailure(error, 'admin.socket')
    }
    return server
  }

  private changeMode(mode: number): void {
    try {
      this.resp?.changeMode(mode)
    } catch (error) {
      this.log.error({ err: error }, 'admin.mode cannot be changed: somebody removed the socket; restart Keyward')
    }
  }
}
