import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { frameEnd } from './reference-scanner.ts'

export type RawTarget = (
  | {
      readonly port: number
      readonly host?: string
      readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer }
    }
  | { readonly path: string }
) & {
  /** Milliseconds that every wait may take; default 20 s. */
  readonly timeout?: number
}

/** The bytes of a request in multibulk form. Strings are taken as UTF-8. */
export function request(...args: readonly (string | number | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

/** A client that speaks in bytes: what goes out and what comes in is exactly what the test says and sees. */
export class RawClient {
  readonly socket: Socket
  private readonly timeout: number
  private buffer = Buffer.allocUnsafe(1 << 16)
  private from = 0
  private to = 0
  private ended = false
  private failure: Error | undefined
  private wake: () => void = () => {}

  static async connect(target: RawTarget): Promise<RawClient> {
    const timeout = target.timeout ?? 20_000
    const socket = open(target)
    const client = new RawClient(socket, timeout)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new Error(`no connection within ${timeout} ms`))
      }, timeout)
      socket.once('encrypted' in socket ? 'secureConnect' : 'connect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('closed before it was connected')))
      const settle = () => clearTimeout(timer)
      for (const event of ['connect', 'secureConnect', 'error', 'close']) socket.once(event, settle)
    })
    return client
  }

  private constructor(socket: Socket, timeout: number) {
    this.socket = socket
    this.timeout = timeout
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.keep(chunk))
    // One waiter, woken by everything that could end its waiting.
    socket.on('end', () => this.finish())
    socket.on('close', () => this.finish())
    socket.on('error', (error) => {
      this.failure = error
      this.finish()
    })
  }

  /** Bytes received and not yet taken. */
  get pending(): number {
    return this.to - this.from
  }

  /** Strings go out one byte a character. */
  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Exactly so many bytes, or all up to and including a text. */
  async receive(until: number | string): Promise<Buffer> {
    return this.take(
      () => {
        if (typeof until === 'number') return this.pending >= until ? until : -1
        const at = this.view().indexOf(until, 0, 'latin1')
        return at < 0 ? -1 : at + until.length
      },
      `${typeof until === 'number' ? `${until} bytes` : JSON.stringify(until)}`,
    )
  }

  /** The next frame, whatever it is: a reply or a push. */
  async reply(): Promise<Buffer> {
    let enough = 1
    return this.take(() => {
      if (this.pending < enough) return -1
      const end = frameEnd(this.view())
      if (end < 0) enough = -end
      return end
    }, 'a reply')
  }

  /** So many frames, pushes included. */
  async replies(count: number): Promise<Buffer[]> {
    const frames: Buffer[] = []
    for (let i = 0; i < count; i++) frames.push(await this.reply())
    return frames
  }

  /** Sends bytes, gets so many frames. */
  exchange(bytes: string | Buffer, replies = 1): Promise<Buffer[]> {
    this.send(bytes)
    return this.replies(replies)
  }

  /** One command, its reply as latin1 text: for asserting on short replies. */
  async command(...args: readonly (string | number | Buffer)[]): Promise<string> {
    const [reply] = await this.exchange(request(...args))
    return reply.toString('latin1')
  }

  /** Resolves with the bytes not taken yet when the other side closes or resets the connection. */
  async closed(): Promise<Buffer> {
    await this.until(() => this.ended, 'the end of the connection')
    return this.view()
  }

  /** Fails if anything arrives within so many milliseconds. */
  async silence(milliseconds: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    if (this.pending > 0)
      throw new Error(`expected silence, got ${JSON.stringify(this.view().toString('latin1', 0, 200))}`)
    if (this.ended) throw new Error('expected silence, the connection was closed')
  }

  pauseReading(): void {
    this.socket.pause()
  }

  resumeReading(): void {
    this.socket.resume()
  }

  /** Ends the way programs do that exit properly. */
  async end(): Promise<void> {
    this.socket.resume()
    this.socket.end()
    await this.until(() => this.socket.destroyed, 'the end of the connection')
  }

  /** Ends rudely: RST where there is TCP. */
  reset(): void {
    if (typeof this.socket.resetAndDestroy === 'function' && this.socket.remotePort !== undefined)
      this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  private view(): Buffer {
    return this.buffer.subarray(this.from, this.to)
  }

  private async take(length: () => number, what: string): Promise<Buffer> {
    let found = -1
    await this.until(() => {
      found = length()
      return found >= 0
    }, what)
    const taken = Buffer.from(this.buffer.subarray(this.from, this.from + found))
    this.from += found
    if (this.from === this.to) this.from = this.to = 0
    return taken
  }

  private async until(done: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + this.timeout
    while (!done()) {
      const got = () => `; got ${JSON.stringify(this.view().toString('latin1', 0, 200))}`
      if (this.ended) throw new Error(`the connection ended before ${what}${got()}`, { cause: this.failure })
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`waited for ${what}, not there within ${this.timeout} ms${got()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  private keep(chunk: Buffer): void {
    if (this.to + chunk.length > this.buffer.length) {
      const held = this.view()
      // Doubling keeps a reply of many megabytes from being copied once per chunk.
      const room =
        held.length + chunk.length > this.buffer.length / 2 ? 2 * (held.length + chunk.length) : this.buffer.length
      const wider = Buffer.allocUnsafe(room)
      held.copy(wider)
      this.buffer = wider
      this.to = held.length
      this.from = 0
    }
    chunk.copy(this.buffer, this.to)
    this.to += chunk.length
    this.wake()
  }

  private finish(): void {
    this.ended = true
    this.wake()
  }
}

function open(target: RawTarget): Socket {
  if ('path' in target) return connectTcp({ path: target.path })
  const { port, host = '127.0.0.1', tls } = target
  if (tls === undefined) return connectTcp({ port, host })
  return connectTls({ port, host, ...tls, rejectUnauthorized: tls.ca !== undefined })
}
