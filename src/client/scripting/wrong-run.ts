import type { Tenant } from '../../session/tenant.ts'
import { OVERHEAD, TenantRun } from './tenant-run.ts'

/** A script that nothing could run, on its way to be told so by Redis itself. */
export class WrongRun extends TenantRun {
  readonly request: Buffer

  constructor(tenant: Tenant, request: Buffer) {
    super(tenant)
    this.request = request
  }

  get kept(): number {
    return OVERHEAD + this.request.length
  }

  revise(line: Buffer): Buffer {
    return line
  }

  said(): Buffer {
    return this.request
  }
}
