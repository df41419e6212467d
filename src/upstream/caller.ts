import { Exchange } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import type { ErrorCode } from '../errors.ts'
import { decodeReply } from '../resp/reply-decoder.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import type { Reply } from '../resp/types.ts'
import type { Node } from './node.ts'
import { OwnClient } from './own-client.ts'

/** A call that was not answered; `code` is what a client would be told. */
export class CallFailed extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode) {
    super(code)
    this.code = code
  }
}

/** What became of a call. */
interface Ending {
  /** False: it cannot be a reply to the call. */
  answered(reply: Reply): boolean
  failed(error: CallFailed): void
}

/**
 * Calls of Keyward's own that a job makes for a client. They are exchanges like any other, on the shared lanes: held
 * while the upstream is away, repeated when they only read, in the order in which they were made. RESP2.
 * Client leaves: `cancel`, after which unsent calls are dropped. Limit: as many as its job makes at a time.
 */
export class Caller extends OwnClient {
  gone = false
  /** A request behind a call was answered by an error. */
  onFollowerFailed: (() => void) | undefined = undefined
  private readonly nodeOf: () => Node | undefined
  private last: Node
  readonly receivedAt: number | undefined

  /**
   * `nodeOf`: the tenant's node; a reload may put another in its place, or none. `receivedAt`: clock time of the request that
   * is served, from which `hold.time` counts.
   */
  constructor(nodeOf: () => Node | undefined, tenantIndex: number, receivedAt?: number) {
    super(tenantIndex)
    this.nodeOf = nodeOf
    this.last = nodeOf() as Node
    this.receivedAt = receivedAt
  }

  get node(): Node {
    const node = this.nodeOf()
    if (node !== undefined) this.last = node
    return this.last
  }

  /** A call of a walk, made when its turn has come. */
  paced<T>(call: () => Promise<T>): Promise<T> {
    return this.node.pace.run(this.tenantIndex, call)
  }

  /**
   * What `read` makes of the reply, which may be an error of the server's. `read` throws when it cannot be a reply to this
   * call: then nothing else of its connection is to be believed, as for any client's request. Rejects with that, or
   * with CallFailed. `args`: as they go upstream.
   */
  call<T>(spec: CommandSpec, args: readonly (Buffer | string)[], read: (reply: Reply) => T): Promise<T> {
    return this.send(spec, encodeRequest(args), 0, read)
  }

  /** The same with whole requests: `bytes` is that of the call, and as many as `behind` says that are sent in one piece with it. */
  send<T>(spec: CommandSpec, bytes: Buffer, behind: number, read: (reply: Reply) => T): Promise<T> {
    const { node } = this
    if (this.gone || node.ended) return Promise.reject(new CallFailed('UPSTREAMDOWN'))
    return new Promise((resolve, reject) => {
      const x = new Exchange(this, spec, this.receivedAt ?? node.clock.now)
      x.setBytes(bytes)
      x.behind = behind
      x.plain = false
      x.patience = node.options.timeouts.request
      x.note = {
        answered(reply) {
          try {
            resolve(read(reply))
            return true
          } catch (error) {
            reject(error)
            return false
          }
        },
        failed: reject,
      } satisfies Ending
      const follows = this.pending > 0 && this.via?.fits(2, false) === true ? this.via : node.lanesOf(2, false)
      this.pending++
      follows.schedule(x)
    })
  }

  /** Nobody waits for its calls any more. */
  cancel(): void {
    this.gone = true
  }

  deliver(x: Exchange, _type: number, buf: Buffer, start: number, end: number): boolean {
    const own = Buffer.from(buf.subarray(start, end))
    return (x.note as Ending).answered(decodeReply(own, 0, own.length))
  }

  fail(x: Exchange, code: ErrorCode): void {
    ;(x.note as Ending).failed(new CallFailed(code))
  }

  override followerFailed(): void {
    this.onFollowerFailed?.()
  }
}
