import type { KeyList } from '../../commands/spec.ts'
import { withOwnNames } from '../../keyspace/scripting/function-names.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Incoming } from '../incoming.ts'
import { OVERHEAD, TenantRun } from './tenant-run.ts'

/** One FCALL or FCALL_RO of a tenant on its way: the note of its exchange. */
export class FunctionCall extends TenantRun {
  /** As it goes upstream, without logins. */
  readonly request: Buffer
  /** In front of the tenant's names of functions. */
  private readonly scope: string

  constructor(tenant: Tenant, scope: string, request: Buffer) {
    super(tenant)
    this.scope = scope
    this.request = request
  }

  get kept(): number {
    return OVERHEAD + this.request.length
  }

  revise(line: Buffer): Buffer {
    return withOwnNames(line, this.scope)
  }

  said(): Buffer {
    // *n, $n, FCALL, $n: the name, with the scope in front, is the fifth line.
    let at = 0
    for (let line = 0; line < 3; line++) at = this.request.indexOf('\r\n', at) + 2
    const end = this.request.indexOf('\r\n', at)
    const length = Number(this.request.toString('latin1', at + 1, end)) - this.scope.length
    return Buffer.concat([
      this.request.subarray(0, at),
      Buffer.from(`$${length}\r\n`, 'latin1'),
      this.request.subarray(end + 2 + this.scope.length),
    ])
  }
}

/** FCALL with `scope` in front of the name of the function and `prefix` in front of its keys. */
export function encodeCall({ buf, args, argc }: Incoming, keys: KeyList, prefix: Buffer, scope: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${argc}\r\n`, 'latin1')]
  let k = 0
  for (let i = 0; i < argc; i++) {
    const start = args[2 * i]
    const end = args[2 * i + 1]
    const isKey = k < keys.count && keys.at[k] === i
    if (isKey) k++
    const front = i === 1 ? scope : isKey ? prefix : undefined
    parts.push(Buffer.from(`$${end - start + (front?.length ?? 0)}\r\n`, 'latin1'))
    if (front !== undefined) parts.push(front)
    parts.push(buf.subarray(start, end), CRLF)
  }
  return Buffer.concat(parts)
}

const CRLF = Buffer.from('\r\n')
