import type { Socket } from 'node:net'
import { ArgView } from '../commands/arg-view.ts'
import { RequestReader } from '../resp/request-reader.ts'
import type { RequestSink } from '../resp/types.ts'
import type { SocketReply } from './socket-commands.ts'

/** Bytes. A whole PROXY request is below 300. */
const LIMITS = { bulk: 4096, buffer: 16_384 }
/** Requests that were sent without waiting for the reply to the first. */
const MOST_WAITING = 128
/** Milliseconds without a request after which a connection is closed, so that forgotten ones do not use up all. */
const IDLE = 300_000
/** Milliseconds for which replies to what came before the other side's FIN are still tried. */
const AFTER_FIN = 5000

/** One operator's connection: RESP2, one request after the other. */
export class SocketConnection implements RequestSink {
  private readonly socket: Socket
  private readonly answer: (args: ArgView) => Promise<SocketReply>
  private readonly reader = new RequestReader(LIMITS)
  private readonly waiting: ArgView[] = []
  private running = false
  /** The reply is not made yet. */
  private answering = false
  /** No request comes any more; what is said last, after all replies. */
  private ending = false
  private lastWords = ''

  constructor(socket: Socket, answer: (args: ArgView) => Promise<SocketReply>) {
    this.socket = socket
    this.answer = answer
    // Who may open the socket is logged in.
    this.reader.authenticated = true
    socket.on('data', (chunk: Buffer) => this.reader.feed(chunk, 0, chunk.length, this))
    // Its 'close' follows, and is all that matters.
    socket.on('error', () => undefined)
    socket.on('end', () => this.onEnd())
    socket.setTimeout(IDLE, () => {
      if (!this.answering) socket.destroy()
    })
  }

  onRequest(buf: Buffer, start: number, end: number, argc: number, args: Int32Array): void {
    if (this.ending) return
    if (this.waiting.length >= MOST_WAITING) {
      this.stop(`-ERR more than ${MOST_WAITING} requests wait; read the replies first\r\n`)
      return
    }
    const own = Int32Array.from(args.subarray(0, 2 * argc), (offset) => offset - start)
    this.waiting.push(new ArgView().set(Buffer.from(buf.subarray(start, end)), argc, own))
    this.run()
  }

  onProtocolError(text: string): void {
    this.stop(`-${text}\r\n`)
  }

  onRequestLimit(): void {
    this.stop(`-ERR request of more than ${LIMITS.buffer} bytes; there is none so long here\r\n`)
  }

  private stop(lastWords: string): void {
    this.reader.stop()
    this.ending = true
    this.lastWords = lastWords
    this.run()
  }

  private onEnd(): void {
    this.ending = true
    // A killed redis-cli looks the same. It must not keep one of the few connections for as long as its PAUSE lasts.
    setTimeout(() => this.socket.destroy(), AFTER_FIN).unref()
    this.run()
  }

  private run(): void {
    if (this.running) return
    this.running = true
    this.runAll().then(
      () => {
        this.running = false
      },
      () => this.socket.destroy(),
    )
  }

  private async runAll(): Promise<void> {
    const { socket, waiting } = this
    for (let args = waiting.shift(); args !== undefined && !socket.destroyed; args = waiting.shift()) {
      this.answering = true
      const { bytes, close } = await this.answer(args)
      this.answering = false
      if (close) {
        this.reader.stop()
        this.ending = true
        waiting.length = 0
      }
      if (!socket.destroyed && !socket.write(bytes)) await drained(socket)
    }
    // destroy(): the other side may never end its own.
    if (this.ending && !socket.destroyed) socket.end(Buffer.from(this.lastWords, 'latin1'), () => socket.destroy())
  }
}

/** Resolves when the kernel has taken all that was written, or the socket is closed. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}
