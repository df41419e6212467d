import { parseInt64 } from '../../lib/int64.ts'
import type { ArgView } from '../arg-view.ts'

const LEAST_INT = -(2n ** 31n)
const MOST_INT = 2n ** 31n - 1n

/** Argument i, the number of a database, as the server reads one: an int of C. Otherwise its error. */
export function databaseNumber(args: ArgView, i: number): number | string {
  const db = parseInt64(args.text(i, 21))
  if (db === undefined) return 'ERR value is not an integer or out of range'
  if (db < LEAST_INT || db > MOST_INT) {
    return `ERR value is out of range, value must between ${LEAST_INT} and ${MOST_INT}`
  }
  return Number(db)
}
