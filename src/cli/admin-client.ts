import { connect } from 'node:net'
import { decodeReply } from '../resp/reply-decoder.ts'
import { ReplyScanner } from '../resp/reply-scanner.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import { ERROR } from '../resp/type-bytes.ts'
import { Failure } from './terminal.ts'

/** Bytes; a status with thousands of upstreams is below it. */
const LARGEST_REPLY = 4 * 1024 * 1024

/**
 * One request to the admin socket of a running Keyward; resolves with the text of its reply. Rejects with Failure: nobody
 * there, an error reply, no reply within `patience` milliseconds.
 */
export function ask(path: string, words: readonly string[], patience: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const scanner = new ReplyScanner()
    let received = Buffer.alloc(0)
    const socket = connect({ path })
    const timer = setTimeout(
      () => fail('no reply in time', 'look at its log; what was asked for may still be done'),
      patience,
    )
    function end(): void {
      clearTimeout(timer)
      socket.destroy()
    }
    function fail(what: string, cure: string): void {
      end()
      reject(new Failure(`unix:${path}: ${what}`, cure))
    }
    socket.on('connect', () => socket.write(encodeRequest(words)))
    socket.on('data', (chunk: Buffer) => {
      const before = received.length
      received = Buffer.concat([received, chunk])
      try {
        const after = scanner.scan(received, before, received.length)
        if (after < 0 && received.length <= LARGEST_REPLY) return
        if (after < 0) throw new Error('too long')
        end()
        const { type, text } = decodeReply(received, 0, after)
        const said = text?.toString() ?? ''
        if (type === ERROR) reject(refusal(said))
        else resolve(said)
      } catch {
        fail('the reply is not one of Keyward', 'is it the admin socket? it is `admin.socket` of the configuration')
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const [what, cure] = CURES[error.code ?? ''] ?? [error.message, 'is it the admin socket of a Keyward?']
      fail(what, cure)
    })
    socket.on('end', () => fail('closed without a reply', 'see the log of Keyward'))
  })
}

/** `ERR what; cure`, as the admin socket writes it. */
function refusal(text: string): Failure {
  const [what, ...cure] = text.replace(/^ERR /, '').split('; ')
  return new Failure(what, cure.length > 0 ? cure.join('; ') : 'see PROXY HELP')
}

const STOPPED =
  'start Keyward, or give the socket of the one that runs: `admin.socket` of its configuration, or --socket'

const CURES: Readonly<Record<string, readonly [what: string, cure: string]>> = {
  ENOENT: ['nothing listens there: there is no such socket', STOPPED],
  ECONNREFUSED: ['nothing listens there: the process that made this socket is gone', STOPPED],
  EACCES: ['permission denied', 'run as the user that Keyward runs as, or change admin.mode'],
  ENOTSOCK: ['it is not a socket', STOPPED],
}
