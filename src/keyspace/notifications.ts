/*
 * Keyspace notifications. Redis publishes them by database and key for all tenants at once, so Keyward listens to
 * `__keyspace@0__:<prefix>*` alone, where the name of the key tells whose it is, and makes both forms from it.
 * `__keyevent@0__:<event>`, which has the key in the message and comes for every tenant, is never subscribed to.
 * https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
 */

/** Each class of events, and K and E for the two forms, as one bit. */
const LETTERS = 'g$lshzxetdnKEm'
const BIT: Readonly<Record<string, number>> = Object.fromEntries([...LETTERS].map((letter, i) => [letter, 1 << i]))
const ALL = bits('g$lshzxetd')
export const BY_KEY = BIT.K
export const BY_EVENT = BIT.E

function bits(letters: string): number {
  let flags = 0
  for (const letter of letters) flags |= BIT[letter]
  return flags
}

/** `notify-keyspace-events` as bits; undefined: a letter is wrong. */
export function readEventFlags(text: string): number | undefined {
  let flags = 0
  for (const letter of text) {
    const bit = letter === 'A' ? ALL : BIT[letter]
    if (bit === undefined) return undefined
    flags |= bit
  }
  return flags
}

/** The same as Redis writes it. */
export function showEventFlags(flags: number): string {
  const all = (flags & ALL) === ALL
  let text = all ? 'A' : ''
  // As in Redis 7.0, where `A` hides an `n`.
  for (const letter of all ? 'KEm' : LETTERS) if ((flags & BIT[letter]) !== 0) text += letter
  return text
}

/** Events by class. What is in none of them is a module's. */
const EVENTS: readonly (readonly [letter: string, events: string])[] = [
  ['g', 'del expire persist rename_from rename_to move_from move_to copy_to restore'],
  ['$', 'set setrange incrby incrbyfloat append setbit pfadd'],
  ['l', 'lpush rpush lpop rpop linsert lset ltrim lrem sortstore'],
  ['s', 'sadd srem spop sinterstore sunionstore sdiffstore'],
  ['h', 'hset hincrby hincrbyfloat hdel hexpire hexpired hpersist'],
  [
    'z',
    `zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin zpopmax zinterstore zunionstore zdiffstore
     zrangestore geosearchstore georadiusstore`,
  ],
  ['x', 'expired'],
  ['e', 'evicted'],
  ['t', `xadd xdel xtrim xsetid xgroup-create xgroup-createconsumer xgroup-delconsumer xgroup-destroy xgroup-setid`],
  ['n', 'new'],
  ['m', 'keymiss'],
]

const CLASS_OF: ReadonlyMap<string, number> = new Map(
  EVENTS.flatMap(([letter, events]) => events.split(/\s+/).map((event) => [event, BIT[letter]] as const)),
)

/** Which forms of this event somebody with these flags gets: BY_KEY, BY_EVENT, both or 0. */
export function formsOf(event: string, flags: number): number {
  return (flags & (CLASS_OF.get(event) ?? BIT.d)) === 0 ? 0 : flags & (BY_KEY | BY_EVENT)
}

/** What is wanted and not to be had of a server with the setting `have`, in the setting's own letters; '' when nothing is. */
export function lackingEvents(wanted: number, have: number): string {
  // The form by event is made of that by key.
  const needed = (wanted & (BY_KEY | BY_EVENT)) === 0 ? 0 : (wanted & ~BY_EVENT) | BY_KEY
  return showEventFlags(needed & ~have)
}

/** In front of raw keys in the channels that Keyward listens to. */
export const FEED = '__keyspace@0__:'
const KEYSPACE = '__keyspace@'
const KEYEVENT = '__keyevent@'

/** Could a channel of this name be one of notifications? */
export function isNotification(channel: Buffer): boolean {
  return startsWith(channel, KEYSPACE) || startsWith(channel, KEYEVENT)
}

/**
 * Could this pattern match the name of such a channel? Looks at what stands in front of the first special character
 * only, so it may say yes too often, never no too often.
 */
export function mayMatchNotification(pattern: Buffer): boolean {
  const text = pattern.toString('latin1', 0, KEYSPACE.length)
  const special = text.search(/[*?[\\]/)
  if (special < 0) return text === KEYSPACE || text === KEYEVENT
  const head = text.slice(0, special)
  return KEYSPACE.startsWith(head) || KEYEVENT.startsWith(head)
}

/**
 * The tenant's database and key in a raw key. `prefix`: of the tenant. `databases`: as configured, undefined = one
 * without a number. Undefined: it is no key of the tenant's.
 */
export function placeOf(
  raw: Buffer,
  prefix: Buffer,
  databases: number | undefined,
): { readonly db: number; readonly key: Buffer } | undefined {
  if (raw.length < prefix.length || raw.compare(prefix, 0, prefix.length, 0, prefix.length) !== 0) return undefined
  const rest = raw.subarray(prefix.length)
  if (databases === undefined) return { db: 0, key: rest }
  const colon = rest.indexOf(':')
  const digits = rest.toString('latin1', 0, Math.max(0, colon))
  if (!/^(0|[1-9]\d{0,4})$/.test(digits) || Number(digits) >= databases) return undefined
  return { db: Number(digits), key: rest.subarray(colon + 1) }
}

export function keyspaceChannel(db: number, key: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${KEYSPACE}${db}__:`), key])
}

export function keyeventChannel(db: number, event: string): Buffer {
  return Buffer.from(`${KEYEVENT}${db}__:${event}`, 'latin1')
}

function startsWith(bytes: Buffer, text: string): boolean {
  return bytes.length >= text.length && bytes.toString('latin1', 0, text.length) === text
}
