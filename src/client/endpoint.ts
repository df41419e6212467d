import type { Socket } from 'node:net'
import type { Endpoint } from '../session/session.ts'

/** The two ends of a client's connection, in the words of CLIENT LIST. Asked for rarely, so nothing is kept of them. */
export class SocketEndpoint implements Endpoint {
  private readonly socket: Socket
  /** Of a unix listener. */
  private readonly path: string | undefined

  constructor(socket: Socket, path: string | undefined) {
    this.socket = socket
    this.path = path
  }

  get address(): string {
    return this.path === undefined ? join(this.socket.remoteAddress, this.socket.remotePort) : `${this.path}:0`
  }

  get localAddress(): string {
    return this.path === undefined ? join(this.socket.localAddress, this.socket.localPort) : `${this.path}:0`
  }
}

/** undefined: the socket is closed already. */
function join(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return '?:0'
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
