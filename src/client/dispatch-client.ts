import type { Exchange, ExchangeClient, Way } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import type { ErrorCode } from '../errors.ts'
import type { ClientPolicy } from '../policies/policy.ts'
import type { Session } from '../session/session.ts'
import type { Node } from '../upstream/node.ts'
import type { Asked } from './pubsub/asked.ts'
import type { Subscriptions } from './pubsub/subscriptions.ts'
import type { ReplyQueue } from './reply-queue.ts'
import type { Router } from './router.ts'
import type { Stats } from './stats.ts'
import type { StoredArgs } from './stored-args.ts'
import type { Tracker } from './tracking/tracker.ts'
import type { Transaction } from './transaction.ts'

/** A client, as those who handle its requests and replies need it. connection.ts implements it. */
export interface DispatchClient extends ExchangeClient {
  readonly session: Session
  readonly stats: Stats
  readonly replies: ReplyQueue
  readonly router: Router
  /** The tenant's upstream; undefined before login. */
  readonly node: Node | undefined
  readonly protocol: 2 | 3
  /** Made at the first MULTI or WATCH. */
  transaction: Transaction | undefined
  readonly transactional: boolean
  /** The policies of its tenant; undefined: there are none. */
  readonly chain: ClientPolicy | undefined
  /** Its tenant prefers replicas for reads. */
  readonly readsReplicas: boolean
  /** Made at the first SUBSCRIBE or UNSUBSCRIBE. */
  subscriptions: Subscriptions | undefined
  /** CLIENT TRACKING; undefined: off. */
  tracker: Tracker | undefined
  /** Of a client that has turned tracking off: what it has read. */
  pausedTracker: Tracker | undefined
  /** The last end of a transaction left its connection without state. */
  pinClean: boolean
  /** Bytes of requests that are not answered. */
  requestBytes: number
  /** Bytes of replies that the kernel has not taken yet. */
  readonly outputBytes: number
  /** Bytes of what say() has said. */
  readonly said: number
  /** No request of this client is under way upstream. */
  readonly quiet: boolean
  /** During onRequest: the buffer may be kept. */
  readonly ownsBuffer: boolean
  /** Keeps `again` (a whole request, or nothing) and all further requests until the client is quiet. */
  stall(again?: Buffer): void
  /** One of Keyward's own replies, at the place of the newest request. */
  say(bytes: Buffer): void
  /** The same with buf[start..end), whose memory is used for something else soon. */
  sayCopy(buf: Buffer, start: number, end: number): void
  /** Keyward's own reply to a member of a transaction, made when EXEC was executed. */
  answerMember(spec: CommandSpec, args: StoredArgs): Buffer
  /** The reply to a request whose note is `asked`, with subscribers counted as the client must see them. */
  corrected(spec: CommandSpec, asked: Asked, buf: Buffer, start: number, end: number): Buffer
  /** A message that answers no request, for a client of this protocol: between its replies, as soon as may be. */
  push(frame: Buffer): void
  /** Answers x, which goes `apart` or was not sent at all; nothing happens when its client has left meanwhile. */
  finish(x: Exchange, bytes: Buffer): void
  /** The same by an error. */
  failApart(x: Exchange, code: ErrorCode): void
  /** x, which ran `apart`, has all that it needs, and goes `way` now. */
  prepared(x: Exchange, way: Way): void
  /** So many bytes are kept for this client beside its requests and replies. */
  keeps(bytes: number): void
  /** A gate that held requests of this client back is open again. */
  reopened(): void
  /** What was watched or queued is bound to a connection that no longer fits the session: it is gone. */
  forsakeTransaction(): void
  /** The session's tenant changed. */
  entered(): void
  closeWhenAnswered(): void
  cut(): void
}
