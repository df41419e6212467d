import type { ErrorCode } from '../errors.ts'
import type { Tenant } from '../session/tenant.ts'
import type { Delay, Meter } from './delay.ts'
import type { Effects } from './effects.ts'
import type { CommandSpec } from './spec.ts'

/**
 * Where an exchange is; always in exactly one place.
 *   reading    being looked at in the turn in which it was read
 *   delayed    waits because a policy said so, and so does what its client sends behind it
 *   barrier    waits until every earlier request of its client, which went another way, has been answered, or for a gate
 *   running    what it asks for is being done by calls of Keyward's own: a job, a subscription
 *   held       waits for an upstream that is away
 *   scheduled  in the queue of a connection, not a byte of it written yet
 *   sent       handed to write(); its reply is the connection's next but n
 *   abandoned  its client was answered (time-out) or is gone; the slot still waits for the reply
 *   answered   done
 */
export type Place =
  | 'reading'
  | 'delayed'
  | 'barrier'
  | 'running'
  | 'held'
  | 'scheduled'
  | 'sent'
  | 'abandoned'
  | 'answered'

/**
 * The table of legal moves, read by column: where an exchange may come from to enter `to`. Whether a request may be
 * repeated is read from its place and its spec, never from a flag. (A switch on constants: three moves of every request
 * go through here, and a look-up in an object costs some 4 % of all CPU at a depth of 16.)
 */
export function mayMove(from: Place, to: Place): boolean {
  switch (to) {
    case 'scheduled':
      return from === 'reading' || from === 'barrier' || from === 'held'
    case 'sent':
      return from === 'scheduled'
    case 'answered':
      return from !== 'answered'
    case 'held':
      return from === 'reading' || from === 'barrier' || from === 'scheduled' || from === 'sent'
    case 'barrier':
      return from !== 'abandoned' && from !== 'answered' && from !== 'barrier'
    case 'delayed':
      return from === 'reading'
    case 'running':
      return from === 'reading' || from === 'barrier'
    case 'abandoned':
      return from === 'sent'
    case 'reading':
      return false
  }
}

/**
 * `lane`: shared. `bulk`: shared among big ones. `replica`: a lane to a replica, if one is good enough, else as `lane`. `blocked`, `transaction`: a pin of that use. `apart`: not sent itself;
 * its errand makes calls of its own.
 */
export type Way = 'lane' | 'bulk' | 'replica' | 'blocked' | 'transaction' | 'apart'

/** What a request that goes `apart` asks for. Ends by Requester.finish or failApart, once, at once or later. */
export interface Errand {
  /** What the client sent, for SLOWLOG; without them it is not logged. */
  readonly request?: readonly Buffer[]
  begin(): void
  /** Its client is gone: nobody waits for the end. */
  cancel(): void
}

/** An upstream connection, or the queue in front of an upstream that is away: where exchanges of a client go next. */
export interface Via {
  schedule(x: Exchange): void
  /** Requests of this protocol and size may follow earlier ones here. */
  fits(protocol: 2 | 3, bulk: boolean): boolean
}

/** The client's side of its exchanges, as the upstream's side sees it. */
export interface ExchangeClient {
  /** Exchanges of this client that are held, scheduled, sent or abandoned. Kept by the upstream's side. */
  pending: number
  /** Where those are; meaningless while pending is 0. */
  via: Via | undefined
  /** The client has left; replies go nowhere. */
  readonly gone: boolean
  readonly tenantIndex: number
  /** Its tenant's share of a lane that several tenants fill, against theirs. */
  readonly weight: number
  /** Epoch of the server to which the first write went that no WAIT has spoken of yet; where `waited`, of those that one has. */
  wroteIn: number
  /** It has written nothing since WAIT was answered. */
  waited: boolean
  /** Replicas may lack its last write, as far as it knows. */
  unseen: boolean
  /**
   * If x is the oldest unanswered request of its client, takes it out of the reply queue and says true: the caller emits its
   * reply, of so many bytes.
   */
  pop(x: Exchange, bytes: number): boolean
  /** x is the oldest unanswered request of its client: its reply may begin to go out. */
  leads(x: Exchange): boolean
  /** Bytes of replies of exchanges that pop() has given, in order. The bytes may be reused after the call unless `stable`. */
  emit(buf: Buffer, start: number, end: number, stable: boolean): void
  /**
   * A whole reply that pop() refused or that needs a look: type is the RESP type byte. `stable` as for emit. False: it
   * cannot be a reply to x, and nothing else of its connection is to be believed.
   */
  deliver(x: Exchange, type: number, buf: Buffer, start: number, end: number, stable: boolean): boolean
  /** So many bytes of an unfinished reply are kept for this client, because it must be read whole. */
  kept(bytes: number): void
  /** A reply that x.swallow drops, for a command that wants to know it. */
  overheard(x: Exchange, frame: Buffer): void
  /** One of the requests behind x was answered by an error. */
  followerFailed(x: Exchange): void
  /**
   * x, which runs as a user of its own, was not executed: the server did not let that user in, or does not have the script;
   * `error` is what it said. True: the client keeps it, and has it prepared again.
   */
  notLetIn(x: Exchange, error: string): boolean
  /** x, which runs as a user of its own, was held: the server may be another one now, so it gets its bytes anew. */
  reaim?(x: Exchange): void
  /** x, which blocks on a pin, was not executed. True: it is issued again, and the client keeps it. */
  reissue(x: Exchange): boolean
  /** Answers x with an error of our own, or, when its reply has begun to reach the client, breaks the connection off. */
  fail(x: Exchange, code: ErrorCode): void
  /** Lost on their way to or on a pin, they may be sent again, in this order: find a way for them anew. */
  requeue(again: readonly Exchange[]): void
  /** A connection of its own, asked for earlier, is there. */
  pinReady(via: Via): void
  /** The node that was asked for it retires: another has to be asked. */
  pinMoved(): void
  /** It will not come. */
  pinRefused(code: ErrorCode): void
  /**
   * The connection of its own is gone, and with it MULTI and WATCH. `open`: what was lost with it leaves one of those begun (true)
   * or ended; undefined: it says nothing about that.
   */
  pinLost(open: boolean | undefined): void
  /** Called after one or more of its exchanges were answered and pending was lowered. */
  settled(): void
}

const NONE = Buffer.alloc(0)

/** Milliseconds: an exchange that has waited elsewhere has this much patience left, or none. Time is looked at about as often. */
export const LEAST_PATIENCE = 100

/** One request with its reply slot. */
export class Exchange {
  place: Place = 'reading'
  readonly client: ExchangeClient
  readonly spec: CommandSpec
  /** The request as it goes upstream: bytes[start..end), then `tail`. */
  bytes: Buffer = NONE
  start = 0
  end = 0
  /** The rest of a big request, kept as it came instead of being copied behind its head. */
  tail: Buffer | undefined = undefined
  /** Bytes that its client is charged for it. */
  charged = 0
  /** Next in its place (a connection's queue, the barrier, the held queue). */
  next: Exchange | undefined = undefined
  /** The same client's next request. */
  later: Exchange | undefined = undefined
  /** Clock milliseconds. */
  receivedAt = 0
  /** When it was written; when it was first held, while it is held. */
  since = 0
  heldAt = 0
  /** Milliseconds from writing to the first byte of the reply; 0 = as long as it takes. As configured, or LEAST_PATIENCE or more. */
  patience = 0
  /** Replies of the upstream to drop before the one that counts (the PING in front of WAIT). */
  swallow = 0
  /** Replies of the upstream to wait for behind the one that counts, and to drop: of requests in the same piece. */
  behind = 0
  /** The reply may go to the client as it came. */
  plain = true
  /** Member of a transaction, or MULTI, EXEC, WATCH themselves: never sent again. */
  inTransaction = false
  /** CLIENT REPLY OFF or SKIP: nothing of the reply is written. */
  mute = false
  /** In front of the keys of this request upstream. */
  prefix: Buffer = NONE
  /**
   * As whose user the upstream runs it: on a lane its bytes begin and end with a login, on a pin it asks for one that is
   * that user's. undefined: as any other.
   */
  as: Tenant | undefined = undefined
  /** May keep its connection busy for as long as it likes (BLPOP, WAIT); only on a pin. */
  blocks = false
  /** Which way it goes, decided when it was read. */
  way: Way = 'lane'
  /** MULTI and WATCH give their connection state, EXEC, DISCARD and UNWATCH take it away again; members do neither. */
  state: 'none' | 'opens' | 'ends' = 'none'
  /** Its reply has begun to reach the client: it can only be finished or broken off. */
  streaming = false
  /** The reply, when it came before its turn. */
  reply: Buffer | undefined = undefined
  /** What the client's side wants to remember until the reply comes. */
  note: unknown = undefined
  /** Why it waits before it goes anywhere; gone when that is over. */
  delay: Delay | undefined = undefined
  /** Who is told how large the reply was. */
  meter: Meter | undefined = undefined
  /** What policies want with it. */
  effects: Effects | undefined = undefined
  /** For the way `apart`. */
  errand: Errand | undefined = undefined

  constructor(client: ExchangeClient, spec: CommandSpec, receivedAt: number) {
    this.client = client
    this.spec = spec
    this.receivedAt = receivedAt
  }

  get size(): number {
    return this.end - this.start + (this.tail === undefined ? 0 : this.tail.length)
  }

  /** Gives it bytes of its own. */
  setBytes(bytes: Buffer): void {
    this.bytes = bytes
    this.start = 0
    this.end = bytes.length
    this.tail = undefined
  }

  moveTo(next: Place): void {
    if (!mayMove(this.place, next)) throw new Error(`illegal move of an exchange: ${this.place} -> ${next}`)
    this.place = next
  }

  /** Copies its bytes out of the shared slab, so that one that waits long does not keep 64 KiB alive. */
  own(): void {
    if (this.bytes.length === this.end - this.start) return
    const { tail } = this
    this.setBytes(Buffer.from(this.bytes.subarray(this.start, this.end)))
    this.tail = tail
  }
}
