import type { Exchange } from '../../commands/exchange.ts'
import type { Tenant } from '../../session/tenant.ts'

/** Sent and not executed for so many times, a script or function is answered what the server said. */
export const MOST_ATTEMPTS = 3

/** Bytes of a run beside its request, about. */
export const OVERHEAD = 512

/** A tenant's own Lua on its way, as the user of its tenant: the note of its exchange. */
export abstract class TenantRun {
  readonly tenant: Tenant
  /** How often it was sent and not executed. */
  attempts = 0

  constructor(tenant: Tenant) {
    this.tenant = tenant
  }

  /** Bytes that it keeps until it is answered, about. */
  abstract readonly kept: number

  /** An error of it as its client would get it without Keyward. `line`: the whole frame. */
  abstract revise(line: Buffer): Buffer

  /** The request, keys with the prefix, but its other arguments as its client knows them. For the exchange `x` of it. */
  abstract said(x: Exchange): Buffer
}
