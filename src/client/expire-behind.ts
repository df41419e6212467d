import type { Expiry } from '../commands/effects.ts'
import type { Exchange } from '../commands/exchange.ts'
import type { CommandTable } from '../commands/lookup.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import { ERROR } from '../resp/type-bytes.ts'
import { Caller } from '../upstream/caller.ts'
import type { Node } from '../upstream/node.ts'

/** The first major version of Redis whose PEXPIRE knows NX. */
const FIRST_WITH_NX = 7

/** PEXPIRE … NX for servers that do not know NX: keys that have an expiry keep it. */
const IF_NONE = "if redis.call('pttl',KEYS[1])==-1 then return redis.call('pexpire',KEYS[1],ARGV[1]) end return 0"

/** The arguments of a request that gives a key a time to live if it has none. `prefix`: unless the expiry has its own. */
function argsOf({ key, time, prefix: own }: Expiry, prefix: Buffer, knowsNx: boolean): (Buffer | string)[] {
  const raw = Buffer.concat([own ?? prefix, key])
  return knowsNx ? ['PEXPIRE', raw, `${time}`, 'NX'] : ['EVAL', IF_NONE, '1', raw, `${time}`]
}

/** PEXPIRE knows NX there: Redis 7.0 or newer. What is not known counts as older: EVAL, all have. */
function knowsNx(node: Node): boolean {
  return Number.parseInt(node.facts.version ?? '', 10) >= FIRST_WITH_NX
}

/**
 * Requests that give keys a time to live if they have none, one for each. They are sent in one piece with the write in front, so
 * that hardly anybody's request comes between. https://redis.io/docs/latest/commands/pexpire/
 */
export function expireRequests(expiries: readonly Expiry[], prefix: Buffer, node: Node): Buffer {
  const knows = knowsNx(node)
  return Buffer.concat(expiries.map((one) => encodeRequest(argsOf(one, prefix, knows))))
}

/**
 * x may have been executed, and the requests behind it not: its connection was lost in between. They are made again, on
 * the next connection; a key that has its time to live keeps it.
 */
export function expireAgain(x: Exchange, node: Node, table: CommandTable): void {
  const knows = knowsNx(node)
  const spec = table.byName(knows ? 'pexpire' : 'eval')
  if (spec === undefined) return
  const caller = new Caller(() => node, x.client.tenantIndex)
  const failed = () => x.effects?.expiryFailed?.()
  for (const expiry of x.effects?.expiries ?? []) {
    caller
      .call(spec, argsOf(expiry, x.prefix, knows), ({ type }) => {
        if (type === ERROR) failed()
      })
      .catch(failed)
  }
}
