import { ArgView } from '../commands/arg-view.ts'
import type { PolicyRequest } from '../policies/policy.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { Gates } from './gates.ts'

/** The request at hand, as the reader gave it; one object, reused. Valid while the reader's sink is being called. */
export class Incoming implements PolicyRequest {
  buf: Buffer = NONE
  start = 0
  end = 0
  argc = 0
  /** Argument i is buf[args[2*i] .. args[2*i+1]). */
  args: Int32Array = new Int32Array(0)
  /** Whose it is; set before policies are asked. */
  client: DispatchClient | undefined = undefined
  private readonly reusedView = new ArgView()
  private readonly gates: Gates | undefined

  set(buf: Buffer, start: number, end: number, argc: number, args: Int32Array): this {
    this.buf = buf
    this.start = start
    this.end = end
    this.argc = argc
    this.args = args
    return this
  }

  /** `gates`: those of the process, where they matter. */
  constructor(gates?: Gates) {
    this.gates = gates
  }

  get idle(): boolean {
    const { client, gates } = this
    if (client === undefined || !client.quiet || client.transactional) return false
    if (gates?.closed && gates.stopReads(client.tenantIndex)) return false
    // A reader is given no more at once than it can take: what goes upstream comes back in its time.
    if (client.outputBytes > MOST_UNREAD) return false
    const { session, stats } = client
    return session.replyMode === 'on' && session.subscribed === 0 && stats.monitors === undefined
  }

  get inTransaction(): boolean {
    return this.client?.transactional === true
  }

  /** Its arguments, for quirks. */
  view(): ArgView {
    return this.reusedView.set(this.buf, this.argc, this.args)
  }
}

/** Bytes of replies that wait to be read, from which on nothing is answered from memory. */
const MOST_UNREAD = 1024 * 1024

const NONE = Buffer.alloc(0)
