import { isIP } from 'node:net'
import { Redis } from 'ioredis'
import { Backoff } from '../../lib/backoff.ts'
import type { HostPort, SentinelOptions } from '../options.ts'

/** Milliseconds for one question. */
const PATIENCE = 1000
/** Milliseconds for connecting, login included. */
const CONNECT = 2000
/** Delays of reconnects, milliseconds. */
const RECONNECT = { first: 100, most: 2000 } as const

export interface SentinelConnectionHost {
  ready(): void
  /** The connection was lost or did not come about; it will be tried again. */
  lost(why: string): void
  /** A message of a subscription. */
  message(channel: string, text: string): void
}

/** One connection to a sentinel, by ioredis, which connects again for ever; what is asked on it fails rather than waits. */
export class SentinelConnection {
  private readonly redis: Redis
  private readonly host: SentinelConnectionHost
  private readonly backoff = new Backoff(RECONNECT.first, RECONNECT.most)
  private readonly deadlines = new Set<NodeJS.Timeout>()
  /** Why it is lost, until it is ready again. */
  private why = ''
  private stopped = false

  constructor(node: HostPort, options: SentinelOptions, host: SentinelConnectionHost) {
    this.host = host
    this.redis = new Redis({
      host: node.host,
      port: node.port,
      username: options.user,
      password: options.password,
      tls: tlsOf(node, options),
      protocol: 2,
      connectionName: 'keyward',
      disableClientInfo: true,
      connectTimeout: CONNECT,
      // For the login only, to a sentinel that accepts and then says nothing; questions have a deadline of their own.
      commandTimeout: CONNECT,
      // How long a socket that was closed politely may linger.
      disconnectTimeout: 50,
      keepAlive: 10_000,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => this.backoff.next(),
    })
    this.redis.on('ready', () => {
      this.why = ''
      if (!this.stopped) this.host.ready()
    })
    this.redis.on('error', (error: Error) => {
      this.why = reasonOf(error)
    })
    this.redis.on('close', () => this.lost())
    // After what no reconnect can cure in its eyes, such as a name that cannot be looked up at all.
    this.redis.on('end', () => this.again())
    this.redis.on('pmessage', (_pattern: string, channel: string, text: string) => {
      if (!this.stopped) this.host.message(channel, text)
    })
  }

  get ready(): boolean {
    return this.redis.status === 'ready'
  }

  /**
   * Sends the commands in one write. Resolves with their replies, an Error for each error reply; rejects when the connection
   * is lost or the last reply does not come in time, and then the connection is made anew.
   */
  async ask(commands: readonly (readonly [string, ...string[]])[], patience = PATIENCE): Promise<unknown[]> {
    if (!this.ready) throw new Error('not connected')
    const pipeline = this.redis.pipeline()
    for (const [name, ...args] of commands) pipeline.call(name, ...args)
    const replies = await this.inTime(pipeline.exec(), patience)
    if (replies === null || replies.some(([error]) => error !== null && !isReply(error))) {
      throw new Error(this.why || 'connection lost')
    }
    // Not when it connects: a sentinel that is stopped accepts, and would be tried again without a pause.
    this.backoff.reset()
    return replies.map(([error, reply]) => error ?? reply)
  }

  /** PSUBSCRIBE *; on a connection that is subscribed it changes nothing and shows that the sentinel is there. Rejects like ask(). */
  async subscribe(): Promise<void> {
    if (!this.ready) throw new Error('not connected')
    await this.inTime(this.redis.psubscribe('*'), PATIENCE)
    this.backoff.reset()
  }

  /** Closes it and connects again. */
  renew(why: string): void {
    if (!this.ready) return
    this.why = why
    this.redis.disconnect(true)
  }

  stop(): void {
    this.stopped = true
    for (const timer of this.deadlines) clearTimeout(timer)
    this.deadlines.clear()
    this.redis.disconnect()
  }

  private async inTime<T>(replies: Promise<T>, patience: number): Promise<T> {
    const deadline = setTimeout(() => {
      // Timers run before sockets are read: after a stall of our own, the reply may have been waiting for us.
      setImmediate(() => {
        if (this.deadlines.has(deadline)) this.renew(`no reply within ${patience} ms`)
      })
    }, patience)
    this.deadlines.add(deadline)
    try {
      return await replies
    } finally {
      clearTimeout(deadline)
      this.deadlines.delete(deadline)
    }
  }

  private lost(): void {
    if (!this.stopped) this.host.lost(this.why || 'connection closed')
  }

  private again(): void {
    if (this.stopped) return
    this.lost()
    const timer = setTimeout(() => {
      this.deadlines.delete(timer)
      this.redis.connect().catch(() => {})
    }, this.backoff.next())
    this.deadlines.add(timer)
  }
}

/** An error that the sentinel sent, and not one of ours. */
function isReply(error: Error): boolean {
  return error.name === 'ReplyError'
}

function reasonOf(error: Error & { code?: string }): string {
  // Of several addresses, each with an error of its own, the message is empty.
  return error.message || error.code || 'connection failed'
}

function tlsOf({ host }: HostPort, { tls }: SentinelOptions) {
  if (tls === undefined) return undefined
  const name = tls.serverName ?? host
  // SNI must not carry an address (RFC 6066, section 3).
  return { ca: tls.ca, cert: tls.cert, key: tls.key, servername: isIP(name) === 0 ? name : undefined }
}
