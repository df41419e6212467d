import { Exchange, type Way } from '../commands/exchange.ts'
import { findKeys } from '../commands/keys.ts'
import { type CommandSpec, KeyList } from '../commands/spec.ts'
import { lastKeyEnd, rewriteRequest } from '../keyspace/rewrite-request.ts'
import type { Clock } from '../lib/clock.ts'
import { Ruling } from '../policies/policy.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import type { Node } from '../upstream/node.ts'
import type { DispatchClient } from './dispatch-client.ts'
import { expireRequests } from './expire-behind.ts'
import type { Incoming } from './incoming.ts'
import type { Call } from './local-call.ts'
import { prepareReissue } from './reissue.ts'
import { SLOT_BYTES } from './reply-queue.ts'
import { StoredArgs } from './stored-args.ts'

/** A request over this is sent from the client's own buffer behind its rewritten head, not copied. */
const COPY_UP_TO = 64 * 1024

/** Makes exchanges: slots in the reply queue, and requests as they go upstream. */
export class Outgoing {
  private readonly clock: Clock
  private readonly call: Call
  private readonly keys = new KeyList()
  /** What policies said of the request at hand. */
  readonly ruling = new Ruling()

  constructor(clock: Clock, call: Call) {
    this.clock = clock
    this.call = call
  }

  /** A new exchange of this client, in its slot of the reply queue. */
  open(client: DispatchClient, spec: CommandSpec): Exchange {
    const x = new Exchange(client, spec, this.clock.now)
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

  /** What policies want with x, which has its bytes: requests of ours follow it in the same piece. */
  carryOut(client: DispatchClient, x: Exchange): void {
    const expiries = x.effects?.expiries ?? []
    if (expiries.length > 0) {
      const requests = expireRequests(expiries, x.prefix, client.node as Node)
      x.tail = x.tail === undefined ? requests : Buffer.concat([x.tail, requests])
      x.behind = expiries.length
      client.requestBytes -= x.charged
      this.charge(client, x, x.size)
    }
    x.plain = false
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
