import type { Exchange } from '../../commands/exchange.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import { decodeReply, encodeReply } from '../../resp/reply-decoder.ts'
import { INTEGER } from '../../resp/type-bytes.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import type { ClientEnv } from '../env.ts'
import type { Incoming } from '../incoming.ts'
import type { Outgoing } from '../outgoing.ts'
import { StoredArgs } from '../stored-args.ts'
import { VERBS } from './acks.ts'
import { Asked } from './asked.ts'
import { correctList, receivers } from './counts.ts'
import { PubSub } from './pubsub.ts'
import { SubscribeRun } from './subscribe-run.ts'
import { Subscriptions } from './subscriptions.ts'
import { UnsubscribeRun } from './unsubscribe-run.ts'

/** Requests of clients that are, or want to be, subscribed, and of those who publish. */
export class PubSubDispatcher {
  readonly pubsub: PubSub
  private readonly env: ClientEnv
  private readonly outgoing: Outgoing

  constructor(env: ClientEnv, outgoing: Outgoing) {
    this.env = env
    this.outgoing = outgoing
    this.pubsub = new PubSub(env)
  }

  /**
   * What becomes of a request of a client whose session.subscribed is not 0. `wait`: how its subscriptions stand depends on
   * requests that are under way.
   */
  judge(client: DispatchClient, spec: CommandSpec): 'go' | 'refuse' | 'wait' {
    if (spec.route === 'pubsub') return 'go'
    if (client.subscriptions?.underWay === true) return 'wait'
    return client.protocol === 3 || WHILE_SUBSCRIBED.has(spec.name) ? 'go' : 'refuse'
  }

  /** (P|S)(UN)SUBSCRIBE. */
  take(client: DispatchClient, spec: CommandSpec, request: Incoming): void {
    const node = client.node as Node
    const x = this.outgoing.open(client, spec)
    x.way = 'apart'
    this.outgoing.charge(client, x, request.end - request.start)
    const subscriptions = (client.subscriptions ??= new Subscriptions(client.session, client))
    const tenant = client.session.tenant as Tenant
    const at = () => this.env.node(tenant)
    const subscriber = () => at().subscribers.of(this.env.indexOf(tenant))
    const place = { node: at, subscriber, topics: () => this.pubsub.of(at(), tenant) }
    const { kind, subscribes } = VERBS[spec.name]
    const Run = subscribes ? SubscribeRun : UnsubscribeRun
    const run = new Run(x, client, subscriptions, place, kind, request.view().all())
    x.errand = run
    subscriptions.started(run)
    client.router.send(x, node)
  }

  /** x's reply will be corrected: what has to be remembered for that. */
  note(x: Exchange, client: DispatchClient, request: Incoming): void {
    x.note = this.asked(client, x.spec, request, x.note instanceof StoredArgs ? x.note : undefined)
  }

  /** The same for a member of a transaction. */
  asked(client: DispatchClient, spec: CommandSpec, request: Incoming, said?: StoredArgs): Asked {
    const at = spec.name.includes('|') ? 2 : 1
    const name = request.argc > at ? request.view().bytes(at) : undefined
    return new Asked(client.session.tenant as Tenant, name, said)
  }

  /** The reply buf[start .. end), which is no error, as the client may see it. Throws ForeignKey. */
  correct(spec: CommandSpec, asked: Asked, buf: Buffer, start: number, end: number): Buffer {
    const node = this.env.node(asked.tenant)
    const place = this.pubsub.at(node)
    const topics = place.tenants.get(asked.tenant.prefix)
    if (buf[start] === INTEGER) {
      const count = Number(buf.toString('latin1', start + 1, end - 2))
      const right = receivers(count, spec.name === 'publish' ? 'channel' : 'shard', asked, topics, place)
      return right === count ? buf.subarray(start, end) : Buffer.from(`:${right}\r\n`)
    }
    const reply = decodeReply(buf, start, end)
    correctList(spec.name, asked, topics, place, reply)
    return encodeReply(reply)
  }
}

/** The rest of what may be done while subscribed, in RESP2. */
const WHILE_SUBSCRIBED: ReadonlySet<string> = new Set(['ping', 'quit', 'reset'])
