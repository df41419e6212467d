import type { Tenant } from '../session/tenant.ts'
import type { CommandSpec } from './spec.ts'

/** May this tenant run it? */
export function isOpenTo(spec: CommandSpec, tenant: Tenant): boolean {
  switch (spec.open) {
    case 'tenant':
      return true
    case 'passthrough':
      return tenant.prefix === ''
    case 'extension':
      return spec.extension !== undefined && tenant.extensions.has(spec.extension)
    case 'refused':
      return false
  }
}
