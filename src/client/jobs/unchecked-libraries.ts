import { Caller } from '../../upstream/caller.ts'
import { change } from './function.ts'
import { isForeign } from './function-list.ts'
import type { Asker, JobLog } from './job.ts'

/** Libraries that wait to be looked at; while there are as many, none is loaded. LOADs that are under way may go over it. */
const MOST = 100
/** How often each is looked at: what was sent on a connection that was lost may be executed behind the first look. */
const LOOKS = 2
/** Milliseconds before the first look, and between two that fail. */
const SOON = 100
/** Milliseconds before the last one. */
const LATER = 1000

/**
 * Libraries that were sent, and of which nobody has seen under which names they have registered their functions, since the server did
 * not answer. Each is looked at as soon as it does, and deleted when it has names that are not the tenant's.
 */
export class UncheckedLibraries {
  /** Looks that are left, by upstream and library. */
  private readonly left = new Map<string, number>()
  private readonly log: JobLog

  constructor(log: JobLog) {
    this.log = log
  }

  get full(): boolean {
    return this.left.size >= MOST
  }

  /** `scoped`: as the upstream knows it. */
  add(asker: Asker, scoped: string): void {
    const key = `${asker.caller.node.name} ${scoped}`
    const known = this.left.has(key)
    this.left.set(key, LOOKS)
    if (known) return
    // Its own, as the client may leave, and without the time of a request: it asks again itself.
    const caller = new Caller(() => asker.caller.node, asker.caller.tenantIndex)
    void this.check(key, { caller, tenant: asker.tenant }, scoped)
  }

  /** Ends when all looks are done, or the upstream is no more. */
  private async check(key: string, asker: Asker, scoped: string): Promise<void> {
    const { caller, tenant } = asker
    for (let left = LOOKS; left > 0 && !caller.node.ended; left = this.left.get(key) ?? 0) {
      await new Promise((resolve) => setTimeout(resolve, left === LOOKS ? SOON : LATER).unref())
      try {
        if (await isForeign(asker, scoped)) {
          await change(asker, 'DELETE', scoped)
          const fields = { upstream: caller.node.name, tenant: tenant.name, library: scoped }
          this.log.warn(
            fields,
            "a library was deleted: it had registered functions under names that are not its tenant's",
          )
        }
        this.left.set(key, (this.left.get(key) ?? 0) - 1)
      } catch {
        // Whatever it is (no connection, BUSY, LOADING), the library has not been looked at.
      }
    }
    this.left.delete(key)
  }
}
