import { databaseCount, keyPrefix } from '../../session/tenant.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { databaseNumber } from './database-number.ts'
import { tenantOf } from './tenant-of.ts'

/**
 * MOVE key db. The databases of a tenant are prefixes in one database of the upstream, so what moves a key between
 * them is RENAMENX, in one step as MOVE itself, with its time to live. What can be wrong with the arguments is told
 * here, in the order in which the server looks. https://redis.io/docs/latest/commands/move/
 */
function forward(call: LocalCall): readonly Buffer[] | undefined {
  const { args, reply } = call
  const tenant = tenantOf(call.session)
  const db = databaseNumber(args, 2)
  if (typeof db === 'string') reply.error(db)
  else if (db < 0 || db >= databaseCount(tenant)) reply.error('ERR DB index is out of range')
  else if (db === call.db) reply.error('ERR source and destination objects are the same')
  else {
    const key = args.bytes(1)
    return [RENAMENX, Buffer.concat([call.prefix, key]), Buffer.concat([keyPrefix(tenant, db), key])]
  }
  return undefined
}

/** A key that is not there: an error to RENAMENX, 0 to MOVE. */
function instead(error: string): Buffer | undefined {
  return error === 'ERR no such key' ? ZERO : undefined
}

const RENAMENX = Buffer.from('RENAMENX')
const ZERO = Buffer.from(':0\r\n')

export const quirks: Readonly<Record<string, Quirk>> = { move: { forward, instead } }
