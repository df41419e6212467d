import type { CommandSpec } from '../../commands/spec.ts'
import { rawPattern } from '../../keyspace/pattern.ts'
import { KeySet } from '../../lib/key-set.ts'
import { databaseCount, keyPrefix, type Tenant } from '../../session/tenant.ts'
import { Caller } from '../../upstream/caller.ts'
import type { Node } from '../../upstream/node.ts'
import type { Stats } from '../stats.ts'
import type { Ground, JobSpecs } from './ground.ts'
import { Refused, readInteger } from './refused.ts'
import type { Sweeps } from './sweeps.ts'
import { walk } from './walk.ts'

/** Milliseconds between two walks that INFO causes for one tenant. */
const REFRESH = 60_000
/** Tenants whose count INFO has asked for and that wait for their walk; the others are counted when they ask again. */
const MOST_REFRESHES = 100

/** Keys of a database, as they were counted last. */
export interface Count {
  readonly keys: number
  /** Clock milliseconds at the end of the walk. */
  readonly at: number
}

/** Whose keys are counted, and where. */
export interface Counted {
  readonly tenant: Tenant
  readonly tenantIndex: number
  /** A reload may put another in its place. */
  nodeOf(): Node
  readonly stats: Stats
}

interface Shared {
  readonly caller: Caller
  readonly result: Promise<number>
  waiting: number
}

/**
 * How many keys a database has. A count is a walk over the whole server, so those who ask share it: who comes while one
 * is running waits for the next, which begins after it, and never gets a count older than the question. INFO gets
 * the last one that is known, and causes a walk at most once a minute for each tenant.
 */
export class Counts {
  private readonly specs: JobSpecs
  private readonly sweeps: Sweeps
  /** Walks that have not begun, by tenant and raw prefix: at most one for each database. */
  private readonly next = new Map<string, Shared>()
  /** By tenant and raw prefix of the database; as many as tenants have databases. */
  private readonly counted = new Map<string, Count>()
  private readonly refreshed = new Map<number, number>()
  private refreshes = 0

  constructor(specs: JobSpecs, sweeps: Sweeps) {
    this.specs = specs
    this.sweeps = sweeps
  }

  /** Counts the keys of one database. `leave`: this one does not want to know any more. */
  ask(whose: Counted, prefix: Buffer): { readonly keys: Promise<number>; leave(): void } {
    const id = idOf(whose.tenant, prefix)
    let shared = this.next.get(id)
    if (shared === undefined) {
      shared = this.begin(whose, prefix, id)
      this.next.set(id, shared)
      shared.result.catch(() => undefined)
    }
    const mine = shared
    mine.waiting++
    return {
      keys: mine.result,
      leave: () => {
        if (--mine.waiting > 0) return
        mine.caller.cancel()
        // Who comes from now on must not join a walk that will not be.
        if (this.next.get(id) === mine) this.next.delete(id)
      },
    }
  }

  private begin(whose: Counted, prefix: Buffer, id: string): Shared {
    const caller = new Caller(() => whose.nodeOf(), whose.tenantIndex)
    const result = this.sweeps.run(whose.tenantIndex, async () => {
      // Whoever comes from now on may have written something that this walk has passed already.
      if (this.next.get(id)?.caller === caller) this.next.delete(id)
      const size = await collect({ ...whose, caller, prefix }, this.specs.scan, () => '')
      const keys = size.get('') ?? 0
      this.counted.set(id, { keys, at: performance.now() })
      return keys
    })
    return { caller, result, waiting: 0 }
  }

  /** The databases of a tenant that have keys, as far as is known. */
  *known(tenant: Tenant): Iterable<Count & { readonly db: number }> {
    for (let db = 0; db < databaseCount(tenant); db++) {
      const count = this.counted.get(idOf(tenant, keyPrefix(tenant, db)))
      if (count !== undefined) yield { db, ...count }
    }
  }

  /** Counts all databases of a tenant in the background, unless that was done a short while ago. */
  refresh(whose: Counted): void {
    const now = performance.now()
    const last = this.refreshed.get(whose.tenantIndex)
    if ((last !== undefined && now - last < REFRESH) || this.refreshes >= MOST_REFRESHES) return
    this.refreshed.set(whose.tenantIndex, now)
    this.refreshes++
    const { tenant } = whose
    const caller = new Caller(() => whose.nodeOf(), whose.tenantIndex)
    const prefix = Buffer.from(tenant.prefix, 'latin1')
    const count = async () => {
      const databaseOf = (key: Buffer) =>
        tenant.databases === undefined ? '' : key.toString('latin1', 0, DIGITS).split(':', 1)[0]
      const size =
        tenant.prefix === ''
          ? await countAll(caller, this.specs.dbsize)
          : await collect({ ...whose, caller, prefix }, this.specs.scan, databaseOf)
      for (let db = 0; db < databaseCount(tenant); db++) {
        const keys = size.get(tenant.databases === undefined ? '' : String(db)) ?? 0
        this.counted.set(idOf(tenant, keyPrefix(tenant, db)), { keys, at: performance.now() })
      }
    }
    this.sweeps
      .run(whose.tenantIndex, count)
      .catch(() => this.refreshed.delete(whose.tenantIndex))
      .finally(() => this.refreshes--)
  }
}

/** Upstreams are apart: tenants on two of them may have the same prefix. Names have no blanks. */
function idOf(tenant: Tenant, prefix: Buffer): string {
  return `${tenant.name} ${prefix.toString('latin1')}`
}

/** Longest number of a database. */
const DIGITS = 6

/**
 * Counts the keys of each group. Keys that SCAN returns twice, which happens while Redis' hash table grows or
 * shrinks, are counted once, as long as the memory for telling them apart (`scan.memory`) lasts.
 */
async function collect(
  ground: Ground,
  spec: CommandSpec,
  groupOf: (key: Buffer) => string,
): Promise<ReadonlyMap<string, number>> {
  const seen = new KeySet()
  const size = new Map<string, number>()
  const most = ground.caller.node.options.scan.memory
  for await (const page of walk(ground, spec, rawPattern(ground.prefix, ALL))) {
    for (const key of page) {
      if (seen.bytes <= most && !seen.add(key)) continue
      const group = groupOf(key)
      size.set(group, (size.get(group) ?? 0) + 1)
    }
  }
  return size
}

/** The pass-through tenant has its upstream for itself, and one database: the server knows its size without a walk. */
async function countAll(caller: Caller, dbsize: CommandSpec): Promise<ReadonlyMap<string, number>> {
  const keys = await caller.call(dbsize, ['DBSIZE'], readInteger)
  if (keys instanceof Refused) throw keys
  return new Map([['', keys]])
}

const ALL = Buffer.from('*')
