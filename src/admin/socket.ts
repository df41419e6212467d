import { chmodSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { ERRORS } from '../errors.ts'
import { listenOnSocket, type SocketFile } from '../lib/unix-socket.ts'
import { type AdminLog, answer } from './socket-commands.ts'
import { SocketConnection } from './socket-connection.ts'
import type { SocketSource } from './socket-source.ts'

/** Operators are few; of a script that forgets to close, the idle time is the cure. */
const MOST_CONNECTIONS = 16

/**
 * PROXY commands over a unix socket, for `keyward pause` and its like and for `redis-cli -s`. There is no login: the file's
 * permissions say who may.
 */
export class AdminSocket {
  private readonly file: SocketFile
  private readonly log: AdminLog
  private readonly source: SocketSource
  private readonly server: Server
  private readonly open = new Set<Socket>()

  constructor(file: SocketFile, source: SocketSource, log: AdminLog) {
    this.file = file
    this.source = source
    this.log = log
    // As from a shell: `printf 'PROXY STATUS\r\n' | nc -U …` ends its side before it has the reply.
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket))
  }

  /** Resolves once it listens; rejects with the system's error (EADDRINUSE when a living process has the socket). */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      const done = () => {
        this.server.off('error', reject)
        this.server.on('error', (error) => this.log.error({ err: error }, 'admin socket'))
        resolve()
      }
      listenOnSocket(this.server, this.file, BACKLOG, done).catch(reject)
    })
  }

  get path(): string {
    return this.file.path
  }

  /** Who may, from now on. Throws the system's error. */
  changeMode(mode: number): void {
    chmodSync(this.path, mode)
  }

  /** Resolves when the socket is gone; open connections are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      for (const socket of this.open) socket.destroy()
    })
  }

  private accept(socket: Socket): void {
    if (this.open.size >= MOST_CONNECTIONS) {
      socket.on('error', () => undefined)
      socket.end(`-${ERRORS.MAXCLIENTS.reply}\r\n`, () => socket.destroy())
      return
    }
    this.open.add(socket)
    socket.on('close', () => this.open.delete(socket))
    new SocketConnection(socket, (args) => answer(args, this.source, this.log))
  }
}

const BACKLOG = 64
