import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls'
import { listenOnSocket } from '../lib/unix-socket.ts'
import type { ListenerOptions } from './options.ts'

/** Where a listener really listens (port 0 is resolved). */
export type Bound = { readonly host: string; readonly port: number } | { readonly path: string }

/** Accepts clients at one address: TCP, TLS or a unix socket. */
export class Listener {
  readonly options: ListenerOptions
  private readonly server: Server

  constructor(options: ListenerOptions, accept: (socket: Socket) => void) {
    this.options = options
    // The client's FIN must not end our side: replies to what it sent before are still due.
    const settings = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE }
    if (options.tls === undefined) {
      this.server = createServer(settings, accept)
    } else {
      const secure = createTlsServer(
        { ...settings, cert: options.tls.cert, key: options.tls.key, handshakeTimeout: HANDSHAKE_TIME },
        accept,
      )
      secure.on('tlsClientError', (_error, socket) => socket.destroy())
      this.server = secure
    }
  }

  /** Rejects with the system's error when the address cannot be had. */
  async listen(): Promise<void> {
    const { address } = this.options
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      const done = () => {
        this.server.off('error', reject)
        this.server.on('error', () => undefined)
        resolve()
      }
      if ('path' in address) listenOnSocket(this.server, address, BACKLOG, done).catch(reject)
      else this.server.listen({ host: address.host, port: address.port, backlog: BACKLOG }, done)
    })
  }

  /** Takes over another certificate for clients that connect from now on. The address stays. */
  renew(options: ListenerOptions): void {
    if (options.tls !== undefined && this.server instanceof TlsServer) this.server.setSecureContext(options.tls)
  }

  get bound(): Bound {
    const { address } = this.options
    if ('path' in address) return { path: address.path }
    const at = this.server.address()
    return { host: address.host, port: at !== null && typeof at === 'object' ? at.port : address.port }
  }

  /** Stops accepting; open clients are not touched. */
  close(): void {
    this.server.close()
  }
}

const BACKLOG = 511
/** Milliseconds, as Redis' tcp-keepalive. */
const KEEP_ALIVE = 300_000
const HANDSHAKE_TIME = 10_000
