import { databaseCount, keyPrefix } from '../../session/tenant.ts'
import { isOption } from '../option-word.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { databaseNumber } from './database-number.ts'
import { tenantOf } from './tenant-of.ts'

/**
 * COPY source destination [DB db] [REPLACE]. The databases of a tenant are prefixes in one database of the upstream, so
 * DB never goes there: it becomes the prefix of the destination. Options are read, and their errors told, as the server
 * does, the last DB rules; that source and destination are the same is for the server to see.
 * https://redis.io/docs/latest/commands/copy/
 */
function forward(call: LocalCall): readonly Buffer[] | undefined {
  const { args, reply } = call
  const tenant = tenantOf(call.session)
  let { db } = call
  let replace = false
  for (let i = 3; i < args.length; i++) {
    if (isOption(args, i, 'REPLACE')) {
      replace = true
      continue
    }
    if (i + 1 === args.length || !isOption(args, i, 'DB')) {
      reply.error('ERR syntax error')
      return undefined
    }
    const number = databaseNumber(args, ++i)
    if (typeof number === 'string' || number < 0 || number >= databaseCount(tenant)) {
      reply.error(typeof number === 'string' ? number : 'ERR DB index is out of range')
      return undefined
    }
    db = number
  }
  const source = Buffer.concat([call.prefix, args.bytes(1)])
  const destination = Buffer.concat([keyPrefix(tenant, db), args.bytes(2)])
  return replace ? [COPY, source, destination, REPLACE] : [COPY, source, destination]
}

const COPY = Buffer.from('COPY')
const REPLACE = Buffer.from('REPLACE')

export const quirks: Readonly<Record<string, Quirk>> = { copy: { forward } }
