import { ARRAY, MAP, PUSH } from '../../resp/type-bytes.ts'
import type { Reply } from '../../resp/types.ts'
import type { Quirk } from '../spec.ts'

/** The key that an element was taken from comes first: [key, …]. A null (nothing taken) has no items. */
export function stripFirst(reply: Reply, strip: (key: Reply) => void): void {
  if (reply.type !== ARRAY || reply.items === undefined) return
  const key = reply.items.find((item) => item.type !== PUSH)
  if (key !== undefined) strip(key)
}

/** RESP2: [[key, …], …]. RESP3: a map from key to entries. */
export function stripPairs(reply: Reply, strip: (key: Reply) => void): void {
  if (reply.items === undefined) return
  const items = reply.items.filter((item) => item.type !== PUSH)
  if (reply.type === MAP) for (let i = 0; i < items.length; i += 2) strip(items[i])
  else if (reply.type === ARRAY) for (const pair of items) stripFirst(pair, strip)
}

/** Those that do not block; the blocking ones are in blocking.ts, XREAD in streams.ts. */
export const quirks: Readonly<Record<string, Quirk>> = {
  lmpop: { reply: stripFirst },
  zmpop: { reply: stripFirst },
}
