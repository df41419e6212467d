import type { Exchange } from '../commands/exchange.ts'
import { FLAG } from '../commands/spec.ts'
import type { Connection } from './connection.ts'
import type { Control } from './control.ts'

/** What the fence needs of its node. */
export interface FenceHost {
  now(): number
  readonly requestTime: number
  /** A ready lane to the same process, if there is one. */
  witness(): Connection | undefined
  killRefused(error: string): void
  /** Nothing of the lost connections will be executed any more. */
  lifted(): void
}

/**
 * Closing a socket does not un-send what is in it: a write of unknown outcome may still be executed, behind a newer
 * one that went over another connection and was acknowledged (s12). So after a connection was lost with writes
 * under way, nothing new goes out until the server has answered CLIENT KILL ID for it: on another connection to
 * the same process, or in the handshake of the next one, which also sees whether it is the same process.
 */
export class Fence {
  /** CLIENT IDs of lost connections. As many as there were connections. */
  readonly lostIds = new Set<number>()
  private readonly host: FenceHost
  private readonly control: Control
  /** CLIENT KILL that are not answered. */
  private asked = 0

  constructor(host: FenceHost, control: Control) {
    this.host = host
    this.control = control
  }

  get open(): boolean {
    return this.lostIds.size === 0
  }

  /** `connection` is closed, with `left` in its queue. */
  raise(connection: Connection, left: Exchange | undefined): void {
    if (connection.id === 0 || !writesUnderWay(left)) return
    this.lostIds.add(connection.id)
    this.kill()
  }

  /** Asks for the death of all lost connections, unless that is asked already; again at every tick until it is answered. */
  kill(): void {
    const witness = this.open || this.asked > 0 ? undefined : this.host.witness()
    if (witness === undefined) return
    for (const id of this.lostIds) {
      this.asked++
      const args = ['CLIENT', 'KILL', 'ID', String(id)]
      this.control.ask(witness, args, this.host.now(), this.host.requestTime, (reply) => {
        this.asked--
        if (reply === undefined) return
        if (reply.startsWith('-') && !reply.startsWith('-ERR No such client')) this.host.killRefused(reply.slice(1))
        this.lower([id])
      })
    }
  }

  lower(ids: readonly number[]): void {
    for (const id of ids) this.lostIds.delete(id)
    if (this.open) this.host.lifted()
  }
}

function writesUnderWay(left: Exchange | undefined): boolean {
  for (let x = left; x !== undefined; x = x.next) {
    if (x.place !== 'scheduled' && !x.client.gone && (x.spec.flags & FLAG.READONLY) === 0) return true
  }
  return false
}
