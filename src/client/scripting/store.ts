import type { CommandTable } from '../../commands/lookup.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import { encodeReply } from '../../resp/reply-decoder.ts'
import { ERROR } from '../../resp/type-bytes.ts'
import type { Reply } from '../../resp/types.ts'
import type { Caller } from '../../upstream/caller.ts'
import type { Walls } from '../../upstream/walls/walls.ts'
import { Refused } from '../jobs/refused.ts'

/**
 * Texts of a tenant's scripts in its upstream, so that what was loaded through one process runs through another, after a
 * restart and after a failover, none of which Redis' own cache of scripts survives (s5, s21 of the semantics):
 *
 *     keyward:script:<tenant>:<sha>   the text
 *     keyward:scripts:<tenant>        sorted set of the SHAs, by the time at which they were stored
 *     keyward:script:<tenant>:used    that it has ever run a script, stored or not
 *
 * No tenant has a prefix that reaches these. Limit: `scripts.perTenant` texts of a tenant; the oldest go first.
 */
export class ScriptStore {
  private readonly specs: Readonly<
    Record<'get' | 'set' | 'exists' | 'unlink' | 'zadd' | 'zpopmin' | 'zcard' | 'zrange' | 'zrem', CommandSpec>
  >

  constructor(table: CommandTable) {
    const spec = (name: string) => table.byName(name) as CommandSpec
    this.specs = {
      get: spec('get'),
      set: spec('set'),
      exists: spec('exists'),
      unlink: spec('unlink'),
      zadd: spec('zadd'),
      zpopmin: spec('zpopmin'),
      zcard: spec('zcard'),
      zrange: spec('zrange'),
      zrem: spec('zrem'),
    }
  }

  /** undefined: there is none. */
  async text(caller: Caller, tenant: string, sha: string): Promise<Buffer | undefined> {
    const reply = await this.call(caller, 'get', [keyOf(tenant, sha)])
    return reply.text
  }

  async has(caller: Caller, tenant: string, sha: string): Promise<boolean> {
    return Number((await this.call(caller, 'exists', [keyOf(tenant, sha)])).text) === 1
  }

  /** Has the tenant any, or has it ever run one? */
  async any(caller: Caller, tenant: string): Promise<boolean> {
    return Number((await this.call(caller, 'exists', [indexOf(tenant), markOf(tenant)])).text) > 0
  }

  /**
   * The tenant has run a script. Not by a lane: a server that is a replica by purpose, where scripts that read may run, would
   * be suspected for its READONLY.
   */
  async mark(walls: Walls, tenant: string): Promise<void> {
    await walls.call('SET', markOf(tenant), '1')
  }

  /** `most`: how many texts the tenant may have. */
  async put(caller: Caller, tenant: string, sha: string, text: Buffer, most: number): Promise<void> {
    await this.call(caller, 'set', [keyOf(tenant, sha), text])
    await this.call(caller, 'zadd', [indexOf(tenant), `${Date.now()}`, sha])
    const count = Number((await this.call(caller, 'zcard', [indexOf(tenant)])).text)
    if (count > most) await this.drop(caller, tenant, count - most)
  }

  /** Drops one. */
  async remove(caller: Caller, tenant: string, sha: string): Promise<void> {
    await this.call(caller, 'unlink', [keyOf(tenant, sha)])
    await this.call(caller, 'zrem', [indexOf(tenant), sha])
  }

  /** Drops so many of the oldest. */
  private async drop(caller: Caller, tenant: string, count: number): Promise<void> {
    const oldest = await this.call(caller, 'zpopmin', [indexOf(tenant), `${count}`])
    const shas = (oldest.items ?? []).filter((_, i) => i % 2 === 0).map(({ text }) => String(text))
    if (shas.length > 0)
      await this.call(
        caller,
        'unlink',
        shas.map((sha) => keyOf(tenant, sha)),
      )
  }

  /** Drops all. */
  async flush(caller: Caller, tenant: string): Promise<void> {
    for (;;) {
      const page = await this.call(caller, 'zrange', [indexOf(tenant), '0', `${PAGE - 1}`])
      const shas = (page.items ?? []).map(({ text }) => String(text))
      if (shas.length === 0) return
      await this.call(
        caller,
        'unlink',
        shas.map((sha) => keyOf(tenant, sha)),
      )
      await this.call(caller, 'zpopmin', [indexOf(tenant), `${shas.length}`])
    }
  }

  private async call(
    caller: Caller,
    name: keyof ScriptStore['specs'],
    args: readonly (Buffer | string)[],
  ): Promise<Reply> {
    const reply = await caller.call(this.specs[name], [name.toUpperCase(), ...args], (one) => one)
    if (reply.type === ERROR) throw new Refused(encodeReply(reply))
    return reply
  }
}

const PAGE = 500

function keyOf(tenant: string, sha: string): string {
  return `keyward:script:${tenant}:${sha}`
}

function markOf(tenant: string): string {
  return `keyward:script:${tenant}:used`
}

function indexOf(tenant: string): string {
  return `keyward:scripts:${tenant}`
}
