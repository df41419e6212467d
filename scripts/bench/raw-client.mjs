import { connect } from 'node:net'

/**
 * The bench's own client: RESP2 and RESP3, one request at a time, replies as text. Requests are made once as bytes
 * and sent many times, so that thousands of these can work in one process.
 */

/** The wire form of one request. */
export function request(...args) {
  const parts = [`*${args.length}\r\n`]
  for (const arg of args) parts.push(`$${Buffer.byteLength(arg)}\r\n${arg}\r\n`)
  return Buffer.from(parts.join(''))
}

/** The index behind the reply that begins at `at`, or -1 when it is not complete. */
export function replyEnd(bytes, at) {
  let left = 1
  let pos = at
  while (left > 0) {
    const line = bytes.indexOf('\r\n', pos)
    if (line < 0) return -1
    const type = bytes[pos]
    left--
    if (type === 0x24 || type === 0x3d || type === 0x21) {
      const length = Number(bytes.latin1Slice(pos + 1, line))
      pos = length < 0 ? line + 2 : line + 2 + length + 2
    } else {
      // Arrays, sets and pushes; maps hold two for each.
      if (type === 0x2a || type === 0x7e || type === 0x3e) left += Math.max(0, Number(bytes.latin1Slice(pos + 1, line)))
      if (type === 0x25) left += 2 * Number(bytes.latin1Slice(pos + 1, line))
      pos = line + 2
    }
    if (pos > bytes.length) return -1
  }
  return pos
}

export class RawClient {
  #socket
  #buffer = undefined
  #resolve = undefined
  #reject = undefined
  #failure = undefined
  #closing = false

  /** @returns {Promise<RawClient>} connected */
  static open(port, timeout = 10_000) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const client = new RawClient(socket, timeout)
      socket.once('connect', () => resolve(client))
      socket.once('close', () => reject(new Error(`no connection to port ${port}: ${client.#failure?.message}`)))
    })
  }

  constructor(socket, timeout) {
    this.#socket = socket
    socket.setTimeout(timeout, () => {
      const waiting = this.#resolve !== undefined || this.#closing
      if (waiting) socket.destroy(new Error(`nothing came for ${timeout} ms`))
    })
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('error', (error) => {
      this.#failure = error
    })
    socket.on('close', () => {
      this.#failure ??= new Error('the server closed the connection')
      this.#reject?.(this.#failure)
    })
  }

  #onData(chunk) {
    this.#buffer = this.#buffer === undefined ? chunk : Buffer.concat([this.#buffer, chunk])
    const end = replyEnd(this.#buffer, 0)
    if (end < 0 || this.#resolve === undefined) return
    const reply = this.#buffer.latin1Slice(0, end)
    this.#buffer = end === this.#buffer.length ? undefined : this.#buffer.subarray(end)
    const resolve = this.#resolve
    this.#resolve = undefined
    this.#reject = undefined
    resolve(reply)
  }

  /** Sends `bytes`, one request, and waits for its reply: the text on the wire. */
  send(bytes) {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      this.#resolve = resolve
      this.#reject = reject
      this.#socket.write(bytes)
    })
  }

  /** Sends `bytes` and waits for nothing. */
  write(bytes) {
    this.#socket.write(bytes)
  }

  /**
   * One request; the text of its status, number or bulk.
   *
   * @throws Error when the reply is an error
   */
  async ask(...args) {
    const reply = await this.send(request(...args))
    if (reply[0] === '-') throw new Error(`${args[0]} was answered ${reply.trim()}`)
    const line = reply.indexOf('\r\n')
    return reply[0] === '$' ? reply.slice(line + 2, -2) : reply.slice(1, line)
  }

  /** Resolves when the server has closed the connection, of its own accord and without an error. */
  closed() {
    this.#closing = true
    return new Promise((resolve, reject) => {
      const settle = (failed) => (failed ? reject(this.#failure) : resolve())
      if (this.#socket.destroyed) settle(false)
      else this.#socket.once('close', settle)
    })
  }

  close() {
    this.#socket.destroy()
  }
}
