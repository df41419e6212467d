import type { ArgView } from '../commands/arg-view.ts'
import { findKeys } from '../commands/keys.ts'
import type { CommandTable } from '../commands/lookup.ts'
import { type CommandSpec, KeyList } from '../commands/spec.ts'
import { formatDuration } from '../config/units.ts'
import { KIND, kindsOf, LEFT_OUT } from '../policies/cache/cacheable.ts'
import { compileKeys } from '../policies/key-part.ts'
import type { CacheOptions, CacheRule, Tenant } from '../session/tenant.ts'
import { quote } from './quote.ts'

/** What the near cache of this tenant makes of a request, outside a transaction; nothing, if it has none or has nothing to do with it. */
export function explainCache(
  table: CommandTable,
  spec: CommandSpec,
  view: ArgView,
  { cache }: Tenant,
): readonly string[] {
  if (cache === undefined) return []
  const keys = keysOf(spec, view)
  switch (kindsOf(table)[spec.index]) {
    case KIND.READ:
    case KIND.MGET:
      return readTexts(cache, keys)
    case KIND.READ_ALONE:
      return keys.length === 1 ? readTexts(cache, keys) : ['not used: it names several keys']
    case KIND.WRITE:
    case KIND.COPY:
      return keys.some((key) => ruleOf(cache, key) !== undefined)
        ? ['what is kept of its keys is outdated by it, from now until its reply is in']
        : ['no rule for its keys']
    case KIND.WRITE_ANY:
      return ['all that is kept for the tenant is outdated by it']
    default: {
      const why = LEFT_OUT.get(spec.name)
      return why === undefined ? [] : [`not used: ${why}`]
    }
  }
}

function readTexts(cache: CacheOptions, keys: readonly Buffer[]): readonly string[] {
  const bare = keys.find((key) => ruleOf(cache, key) === undefined)
  if (bare !== undefined) return [`not used: no rule for ${quote(bare)}`]
  const rules = new Set(keys.map((key) => ruleOf(cache, key)).filter((rule) => rule !== undefined))
  const first = keys.length === 1 ? 'answered from memory if it is kept' : 'answered from memory if all keys are kept'
  return [
    `${first}, at most ${formatDuration(cache.maxStaleness)} behind the upstream; else asked of the primary`,
    ...[...rules].map(ruleText),
  ]
}

function ruleText({ keys, maxAge, negative, jitter }: CacheRule): string {
  const missing =
    negative === 0 ? 'that a key is missing is not kept' : `for ${formatDuration(negative)} if it is missing`
  const less = jitter === 0 ? '' : `, less up to ${Math.round(100 * jitter)}% at random`
  return `${keys}: kept for ${formatDuration(maxAge)} or as long as the key lives, ${missing}${less}`
}

function keysOf(spec: CommandSpec, view: ArgView): readonly Buffer[] {
  const found = new KeyList()
  findKeys(spec, view, found)
  return Array.from(found.at.subarray(0, found.count), (i) => view.bytes(i))
}

/** The first that matches. */
function ruleOf({ rules }: CacheOptions, key: Buffer): CacheRule | undefined {
  return rules.find(({ keys }) => compileKeys(keys).matches(key, 0, key.length))
}
