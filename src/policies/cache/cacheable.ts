import type { CommandTable } from '../../commands/lookup.ts'
import { mayWrite } from '../../commands/may-write.ts'
import { MODULE_READS } from '../../commands/modules.ts'
import type { CommandSpec } from '../../commands/spec.ts'

/**
 * Commands whose reply depends on the one key that they name, on their arguments, and on nothing else: not on the clock, on chance, on
 * what the server looks like inside, or on other keys. Whatever changes the reply changes the key, and the server tells so.
 *
 * Fields of a hash with an expiry of their own (Redis 7.4) end at a time that no reply to these tells; the commands that give them one
 * are not open to tenants with a cache (commands/open-to.ts). An operator who does it behind Keyward's back sees them served up
 * to `maxAge`.
 */
export const CACHEABLE: ReadonlySet<string> = names(
  `bitcount bitfield_ro bitpos digest exists geodist geohash geopos georadius_ro georadiusbymember_ro geosearch get getbit getrange hexists
   hget hgetall hkeys hlen hmget hstrlen hvals lindex llen lpos lrange mget scard sismember smembers smismember strlen substr type
   xlen xrange xrevrange zcard zcount zlexcount zmscore zrange zrangebylex zrangebyscore zrank zrevrange zrevrangebylex
   zrevrangebyscore zrevrank zscore`,
)

const VECTOR_READS = 'vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vsim'

/** All other commands that only read, and why what they say is not kept. */
export const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ...because(
    'its reply changes as time passes',
    'cl.status expiretime hexpiretime hpexpiretime hpttl httl pexpiretime pttl ttl xpending',
  ),
  ...because(
    'its reply is of how the server keeps the key, or of who used it',
    `dump memory|usage object|encoding object|freq object|idletime object|refcount xinfo|consumers xinfo|groups
     xinfo|stream`,
  ),
  ...because('its reply is left to chance', 'hrandfield randomkey srandmember zrandmember'),
  ...because('its cursors are of no use to another call', 'hscan scan sscan zscan'),
  ...because('its reply depends on several keys', 'lcs sdiff sinter sintercard sunion zdiff zinter zintercard zunion'),
  ...because('its reply depends on keys that it does not name', 'dbsize keys sort_ro'),
  ...because('a script may read keys that it does not name', 'eval_ro evalsha_ro fcall_ro'),
  ...because('it is asked for what it does to the key', 'touch'),
  ...because('it keeps what it has counted in the key', 'pfcount'),
  ...because('it may wait for what comes', 'xread'),
  ...because('it has nothing to do with keys', 'lolwut'),
  ...because('it asks for keys of a whole cluster', 'clusterscan'),
  ...because('it is a module’s, which may not tell of every change', `${VECTOR_READS} ${MODULE_READS}`),
])

/** What the cache makes of a command, by CommandSpec.index. */
export const KIND = {
  /** Nothing. */
  NONE: 0,
  /** Its reply may be kept. */
  READ: 1,
  /** The same, if it names one key alone. */
  READ_ALONE: 2,
  MGET: 3,
  /** Writes keys that it names. */
  WRITE: 4,
  /** The same, and with a database among its options the one key is in there. */
  COPY: 5,
  /** May write whatever the tenant has. */
  WRITE_ANY: 6,
  SELECT: 7,
  /** EXEC and DISCARD. */
  END: 8,
} as const

export function kindsOf(table: CommandTable): Uint8Array {
  return Uint8Array.from(table.all().map(kindOf))
}

function kindOf(spec: CommandSpec): number {
  const special = SPECIAL.get(spec.name)
  if (special !== undefined) return special
  if (CACHEABLE.has(spec.name)) return KIND.READ
  if (!mayWrite(spec)) return KIND.NONE
  return spec.firstKey === 0 ? KIND.WRITE_ANY : KIND.WRITE
}

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['mget', KIND.MGET],
  ['exists', KIND.READ_ALONE],
  ['copy', KIND.COPY],
  // The key that comes about is in another database.
  ['move', KIND.WRITE_ANY],
  // A script may write keys that it does not name.
  ['eval', KIND.WRITE_ANY],
  ['evalsha', KIND.WRITE_ANY],
  ['fcall', KIND.WRITE_ANY],
  // Replicas get to know of them, but they write nothing.
  ['publish', KIND.NONE],
  ['spublish', KIND.NONE],
  ['select', KIND.SELECT],
  ['exec', KIND.END],
  ['discard', KIND.END],
])

function names(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}

function because(reason: string, text: string): readonly (readonly [string, string])[] {
  return [...names(text)].map((name) => [name, reason])
}
