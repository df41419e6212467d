import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { CommandTable } from '../../commands/lookup.ts'
import { keptForm, type ScriptForm, type WrappedScript, wrapScript } from '../../keyspace/scripting/wrap-script.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'

/**
 * What scripts may take; of the configuration. `memory` and `largest` in bytes, `perTenant` texts in the upstream, `newPerMinute` of a
 * tenant, that it has not run lately.
 */
export interface ScriptLimits {
  readonly memory: number
  readonly perTenant: number
  readonly largest: number
  readonly newPerMinute: number
}

/** One text of a tenant, as it goes upstream. */
export interface Script {
  /** Lower-case SHA-1, as the client knows it. */
  readonly sha: string
  readonly text: Buffer
  readonly wrapped: WrappedScript
  /** It has NOSCRIPT in it. */
  readonly saysNoScript: boolean
}

/** What a tenant is known to have. */
interface Known {
  /** It is in the upstream's store, as far as is known. */
  stored: boolean
  /** How often EVAL has named it. */
  uses: number
}

/** Bytes that a text costs beside itself. */
const OVERHEAD = 1024
/** Scripts that one server is known to have; past that all are forgotten, and found out again one by one. */
const MOST_LOADED = 10_000

/**
 * The scripts that were used lately, wrapped: by what their text is, so that tenants share them. Whether a SHA exists is another
 * question, which each tenant has an answer of its own to.
 */
export class Scripts {
  private readonly table: CommandTable
  private readonly texts: LRUCache<string, Script>
  private readonly known = new Map<string, LRUCache<string, Known>>()
  /** By wrapped SHA: as what it was loaded; undefined: SCRIPT LOAD is under way. */
  private readonly loaded = new WeakMap<Node, { runId: string; shas: Map<string, string | undefined> }>()
  private readonly limits: () => ScriptLimits

  constructor(table: CommandTable, limits: () => ScriptLimits) {
    this.table = table
    this.limits = limits
    this.texts = new LRUCache({
      maxSize: limits().memory,
      sizeCalculation: ({ text, wrapped }) => OVERHEAD + text.length + wrapped.text.length,
    })
  }

  get bytes(): number {
    return this.texts.calculatedSize
  }

  get count(): number {
    return this.texts.size
  }

  /** The script of this text, whose SHA-1 is `sha`. `text` is copied. */
  of(text: Buffer, tenant: Tenant, sha = shaOf(text)): Script {
    return this.get(sha, tenant) ?? this.wrap(text, tenant)
  }

  /** The script of this SHA, if its text is at hand. */
  get(sha: string, tenant: Tenant): Script | undefined {
    return this.texts.get(keyOf(sha, tenant))
  }

  private wrap(text: Buffer, tenant: Tenant): Script {
    const own = Buffer.from(text)
    const wrapped = wrapScript(own, this.table, { ttl: tenant.ttl.length > 0 })
    const script: Script = { sha: wrapped.original, text: own, wrapped, saysNoScript: own.includes('NOSCRIPT') }
    this.texts.set(keyOf(script.sha, tenant), script)
    return script
  }

  /** Has the tenant used EVAL or SCRIPT LOAD for it, as far as is known here? */
  knows(tenant: Tenant, sha: string): Known | undefined {
    return this.known.get(tenant.name)?.get(sha)
  }

  /** The tenant has it. */
  learn(tenant: Tenant, sha: string, stored: boolean): Known {
    let shas = this.known.get(tenant.name)
    if (shas === undefined) {
      // With `max` it would take memory for that many at once.
      shas = new LRUCache<string, Known>({ maxSize: this.limits().perTenant, sizeCalculation: () => 1 })
      this.known.set(tenant.name, shas)
    }
    let known = shas.get(sha)
    if (known === undefined) {
      known = { stored, uses: 0 }
      shas.set(sha, known)
    }
    known.stored ||= stored
    return known
  }

  /** The tenant has it no more, or none at all. */
  forget(tenant: string, sha?: string): void {
    if (sha === undefined) this.known.delete(tenant)
    else this.known.get(tenant)?.delete(sha)
  }

  /** The SHA by which this server has it for good, so that EVALSHA is enough; undefined: it may not have it. */
  loadedAs(node: Node, { wrapped }: Script): string | undefined {
    return this.loadedAt(node).get(wrapped.sha)
  }

  /** What SCRIPT LOAD has to bring there. */
  formFor({ facts }: Node, { wrapped }: Script): ScriptForm {
    return facts.dropsLoaded ? keptForm(wrapped) : wrapped
  }

  /** True: it is about to be loaded there, by the caller. False: it is, or somebody does it. */
  loads(node: Node, script: Script): boolean {
    if (this.loadedAt(node).has(script.wrapped.sha)) return false
    this.setLoaded(node, script, undefined)
    return true
  }

  hasLoaded(node: Node, script: Script, { sha }: ScriptForm): void {
    this.setLoaded(node, script, sha)
  }

  private setLoaded(node: Node, { wrapped }: Script, sha: string | undefined): void {
    const shas = this.loadedAt(node)
    if (shas.size >= MOST_LOADED) shas.clear()
    shas.set(wrapped.sha, sha)
  }

  hasLost(node: Node, { wrapped }: Script): void {
    this.loadedAt(node).delete(wrapped.sha)
  }

  private loadedAt(node: Node): Map<string, string | undefined> {
    let loaded = this.loaded.get(node)
    if (loaded?.runId !== node.runId) {
      loaded = { runId: node.runId, shas: new Map() }
      this.loaded.set(node, loaded)
    }
    return loaded.shas
  }
}

export function shaOf(text: Buffer): string {
  return createHash('sha1').update(text).digest('hex')
}

/** A tenant with TTL rules needs another prologue. */
function keyOf(sha: string, { ttl }: Tenant): string {
  return ttl.length > 0 ? `${sha} ttl` : sha
}
