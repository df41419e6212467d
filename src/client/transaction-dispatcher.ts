import type { ArgView } from '../commands/arg-view.ts'
import type { Exchange, Way } from '../commands/exchange.ts'
import { unknownCommand } from '../commands/refusal.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { ERROR_BYTES } from '../errors.ts'
import { databaseCount, keyPrefix } from '../session/tenant.ts'
import type { Node } from '../upstream/node.ts'
import type { DispatchClient } from './dispatch-client.ts'
import { Abort, StoredArgs, Transaction } from './transaction.ts'

/** What it needs of the dispatcher, which does the same for all other requests. */
export interface DispatchTools {
  readonly view: ArgView
  exchange(client: DispatchClient, spec: CommandSpec): Exchange
  rewrite(
    client: DispatchClient,
    x: Exchange,
    way: Way,
    prefix: Buffer,
    buf: Buffer,
    start: number,
    end: number,
    argc: number,
    args: Int32Array,
  ): void
  replace(client: DispatchClient, x: Exchange, bytes: Buffer): void
  forward(client: DispatchClient, x: Exchange, view: ArgView): void
  /** A request between WATCH and MULTI: as always, but what goes upstream goes on the pin that watches. */
  watched(
    client: DispatchClient,
    spec: CommandSpec,
    buf: Buffer,
    start: number,
    end: number,
    argc: number,
    args: Int32Array,
  ): void
  /** QUIT and RESET inside MULTI: the transaction is dropped with its connection, then they act. */
  leaveTransaction(client: DispatchClient, spec: CommandSpec, buf: Buffer, start: number, end: number): void
  refuse(client: DispatchClient, text: string): void
  /** An error that does not abort an open transaction. */
  refuseOnly(client: DispatchClient, text: string): void
  say(client: DispatchClient, bytes: Buffer): void
  noteRefusal(client: DispatchClient, spec: CommandSpec, reason: string): void
}

/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH, and every request between them. From WATCH or MULTI on, all that goes upstream
 * goes on one pin; what Keyward answers itself is queued there as PING and replaced in EXEC's array, so that the
 * array has Redis' own shape. https://redis.io/docs/latest/develop/using-commands/transactions/
 */
export class TransactionDispatcher {
  private readonly dispatcher: DispatchTools

  constructor(dispatcher: DispatchTools) {
    this.dispatcher = dispatcher
  }

  request(
    client: DispatchClient,
    spec: CommandSpec,
    buf: Buffer,
    start: number,
    end: number,
    argc: number,
    args: Int32Array,
  ): void {
    const tx = (client.transaction ??= new Transaction())
    switch (spec.name) {
      case 'multi':
        if (tx.multi) this.dispatcher.refuseOnly(client, 'ERR MULTI calls can not be nested')
        else {
          tx.begin()
          this.control(client, tx, spec, MULTI, OK)
        }
        return
      case 'exec':
        if (tx.multi) this.exec(client, tx, spec)
        else this.dispatcher.refuseOnly(client, 'ERR EXEC without MULTI')
        return
      case 'discard':
        if (tx.multi) {
          this.control(client, tx, spec, DISCARD, OK)
          tx.end()
        } else this.dispatcher.refuseOnly(client, 'ERR DISCARD without MULTI')
        return
      case 'watch':
        if (tx.multi) this.dispatcher.refuseOnly(client, 'ERR WATCH inside MULTI is not allowed')
        else if (tx.lost) this.dispatcher.say(client, OK)
        else {
          tx.watching = true
          const x = this.exchange(client, spec)
          this.dispatcher.rewrite(client, x, 'transaction', client.session.prefix, buf, start, end, argc, args)
          client.router.send(x, client.node as Node)
        }
        return
      case 'unwatch':
        if (tx.multi) break
        if (tx.watching) {
          this.control(client, tx, spec, UNWATCH, OK)
          tx.end()
        } else this.dispatcher.say(client, OK)
        return
    }
    if (tx.multi) this.member(client, tx, spec, buf, start, end, argc, args)
    else this.dispatcher.watched(client, spec, buf, start, end, argc, args)
  }

  /** MULTI and the like: no arguments, always on the pin; answered here when the pin is lost. */
  private control(client: DispatchClient, tx: Transaction, spec: CommandSpec, bytes: Buffer, whenLost: Buffer): void {
    if (tx.lost) {
      this.dispatcher.say(client, whenLost)
      return
    }
    const x = this.exchange(client, spec)
    this.dispatcher.replace(client, x, bytes)
    client.router.send(x, client.node as Node)
  }

  private exchange(client: DispatchClient, spec: CommandSpec): Exchange {
    const x = this.dispatcher.exchange(client, spec)
    x.inTransaction = true
    x.plain = false
    x.way = 'transaction'
    return x
  }

  private exec(client: DispatchClient, tx: Transaction, spec: CommandSpec): void {
    const { dirty, lost, answersOwn } = tx
    const members = tx.end()
    if (lost) {
      client.stats.error('EXECABORT')
      this.dispatcher.say(client, ERROR_BYTES.EXECABORT)
      return
    }
    const x = this.exchange(client, spec)
    x.note = dirty ? new Abort(ERROR_BYTES.EXECABORT) : members
    this.dispatcher.replace(client, x, dirty ? DISCARD : EXEC)
    client.router.send(x, client.node as Node)
    // What SELECT or CLIENT SETNAME did is known when EXEC has run.
    if (answersOwn && !dirty && !client.quiet) client.stall()
  }

  /** EXEC that was itself refused: Redis drops the transaction, and `error` says why. */
  abort(client: DispatchClient, spec: CommandSpec, error: string): void {
    const text = Buffer.from(`-${error}\r\n`)
    const tx = client.transaction
    if (tx === undefined || !tx.multi || tx.lost) {
      tx?.end()
      this.dispatcher.say(client, text)
      return
    }
    tx.end()
    const x = this.exchange(client, spec)
    x.note = new Abort(text)
    this.dispatcher.replace(client, x, DISCARD)
    client.router.send(x, client.node as Node)
  }

  private member(
    client: DispatchClient,
    tx: Transaction,
    spec: CommandSpec,
    buf: Buffer,
    start: number,
    end: number,
    argc: number,
    args: Int32Array,
  ): void {
    const { dispatcher } = this
    const view = dispatcher.view.set(buf, argc, args)
    const { session } = client
    const tenant = session.tenant
    if (AT_ONCE.has(spec.name)) {
      dispatcher.leaveTransaction(client, spec, buf, start, end)
      return
    }
    if (NOT_INSIDE.has(spec.name)) {
      dispatcher.refuse(client, 'ERR Command not allowed inside a transaction')
      return
    }
    const reason = session.prefix.length > 0 ? spec.quirk.refuses?.(view) : undefined
    if (reason !== undefined) {
      dispatcher.noteRefusal(client, spec, reason)
      dispatcher.refuse(client, unknownCommand(view))
      return
    }
    if (tx.lost || tenant === undefined) {
      dispatcher.say(client, QUEUED)
      return
    }
    const prefix = tx.db === undefined ? session.prefix : keyPrefix(tenant, tx.db)
    const x = this.exchange(client, spec)
    x.plain = !x.mute
    x.prefix = prefix
    if (spec.route === 'local') {
      const stored = new StoredArgs(buf, start, end, argc, args)
      tx.queue({ kind: 'local', spec, args: stored })
      if (spec.name === 'select') {
        const db = view.integer(1)
        if (db !== undefined && db >= 0 && db < databaseCount(tenant)) tx.db = db
      }
      dispatcher.replace(client, x, PING)
    } else {
      tx.queue(
        (spec.quirk.reply === undefined && spec.quirk.errorKey === undefined) || prefix.length === 0
          ? undefined
          : { kind: 'strip', spec, prefix },
      )
      if (spec.quirk.forward !== undefined) dispatcher.forward(client, x, view)
      else dispatcher.rewrite(client, x, 'transaction', prefix, buf, start, end, argc, args)
    }
    client.router.send(x, client.node as Node)
  }
}

/** Not queued by Redis either. */
const AT_ONCE: ReadonlySet<string> = new Set(['quit', 'reset'])
/** They change what the bytes behind them mean, in the middle of EXEC's array. A documented difference. */
const NOT_INSIDE: ReadonlySet<string> = new Set(['hello', 'client|reply'])

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n')
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n')
const DISCARD = Buffer.from('*1\r\n$7\r\nDISCARD\r\n')
const UNWATCH = Buffer.from('*1\r\n$7\r\nUNWATCH\r\n')
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n')
const OK = Buffer.from('+OK\r\n')
const QUEUED = Buffer.from('+QUEUED\r\n')
