import type { Tenant } from '../../session/tenant.ts'
import type { StoredArgs } from '../stored-args.ts'

/** Note of a request whose reply counts or names subscribers: what the reply alone does not say. */
export class Asked {
  readonly tenant: Tenant
  /** PUBLISH: the channel. PUBSUB CHANNELS: the pattern, if there is one. As the tenant wrote it. */
  readonly name: Buffer | undefined
  /** The request as the client sent it, where another goes in its place. */
  readonly said: StoredArgs | undefined

  constructor(tenant: Tenant, name: Buffer | undefined, said: StoredArgs | undefined) {
    this.tenant = tenant
    this.name = name
    this.said = said
  }
}
