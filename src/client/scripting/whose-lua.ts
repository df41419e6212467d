import type { Exchange } from '../../commands/exchange.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Member } from '../transaction.ts'
import { TenantRun } from './tenant-run.ts'

/** Whose Lua runs when x is executed, or when what its EXEC does is. */
export function whoseLua({ note }: Exchange): readonly Tenant[] {
  if (note instanceof TenantRun) return [note.tenant]
  if (!(note instanceof Map)) return []
  return [...note.values()].flatMap((member: Member) => (member.kind === 'script' ? [member.run.tenant] : []))
}
