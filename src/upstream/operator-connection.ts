import type { Socket } from 'node:net'
import { AbstractConnector, Redis } from 'ioredis'
import { Backoff } from '../lib/backoff.ts'
import { formatAddress } from './address.ts'
import type { Address, UpstreamOptions } from './options.ts'

/** Milliseconds for a call, connecting included. */
const PATIENCE = 1000
/** Delays after a connection that did not come about or was given up, milliseconds. */
const RECONNECT = { first: 50, most: 2000 } as const
/** Milliseconds between two looks whether writes may go on. */
const LOOK = 10

/** Nothing of the call was sent: it may be made again. */
export class NotSent extends Error {}

/** The server of the day: a Node. */
export interface OperatorHost {
  readonly options: UpstreamOptions
  /** Rises when the server is another process than before. */
  readonly epoch: number
  readonly whereabouts: { readonly address: Address | undefined }
  /** It is not decided which server is the primary. */
  readonly writesWait: boolean
  /** A fresh socket to it; undefined while nobody knows where it is. */
  connect(): Socket | undefined
}

/** One connection and where it leads. */
interface Line {
  readonly redis: Redis
  readonly ready: Promise<void>
  readonly epoch: number
  readonly address: string
}

/**
 * A connection that stays logged in as the upstream's user of the configuration, by ioredis: for Keyward's own Lua scripts
 * (EVALSHA, and EVAL where the server does not have the script) and for commands that lanes may not run. It is
 * opened when there is something to run, to the primary of the day, and only then opened again when it was lost. Whatever
 * is not answered in time counts as lost, and nothing is sent twice.
 */
export class OperatorConnection {
  private readonly host: OperatorHost
  /** Lua by name. */
  private readonly scripts: Readonly<Record<string, string>>
  private readonly backoff = new Backoff(RECONNECT.first, RECONNECT.most)
  private line: Line | undefined = undefined
  /** Of the host, when the last connection was given up. */
  private epoch = -1
  /** Why there is no connection. */
  private why = 'not connected'
  /** Not to be tried again before this time (performance.now()). */
  private notBefore = 0
  /** Calls under way, by what ends them. */
  private readonly waiting = new Set<(error: Error) => void>()
  private stopped = false

  constructor(host: OperatorHost, scripts: Readonly<Record<string, string>> = {}) {
    this.host = host
    this.scripts = scripts
  }

  /**
   * Runs the script of this name. Rejects with the server's own words, with NotSent when it cannot be reached, or when it does not
   * answer within a second: then the script may or may not have run.
   */
  run(name: string, keys: readonly Buffer[], args: readonly string[]): Promise<unknown> {
    return this.use((redis) => (redis as unknown as Record<string, Script>)[name](keys.length, ...keys, ...args))
  }

  /** Runs a command; rejects as `run` does. */
  call(command: string, ...args: readonly (Buffer | string)[]): Promise<unknown> {
    return this.use((redis) => redis.call(command, ...args))
  }

  /** The same; what are strings in its reply, errors left out, are Buffers. */
  callBuffer(command: string, ...args: readonly (Buffer | string)[]): Promise<unknown> {
    return this.use((redis) => redis.callBuffer(command, ...args))
  }

  /**
   * The same for a client's request, which gives the server `patience` milliseconds for its reply: what takes that long, behind
   * somebody's slow script, is not sent again.
   */
  callPatiently(patience: number, command: string, ...args: readonly (Buffer | string)[]): Promise<unknown> {
    return this.use((redis) => redis.call(command, ...args), patience)
  }

  private async use(ask: (redis: Redis) => Promise<unknown>, patience?: number): Promise<unknown> {
    const deadline = performance.now() + PATIENCE
    const line = await this.connected(deadline)
    try {
      const asked = ask(line.redis)
      const reply = await (patience === undefined
        ? this.inTime(line, asked, deadline)
        : this.inTime(line, asked, performance.now() + patience, patience))
      this.backoff.reset()
      return reply
    } catch (error) {
      // It cannot do this now, and perhaps never will: another connection may lead to one that can.
      if (error instanceof Error && CANNOT_NOW.test(error.message)) {
        this.leave(line, error.message)
      }
      throw error
    }
  }

  stop(): void {
    this.stopped = true
    if (this.line !== undefined) this.leave(this.line, STOPPED)
    for (const end of this.waiting) end(new Error(STOPPED))
  }

  /** Resolves once writes may go out: what a server wrote that is not the primary any more would be thrown away. */
  private async decided(deadline: number): Promise<void> {
    while (this.host.writesWait && !this.stopped) {
      if (performance.now() >= deadline) throw new Error('writes wait: it is not decided which server is the primary')
      await new Promise((resolve) => setTimeout(resolve, LOOK).unref())
    }
  }

  /** The connection to the primary of the day, perhaps one that is just being made. */
  private current(): Line {
    const { line, host } = this
    if (this.stopped) throw new Error(STOPPED)
    const { address } = host.whereabouts
    if (address === undefined) throw new Error('no primary is known')
    const where = formatAddress(address)
    if (line !== undefined && line.epoch === host.epoch && line.address === where) return line
    if (line !== undefined) {
      this.leave(line, 'the primary moved')
      this.notBefore = 0
    }
    // Of another server nothing is known that would be a reason to wait.
    if (host.epoch === this.epoch && performance.now() < this.notBefore) throw new Error(this.why)
    return this.open(where)
  }

  private open(address: string): Line {
    const { host } = this
    const { options } = host
    const redis = new Redis({
      Connector: connectorTo(host),
      lazyConnect: true,
      username: options.user,
      password: options.password,
      // The socket is the host's; this only says which of its events means that it can be used.
      tls: options.tls === undefined ? undefined : {},
      protocol: 2,
      connectionName: 'keyward',
      disableClientInfo: true,
      connectTimeout: PATIENCE,
      // No commandTimeout: it would leave the connection open. See inTime().
      enableOfflineQueue: false,
      enableReadyCheck: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // A lost connection is replaced by the next call.
      retryStrategy: () => null,
      scripts: Object.fromEntries(Object.entries(this.scripts).map(([name, lua]) => [name, { lua }])),
    })
    // Of several addresses, each with an error of its own, the message is empty.
    redis.on('error', (error: Error & { code?: string }) => {
      if (this.line?.redis === redis) this.why = error.message || error.code || 'connection failed'
    })
    redis.on('end', () => {
      if (this.line?.redis === redis) this.leave(this.line, this.why)
    })
    const ready = redis.connect()
    // Nobody may be waiting for it any more.
    ready.catch(() => {})
    this.why = 'connection lost'
    this.line = { redis, ready, epoch: host.epoch, address }
    return this.line
  }

  /** Rejects with NotSent. */
  private async connected(deadline: number): Promise<Line> {
    try {
      await this.decided(deadline)
      const line = this.current()
      await this.inTime(line, line.ready, deadline)
      if (line.redis.status !== 'ready') throw new Error(this.why)
      return line
    } catch (error) {
      throw new NotSent((error as Error).message)
    }
  }

  /** Closes a connection. What is under way on it fails. */
  private leave(line: Line, why: string): void {
    if (this.line !== line) return
    this.line = undefined
    this.why = why
    this.epoch = line.epoch
    this.notBefore = performance.now() + this.backoff.next()
    line.redis.disconnect()
  }

  /** What comes of `reply`, unless the deadline (performance.now()) or stop() comes first. */
  private inTime<T>(line: Line, reply: Promise<T>, deadline: number, patience = PATIENCE): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer)
        this.waiting.delete(end)
      }
      const end = (error: Error) => {
        finish()
        reject(error)
      }
      const timer = setTimeout(() => {
        // Timers run before sockets are read: after a stall of our own, the reply may have been waiting for us.
        setImmediate(() => {
          if (!this.waiting.has(end)) return
          const why = `no reply within ${patience} ms`
          // A server that is stopped would collect calls, and execute them all when nobody wants them any more.
          this.leave(line, why)
          end(new Error(why))
        })
      }, deadline - performance.now())
      this.waiting.add(end)
      reply.then(
        (value) => {
          finish()
          resolve(value)
        },
        (error: Error) => {
          if (isReply(error)) end(error)
          else end(UNWRITTEN.test(error.message) ? new NotSent(this.why) : new Error(this.why))
        },
      )
    })
  }
}

type Script = (keys: number, ...rest: readonly (Buffer | string)[]) => Promise<unknown>

/** Of the server itself, or, before Redis 7, of one of Keyward's own scripts; not of what a compiler quotes. */
const CANNOT_NOW = /^(ERR Error running script .*-)?(READONLY|MASTERDOWN|LOADING) /

/** ioredis' words for what it has not written. */
const UNWRITTEN = /^Stream isn't writeable/

const STOPPED = 'the connection was closed'

/** An error that the server sent. */
function isReply(error: Error): boolean {
  return error.name === 'ReplyError'
}

/** Its sockets are the host's own: name lookup, TLS and unix sockets as for all its connections. */
function connectorTo(host: OperatorHost) {
  return class HostConnector extends AbstractConnector {
    constructor() {
      super(0)
    }

    async connect() {
      const stream = host.connect()
      if (stream === undefined) throw new Error('no primary is known')
      this.stream = stream
      return stream
    }

    override disconnect(): void {
      this.connecting = false
      this.stream?.destroy()
    }
  }
}
