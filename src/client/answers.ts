import { ArgView } from '../commands/arg-view.ts'
import { Exchange } from '../commands/exchange.ts'
import { refusalOf } from '../commands/open-to.ts'
import { unknownCommand, unknownSubcommand } from '../commands/refusal.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { ERROR_BYTES } from '../errors.ts'
import type { Session } from '../session/session.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { ClientEnv } from './env.ts'
import type { Incoming } from './incoming.ts'
import type { Call } from './local-call.ts'
import { placeMonitor, show } from './monitor.ts'
import { monitorArguments, monitorBody } from './monitor-line.ts'
import type { StoredArgs } from './stored-args.ts'

/** What Keyward says itself: answers of quirks, refusals, errors. Always at the place of the newest request. */
export class Answers {
  private readonly env: ClientEnv
  private readonly call: Call

  constructor(env: ClientEnv, call: Call) {
    this.env = env
    this.call = call
  }

  /** A command that is answered here. */
  local(client: DispatchClient, spec: CommandSpec, request: Incoming): void {
    const { session } = client
    if (this.postpones(client, spec)) {
      client.stall(request.buf.subarray(request.start, request.end))
      return
    }
    const before = session.replyMode
    if (before === 'skip') session.replyMode = 'on'
    const { tenant, protocol } = session
    const bytes = this.answer(client, spec, request.view(), false)
    const seen = session.tenant === tenant ? undefined : this.seenArguments(session, spec, request)
    if (spec.name === 'reset') {
      client.transaction?.end()
      client.subscriptions?.drop()
    }
    if (session.tenant !== tenant || session.protocol !== protocol || spec.name === 'reset') client.forsakeTransaction()
    if (session.tenant !== tenant && !this.entered(client)) return
    if (spec.name === 'monitor' || spec.name === 'reset') placeMonitor(client, client.stats)
    // CLIENT REPLY ON and RESET end the silence with their own reply.
    const muted = before === 'off' ? session.replyMode === 'off' : before === 'skip' && spec.name !== 'client|reply'
    if (bytes.length > 0 && !muted) client.say(bytes)
    if (this.call.closing) client.closeWhenAnswered()
    if (seen !== undefined) show(client.stats, monitorBody(session.db, session.address, seen), this.env.server.now())
  }

  /** A client comes to another tenant, whose monitors see it come. */
  private seenArguments({ tenant }: Session, spec: CommandSpec, request: Incoming): string | undefined {
    if (tenant === undefined || this.env.stats(tenant).monitors === undefined) return undefined
    return monitorArguments(spec, request.view())
  }

  /**
   * Must it wait until all earlier requests of its client are answered? Requests on their way belong to who the client
   * was when it sent them; and the first line of MONITOR follows its +OK.
   */
  postpones(client: DispatchClient, spec: CommandSpec): boolean {
    return AFTER_ALL.has(spec.name) && client.session.tenant !== undefined && !client.quiet
  }

  /** The reply to a member of a transaction, when EXEC has run. */
  member(client: DispatchClient, spec: CommandSpec, args: StoredArgs): Buffer {
    const { tenant } = client.session
    const bytes = this.answer(client, spec, args.into(new ArgView()), true)
    if (client.session.tenant !== tenant) this.entered(client)
    if (this.call.closing) client.closeWhenAnswered()
    return bytes
  }

  private answer(client: DispatchClient, spec: CommandSpec, view: ArgView, inTransaction: boolean): Buffer {
    const { writer } = this.env
    writer.protocol = client.session.protocol
    this.call.prepare(client.session, spec, view, inTransaction)
    spec.quirk.answer?.(this.call)
    if (client.session.tracking !== client.tracker?.state) this.env.tracking.follow(client)
    return writer.take()
  }

  /** False: its tenant has no room for it, it has been told so, and is being closed. */
  private entered(client: DispatchClient): boolean {
    client.entered()
    const { tenant } = client.session
    if (tenant === undefined || this.env.enter(client, tenant)) return true
    client.stats.error('MAXCLIENTS')
    client.say(ERROR_BYTES.MAXCLIENTS)
    client.closeWhenAnswered()
    return false
  }

  /** A slot that has its reply already. */
  slot(client: DispatchClient, bytes: Buffer): Exchange {
    const x = new Exchange(client, this.env.table.all()[0], this.env.clock.now)
    x.moveTo('answered')
    client.replies.keep(x, bytes)
    return x
  }

  /** A reply, unless CLIENT REPLY says otherwise. */
  say(client: DispatchClient, bytes: Buffer): void {
    const { session } = client
    if (session.replyMode === 'on') client.say(bytes)
    else if (session.replyMode === 'skip') session.replyMode = 'on'
  }

  /** An error line that leaves an open transaction alone; CR and LF in it become blanks, as in Redis. */
  complain(client: DispatchClient, text: string): void {
    const { writer } = this.env
    writer.protocol = client.session.protocol
    writer.error(text)
    this.say(client, writer.take())
  }

  /** The same for a command that is refused: while MULTI is open, that aborts the transaction. */
  refuse(client: DispatchClient, text: string): void {
    this.complain(client, text)
    if (client.transaction?.multi) client.transaction.dirty = true
  }

  /** A command that does not exist (`spec` undefined), or not for this client: the same words. */
  unknown(client: DispatchClient, spec: CommandSpec | undefined, request: Incoming): void {
    const view = request.view()
    if (spec === undefined && (view.is(0, 'POST') || view.is(0, 'HOST:'))) {
      // Somebody makes a browser talk to us. https://redis.io/docs/latest/operate/oss_and_stack/management/security/
      client.cut()
      return
    }
    if (spec === undefined) client.stats.error('UNKNOWNCOMMAND')
    else this.noteRefusal(client, spec, refusalOf(spec, client.session.tenant))
    this.refuse(client, unknownCommand(view))
  }

  /** A subcommand that does not exist (`sub` undefined), or not for this client. */
  unknownSub(
    client: DispatchClient,
    container: CommandSpec,
    sub: CommandSpec | undefined,
    containerOpen: boolean,
    request: Incoming,
  ): void {
    if (sub === undefined) client.stats.error('UNKNOWNCOMMAND')
    else this.noteRefusal(client, sub, refusalOf(sub, client.session.tenant))
    const view = request.view()
    this.refuse(client, containerOpen ? unknownSubcommand(view, container) : unknownCommand(view))
  }

  /** Arguments that are not open for a prefixed tenant. */
  notOpen(client: DispatchClient, spec: CommandSpec, reason: string, request: Incoming): void {
    this.noteRefusal(client, spec, reason)
    const container = spec.name.includes('|') ? this.env.table.byName(spec.name.split('|')[0]) : undefined
    const view = request.view()
    this.refuse(client, container === undefined ? unknownCommand(view) : unknownSubcommand(view, container))
  }

  private noteRefusal(client: DispatchClient, spec: CommandSpec, reason: string): void {
    client.stats.error('UNKNOWNCOMMAND')
    client.stats.refused(reason)
    this.env.notices.refused(client.session.tenant?.name ?? '-', spec.name, reason, this.env.clock.now)
  }
}

const AFTER_ALL: ReadonlySet<string> = new Set(['auth', 'hello', 'monitor', 'reset'])
