import type { Exchange, Way } from '../../commands/exchange.ts'
import { findKeys } from '../../commands/keys.ts'
import { type CommandSpec, KeyList } from '../../commands/spec.ts'
import { functionScope } from '../../keyspace/scripting/function-names.ts'
import { keyPrefix, type Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import type { Incoming } from '../incoming.ts'
import type { Outgoing } from '../outgoing.ts'
import { escort, escortAgain } from './escort.ts'
import { encodeCall, FunctionCall } from './function-call.ts'
import { MOST_ATTEMPTS } from './tenant-run.ts'

/**
 * FCALL and FCALL_RO of prefixed tenants with `functions: trusted`: the tenant's own function, as the tenant's own user, so
 * that what it touches is the tenant's. Where there are no walls, nothing keeps it to that but the operator's trust.
 */
export class Functions {
  private readonly outgoing: Outgoing
  private readonly keys = new KeyList()

  constructor(outgoing: Outgoing) {
    this.outgoing = outgoing
  }

  /** A call outside of MULTI. `way`: on which it would go if it were any other command. */
  take(client: DispatchClient, spec: CommandSpec, request: Incoming, way: Way): void {
    const { outgoing } = this
    const x = outgoing.open(client, spec)
    const call = this.callOf(client, spec, request, client.session.db)
    x.note = call
    x.plain = !x.mute
    x.way = way
    outgoing.noteKeys(client, x, request)
    x.setBytes(call.request)
    escort(client, x)
    outgoing.charge(client, x, x.size)
    client.router.send(x, client.node as Node)
  }

  /** What the request asks for, in this database. */
  callOf(client: DispatchClient, spec: CommandSpec, request: Incoming, db: number): FunctionCall {
    const tenant = client.session.tenant as Tenant
    const scope = functionScope(tenant.name)
    findKeys(spec, request.view(), this.keys)
    const bytes = encodeCall(request, this.keys, keyPrefix(tenant, db), Buffer.from(scope, 'latin1'))
    return new FunctionCall(tenant, scope, bytes)
  }

  /**
   * x was sent, and not executed: the server did not let its user in. True: it is tried again. Not when later requests of
   * its client have been sent behind it: they may have been executed.
   */
  again(client: DispatchClient, x: Exchange, call: FunctionCall): boolean {
    call.attempts++
    if (client.gone || client.pending > 0 || x.inTransaction || call.attempts >= MOST_ATTEMPTS) return false
    x.setBytes(call.request)
    x.as = undefined
    escortAgain(client, x, call.tenant)
    return true
  }
}
