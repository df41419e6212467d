import { Exchange, type Way } from '../commands/exchange.ts'
import { findKeys } from '../commands/keys.ts'
import { type CommandSpec, KeyList } from '../commands/spec.ts'
import { lastKeyEnd, rewriteRequest } from '../keyspace/rewrite-request.ts'
import { Ruling } from '../policies/policy.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import type { Node } from '../upstream/node.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { ClientEnv } from './env.ts'
import { expireBytes, expireRequests } from './expire-behind.ts'
import type { Incoming } from './incoming.ts'
import type { Call } from './local-call.ts'
import { prepareReissue } from './reissue.ts'
import { SLOT_BYTES } from './reply-queue.ts'
import { StoredArgs } from './stored-args.ts'
import type { Tracker } from './tracking/tracker.ts'

/** A request over this is sent from the client's own buffer behind its rewritten head, not copied. */
const COPY_UP_TO = 64 * 1024

/** Makes exchanges: slots in the reply queue, and requests as they go upstream. */
export class Outgoing {
  private readonly env: Pick<ClientEnv, 'clock' | 'memory' | 'notices'>
  private readonly call: Call
  private readonly keys = new KeyList()
  /** What policies said of the request at hand. */
  readonly ruling = new Ruling()

  constructor(env: Pick<ClientEnv, 'clock' | 'memory' | 'notices'>, call: Call) {
    this.env = env
    this.call = call
  }

  /** A new exchange of this client, in its slot of the reply queue. */
  open(client: DispatchClient, spec: CommandSpec): Exchange {
    const x = new Exchange(client, spec, this.env.clock.now)
    const session = client.session
    const prefix = spec.channel === 0 ? session.prefix : session.channelPrefix
    x.prefix = prefix
    x.patience = (client.node as Node).options.timeouts.request
    x.plain = (spec.quirk.reply === undefined && spec.quirk.instead === undefined) || prefix.length === 0
    if (session.replyMode !== 'on') {
      x.mute = true
      x.plain = false
      if (session.replyMode === 'skip') session.replyMode = 'on'
    }
    const { ruling } = this
    if (ruling.delay !== undefined) {
      x.delay = ruling.delay
      ruling.delay = undefined
    }
    if (ruling.meter !== undefined) {
      x.meter = ruling.meter
      ruling.meter = undefined
    }
    if (ruling.effects !== undefined) {
      x.effects = ruling.effects
      ruling.effects = undefined
    }
    client.replies.open(x)
    return x
  }

  /** The request with x.prefix in front of its keys, written where `way` leads. */
  rewrite(client: DispatchClient, x: Exchange, way: Way, request: Incoming): void {
    const { spec } = x
    const { keys } = this
    const { buf, start, end, args } = request
    if (spec.channel > 0) {
      keys.count = 1
      keys.at[0] = spec.channel
    } else if (spec.firstKey > 0 && spec.firstKey === spec.lastKey) {
      keys.count = 1
      keys.at[0] = spec.firstKey
    } else {
      findKeys(spec, request.view(), keys)
    }
    client.tracker?.note(x, request, keys)
    x.way = way
    const slab = client.router.slab(client.node as Node, client.protocol, way)
    let cut = end
    // What blocks may have to be taken apart and sent again.
    if (end - start > COPY_UP_TO && client.ownsBuffer && way !== 'blocked') {
      cut = lastKeyEnd(start, args, keys)
      x.tail = buf.subarray(cut, end)
    }
    x.start = rewriteRequest(slab, buf, start, cut, args, keys, x.prefix)
    x.bytes = slab.bytes
    x.end = slab.used
    this.charge(client, x, x.size)
  }

  /** x does not go through rewrite(): what the client, if it tracks, reads by it. */
  noteKeys(client: DispatchClient, x: Exchange, request: Incoming): void {
    if (client.tracker === undefined) return
    findKeys(x.spec, request.view(), this.keys)
    client.tracker.note(x, request, this.keys)
  }

  /** A request of a client that tracks was answered from what Keyward keeps. */
  notSent(tracker: Tracker, spec: CommandSpec, request: Incoming): void {
    findKeys(spec, request.view(), this.keys)
    tracker.answered(spec, request, this.keys)
  }

  /** A command that blocks for `time` milliseconds (0 = for ever), behind rewrite(). */
  block(x: Exchange, time: number): void {
    x.blocks = true
    x.patience = time === 0 ? 0 : time + x.patience
    if (x.way === 'blocked') prepareReissue(x, time, this.keys)
  }

  /** WAIT confirms what its own connection has executed, so it follows a PING there (s8); the PING's reply is dropped. */
  behindPing(x: Exchange): void {
    x.setBytes(Buffer.concat([PING, x.bytes.subarray(x.start, x.end)]))
    x.swallow = 1
    x.plain = false
  }

  /**
   * What the quirk sends in place of the client's request. `db`: the database that it sees, of prefix x.prefix. Returns
   * the reply when the quirk answers it itself.
   */
  forward(client: DispatchClient, x: Exchange, request: Incoming, db: number): Buffer | undefined {
    const { call } = this
    call.reply.protocol = client.session.protocol
    call.prepare(client.session, x.spec, request.view(), x.inTransaction)
    call.see(db, x.prefix)
    const args = x.spec.quirk.forward?.(call)
    if (args === undefined) return call.reply.take()
    // What SLOWLOG will show in place of what is sent, and what the quirk may need to amend the reply.
    x.note = new StoredArgs(request.buf, request.start, request.end, request.argc, request.args)
    if (x.spec.quirk.amend !== undefined && client.session.tenant?.extensions.size !== 0) x.plain = false
    this.replace(client, x, encodeRequest(args))
    return undefined
  }

  /**
   * What policies want with x, which has its bytes: requests of ours follow it in the same piece. False: they cannot, so x has been
   * refused.
   */
  carryOut(client: DispatchClient, x: Exchange): boolean {
    x.plain = false
    const expiries = x.effects?.expiries
    if (expiries === undefined) return true
    const node = client.node as Node
    const bytes = expireBytes(expiries, x.prefix, node)
    const all = bytes + expiries.size
    if (node.facts.expiry.denied) return this.decline(client, x, 'NOEXPIRY')
    if (all > COPY_UP_TO && !this.hasRoom(client, all)) return this.decline(client, x, 'EXPIRYLIMIT')
    client.requestBytes -= x.charged
    this.charge(client, x, x.size + all)
    const requests = expireRequests(expiries, x.prefix, node, bytes)
    x.tail = x.tail === undefined ? requests : Buffer.concat([x.tail, requests])
    x.behind = expiries.count
    // It may have become one that the others should not wait behind.
    if (x.way === 'lane' && x.size > node.bulk) x.way = 'bulk'
    return true
  }

  /** So many bytes more fit into what the client may hold, and the process. */
  private hasRoom({ session, requestBytes }: DispatchClient, bytes: number): boolean {
    const { memory } = this.env
    const most = session.tenant?.buffers.request ?? 0
    return requestBytes + bytes <= most && memory.total + requestBytes + bytes <= memory.limit
  }

  private decline(client: DispatchClient, x: Exchange, code: 'NOEXPIRY' | 'EXPIRYLIMIT'): false {
    const { clock, notices } = this.env
    notices.declined(client.session.tenant?.name ?? '-', x.spec.name, code, clock.now)
    client.router.refuse(x, code)
    return false
  }

  /** Gives x these bytes. */
  replace(client: DispatchClient, x: Exchange, bytes: Buffer): void {
    x.setBytes(bytes)
    this.charge(client, x, x.size)
  }

  /** So many bytes are kept for x until it is answered. */
  charge(client: DispatchClient, x: Exchange, bytes: number): void {
    x.charged = bytes + SLOT_BYTES
    client.requestBytes += x.charged
  }
}

const PING = Buffer.from('*1\r\n$4\r\nPING\r\n')
