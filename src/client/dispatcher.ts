import { ArgView } from '../commands/arg-view.ts'
import { Exchange, type Way } from '../commands/exchange.ts'
import { findKeys } from '../commands/keys.ts'
import { unknownCommand, unknownSubcommand, wrongArity } from '../commands/refusal.ts'
import { type CommandSpec, FLAG, KeyList } from '../commands/spec.ts'
import { ERROR_BYTES } from '../errors.ts'
import { lastKeyEnd, rewriteRequest } from '../keyspace/rewrite-request.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import type { Node } from '../upstream/node.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { ClientEnv } from './env.ts'
import { Call } from './local-call.ts'
import { prepareReissue } from './reissue.ts'
import type { StoredArgs } from './transaction.ts'
import { type DispatchTools, TransactionDispatcher } from './transaction-dispatcher.ts'

/** A request over this is sent from the client's own buffer behind its rewritten head, not copied. */
const COPY_UP_TO = 64 * 1024

/**
 * What is done with one request: look it up, check it, answer it here or rewrite it and send it on its way. One
 * object for all clients; everything in it is reused from request to request.
 */
export class Dispatcher implements DispatchTools {
  readonly env: ClientEnv
  /** Arguments of the request at hand. */
  readonly view = new ArgView()
  private readonly keys = new KeyList()
  private readonly call: Call
  private readonly transactions: TransactionDispatcher
  /** By spec.index: 1 = goes the shared way whatever its arguments are. */
  private readonly simple: Uint8Array

  constructor(env: ClientEnv) {
    this.env = env
    this.call = new Call(env.writer, env.server)
    this.transactions = new TransactionDispatcher(this)
    const specs = env.table.all()
    this.simple = new Uint8Array(specs.length)
    for (const spec of specs) {
      const { quirk } = spec
      if (spec.route === 'shared' && quirk.refuses === undefined && quirk.forward === undefined)
        this.simple[spec.index] = 1
    }
  }

  request(client: DispatchClient, buf: Buffer, start: number, end: number, argc: number, args: Int32Array): void {
    const { table } = this.env
    const session = client.session
    let spec = table.find(buf, args[0], args[1])
    if (spec !== undefined && spec.subcommands !== undefined && argc > 1) {
      const sub = table.findSub(spec, buf, args[2], args[3])
      if (sub === undefined || !isOpen(sub, client)) {
        this.closedSubcommand(client, spec, sub, buf, argc, args)
        return
      }
      spec = sub
    }
    if (spec === undefined || !isOpen(spec, client)) {
      this.closed(client, spec, buf, argc, args)
      return
    }
    if (spec.arity > 0 ? argc !== spec.arity : argc < -spec.arity) {
      client.stats.error('ARITY')
      const text = wrongArity(spec)
      if (spec.name === 'exec') this.transactions.abort(client, spec, text)
      else this.refuse(client, text)
      return
    }
    const tenant = session.tenant
    if (tenant === undefined && (spec.flags & FLAG.NO_AUTH) === 0) {
      client.stats.error('NOAUTH')
      if (spec.name === 'exec')
        this.transactions.abort(
          client,
          spec,
          'EXECABORT Transaction discarded because of: NOAUTH Authentication required.',
        )
      else this.say(client, ERROR_BYTES.NOAUTH)
      return
    }
    if (tenant === undefined && spec.open !== 'tenant') {
      this.closed(client, spec, buf, argc, args)
      return
    }
    client.stats.requests[this.env.families[spec.index]]++
    session.lastCommand = spec.name
    if (client.transaction !== undefined && client.transaction.active) {
      this.transactions.request(client, spec, buf, start, end, argc, args)
      return
    }
    if (this.simple[spec.index] === 1) {
      const x = this.exchange(client, spec)
      const node = client.node as Node
      const way = end - start > node.bulk || this.wasBig(client, spec, buf, argc, args) ? 'bulk' : 'lane'
      this.rewrite(client, x, way, session.prefix, buf, start, end, argc, args)
      client.router.send(x, node)
      return
    }
    this.special(client, spec, buf, start, end, argc, args)
  }

  /** Everything that is not the shared way at first sight. */
  private special(
    client: DispatchClient,
    spec: CommandSpec,
    buf: Buffer,
    start: number,
    end: number,
    argc: number,
    args: Int32Array,
  ): void {
    const { quirk, route } = spec
    const view = this.view.set(buf, argc, args)
    const prefix = client.session.prefix
    const reason = prefix.length > 0 ? quirk.refuses?.(view) : undefined
    if (reason !== undefined) {
      this.noteRefusal(client, spec, reason)
      this.refuse(client, unknownCommand(view))
      return
    }
    if (route === 'local') {
      this.local(client, spec, buf, start, end)
      return
    }
    if (route === 'transaction') {
      this.transactions.request(client, spec, buf, start, end, argc, args)
      return
    }
    const x = this.exchange(client, spec)
    const node = client.node as Node
    if (quirk.forward !== undefined) {
      this.forward(client, x, view)
    } else {
      const blocks = route === 'wait' ? waitTime(view) : quirk.blocks?.(view)
      let way: Way = end - start > node.bulk ? 'bulk' : 'lane'
      if (client.transactional) way = 'transaction'
      if (blocks !== undefined) {
        if (way !== 'transaction') way = 'blocked'
        x.blocks = true
        x.patience = blocks === 0 ? 0 : blocks + x.patience
      }
      this.rewrite(client, x, way, prefix, buf, start, end, argc, args)
      if (route === 'wait') this.behindPing(x)
      else if (blocks !== undefined && way === 'blocked') prepareReissue(x, blocks, this.keys)
    }
    if (client.transactional) x.way = 'transaction'
    client.router.send(x, node)
  }

  watched(
    client: DispatchClient,
    spec: CommandSpec,
    buf: Buffer,
    start: number,
    end: number,
    argc: number,
    args: Int32Array,
  ): void {
    this.special(client, spec, buf, start, end, argc, args)
  }

  leaveTransaction(client: DispatchClient, spec: CommandSpec, buf: Buffer, start: number, end: number): void {
    client.transaction?.end()
    this.local(client, spec, buf, start, end)
  }

  /** A new exchange of this client, in its slot of the reply queue. */
  exchange(client: DispatchClient, spec: CommandSpec): Exchange {
    const x = new Exchange(client, spec, this.env.clock.now)
    const session = client.session
    const prefix = session.prefix
    x.prefix = prefix
    x.patience = (client.node as Node).options.timeouts.request
    x.plain = spec.quirk.reply === undefined || prefix.length === 0
    if (session.replyMode !== 'on') {
      x.mute = true
      x.plain = false
      if (session.replyMode === 'skip') session.replyMode = 'on'
    }
    client.replies.open(x)
    return x
  }

  /** Gives x its way and its bytes as they go upstream. */
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
  ): void {
    const { spec } = x
    const keys = this.keys
    if (spec.firstKey > 0 && spec.firstKey === spec.lastKey) {
      keys.count = 1
      keys.at[0] = spec.firstKey
    } else {
      findKeys(spec, this.view.set(buf, argc, args), keys)
    }
    x.way = way
    const slab = client.router.slab(client.node as Node, client.protocol, way)
    let cut = end
    if (end - start > COPY_UP_TO && client.ownsBuffer) {
      cut = lastKeyEnd(start, args, keys)
      x.tail = buf.subarray(cut, end)
    }
    x.start = rewriteRequest(slab, buf, start, cut, args, keys, prefix)
    x.bytes = slab.bytes
    x.end = slab.used
    charge(client, x)
  }

  /** Sends `args` in place of the client's request; they hold no keys. */
  forward(client: DispatchClient, x: Exchange, view: ArgView): void {
    this.call.prepare(client.session, x.spec, view, false)
    this.replace(client, x, encodeRequest(x.spec.quirk.forward?.(this.call) ?? []))
  }

  /** Gives x these bytes. */
  replace(client: DispatchClient, x: Exchange, bytes: Buffer): void {
    x.setBytes(bytes)
    charge(client, x)
  }

  /** WAIT confirms what its own connection has executed, so it follows a PING there (s8); the PING's reply is dropped. */
  private behindPing(x: Exchange): void {
    x.setBytes(Buffer.concat([PING, x.bytes.subarray(x.start, x.end)]))
    x.swallow = 1
    x.plain = false
  }

  private wasBig(client: DispatchClient, spec: CommandSpec, buf: Buffer, argc: number, args: Int32Array): boolean {
    const node = client.node as Node
    if (node.bigKeys.empty || spec.firstKey <= 0 || spec.firstKey >= argc) return false
    return node.bigKeys.has(client.session.prefix, buf, args[2 * spec.firstKey], args[2 * spec.firstKey + 1])
  }

  // Answers of our own.

  private local(client: DispatchClient, spec: CommandSpec, buf: Buffer, start: number, end: number): void {
    const { session } = client
    if (IDENTITY.has(spec.name) && session.tenant !== undefined && !client.quiet) {
      // Requests on their way belong to who the client was when it sent them.
      client.stall(buf.subarray(start, end))
      return
    }
    const before = session.replyMode
    if (before === 'skip') session.replyMode = 'on'
    const tenant = session.tenant
    const bytes = this.answer(client, spec, this.view, false)
    if (session.tenant !== tenant) this.entered(client)
    // CLIENT REPLY ON and RESET end the silence with their own reply.
    const muted = before === 'off' ? session.replyMode === 'off' : before === 'skip' && spec.name !== 'client|reply'
    if (bytes.length > 0 && !muted) client.say(bytes)
    if (this.call.closing) client.closeWhenAnswered()
  }

  private answer(client: DispatchClient, spec: CommandSpec, view: ArgView, inTransaction: boolean): Buffer {
    const { writer } = this.env
    writer.protocol = client.session.protocol
    this.call.prepare(client.session, spec, view, inTransaction)
    spec.quirk.answer?.(this.call)
    return writer.take()
  }

  answerMember(client: DispatchClient, spec: CommandSpec, args: StoredArgs): Buffer {
    const { tenant } = client.session
    const bytes = this.answer(client, spec, args.into(new ArgView()), true)
    if (client.session.tenant !== tenant) this.entered(client)
    return bytes
  }

  private entered(client: DispatchClient): void {
    client.entered()
    const { tenant } = client.session
    if (tenant !== undefined && !this.env.enter(client, tenant)) {
      client.stats.error('MAXCLIENTS')
      client.say(ERROR_BYTES.MAXCLIENTS)
      client.closeWhenAnswered()
    }
  }

  /** A slot that has its reply already. */
  answered(client: DispatchClient, bytes: Buffer): Exchange {
    const x = new Exchange(client, this.env.table.all()[0], this.env.clock.now)
    x.moveTo('answered')
    x.reply = bytes
    client.replies.earlyBytes += bytes.length
    return x
  }

  /** An error line, at the place of this request; CR and LF in it become blanks, as in Redis. */
  refuse(client: DispatchClient, text: string): void {
    const { writer } = this.env
    writer.protocol = client.session.protocol
    writer.error(text)
    this.say(client, writer.take())
    // A command that is refused while MULTI is open aborts the transaction.
    if (client.transaction?.multi) client.transaction.dirty = true
  }

  refuseOnly(client: DispatchClient, text: string): void {
    this.say(client, Buffer.from(`-${text}\r\n`))
  }

  /** A reply, unless CLIENT REPLY says otherwise. */
  say(client: DispatchClient, bytes: Buffer): void {
    const { session } = client
    if (session.replyMode === 'on') client.say(bytes)
    else if (session.replyMode === 'skip') session.replyMode = 'on'
  }

  private closed(
    client: DispatchClient,
    spec: CommandSpec | undefined,
    buf: Buffer,
    argc: number,
    args: Int32Array,
  ): void {
    const view = this.view.set(buf, argc, args)
    if (spec === undefined && (view.is(0, 'POST') || view.is(0, 'HOST:'))) {
      // Somebody makes a browser talk to us: https://redis.io/docs/latest/operate/oss_and_stack/management/security/
      client.cut()
      return
    }
    if (spec !== undefined) this.noteRefusal(client, spec, spec.refusal)
    else client.stats.error('UNKNOWNCOMMAND')
    this.refuse(client, unknownCommand(view))
  }

  private closedSubcommand(
    client: DispatchClient,
    container: CommandSpec,
    sub: CommandSpec | undefined,
    buf: Buffer,
    argc: number,
    args: Int32Array,
  ): void {
    const view = this.view.set(buf, argc, args)
    if (sub !== undefined) this.noteRefusal(client, sub, sub.refusal)
    else client.stats.error('UNKNOWNCOMMAND')
    this.refuse(client, isOpen(container, client) ? unknownSubcommand(view, container) : unknownCommand(view))
  }

  noteRefusal(client: DispatchClient, spec: CommandSpec, reason: string): void {
    client.stats.error('UNKNOWNCOMMAND')
    client.stats.refused(reason)
    this.env.refusals.note(client.session.tenant?.name ?? '-', spec.name, reason, this.env.clock.now)
  }
}

/** Before login everything that exists is "open": the answer is NOAUTH, as in Redis. */
function isOpen(spec: CommandSpec, client: DispatchClient): boolean {
  if (spec.open === 'tenant') return true
  const tenant = client.session.tenant
  return tenant === undefined || (spec.open === 'passthrough' && tenant.prefix === '')
}

function charge(client: DispatchClient, x: Exchange): void {
  x.charged = x.size
  client.requestBytes += x.charged
}

/** WAIT numreplicas timeout, WAITAOF numlocal numreplicas timeout; in milliseconds. */
function waitTime(view: ArgView): number {
  const time = view.integer(view.length - 1)
  return time === undefined || time < 0 ? 1 : time
}

const IDENTITY: ReadonlySet<string> = new Set(['auth', 'hello', 'reset'])
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n')
