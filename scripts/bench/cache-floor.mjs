import { createServer } from 'node:net'

/**
 * A server that answers every request with the same value and does nothing else: it counts requests by their length, as
 * redis-benchmark's GETs all have the same. What it costs is the least that a request can cost in Node, by its ordinary
 * streams. Arguments: the port, and the bytes of the value.
 */

const [port, size] = process.argv.slice(2).map(Number)
const REQUEST = Buffer.byteLength('*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n')
const REPLY = Buffer.from(`$${size}\r\n${'x'.repeat(size)}\r\n`)
/** Replies to one chunk, at most. */
const MOST = 1024
const REPLIES = Buffer.concat(Array(MOST).fill(REPLY))

createServer({ noDelay: true }, (socket) => {
  let rest = 0
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    // What redis-benchmark asks at first; no such server has a CONFIG.
    if (chunk.includes('CONFIG')) {
      socket.write('-ERR unknown command\r\n'.repeat(2))
      return
    }
    const bytes = rest + chunk.length
    rest = bytes % REQUEST
    socket.write(REPLIES.subarray(0, REPLY.length * Math.min(MOST, (bytes - rest) / REQUEST)))
  })
}).listen(port, '127.0.0.1')
