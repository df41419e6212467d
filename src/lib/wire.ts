import type { Socket } from 'node:net'
import { type DirectWriter, takeOver } from './direct-io.ts'

/** Who reads a Wire. Called synchronously from socket events. */
export interface WireOwner {
  /** buf[start..end) is valid during the call only, unless the wire's `stableReads` is true. */
  onBytes(buf: Buffer, start: number, end: number): void
  /** The peer has finished writing (FIN); it may still read. */
  onEnd(): void
  /** Everything queued has been taken by the kernel. */
  onDrain(): void
  /** The socket is closed both ways; nothing else is called after it. Called once. */
  onClosed(error: Error | undefined): void
}

/**
 * A socket as the data path uses it: bytes in, batches of buffers out, the number of bytes still queued.
 * Buffers given to write() belong to the socket from then on.
 */
export class Wire {
  readonly socket: Socket
  readonly owner: WireOwner
  private direct: DirectWriter | undefined = undefined
  error: Error | undefined = undefined
  private reading = true

  /** `socket` is connected, or connecting: then begin() has to be called once it is. */
  constructor(socket: Socket, owner: WireOwner) {
    this.socket = socket
    this.owner = owner
    ;(socket as Wired).wire = this
    socket.on('end', onEnd)
    socket.on('error', onError)
    socket.on('close', onClose)
    if (!socket.connecting) this.begin()
  }

  /** Starts to read. */
  begin(): void {
    this.direct = takeOver(this.socket, onDirectBytes, onDrained)
    if (this.direct !== undefined) return
    this.socket.on('data', onData)
    this.socket.on('drain', onDrained)
  }

  /** Buffers given to onBytes may be kept without a copy. */
  get stableReads(): boolean {
    return this.direct === undefined
  }

  write(parts: readonly Buffer[]): void {
    if (this.direct !== undefined) {
      this.direct.write(parts)
      return
    }
    if (parts.length === 1) {
      this.socket.write(parts[0])
      return
    }
    this.socket.cork()
    for (let i = 0; i < parts.length; i++) this.socket.write(parts[i])
    this.socket.uncork()
  }

  /** Bytes written but not yet taken by the kernel. */
  get queued(): number {
    return this.direct === undefined ? this.socket.writableLength : this.direct.queued
  }

  pause(): void {
    if (this.reading) {
      this.reading = false
      this.socket.pause()
    }
  }

  resume(): void {
    if (!this.reading) {
      this.reading = true
      this.socket.resume()
    }
  }

  /** Closes both ways after what is queued has been sent. */
  end(): void {
    this.socket.destroySoon()
  }

  /** Closes now. What the kernel has taken is still delivered, what is queued here is not. */
  close(): void {
    this.socket.destroy()
  }

  /** Closes now, with a reset, so that nothing queued in our kernel is delivered any more. */
  reset(): void {
    if (this.socket.destroyed) return
    // resetAndDestroy() throws on anything but TCP (unix sockets, TLS).
    if (isTcp(this.socket)) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }
}

function isTcp(socket: Socket): boolean {
  return socket.remoteFamily !== undefined && !('encrypted' in socket)
}

/**
 * Listeners are shared by all sockets and find their wire through the socket: a closure for each would cost every
 * idle client some hundred bytes.
 */
type Wired = Socket & { wire: Wire }

function onEnd(this: Socket): void {
  ;(this as Wired).wire.owner.onEnd()
}

function onError(this: Socket, error: Error): void {
  ;(this as Wired).wire.error = error
}

function onClose(this: Socket): void {
  const { error, owner } = (this as Wired).wire
  owner.onClosed(error)
}

function onData(this: Socket, chunk: Buffer): void {
  ;(this as Wired).wire.owner.onBytes(chunk, 0, chunk.length)
}

function onDrained(this: Socket): void {
  ;(this as Wired).wire.owner.onDrain()
}

function onDirectBytes(this: Socket, bytes: number, buf: Buffer): void {
  ;(this as Wired).wire.owner.onBytes(buf, 0, bytes)
}
