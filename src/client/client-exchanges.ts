import type { Delay } from '../commands/delay.ts'
import type { Exchange, Via, Way } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { ERROR_BYTES, type ErrorCode } from '../errors.ts'
import type { ClientPolicy } from '../policies/policy.ts'
import type { Session } from '../session/session.ts'
import type { Connection } from '../upstream/connection.ts'
import type { Node } from '../upstream/node.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { ClientEnv } from './env.ts'
import { expireAgain } from './expire-behind.ts'
import { logIfSlow } from './log-slow.ts'
import type { Asked } from './pubsub/asked.ts'
import type { Subscriptions } from './pubsub/subscriptions.ts'
import { overhear, sendAgain, sendAgainLate } from './reissue.ts'
import { ReplyQueue, SLOT_BYTES } from './reply-queue.ts'
import { reviseReply } from './revise-reply.ts'
import { Router } from './router.ts'
import { runOf } from './scripting/script-run.ts'
import type { Stats } from './stats.ts'
import type { StoredArgs } from './stored-args.ts'
import type { Tracker } from './tracking/tracker.ts'
import type { Transaction } from './transaction.ts'

/** Output that is written at once instead of at the end of the turn, in bytes. */
export const FLUSH_AT = 256 * 1024

/** One client as its exchanges, and the upstream's side, see it: whose turn a reply is, and what becomes of it. */
export abstract class ClientExchanges implements DispatchClient {
  readonly session: Session
  readonly replies = new ReplyQueue()
  readonly router: Router
  transaction: Transaction | undefined = undefined
  subscriptions: Subscriptions | undefined = undefined
  tracker: Tracker | undefined = undefined
  pausedTracker: Tracker | undefined = undefined
  pending = 0
  via: Via | undefined = undefined
  gone = false
  /** Infinity: it has not written. */
  wroteIn = Number.POSITIVE_INFINITY
  waited = true
  unseen = false
  tenantIndex = -1
  weight = 1
  stats: Stats
  requestBytes = 0
  said = 0
  pinClean = true
  node: Node | undefined = undefined
  /** 0: it reads the primary. */
  maxLag = 0
  chain: ClientPolicy | undefined = undefined
  protected readonly env: ClientEnv
  protected readonly dispatcher: Dispatcher

  constructor(session: Session, dispatcher: Dispatcher) {
    this.session = session
    this.dispatcher = dispatcher
    this.env = dispatcher.env
    this.stats = this.env.stats(undefined)
    this.router = new Router(this)
  }

  abstract get outputBytes(): number
  abstract readonly ownsBuffer: boolean
  /** There is output: write it at the end of the turn. */
  abstract wake(): void
  abstract flush(): void
  /** Reads again, if it had stopped and may. */
  abstract readOn(): void
  abstract kept(bytes: number): void
  abstract keeps(bytes: number): void
  abstract settled(): void
  abstract entered(): void
  abstract stall(again?: Buffer): void
  abstract closeWhenAnswered(): void
  abstract cut(): void

  get protocol(): 2 | 3 {
    return this.session.protocol
  }

  get transactional(): boolean {
    return this.transaction?.active === true
  }

  get readsReplicas(): boolean {
    // A replica may answer what the primary has told to be outdated.
    return this.maxLag > 0 && this.tracker === undefined
  }

  get quiet(): boolean {
    return this.pending === 0 && this.router.waiting === 0
  }

  pop(x: Exchange, bytes: number): boolean {
    if (!this.replies.pop(x)) return false
    if (x.meter !== undefined) x.meter.replied(bytes)
    this.requestBytes -= x.charged
    this.observe(x)
    return true
  }

  private observe(x: Exchange): void {
    const { env, stats } = this
    const time = env.clock.now - x.receivedAt
    stats.observe(time)
    if (time >= stats.slowerThan) logIfSlow(this, x, env)
  }

  heldBack(x: Exchange): boolean {
    const { gates } = this.env
    return gates.closed && gates.holds(this, x)
  }

  delayed(x: Exchange, delay: Delay): boolean {
    return this.env.delays.holds(this, x, delay)
  }

  enterDelayed(x: Exchange): void {
    this.env.delays.enter(x)
  }

  undelay(x: Exchange): void {
    this.env.delays.release(x, true)
  }

  refuseDelayed(x: Exchange, refusal: string): void {
    this.stats.error('RATELIMITED')
    // A refused request costs nothing.
    x.meter = undefined
    if (x.inTransaction && this.router.spoilTransaction(ERROR_BYTES.EXECABORT) !== 'ends' && this.transaction?.multi) {
      this.transaction.dirty = true
    }
    this.finish(x, Buffer.from(`-${refusal}\r\n`))
  }

  /** A gate that held requests of this client back is open again. */
  reopened(): void {
    this.router.resume()
    // It may be that nothing went upstream, and what waited was refused: no reply will come to go on from.
    this.settled()
  }

  push(frame: Buffer): void {
    if (this.gone) return
    this.stats.pushes++
    // Replies that are there already and only wait to be moved come first.
    this.replies.advance()
    this.replies.push(frame)
    this.wake()
    if (this.replies.outBytes > FLUSH_AT) this.flush()
  }

  finish(x: Exchange, bytes: Buffer): void {
    if (x.place === 'answered') return
    x.meter?.replied(bytes.length)
    if (x.delay !== undefined) this.env.delays.release(x, false)
    this.requestBytes -= x.charged
    this.observe(x)
    if (!this.gone) {
      // Earlier replies are all there; what is pushed from now on comes behind this one.
      this.replies.advance()
      this.replies.answer(x, bytes)
      this.wake()
    }
    this.ranOut(x)
  }

  failApart(x: Exchange, code: ErrorCode): void {
    if (x.place === 'answered') return
    this.fail(x, code)
    this.ranOut(x)
  }

  private ranOut(x: Exchange): void {
    const ran = x.place === 'running'
    x.moveTo('answered')
    this.tracker?.settle()
    if (!ran) return
    this.router.ran()
    this.pending--
    this.settled()
  }

  prepared(x: Exchange, way: Way): void {
    // Its client may have left meanwhile.
    if (x.place !== 'running') return
    this.requestBytes -= x.charged
    x.charged = x.size + SLOT_BYTES
    this.requestBytes += x.charged
    this.router.prepared(x, way)
    this.pending--
    this.settled()
  }

  notLetIn(x: Exchange, error: string): boolean {
    if (!this.dispatcher.scripting.notRun(this, x, error)) return false
    this.router.requeue([x])
    return true
  }

  reaim(x: Exchange): void {
    this.dispatcher.scripting.reaim(this, x)
  }

  leads(x: Exchange): boolean {
    return this.replies.first === x
  }

  emit(buf: Buffer, start: number, end: number, stable: boolean): void {
    if (this.gone) return
    const bytes = buf.subarray(start, end)
    this.replies.add(stable ? bytes : Buffer.from(bytes))
    this.wake()
    if (this.replies.outBytes > FLUSH_AT) this.flush()
  }

  deliver(x: Exchange, type: number, buf: Buffer, start: number, end: number, stable: boolean): boolean {
    this.requestBytes -= x.charged
    this.observe(x)
    x.effects?.fill?.replied(type, buf, start, end)
    const run = runOf(x)
    if (run !== undefined) this.dispatcher.scripting.delivered(this, run, type, buf.subarray(start, end))
    if (this.gone) {
      x.meter?.replied(end - start)
      return true
    }
    let credible = true
    let bytes: Buffer
    try {
      bytes = x.mute && !x.inTransaction ? NO_BYTES : reviseReply(this, x, type, buf, start, end)
    } catch (error) {
      this.env.fault(error)
      credible = false
      this.stats.error('BADUPSTREAM')
      bytes = ERROR_BYTES.BADUPSTREAM
    }
    // What the client gets: EXEC's array has answers of ours in it.
    x.meter?.replied(x.mute ? end - start : bytes.length)
    this.replies.answer(x, stable || bytes.buffer !== buf.buffer ? bytes : Buffer.from(bytes))
    this.wake()
    return credible
  }

  fail(x: Exchange, code: ErrorCode): void {
    this.requestBytes -= x.charged
    if (code === 'OUTCOMEUNKNOWN' || code === 'UPSTREAMTIMEOUT') this.dispatcher.scripting.abandoned(this, x)
    x.meter?.replied(0)
    if (x.behind > 0 && code === 'OUTCOMEUNKNOWN' && this.node !== undefined) {
      expireAgain(x, this.node, this.env.table)
    }
    if (this.gone) return
    this.stats.error(code)
    if (x.streaming) {
      this.cut()
      return
    }
    if (x.inTransaction) this.transactionFailed()
    const bytes = ERROR_BYTES[code]
    this.replies.answer(x, bytes)
    this.wake()
  }

  /** What the transaction's connection will make of x is not known: it must neither commit nor be used again. */
  private transactionFailed(): void {
    this.pinClean = false
    if (this.transaction?.multi) this.transaction.dirty = true
  }

  say(bytes: Buffer): void {
    this.said += bytes.length
    if (this.replies.empty) this.replies.add(bytes)
    else this.replies.open(this.dispatcher.answers.slot(this, bytes))
    this.wake()
  }

  sayCopy(buf: Buffer, start: number, end: number): void {
    if (!this.replies.empty) {
      this.say(Buffer.from(buf.subarray(start, end)))
      return
    }
    this.said += end - start
    this.replies.addCopy(buf, start, end)
    this.wake()
    if (this.replies.outBytes > FLUSH_AT) this.flush()
  }

  answerMember(spec: CommandSpec, args: StoredArgs): Buffer {
    return this.dispatcher.answers.member(this, spec, args)
  }

  corrected(spec: CommandSpec, asked: Asked, buf: Buffer, start: number, end: number): Buffer {
    return this.dispatcher.pubsub.correct(spec, asked, buf, start, end)
  }

  pinReady(via: Via): void {
    this.router.pinReady(via as Connection)
    this.readOn()
  }

  pinMoved(): void {
    this.router.pinMoved()
  }

  pinRefused(code: ErrorCode): void {
    this.router.pinRefused(code)
  }

  forsakeTransaction(): void {
    this.router.dropPin()
    this.abortOpen()
  }

  pinLost(open = !this.pinClean): void {
    if (this.router.pinLost() && open) this.abortOpen()
  }

  /** What was watched, or begun, on a connection that is gone must not be executed on another one: its EXEC aborts. */
  private abortOpen(): void {
    const ahead = this.router.spoilTransaction(ERROR_BYTES.EXECABORT)
    const { transaction } = this
    if (ahead === 'ends' || transaction?.active !== true) return
    // A MULTI or WATCH that is still to be sent needs a DISCARD behind it: else the next EXEC would execute its members, too.
    if (ahead === 'begins') transaction.dirty = true
    else transaction.lost = true
  }

  requeue(again: readonly Exchange[]): void {
    for (const x of again) if (x.blocks) sendAgain(x, this.env.clock.now)
    this.router.requeue(again)
  }

  blocking(x: Exchange): void {
    sendAgainLate(x, this.env.clock.now)
  }

  overheard(x: Exchange, frame: Buffer): void {
    overhear(x, frame)
  }

  followerFailed(x: Exchange): void {
    const { node } = this
    node?.facts.expiry.doubt()
    // It was made before anybody knew how old the server is.
    if (node !== undefined && !node.facts.knowsExpireNx && !x.inTransaction) expireAgain(x, node, this.env.table)
    x.effects?.expiryFailed?.()
  }

  reissue(x: Exchange): boolean {
    if (this.gone) return false
    this.pending--
    this.pinClean = false
    this.router.dropPin()
    this.requeue([x])
    return true
  }
}

const NO_BYTES = Buffer.alloc(0)
