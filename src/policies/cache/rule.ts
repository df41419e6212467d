import type { CacheRule } from '../../session/tenant.ts'
import { compileKeys, type KeyPart } from '../key-part.ts'
import type { CacheRuleView } from './cache-view.ts'

/** One rule of a tenant's cache, and what became of requests for its keys; see CacheRuleView. */
export class CachedRule implements CacheRuleView {
  readonly options: CacheRule
  readonly pattern: KeyPart
  hits = 0
  staleServed = 0
  misses = 0
  crowded = 0
  coalesced = 0
  stored = 0
  skipped = 0
  invalidations = 0
  expired = 0

  constructor(options: CacheRule) {
    this.options = options
    this.pattern = compileKeys(options.keys)
  }

  get keys(): string {
    return this.options.keys
  }

  view(): CacheRuleView {
    const { keys, hits, staleServed, misses, crowded, coalesced, stored, skipped, invalidations, expired } = this
    return { keys, hits, staleServed, misses, crowded, coalesced, stored, skipped, invalidations, expired }
  }
}
