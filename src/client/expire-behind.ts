import type { Expiry } from '../commands/effects.ts'
import { encodeRequest } from '../resp/request-encoder.ts'

/** PEXPIRE … NX for servers that do not know NX: keys that have an expiry keep it. */
const IF_NONE = "if redis.call('pttl',KEYS[1])==-1 then return redis.call('pexpire',KEYS[1],ARGV[1]) end return 0"

/**
 * Requests that give keys a time to live if they have none, one for each. They are sent in one piece with the write in front, so
 * nobody else's request comes between. https://redis.io/docs/latest/commands/pexpire/
 *
 * @param knowsNx the server is Redis 7.0 or newer
 */
export function expireRequests(expiries: readonly Expiry[], prefix: Buffer, knowsNx: boolean): Buffer {
  const requests = expiries.map(({ key, time, prefix: own = prefix }) => {
    const raw = Buffer.concat([own, key])
    return encodeRequest(knowsNx ? ['PEXPIRE', raw, `${time}`, 'NX'] : ['EVAL', IF_NONE, '1', raw, `${time}`])
  })
  return Buffer.concat(requests)
}
