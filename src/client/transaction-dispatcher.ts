import type { Meter } from '../commands/delay.ts'
import type { Exchange } from '../commands/exchange.ts'
import { notInMulti } from '../commands/in-multi.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { ERROR_BYTES, ERRORS } from '../errors.ts'
import { databaseCount, keyPrefix } from '../session/tenant.ts'
import type { Node } from '../upstream/node.ts'
import type { Answers } from './answers.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { Incoming } from './incoming.ts'
import type { Outgoing } from './outgoing.ts'
import type { PubSubDispatcher } from './pubsub/dispatcher.ts'
import type { Scripting } from './scripting/dispatcher.ts'
import { StoredArgs } from './stored-args.ts'
import { Abort, CUT, DISCARD, Transaction } from './transaction.ts'

/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH, and every request between them. From WATCH or MULTI on, all that goes upstream
 * goes on one pin; what Keyward answers itself is queued there as PING and replaced in EXEC's array, so that the
 * array has Redis' own shape. https://redis.io/docs/latest/develop/using-commands/transactions/
 */
export class TransactionDispatcher {
  private readonly outgoing: Outgoing
  private readonly answers: Answers
  private readonly pubsub: PubSubDispatcher
  private readonly scripting: Scripting

  constructor(outgoing: Outgoing, answers: Answers, pubsub: PubSubDispatcher, scripting: Scripting) {
    this.outgoing = outgoing
    this.answers = answers
    this.pubsub = pubsub
    this.scripting = scripting
  }

  /** False: the request is to be handled as outside a transaction (behind WATCH, what goes upstream goes on its pin). */
  take(client: DispatchClient, spec: CommandSpec, request: Incoming): boolean {
    const tx = (client.transaction ??= new Transaction())
    switch (spec.name) {
      case 'multi':
        this.multi(client, tx, spec)
        return true
      case 'exec':
        if (tx.multi) this.exec(client, tx, spec)
        else this.answers.complain(client, 'ERR EXEC without MULTI')
        return true
      case 'discard':
        if (tx.multi) this.end(client, tx, spec, DISCARD)
        else this.answers.complain(client, 'ERR DISCARD without MULTI')
        return true
      case 'watch':
        this.watch(client, tx, spec, request)
        return true
      case 'unwatch':
        if (tx.multi) break
        if (tx.watching) this.end(client, tx, spec, UNWATCH)
        else this.answers.say(client, OK)
        return true
    }
    if (!tx.multi) return false
    if (AT_ONCE.has(spec.name)) {
      tx.end()
      return false
    }
    this.member(client, tx, spec, request)
    return true
  }

  /** A policy has the reply to this member of a transaction; false: there is none. */
  answer(client: DispatchClient, spec: CommandSpec, reply: Buffer): boolean {
    const tx = client.transaction
    if (tx?.multi !== true) return false
    if (tx.lost) {
      this.answers.say(client, QUEUED)
      return true
    }
    const x = this.open(client, spec)
    x.plain = !x.mute
    tx.queue({ kind: 'said', bytes: reply })
    this.outgoing.replace(client, x, PING)
    client.router.send(x, client.node as Node)
    return true
  }

  private multi(client: DispatchClient, tx: Transaction, spec: CommandSpec): void {
    if (tx.multi) {
      this.answers.complain(client, 'ERR MULTI calls can not be nested')
      return
    }
    tx.begin()
    this.control(client, tx, spec, MULTI)
  }

  private watch(client: DispatchClient, tx: Transaction, spec: CommandSpec, request: Incoming): void {
    if (tx.multi) {
      this.answers.complain(client, 'ERR WATCH inside MULTI is not allowed')
      return
    }
    tx.watching = true
    if (tx.lost) {
      this.answers.say(client, OK)
      return
    }
    const x = this.open(client, spec)
    x.state = 'opens'
    this.outgoing.rewrite(client, x, 'transaction', request)
    this.scripting.usage.open(client, x)
    client.router.send(x, client.node as Node)
  }

  /** DISCARD and UNWATCH. */
  private end(client: DispatchClient, tx: Transaction, spec: CommandSpec, bytes: Buffer): void {
    this.control(client, tx, spec, bytes)
    tx.end()
    client.router.resume()
  }

  private exec(client: DispatchClient, tx: Transaction, spec: CommandSpec): void {
    const { dirty, lost, answersOwn, meter, reads } = tx
    const members = tx.end()
    if (lost) {
      client.stats.error('EXECABORT')
      this.answers.say(client, ERROR_BYTES.EXECABORT)
      client.router.resume()
      return
    }
    if (dirty) this.discard(client, spec, ERROR_BYTES.EXECABORT)
    else this.send(client, spec, EXEC, members, meter, reads)
    // What SELECT or CLIENT SETNAME did is known when EXEC has run.
    if (answersOwn && !dirty && !client.quiet) client.stall()
  }

  /** EXEC that was itself refused: the transaction is dropped, and `error` says why. */
  abort(client: DispatchClient, spec: CommandSpec, error: string): void {
    const line = Buffer.from(`-${error}\r\n`)
    const tx = client.transaction
    const open = tx?.multi === true && !tx.lost
    tx?.end()
    if (open) this.discard(client, spec, line)
    else this.answers.say(client, line)
    client.router.resume()
  }

  /** DISCARD upstream, `error` to the client. */
  private discard(client: DispatchClient, spec: CommandSpec, error: Buffer): void {
    this.send(client, spec, DISCARD, new Abort(error))
  }

  /** MULTI and the like: no arguments, on the pin; answered here when the pin is lost. */
  private control(client: DispatchClient, tx: Transaction, spec: CommandSpec, bytes: Buffer): void {
    if (tx.lost) this.answers.say(client, OK)
    else this.send(client, spec, bytes, undefined)
  }

  /** `reads`: the keys that its members read, for CLIENT TRACKING. */
  private send(
    client: DispatchClient,
    spec: CommandSpec,
    bytes: Buffer,
    note: unknown,
    meter?: Meter,
    reads?: readonly string[],
  ): void {
    const x = this.open(client, spec)
    if (reads !== undefined) client.tracker?.read(x, reads)
    x.note = note
    x.meter = meter
    x.state = bytes === MULTI ? 'opens' : 'ends'
    this.outgoing.replace(client, x, bytes)
    if (x.state === 'opens') this.scripting.usage.open(client, x)
    client.router.send(x, client.node as Node)
  }

  private open(client: DispatchClient, spec: CommandSpec): Exchange {
    const x = this.outgoing.open(client, spec)
    x.inTransaction = true
    x.plain = false
    x.way = 'transaction'
    return x
  }

  private member(client: DispatchClient, tx: Transaction, spec: CommandSpec, request: Incoming): void {
    const { answers, outgoing } = this
    const { session } = client
    const { tenant } = session
    if (notInMulti(spec, session.prefix.length > 0, tx.walled) !== undefined) {
      client.stats.error('NOTINMULTI')
      answers.refuse(client, ERRORS.NOTINMULTI.reply)
      return
    }
    const error = spec.quirk.rejects?.(request.view(), client.node?.facts.offers)
    if (error !== undefined) {
      answers.refuse(client, error)
      return
    }
    const reason = session.prefix.length > 0 ? spec.quirk.refuses?.(request.view()) : undefined
    if (reason !== undefined) {
      answers.notOpen(client, spec, reason, request)
      return
    }
    if (tx.lost || tenant === undefined) {
      answers.say(client, QUEUED)
      return
    }
    const isScript = spec.route === 'script' && session.prefix.length > 0
    if (isScript && !tx.lost && this.scripting.isClosedIn(client, tx.walled)) {
      client.stats.error('NOTINMULTI')
      answers.refuse(client, ERRORS.NOTINMULTI.reply)
      return
    }
    const run = isScript ? this.scripting.memberRun(client, spec, request, tx.db ?? session.db) : undefined
    if (isScript && run === undefined) return
    const x = this.open(client, spec)
    x.plain = !x.mute
    if (x.meter !== undefined) tx.measure(x.meter)
    if (tx.db !== undefined && spec.channel === 0) x.prefix = keyPrefix(tenant, tx.db)
    if (spec.route === 'local') {
      const { buf, start, end, argc, args } = request
      tx.queue({ kind: 'local', spec, args: new StoredArgs(buf, start, end, argc, args) })
      if (spec.name === 'select') {
        const db = request.view().integer(1)
        if (db !== undefined && db >= 0 && db < databaseCount(tenant)) tx.db = db
      }
      outgoing.replace(client, x, PING)
    } else if (run !== undefined) {
      tx.queue({ kind: 'script', run })
      outgoing.noteKeys(client, x, request)
      this.scripting.aimMember(client, x, run)
    } else {
      const { reply, errorKey, forward, instead } = spec.quirk
      const said = forward === undefined ? undefined : outgoing.forward(client, x, request, tx.db ?? session.db)
      const revised = x.prefix.length > 0 && (reply !== undefined || errorKey !== undefined || instead !== undefined)
      if (said !== undefined) {
        tx.queue({ kind: 'said', bytes: said })
        outgoing.replace(client, x, PING)
      } else {
        if (spec.quirk.corrected === true) {
          tx.queue({ kind: 'corrected', spec, asked: this.pubsub.asked(client, spec, request) })
        } else if (spec.quirk.amend !== undefined && tenant.extensions.size > 0 && x.note instanceof StoredArgs) {
          tx.queue({ kind: 'amended', spec, args: x.note })
        } else tx.queue(revised ? { kind: 'strip', spec, prefix: x.prefix } : undefined)
        if (forward === undefined) outgoing.rewrite(client, x, 'transaction', request)
      }
    }
    if (x.effects !== undefined) {
      if (!outgoing.carryOut(client, x)) return
      for (let i = 0; i < x.behind; i++) tx.queue(CUT)
    }
    client.router.send(x, client.node as Node)
  }
}

/** Not queued by Redis either. */
const AT_ONCE: ReadonlySet<string> = new Set(['quit', 'reset'])

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n')
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n')
const UNWATCH = Buffer.from('*1\r\n$7\r\nUNWATCH\r\n')
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n')
const OK = Buffer.from('+OK\r\n')
const QUEUED = Buffer.from('+QUEUED\r\n')
