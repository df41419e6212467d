import { channelMatches, OWN_CHANNELS } from '../../keyspace/channels.ts'
import { ForeignKey } from '../../keyspace/rewrite-reply.ts'
import { BULK, INTEGER } from '../../resp/type-bytes.ts'
import type { Reply } from '../../resp/types.ts'
import type { Asked } from './asked.ts'
import type { Elsewhere } from './elsewhere.ts'
import type { TenantTopics } from './tenant-topics.ts'

/*
 * The server counts connections: all clients of this process are one to it. What it says is corrected here, by what is
 * known when its reply comes: its count, less our one for each topic, plus our clients. Exact as long as nobody comes
 * or goes in the same moment.
 */

/** Where it is counted. */
export interface CountingPlace {
  /** Only asked for when somebody else subscribes. */
  elsewhere(): Elsewhere
}

/**
 * How many got a message that was published to the channel of `asked`, when the server says `count`. `topics`: the
 * tenant's own, if it has any here.
 */
export function receivers(
  count: number,
  kind: 'channel' | 'shard',
  { tenant, name }: Asked,
  topics: TenantTopics | undefined,
  place: CountingPlace,
): number {
  // Nobody got it, nobody here either: perhaps our connection is lost, and we do not know it yet.
  if (name === undefined || count === 0) return count
  let ours = 0
  let here = 0
  if (topics !== undefined) {
    const audience = topics.find(kind, name)
    ours = audience?.weight ?? 0
    // While the topic is being subscribed to again, nobody here got it.
    here = ours * (audience?.sinks.size ?? 0)
    if (kind === 'channel' && topics.hasPatterns) {
      const raw = Buffer.concat([topics.prefix, name])
      for (const pattern of topics.patterns) {
        if (pattern.weight === 0) continue
        if (channelMatches(pattern.raw, raw)) ours++
        here += pattern.reached(name)
      }
    }
  }
  const others = Math.max(0, count - ours)
  return here + others + (others > 0 ? place.elsewhere().receivers(tenant.prefix, kind, name) : 0)
}

/** Makes `reply`, to the PUBSUB command `name`, what the tenant of `asked` must see. The rest as for receivers(). */
export function correctList(
  name: string,
  asked: Asked,
  topics: TenantTopics | undefined,
  place: CountingPlace,
  reply: Reply,
): void {
  const prefix = Buffer.from(asked.tenant.prefix, 'latin1')
  switch (name) {
    case 'pubsub|numsub':
      subscribers(reply, 'channel', prefix, topics, place)
      break
    case 'pubsub|shardnumsub':
      subscribers(reply, 'shard', prefix, topics, place)
      break
    case 'pubsub|channels':
      channels(reply, 'channel', prefix, asked.name, topics)
      break
    case 'pubsub|shardchannels':
      channels(reply, 'shard', prefix, asked.name, topics)
      break
  }
}

function subscribers(
  reply: Reply,
  kind: 'channel' | 'shard',
  prefix: Buffer,
  topics: TenantTopics | undefined,
  place: CountingPlace,
): void {
  const items = reply.items ?? []
  for (let i = 0; i + 1 < items.length; i += 2) {
    strip(items[i], prefix)
    const name = items[i].text
    const count = items[i + 1]
    if (name === undefined || count.type !== INTEGER) continue
    const audience = topics?.find(kind, name)
    const others = Math.max(0, numberOf(count) - (audience?.weight ?? 0))
    setNumber(
      count,
      (audience?.sinks.size ?? 0) +
        others +
        (others > 0 ? place.elsewhere().subscribers(prefix.toString('latin1'), kind, name) : 0),
    )
  }
}

function channels(
  reply: Reply,
  kind: 'channel' | 'shard',
  prefix: Buffer,
  pattern: Buffer | undefined,
  topics: TenantTopics | undefined,
): void {
  const { items } = reply
  if (items === undefined) return
  const seen = new Set<string>()
  const kept: Reply[] = []
  for (const item of items) {
    strip(item, prefix)
    const name = item.text
    if (name === undefined) continue
    const text = name.toString('latin1')
    seen.add(text)
    // Keyward's own are nobody's. The empty name matches `*` only behind a prefix.
    if (prefix.length === 0 ? text.startsWith(OWN_CHANNELS) : !wanted(name, pattern)) continue
    kept.push(item)
  }
  // While the upstream is being subscribed to again, it does not know what we have.
  for (const { name, sinks } of topics?.all(kind) ?? []) {
    if (sinks.size === 0 || seen.has(name.toString('latin1')) || !wanted(name, pattern)) continue
    kept.push({ type: BULK, text: name, items: undefined, attribute: undefined })
  }
  reply.items = kept
}

function wanted(name: Buffer, pattern: Buffer | undefined): boolean {
  return pattern === undefined || channelMatches(pattern, name)
}

function strip(item: Reply, prefix: Buffer): void {
  const raw = item.text
  if (raw === undefined) return
  if (raw.length < prefix.length || raw.compare(prefix, 0, prefix.length, 0, prefix.length) !== 0)
    throw new ForeignKey('a channel in a reply is outside the prefix of its tenant')
  item.text = raw.subarray(prefix.length)
}

function numberOf(reply: Reply): number {
  return Number(reply.text?.toString('latin1') ?? 0)
}

function setNumber(reply: Reply, n: number): void {
  reply.text = Buffer.from(String(n))
}
