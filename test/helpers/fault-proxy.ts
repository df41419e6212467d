import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A TCP proxy that does to connections what networks do: late, in drips, cut at a given byte, swallowed, reset,
 * refused. It knows nothing of what it carries. A `request` goes from whoever connected to the target, a `reply` back.
 */
export type Direction = 'request' | 'reply'

export interface Faults {
  /** Milliseconds that every chunk is late. */
  latency?: number
  /** Up to so many milliseconds more, different for each chunk; order is kept. */
  jitter?: number
  /** Most bytes passed on at once. */
  trickle?: number
  /** Cuts a connection, both ways by RST, once so many bytes went this way in it: that one and no more. */
  cut?: { direction: Direction; after: number }
  /** Swallows what goes this way; the connection stays. One that has lost bytes stays black: TCP loses none in the middle. */
  blackHole?: Direction | 'both'
  /** Keeps what goes this way, until it may pass again. */
  stall?: Direction | 'both'
  /** Closes new connections at once, by RST. unlisten() does not even take them. */
  refuse?: boolean
}

/** What cutFrom() has set. */
interface Cutting {
  readonly text: string
  readonly direction: Direction
  readonly how: 'RST' | 'FIN'
  left: number
  /** Its number, once the text has been seen. */
  connection: number | undefined
}

interface Pipe {
  /** Which of those accepted. */
  readonly connection: number
  readonly from: Socket
  readonly to: Socket
  readonly direction: Direction
  /** Chunks on their way, oldest first. */
  queue: Buffer[]
  passed: number
  busy: boolean
  ended: boolean
  black: boolean
  /** Whoever connected is gone; the rest waits for deliver(). */
  orphan: boolean
}

export class FaultProxy {
  readonly port: number
  /** Read for every chunk: change it at any time, then call `resume()` if something was stalled. */
  faults: Faults = {}
  /** Connections accepted since the start. */
  accepted = 0
  /** Connections that `faults.cut` or cutFrom() cut. */
  cuts = 0
  private cutting: Cutting | undefined
  private readonly server: Server
  private readonly target: { port: number; host: string }
  private readonly pipes = new Set<Pipe>()
  private readonly orphans = new Set<Pipe>()
  /** Whoever sent this has closed properly, and it is still on its way. */
  private readonly late = new Set<Pipe>()
  private readonly random: () => number

  /** `random`: for jitter, from 0 to 1; give a seeded one where a run must be repeatable. */
  static start(target: { port: number; host?: string }, random: () => number = Math.random): Promise<FaultProxy> {
    return new Promise((resolve, reject) => {
      const server = createServer()
      server.once('error', reject)
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        if (address === null || typeof address === 'string') return reject(new Error('no port'))
        resolve(new FaultProxy(server, address.port, { host: '127.0.0.1', ...target }, random))
      })
    })
  }

  private constructor(server: Server, port: number, target: { port: number; host: string }, random: () => number) {
    this.server = server
    this.port = port
    this.target = target
    this.random = random
    server.on('connection', (socket) => this.accept(socket))
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Connections that are open. */
  get open(): number {
    return this.pipes.size / 2
  }

  /** Back to a good network for new connections; what was stalled passes. */
  heal(): void {
    this.faults = {}
    this.resume()
  }

  /** Looks again at what is waiting. */
  resume(): void {
    for (const pipe of [...this.pipes, ...this.late]) this.pump(pipe)
  }

  /** Nobody listens at the port any more, as if the program had ended: connecting fails. Open connections stay. */
  unlisten(): void {
    this.server.close()
  }

  /** Listens again. Rejects if somebody else has taken the port meanwhile. */
  relisten(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(this.port, '127.0.0.1', () => {
        this.server.off('error', reject)
        resolve()
      })
    })
  }

  /**
   * Once: cuts the connection on which the next chunk with this text is sent, when so many bytes, from that chunk on,
   * have gone this way: these and no more. Whatever else is connected is not touched and not counted.
   */
  cutFrom(text: string, direction: Direction, bytes: number, how: 'RST' | 'FIN' = 'RST'): void {
    this.cutting = { text, direction, how, left: bytes, connection: undefined }
  }

  /** RST to both sides of every connection. */
  reset(): void {
    for (const pipe of [...this.pipes]) this.break(pipe)
  }

  /**
   * Whoever connected sees RST, but what it has sent stays on its way, as it may in a network, and its target knows
   * nothing of it until deliver(). New connections are not touched.
   */
  abandon(): void {
    for (const pipe of [...this.pipes]) {
      if (pipe.direction !== 'request') continue
      pipe.orphan = true
      pipe.from.resetAndDestroy()
    }
  }

  /** What abandon() left on its way arrives. */
  deliver(): void {
    for (const pipe of [...this.orphans]) {
      this.orphans.delete(pipe)
      pipe.orphan = false
      for (const chunk of pipe.queue.splice(0)) pipe.to.write(chunk)
      pipe.to.end()
    }
  }

  /** FIN to both sides of every connection. */
  close(): void {
    for (const pipe of [...this.pipes]) pipe.from.end()
  }

  async stop(): Promise<void> {
    this.faults = { refuse: true }
    this.reset()
    for (const pipe of [...this.orphans, ...this.late]) pipe.to.destroy()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private accept(client: Socket): void {
    this.accepted++
    client.on('error', () => {})
    if (this.faults.refuse === true) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(this.target.port, this.target.host)
    upstream.on('error', () => {})
    const connection = this.accepted
    const fresh = { connection, passed: 0, busy: false, ended: false, black: false, orphan: false }
    const request: Pipe = { ...fresh, from: client, to: upstream, direction: 'request', queue: [] }
    const reply: Pipe = { ...fresh, from: upstream, to: client, direction: 'reply', queue: [] }
    for (const pipe of [request, reply]) {
      pipe.from.setNoDelay(true)
      this.pipes.add(pipe)
      pipe.from.on('data', (chunk: Buffer) => {
        pipe.queue.push(chunk)
        this.pump(pipe)
      })
      pipe.from.on('end', () => {
        pipe.ended = true
        this.pump(pipe)
      })
      pipe.from.on('close', () => {
        this.pipes.delete(pipe)
        if (pipe.orphan) {
          this.orphans.add(pipe)
          return
        }
        // A side that is gone takes the other with it, but not what is still on its way there.
        if (!pipe.ended) pipe.to.destroy()
        else if (!pipe.to.writableEnded && !pipe.to.destroyed) {
          this.late.add(pipe)
          pipe.to.once('close', () => this.late.delete(pipe))
        }
      })
    }
  }

  /** Passes the oldest chunk on, later ones behind it. */
  private pump(pipe: Pipe): void {
    if (pipe.busy || pipe.orphan) return
    const { latency = 0, jitter = 0, trickle, blackHole, stall } = this.faults
    const hit = (where: Direction | 'both' | undefined) => where === 'both' || where === pipe.direction
    if (hit(stall)) return
    const chunk = pipe.queue.shift()
    if (chunk === undefined) {
      if (pipe.ended) {
        this.late.delete(pipe)
        pipe.to.end()
      }
      return
    }
    if (hit(blackHole)) pipe.black = true
    if (pipe.black) {
      this.pump(pipe)
      return
    }
    const now = trickle === undefined ? chunk : chunk.subarray(0, trickle)
    if (now.length < chunk.length) pipe.queue.unshift(chunk.subarray(now.length))
    const delay = latency + this.random() * jitter
    pipe.busy = true
    const pass = () => {
      pipe.busy = false
      this.pass(pipe, now)
    }
    if (delay > 0) setTimeout(pass, delay)
    else if (trickle !== undefined) setImmediate(pass)
    else pass()
  }

  private pass(pipe: Pipe, chunk: Buffer): void {
    const { cut } = this.faults
    if (cut !== undefined && cut.direction === pipe.direction && pipe.passed + chunk.length > cut.after) {
      const rest = Math.max(0, cut.after - pipe.passed)
      this.faults = { ...this.faults, cut: undefined }
      this.cuts++
      pipe.to.write(chunk.subarray(0, rest), () => this.break(pipe))
      return
    }
    const { cutting } = this
    if (cutting !== undefined) {
      if (cutting.connection === undefined && pipe.direction === 'request' && chunk.includes(cutting.text)) {
        cutting.connection = pipe.connection
      }
      if (cutting.connection === pipe.connection && cutting.direction === pipe.direction) {
        if (chunk.length > cutting.left) {
          this.cutting = undefined
          this.cuts++
          pipe.to.write(chunk.subarray(0, cutting.left), () => this.break(pipe, cutting.how))
          return
        }
        cutting.left -= chunk.length
      }
    }
    pipe.passed += chunk.length
    if (!pipe.to.destroyed) pipe.to.write(chunk)
    this.pump(pipe)
  }

  private break(pipe: Pipe, how: 'RST' | 'FIN' = 'RST'): void {
    for (const socket of [pipe.from, pipe.to]) {
      if (socket.connecting || how === 'FIN') socket.destroy()
      else socket.resetAndDestroy()
    }
  }
}
