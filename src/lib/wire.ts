import type { Socket } from 'node:net'

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
  /** Buffers given to onBytes may be kept without a copy. */
  readonly stableReads = true
  private error: Error | undefined
  private reading = true

  constructor(socket: Socket, owner: WireOwner) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => owner.onBytes(chunk, 0, chunk.length))
    socket.on('end', () => owner.onEnd())
    socket.on('drain', () => owner.onDrain())
    socket.on('error', (error: Error) => {
      this.error = error
    })
    socket.on('close', () => owner.onClosed(this.error))
  }

  write(parts: readonly Buffer[]): void {
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
    return this.socket.writableLength
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

  /** Closes after what is queued has been sent. */
  end(): void {
    this.socket.end()
  }

  /** Closes now, with a reset, so that nothing queued in our kernel is delivered any more. */
  reset(): void {
    if (this.socket.destroyed) return
    // resetAndDestroy() throws on anything but TCP (unix sockets, TLS).
    if ('resetAndDestroy' in this.socket && isTcp(this.socket)) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }
}

function isTcp(socket: Socket): boolean {
  return socket.remoteFamily !== undefined && !('encrypted' in socket)
}
