import type { TopicKind } from '../../upstream/topic.ts'
import type { TenantTopics } from './tenant-topics.ts'

/** By kind and name (one character per byte): clients beyond the one that the server counts for a process. */
export type Crowds = Readonly<Record<TopicKind, ReadonlyMap<string, number>>>

/** Most names that one process tells of one tenant, and most bytes that it takes for that. */
const MOST_NAMES = 1000
const MOST_BYTES = 64 * 1024
const KINDS: readonly TopicKind[] = ['channel', 'pattern', 'shard']

/** The topics of a tenant with more than one client here, as JSON; `[]`: there are none. Over the limits some are left out. */
export function writeCrowds(topics: TenantTopics): string {
  const entries: [kind: number, name: string, more: number][] = []
  let bytes = 0
  for (const [at, kind] of KINDS.entries()) {
    for (const { name, sinks, weight } of topics.all(kind)) {
      if (weight === 0 || sinks.size < 2) continue
      bytes += 6 * name.length + 20
      if (entries.length === MOST_NAMES || bytes > MOST_BYTES) return JSON.stringify(entries)
      entries.push([at, name.toString('latin1'), sinks.size - 1])
    }
  }
  return JSON.stringify(entries)
}

/** undefined: it is not what writeCrowds() writes. */
export function readCrowds(text: string): Crowds | undefined {
  const crowds = {
    channel: new Map<string, number>(),
    pattern: new Map<string, number>(),
    shard: new Map<string, number>(),
  }
  if (text.length > 2 * MOST_BYTES) return undefined
  try {
    for (const [at, name, more] of JSON.parse(text) as unknown[][]) {
      const kind = KINDS[at as number]
      if (kind === undefined || typeof name !== 'string' || !Number.isSafeInteger(more)) return undefined
      crowds[kind].set(name, more as number)
    }
  } catch {
    return undefined
  }
  return crowds
}
