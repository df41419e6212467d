import type { Delay } from '../commands/delay.ts'
import type { Exchange, Way } from '../commands/exchange.ts'
import type { ErrorCode } from '../errors.ts'
import type { Connection } from '../upstream/connection.ts'
import type { Node } from '../upstream/node.ts'
import type { PinUse } from '../upstream/pins.ts'
import { Barrier } from './barrier.ts'
import { ReplicaWay } from './replica-way.ts'
import type { RouterClient } from './router-client.ts'

/**
 * Sends the requests of one client: one that has to take another connection than its predecessors waits in the barrier until all
 * of those are answered, so that execution order is request order. Owns the client's place `running`, for at most one
 * request: what goes `apart` is done by calls of its own. Client leaves: it is cancelled. Upstream leaves: those calls see to
 * it. Drain: it goes on.
 */
export class Router {
  private readonly client: RouterClient
  private node: Node | undefined = undefined
  private readonly barrier = new Barrier()
  private pin: Connection | undefined = undefined
  /** Where the pin came from; the client may be with another node by now. */
  private pinNode: Node | undefined = undefined
  private askedNode: Node | undefined = undefined
  private pinUse: PinUse = 'blocked'
  /** The first in the queue needs a pin. */
  private wanted = false
  /** A pin was asked for and has not come. */
  private asking = false
  /** The request that is `running`: nothing behind it goes anywhere before it is done. */
  private apart: Exchange | undefined = undefined
  private resuming = false
  private again = false
  private readonly replica: ReplicaWay

  constructor(client: RouterClient) {
    this.client = client
    this.replica = new ReplicaWay(client)
  }

  /** Requests in the barrier. */
  get waiting(): number {
    return this.barrier.size
  }

  /** A blocking command is under way on a pin, or waits for one. */
  get blocked(): boolean {
    return (this.asking && this.pinUse === 'blocked') || this.pin?.queue.head?.blocks === true
  }

  /** A request is done by calls of Keyward's own. */
  get running(): boolean {
    return this.apart !== undefined
  }

  /** The pin on which a command blocks that has been sent, and the pin's node. */
  get blockedOn(): { readonly node: Node; readonly pin: Connection } | undefined {
    const { pin, pinNode } = this
    const head = pin?.queue.head
    if (pin === undefined || pinNode === undefined || head?.blocks !== true || head.place !== 'sent') return undefined
    return { node: pinNode, pin }
  }

  /** Milliseconds for which the command that blocks has been sent; 0 when there is none, or it waits for its pin. `now`: clock time. */
  blockedFor(now: number): number {
    const head = this.pin?.queue.head
    return head?.blocks === true && head.place === 'sent' ? now - head.since : 0
  }

  /** Requests wait for an upstream that is away. */
  get held(): boolean {
    if (this.asking) return this.node?.downSince !== undefined
    return this.client.pending > 0 && this.client.via !== undefined && !('ready' in this.client.via)
  }

  /** Where the bytes of a request that goes `way` should be written. */
  slab(node: Node, protocol: 2 | 3, way: Way) {
    const pin = this.pin
    if (pin !== undefined && (way === 'blocked' || way === 'transaction')) return pin.slab
    return node.lanesOf(protocol, way === 'bulk').slab(this.client)
  }

  send(x: Exchange, node: Node): void {
    this.node = node
    if (this.barrier.head === undefined && this.pass(x, node)) return
    this.wait(x)
    this.askIfWanted(node)
  }

  private wait(x: Exchange): void {
    if (x.delay === undefined) x.moveTo('barrier')
    else this.client.enterDelayed(x)
    x.own()
    this.barrier.push(x)
  }

  /** Sends x if it may go now; false: it has to wait for those before it. */
  private pass(x: Exchange, node: Node): boolean {
    const client = this.client
    const way = x.way
    if (x.delay !== undefined && this.stays(x, x.delay)) return x.place === 'answered'
    if (this.apart !== undefined || client.heldBack(x)) return false
    if (way === 'apart') return client.pending === 0 && this.run(x)
    if (way === 'lane' || way === 'bulk' || way === 'replica') {
      if (client.pending > 0) {
        const via = client.via
        if (via === undefined || via === this.pin || !via.fits(client.protocol, way === 'bulk')) return false
        // A read may follow others to the primary; what has to go there may not follow reads to a replica.
        if (this.replica.leadsTo(via) && way !== 'replica') return false
        client.pending++
        via.schedule(x)
        return true
      }
      if (this.pin !== undefined) this.giveBack()
      client.pending++
      if (way === 'replica') {
        const lane = this.replica.choose(node)
        if (lane !== undefined) {
          client.via = lane
          lane.schedule(x)
          return true
        }
      }
      node.lanesOf(client.protocol, way === 'bulk').schedule(x)
      return true
    }
    if (x.spec.route === 'wait' && client.pending === 0 && client.wroteIn < node.epoch) {
      client.waited = true
      client.finish(x, x.spec.name === 'wait' ? NO_REPLICA : NO_REPLICA_AOF)
      return true
    }
    if (x.as !== undefined && this.pin !== undefined && this.lacksWall(x, x.as.name)) {
      if (client.pending > 0) return false
      // What is watched is given up, and EXEC aborts, read or not: the script must not run as somebody else, and the next WATCH knows.
      client.forsakeTransaction()
    }
    const pin = this.pin
    if (pin !== undefined && this.pinUse === way && (way === 'transaction' || (client.pending === 0 && !pin.retired))) {
      client.pending++
      client.via = pin
      if (x.blocks) client.blocking(x)
      pin.schedule(x)
      if (x.spec.route === 'wait') client.waited = true
      return true
    }
    if (x.inTransaction && x.state !== 'opens' && pin === undefined && !this.asking) {
      // While it waited, its connection was lost, and with it MULTI: on another one it would run by itself.
      this.refuse(x, 'UPSTREAMDOWN')
      return true
    }
    if (client.pending === 0 && !this.asking && !client.gone) {
      if (pin !== undefined) this.giveBack()
      this.pinUse = way
      this.wanted = true
    }
    return false
  }

  /** x, a script behind WATCH, runs as this user, and the pin was made when nobody knew that there would be one. */
  private lacksWall(x: Exchange, user: string): boolean {
    return x.way === 'transaction' && this.pinUse === 'transaction' && !x.inTransaction && this.pin?.as !== user
  }

  /** x goes nowhere now: its delay is not over, or ended with an answer. */
  private stays(x: Exchange, delay: Delay): boolean {
    if (this.client.delayed(x, delay)) return true
    if (delay.refusal !== undefined) this.client.refuseDelayed(x, delay.refusal)
    else if (delay.answer !== undefined) this.client.finish(x, delay.answer)
    else if (delay.error !== undefined) this.refuse(x, delay.error)
    else return false
    return true
  }

  /** See Barrier. */
  spoilTransaction(error: Buffer): 'ends' | 'begins' | 'nothing' {
    return this.barrier.spoilTransaction(error)
  }

  private run(x: Exchange): true {
    const client = this.client
    // It may write, by calls of others.
    if (this.node !== undefined && client.waited) {
      client.waited = false
      client.wroteIn = this.node.epoch
    }
    client.unseen = true
    // All before it is answered. What has been read behind it may be the EXEC of a WATCH that the pin still holds.
    if (this.pin !== undefined && (this.pinUse === 'blocked' || client.pinClean)) this.giveBack()
    client.pending++
    client.via = undefined
    x.moveTo('running')
    this.apart = x
    x.errand?.begin()
    return true
  }

  /** The running request x has all that it needs, and goes `way` as the first of those that wait. */
  prepared(x: Exchange, way: Way): void {
    this.apart = undefined
    x.way = way
    x.errand = undefined
    x.moveTo('barrier')
    this.barrier.unshift(x)
  }

  /** The running request is done; what waited behind it goes when the client has settled. */
  ran(): void {
    this.apart = undefined
  }

  /** The pool may call pinReady or pinRefused at once: so only when the request that needs it is in the queue. */
  private askIfWanted(node: Node): void {
    if (!this.wanted) return
    this.wanted = false
    this.asking = true
    this.askedNode = node
    const receivedAt = this.barrier.head?.receivedAt ?? 0
    node.pinPool.ask(this.pinUse, this.client, this.client.protocol, receivedAt, this.barrier.head?.as)
  }

  pinReady(pin: Connection): void {
    this.asking = false
    this.pin = pin
    this.pinNode = this.askedNode
    this.resume()
  }

  /** The tenant's upstream is another node now, for whatever is not on its way yet. */
  moveTo(node: Node): void {
    this.node = node
    this.client.unseen = true
  }

  /** The node that was asked for a pin retires: the next one is asked. */
  pinMoved(): void {
    this.asking = false
    this.resume()
  }

  pinRefused(code: ErrorCode): void {
    this.asking = false
    const first = this.barrier.shift()
    if (first === undefined) return
    this.refuse(first, code)
    // MULTI failed: its members must not run on another connection, outside a transaction.
    let open = first.state === 'opens'
    while (first.way === 'transaction' && this.barrier.head?.way === 'transaction') {
      const x = this.barrier.shift() as Exchange
      if (x.state !== 'none') open = x.state === 'opens'
      this.refuse(x, code)
    }
    if (first.way === 'transaction') this.client.pinLost(open)
    this.client.settled()
  }

  /** Answers x, which was not sent and does not stand in the queue, by this error. */
  refuse(x: Exchange, code: ErrorCode): void {
    this.client.undelay(x)
    this.client.fail(x, x.spec.name === 'exec' ? 'EXECABORT' : code)
    x.moveTo('answered')
  }

  /** Closes the pin, if there is one: what it holds is of no use any more. */
  dropPin(): void {
    this.release(false)
  }

  /** True: it was one for transactions. */
  pinLost(): boolean {
    this.pin = undefined
    return this.pinUse === 'transaction'
  }

  private giveBack(): void {
    this.release(this.pinUse === 'blocked' || this.client.pinClean)
  }

  private release(clean: boolean): void {
    const pin = this.pin
    this.pin = undefined
    if (pin !== undefined) this.pinNode?.pinPool.release(pin, clean)
  }

  /** Called when exchanges were answered: what waited behind them may go. */
  resume(): void {
    // What runs apart may be done at once, thousands in a row: they are a loop, not a recursion.
    this.again = true
    if (this.node === undefined || this.resuming) return
    this.resuming = true
    try {
      // A pin may come while it is asked for: then there is more to send.
      while (this.again) {
        this.again = false
        this.sendWaiting(this.node)
      }
    } finally {
      this.resuming = false
    }
  }

  private sendWaiting(node: Node): void {
    for (let x = this.barrier.shift(); x !== undefined; x = this.barrier.shift()) {
      // Out of the queue first: sending may fail at once and come back here.
      if (this.pass(x, node)) continue
      this.barrier.unshift(x)
      this.askIfWanted(node)
      return
    }
    if (
      this.pin !== undefined &&
      this.client.pending === 0 &&
      (this.pinUse === 'blocked' || !this.client.transactional)
    )
      this.giveBack()
  }

  /** They were not executed where they went, and go, in their order, in front of those that wait. */
  requeue(again: readonly Exchange[]): void {
    // The primary answers it: this replica could not, and another might not either.
    for (const x of again) if (x.way === 'replica') x.way = 'lane'
    this.barrier.takeBack(again)
    this.resume()
    this.barrier.forgetReturned()
  }

  /** The client is gone. A pin closes at once: a blocked command must not take an element for nobody. */
  leave(): void {
    for (let x = this.barrier.shift(); x !== undefined; x = this.barrier.shift()) {
      this.client.undelay(x)
      x.moveTo('answered')
    }
    const { apart } = this
    this.apart = undefined
    if (apart !== undefined) {
      apart.moveTo('answered')
      apart.errand?.cancel()
    }
    this.dropPin()
  }
}

/**
 * What WAIT says when a write of the client that no WAIT has spoken of yet went to a server that is not the primary any more: no
 * replica of today is known to have it. On a connection of its own the client would have lost that with the server.
 */
const NO_REPLICA = Buffer.from(':0\r\n')
const NO_REPLICA_AOF = Buffer.from('*2\r\n:0\r\n:0\r\n')
