import type { Way } from '../commands/exchange.ts'
import { isOpenTo } from '../commands/open-to.ts'
import { notWhileSubscribed, wrongArity } from '../commands/refusal.ts'
import { mayReadReplica } from '../commands/replicable.ts'
import { type CommandSpec, FLAG } from '../commands/spec.ts'
import { ERROR_BYTES } from '../errors.ts'
import type { Edit } from '../policies/policy.ts'
import type { Node } from '../upstream/node.ts'
import { Answers } from './answers.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { ClientEnv } from './env.ts'
import { Incoming } from './incoming.ts'
import { JobDispatcher } from './job-dispatcher.ts'
import type { Counts } from './jobs/counts.ts'
import { FOR_EVERYBODY } from './jobs/index.ts'
import { Call } from './local-call.ts'
import { forbiddenToMonitor, MONITOR_FORBIDS, Sighting } from './monitor.ts'
import { Outgoing } from './outgoing.ts'
import { PubSubDispatcher } from './pubsub/dispatcher.ts'
import { Scripting } from './scripting/dispatcher.ts'
import { escort } from './scripting/escort.ts'
import { TransactionDispatcher } from './transaction-dispatcher.ts'

/**
 * What is done with one request: look it up, check it, answer it here or rewrite it and send it on its way. One
 * object for all clients; everything in it is reused from request to request.
 */
export class Dispatcher {
  readonly env: ClientEnv
  readonly answers: Answers
  private readonly incoming: Incoming
  private readonly edited = new Incoming()
  private readonly outgoing: Outgoing
  private readonly transactions: TransactionDispatcher
  private readonly jobs: JobDispatcher
  readonly scripting: Scripting
  readonly pubsub: PubSubDispatcher
  /** By spec.index: with fewer arguments than so many it goes the shared way whatever they are; 0: never. */
  private readonly simpleBelow: Int32Array
  /** By spec.index: 1 = a replica may answer it. */
  private readonly replicable: Uint8Array

  constructor(env: ClientEnv) {
    this.env = env
    this.incoming = new Incoming(env.gates)
    const call = new Call(env.writer, env.server)
    this.answers = new Answers(env, call)
    this.outgoing = new Outgoing(env, call)
    this.pubsub = new PubSubDispatcher(env, this.outgoing)
    this.scripting = new Scripting(env, this.outgoing, this.answers)
    this.transactions = new TransactionDispatcher(this.outgoing, this.answers, this.pubsub, this.scripting)
    this.jobs = new JobDispatcher(env, this.outgoing, this.scripting)
    this.simpleBelow = Int32Array.from(env.table.all().map(simpleBelow))
    this.replicable = Uint8Array.from(env.table.all().map((spec) => Number(mayReadReplica(spec))))
  }

  /** How many keys tenants have. */
  get counts(): Counts {
    return this.jobs.counts
  }

  /** Jobs under way that go on to their end without a client. */
  get outliving(): number {
    return this.jobs.outliving
  }

  /** One request, as RequestSink.onRequest gives it. */
  request(client: DispatchClient, buf: Buffer, start: number, end: number, argc: number, args: Int32Array): void {
    const { answers, env } = this
    const request = this.incoming.set(buf, start, end, argc, args)
    let spec = env.table.find(buf, args[0], args[1])
    if (spec !== undefined && spec.subcommands !== undefined && argc > 1) {
      const sub = env.table.findSub(spec, buf, args[2], args[3])
      if (sub === undefined || !isOpen(sub, client)) {
        client.tracker?.next(undefined, client.transaction?.multi === true)
        answers.unknownSub(client, spec, sub, isOpen(spec, client), request)
        return
      }
      spec = sub
    }
    if (spec === undefined || !isOpen(spec, client)) {
      client.tracker?.next(undefined, client.transaction?.multi === true)
      answers.unknown(client, spec, request)
      return
    }
    if (spec.arity > 0 ? argc !== spec.arity : argc < -spec.arity) {
      client.stats.error('ARITY')
      client.tracker?.next(spec, client.transaction?.multi === true)
      this.reject(client, spec, wrongArity(spec))
      return
    }
    if (client.node === undefined && !this.beforeLogin(client, spec, request)) return
    if (client.session.subscribed > 0) {
      const verdict = this.pubsub.judge(client, spec)
      if (verdict === 'wait') {
        client.stall(buf.subarray(start, end))
        return
      }
      if (verdict === 'refuse') {
        client.tracker?.next(spec, client.transaction?.multi === true)
        this.reject(client, spec, notWhileSubscribed(spec))
        return
      }
    }
    if (client.transaction?.settling !== undefined && spec.route === 'script' && !client.quiet) {
      // Whether it may be a member is not known yet.
      client.stall(buf.subarray(start, end))
      return
    }
    client.tracker?.next(spec, client.transaction?.multi === true)
    client.stats.requests[env.families[spec.index]]++
    client.session.lastCommand = spec.name
    const { chain } = client
    if (chain === undefined) {
      this.handle(client, spec, request)
      return
    }
    const { ruling } = this.outgoing
    request.client = client
    if (chain.onRequest(spec, request, ruling) === 'reply') {
      const answered = ruling.answer !== undefined
      this.ruledOut(client, spec)
      if (answered && client.tracker !== undefined) this.outgoing.notSent(client.tracker, spec, request)
      return
    }
    const before = client.said
    if (ruling.edit === undefined) this.handle(client, spec, request)
    else this.handleEdited(client, spec, request, ruling.edit)
    if (ruling.meter !== undefined || ruling.delay !== undefined || ruling.effects !== undefined)
      this.answeredAtOnce(client.said - before)
  }

  /** A policy has the reply. */
  private ruledOut(client: DispatchClient, spec: CommandSpec): void {
    const { ruling } = this.outgoing
    const { answer, answerEnd } = ruling
    ruling.answer = undefined
    ruling.edit = undefined
    if (answerEnd > 0) {
      ruling.answerEnd = 0
      client.sayCopy(answer as Buffer, ruling.answerStart, answerEnd)
      this.answeredAtOnce(answerEnd - ruling.answerStart)
      return
    }
    if (answer === undefined) {
      client.stats.error('RATELIMITED')
      this.reject(client, spec, ruling.refusal)
    } else if (!this.transactions.answer(client, spec, answer)) {
      this.answers.say(client, answer)
    }
    this.answeredAtOnce(answer?.length ?? 0)
  }

  /** A policy wants something else to be sent than what the client said. */
  private handleEdited(client: DispatchClient, spec: CommandSpec, request: Incoming, edit: Edit): void {
    this.outgoing.ruling.edit = undefined
    const edited = this.edited.set(edit.buf, 0, edit.buf.length, edit.argc, edit.args)
    if (client.stats.monitors === undefined) this.act(client, edit.spec, edited)
    else this.actWatched(client, spec, request, edit.spec, edited)
  }

  /** Nobody has taken what policies want with the request: Keyward has answered it itself, with so many bytes, or will. */
  private answeredAtOnce(said: number): void {
    const { ruling } = this.outgoing
    ruling.delay?.end(false)
    ruling.delay = undefined
    if (said > 0) ruling.meter?.replied(said)
    ruling.meter = undefined
    ruling.effects = undefined
  }

  private handle(client: DispatchClient, spec: CommandSpec, request: Incoming): void {
    if (client.stats.monitors === undefined) this.act(client, spec, request)
    else this.actWatched(client, spec, request, spec, request)
  }

  private act(client: DispatchClient, spec: CommandSpec, request: Incoming): void {
    if (client.transactional && this.transactions.take(client, spec, request)) return
    if (request.argc < this.simpleBelow[spec.index]) this.shared(client, spec, request)
    else this.special(client, spec, request)
  }

  /** Somebody of its tenant has said MONITOR, and sees `request`, whatever is sent in its place. */
  private actWatched(
    client: DispatchClient,
    spec: CommandSpec,
    request: Incoming,
    sentSpec: CommandSpec,
    sent: Incoming,
  ): void {
    if (forbiddenToMonitor(client, spec)) {
      this.reject(client, spec, MONITOR_FORBIDS)
      return
    }
    const sighting = new Sighting(client, spec, request, this.answers.postpones(client, spec))
    this.act(client, sentSpec, sent)
    sighting.show(this.env.server.now())
  }

  /** May a client that has not logged in run it? If not, it is told. */
  private beforeLogin(client: DispatchClient, spec: CommandSpec, request: Incoming): boolean {
    if ((spec.flags & FLAG.NO_AUTH) === 0) {
      client.stats.error('NOAUTH')
      if (spec.name === 'exec') this.reject(client, spec, EXEC_NOAUTH)
      else this.answers.say(client, ERROR_BYTES.NOAUTH)
      return false
    }
    if (spec.open === 'tenant' && spec.route === 'local') return true
    this.answers.unknown(client, spec, request)
    return false
  }

  /** EXEC that is refused drops its transaction (execCommandAbort in Redis' multi.c). */
  private reject(client: DispatchClient, spec: CommandSpec, text: string): void {
    if (spec.name === 'exec') this.transactions.abort(client, spec, text)
    else this.answers.refuse(client, text)
  }

  private shared(client: DispatchClient, spec: CommandSpec, request: Incoming): void {
    const x = this.outgoing.open(client, spec)
    const node = client.node as Node
    this.outgoing.rewrite(client, x, sharedWay(client, node, spec, request), request)
    if (x.effects !== undefined && !this.outgoing.carryOut(client, x)) return
    if (client.readsReplicas && x.effects?.fill === undefined && x.way === 'lane' && this.replicable[spec.index] === 1)
      x.way = 'replica'
    client.router.send(x, node)
  }

  /** Everything that is not the shared way at first sight. */
  private special(client: DispatchClient, spec: CommandSpec, request: Incoming): void {
    const { quirk, route } = spec
    const { outgoing } = this
    const error = quirk.rejects?.(request.view(), client.node?.facts.offers)
    if (error !== undefined) {
      this.reject(client, spec, error)
      return
    }
    const reason = client.session.prefix.length > 0 ? quirk.refuses?.(request.view()) : undefined
    if (reason !== undefined) {
      this.answers.notOpen(client, spec, reason, request)
      return
    }
    if (route === 'local') {
      this.answers.local(client, spec, request)
      return
    }
    if (route === 'script') {
      if (client.session.prefix.length === 0) this.shared(client, spec, request)
      else this.scripting.take(client, spec, request, sharedWay(client, client.node as Node, spec, request))
      return
    }
    if (route === 'transaction') {
      this.transactions.take(client, spec, request)
      return
    }
    if (route === 'pubsub') {
      this.pubsub.take(client, spec, request)
      return
    }
    if (route === 'job') {
      if (client.session.prefix.length > 0 || FOR_EVERYBODY.has(spec.name)) this.jobs.take(client, spec, request)
      else this.shared(client, spec, request)
      return
    }
    const node = client.node as Node
    const x = outgoing.open(client, spec)
    if (quirk.corrected === true) x.plain = false
    if (quirk.forward !== undefined) {
      const said = outgoing.forward(client, x, request, client.session.db)
      if (said !== undefined) {
        client.finish(x, said)
        return
      }
      x.way = sharedWay(client, node, spec, request)
      if (spec.extension === 'throttle') escort(client, x)
    } else {
      const time = route === 'wait' ? waitTime(request) : quirk.blocks?.(request.view())
      const shared = sharedWay(client, node, spec, request)
      const way = time === undefined || shared === 'transaction' ? shared : 'blocked'
      outgoing.rewrite(client, x, way, request)
      if (time !== undefined) outgoing.block(x, time)
      if (route === 'wait') outgoing.behindPing(x)
    }
    if (x.effects !== undefined && !outgoing.carryOut(client, x)) return
    if (quirk.corrected === true) this.pubsub.note(x, client, request)
    client.router.send(x, node)
  }
}

/** Before login everything that exists is "open": the answer is NOAUTH, as in Redis. */
function isOpen(spec: CommandSpec, client: DispatchClient): boolean {
  if (spec.open === 'tenant' && spec.presence === 'always') return true
  const { tenant } = client.session
  return tenant === undefined || isOpenTo(spec, tenant, client.node?.facts.offers)
}

function simpleBelow({ quirk, route }: CommandSpec): number {
  const special =
    route !== 'shared' || quirk.refuses !== undefined || quirk.forward !== undefined || quirk.corrected !== undefined
  if (special) return 0
  return quirk.rejects === undefined ? MOST : (quirk.rejectsFrom ?? 0)
}

const MOST = 0x7fffffff

/** The way of a request that does not block: among its like, unless the client is watching keys. */
function sharedWay(client: DispatchClient, node: Node, spec: CommandSpec, request: Incoming): Way {
  if (client.transactional) return 'transaction'
  if (request.end - request.start > node.bulk) return 'bulk'
  const { bigKeys } = node
  if (bigKeys.empty || spec.firstKey <= 0 || spec.firstKey >= request.argc) return 'lane'
  const { args, buf } = request
  const k = spec.firstKey
  return bigKeys.has(client.session.prefix, buf, args[2 * k], args[2 * k + 1]) ? 'bulk' : 'lane'
}

/** WAIT numreplicas timeout, WAITAOF numlocal numreplicas timeout; in milliseconds. */
function waitTime(request: Incoming): number {
  const time = request.view().integer(request.argc - 1)
  return time === undefined || time < 0 ? 1 : time
}

const EXEC_NOAUTH = 'EXECABORT Transaction discarded because of: NOAUTH Authentication required.'
