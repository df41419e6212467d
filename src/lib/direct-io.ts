import { Socket } from 'node:net'
import { copyBytes } from './slab.ts'

/**
 * Reads into one buffer that all sockets of the process share, and writes straight to the socket's handle.
 *
 * Node offers both to nobody but itself: `onread` only for sockets that connect, not for those that are accepted, and
 * no write that passes the stream machinery by. They are worth reaching for because a small request costs more in
 * streams than in everything else (docs/performance.md has the figures). This file is the only one that does; what
 * it needs is tested first, and a socket without it goes the ordinary way, which the same tests cover
 * (KEYWARD_PLAIN_IO=1).
 */

/** The part of a libuv stream handle that is used here. */
interface Handle {
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: WriteRequest, buffer: Buffer): number
  writev(request: WriteRequest, chunks: readonly Buffer[], allBuffers: true): number
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  /** Keeps the bytes alive until they have been taken. */
  bytes: number
  buffers: unknown
  owner: DirectWriter | undefined
}

interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: Int32Array
  readonly kLastWriteWasAsync: number
}

const SHARED = Buffer.allocUnsafeSlow(64 * 1024)

interface Facilities {
  readonly wrap: StreamWrap
  readonly buffer: symbol
  readonly callback: symbol
}

let found: Facilities | undefined | 'untested' = 'untested'

/** What this version of Node has; undefined when anything is not as expected. Tested once, on a socket of our own. */
function facilities(): Facilities | undefined {
  if (found === 'untested') found = process.env.KEYWARD_PLAIN_IO === '1' ? undefined : look()
  return found
}

function look(): Facilities | undefined {
  try {
    const binding = (process as unknown as { binding(name: string): unknown }).binding
    const wrap = binding('stream_wrap') as StreamWrap
    const symbols = Object.getOwnPropertySymbols(new Socket())
    const buffer = symbols.find((one) => one.description === 'kBuffer')
    const callback = symbols.find((one) => one.description === 'kBufferCb')
    const usable =
      typeof wrap.WriteWrap === 'function' &&
      wrap.streamBaseState instanceof Int32Array &&
      typeof wrap.kLastWriteWasAsync === 'number'
    return usable && buffer !== undefined && callback !== undefined ? { wrap, buffer, callback } : undefined
  } catch {
    return undefined
  }
}

function handleOf(socket: Socket): Handle | undefined {
  const handle = (socket as unknown as { _handle?: Partial<Handle> | null })._handle
  if (
    handle === null ||
    handle === undefined ||
    'encrypted' in socket ||
    Object.getPrototypeOf(socket) !== Socket.prototype
  )
    return undefined
  const complete =
    typeof handle.useUserBuffer === 'function' &&
    typeof handle.writeBuffer === 'function' &&
    typeof handle.writev === 'function'
  return complete ? (handle as Handle) : undefined
}

/** Writes to one socket's handle, and knows how much of it the kernel has not taken yet. */
export class DirectWriter {
  /** Bytes that the kernel has not taken. */
  queued = 0
  private readonly handle: Handle
  private readonly wrap: StreamWrap
  private readonly socket: Socket
  private readonly onDrain: (this: Socket) => void

  constructor(handle: Handle, wrap: StreamWrap, socket: Socket, onDrain: (this: Socket) => void) {
    this.handle = handle
    this.wrap = wrap
    this.socket = socket
    this.onDrain = onDrain
  }

  write(parts: readonly Buffer[]): void {
    // After destroy() the handle is gone, and with it whoever wanted to read this.
    if (this.socket.destroyed) return
    const request = new this.wrap.WriteWrap()
    request.oncomplete = writeDone
    const whole = parts.length === 1 ? parts[0] : joined(parts)
    const failed =
      whole === undefined ? this.handle.writev(request, parts, true) : this.handle.writeBuffer(request, whole)
    if (failed !== 0) {
      this.socket.destroy(new Error(`write failed: ${failed}`))
      return
    }
    // Most writes are taken at once; only the others have to be kept and counted.
    if (this.wrap.streamBaseState[this.wrap.kLastWriteWasAsync] === 0) return
    // It is the socket's now.
    if (whole?.buffer === joint.buffer) joint = Buffer.allocUnsafeSlow(JOINT)
    let bytes = 0
    for (const part of parts) bytes += part.length
    request.bytes = bytes
    request.buffers = whole ?? parts
    request.owner = this
    this.queued += bytes
  }

  done(bytes: number, failed: boolean): void {
    this.queued -= bytes
    if (failed) this.socket.destroy()
    else if (this.queued === 0) this.onDrain.call(this.socket)
  }
}

const JOINT = 64 * 1024
/** Bytes of a part, on average, up to which copying it costs less than telling the kernel where it is. */
const SHORT = 1024

/** Many short parts as one. What the kernel has taken at once, which is the rule, leaves the memory to the next write. */
let joint = Buffer.allocUnsafeSlow(JOINT)

/** undefined: they are better left apart. */
function joined(parts: readonly Buffer[]): Buffer | undefined {
  let bytes = 0
  for (let i = 0; i < parts.length; i++) bytes += parts[i].length
  if (bytes > JOINT || bytes > SHORT * parts.length) return undefined
  let at = 0
  for (let i = 0; i < parts.length; i++) at = copyBytes(parts[i], 0, parts[i].length, joint, at)
  return joint.subarray(0, bytes)
}

function writeDone(this: WriteRequest, status: number): void {
  const { owner } = this
  this.buffers = undefined
  this.owner = undefined
  owner?.done(this.bytes, status < 0)
}

/**
 * Takes over reading and writing of a connected plain socket: `onBytes` gets every chunk, as the first bytes of a
 * buffer that is valid during the call only. Undefined when this socket or this Node cannot; nothing has been changed then.
 */
export function takeOver(
  socket: Socket,
  onBytes: (this: Socket, bytes: number, buf: Buffer) => void,
  onDrain: (this: Socket) => void,
): DirectWriter | undefined {
  const has = facilities()
  const handle = has === undefined ? undefined : handleOf(socket)
  if (has === undefined || handle === undefined) return undefined
  const slots = socket as unknown as Record<symbol, unknown>
  slots[has.buffer] = SHARED
  // Node calls it as a method of the socket.
  slots[has.callback] = onBytes
  handle.useUserBuffer(SHARED)
  return new DirectWriter(handle, has.wrap, socket, onDrain)
}
