import { connect, createServer, type Server, type Socket } from 'node:net'
import { request } from './raw-client.ts'

/** What happens to connections of one kind; read for every chunk. */
export interface Conditions {
  /** Milliseconds by which what comes from the server is late. */
  delay: number
  /** What goes this way is kept; release() lets it go. A `request` goes to the server. */
  stall: 'request' | 'reply' | 'both' | undefined
}

/** One direction of a connection. */
interface Pipe {
  readonly link: Link
  readonly direction: 'request' | 'reply'
  readonly to: Socket
  /** Chunks on their way, with the moment at which each is due. */
  readonly queue: { readonly chunk: Buffer; readonly due: number }[]
  timer: NodeJS.Timeout | undefined
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  /** It has asked for tracking, so it is the invalidation feed. */
  feed: boolean
  /** Its replies are kept. */
  held: boolean
  /** Its requests are. */
  stuck: boolean
}

/**
 * A TCP proxy in front of a server that tells the invalidation feed from all other connections, by the word TRACKING
 * in what it sends, and does different things to them.
 */
export class FeedProxy {
  readonly port: number
  readonly feed: Conditions = { delay: 0, stall: undefined }
  readonly others: Conditions = { delay: 0, stall: undefined }
  /** Which new connections are broken off, by RST: all of them, or those that ask for tracking, before the server hears of it. */
  refused: 'all' | 'feeds' | undefined = undefined
  private sticking: string | undefined = undefined
  /** Connections that have become feeds. */
  feeds = 0
  private readonly listener: Server
  private readonly target: { port: number; host?: string }
  private readonly links = new Set<Link>()
  private readonly pipes = new Set<Pipe>()

  static start(target: { port: number; host?: string }): Promise<FeedProxy> {
    return new Promise((resolve, reject) => {
      const listener = createServer()
      listener.once('error', reject)
      listener.listen(0, '127.0.0.1', () => {
        const address = listener.address()
        if (address === null || typeof address === 'string') return reject(new Error('no port'))
        resolve(new FeedProxy(listener, address.port, target))
      })
    })
  }

  private constructor(listener: Server, port: number, target: { port: number; host?: string }) {
    this.listener = listener
    this.port = port
    this.target = target
    listener.on('connection', (socket) => this.accept(socket))
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Feeds that are open. */
  get openFeeds(): number {
    return [...this.links].filter(({ feed }) => feed).length
  }

  /** Replies on the connections that there are now, but for feeds, are kept. */
  hold(): void {
    for (const link of this.links) link.held = !link.feed
  }

  /** The connection on which a chunk with this text is sent next is stuck from that chunk on: the server does not get it. */
  holdRequest(text: string): void {
    this.sticking = text
  }

  /** A chunk is stuck. */
  get stuck(): boolean {
    return [...this.links].some(({ stuck }) => stuck)
  }

  /** Everything passes again, at once. */
  release(): void {
    for (const conditions of [this.feed, this.others]) Object.assign(conditions, { delay: 0, stall: undefined })
    this.refused = undefined
    this.sticking = undefined
    for (const link of this.links) link.held = link.stuck = false
    for (const pipe of this.pipes) this.pump(pipe)
  }

  /** Those feeds that are open are broken off. */
  cutFeeds(): void {
    for (const link of [...this.links]) if (link.feed) this.break(link)
  }

  /** All connections are broken off. */
  cut(): void {
    for (const link of [...this.links]) this.break(link)
  }

  /** A command on the connection of each feed, of which its owner sees nothing: the server does not answer it. */
  inject(...words: readonly string[]): void {
    const bytes = Buffer.concat([request('CLIENT', 'REPLY', 'SKIP'), request(...words)])
    for (const { feed, server } of this.links) if (feed) server.write(bytes)
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.listener.close(() => resolve()))
    this.cut()
    await closed
  }

  private accept(client: Socket): void {
    const server = connect({ host: '127.0.0.1', ...this.target })
    const link: Link = { client, server, feed: false, held: false, stuck: false }
    if (this.refused === 'all') {
      this.break(link)
      return
    }
    this.links.add(link)
    const request: Pipe = { link, direction: 'request', to: server, queue: [], timer: undefined }
    const reply: Pipe = { link, direction: 'reply', to: client, queue: [], timer: undefined }
    this.carry(client, request)
    this.carry(server, reply)
  }

  private carry(from: Socket, pipe: Pipe): void {
    const { link } = pipe
    this.pipes.add(pipe)
    from.setNoDelay(true)
    from.on('error', () => {})
    from.on('data', (chunk: Buffer) => {
      if (pipe.direction === 'request' && !link.feed && /\r\nTRACKING\r\n/i.test(chunk.toString('latin1'))) {
        if (this.refused === 'feeds') {
          this.break(link)
          return
        }
        link.feed = true
        this.feeds++
      }
      if (pipe.direction === 'request' && this.sticking !== undefined && chunk.includes(this.sticking)) {
        link.stuck = true
        this.sticking = undefined
      }
      const { delay } = this.conditions(link)
      pipe.queue.push({ chunk, due: performance.now() + (pipe.direction === 'reply' ? delay : 0) })
      this.pump(pipe)
    })
    from.on('close', () => {
      clearTimeout(pipe.timer)
      this.pipes.delete(pipe)
      this.links.delete(link)
      link.client.destroy()
      link.server.destroy()
    })
  }

  private conditions({ feed }: Link): Conditions {
    return feed ? this.feed : this.others
  }

  /** Passes on what is due, in its order. */
  private pump(pipe: Pipe): void {
    const { stall, delay } = this.conditions(pipe.link)
    if (stall === 'both' || stall === pipe.direction) return
    if (pipe.direction === 'reply' ? pipe.link.held : pipe.link.stuck) return
    clearTimeout(pipe.timer)
    for (;;) {
      const first = pipe.queue[0]
      if (first === undefined) return
      const wait = first.due - performance.now()
      if (wait > 0 && delay > 0) {
        pipe.timer = setTimeout(() => this.pump(pipe), wait)
        return
      }
      pipe.queue.shift()
      if (!pipe.to.destroyed) pipe.to.write(first.chunk)
    }
  }

  private break({ client, server }: Link): void {
    client.resetAndDestroy()
    if (server.connecting) server.destroy()
    else server.resetAndDestroy()
  }
}
