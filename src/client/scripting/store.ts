import type { CommandTable } from '../../commands/lookup.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import { encodeReply } from '../../resp/reply-decoder.ts'
import { ERROR } from '../../resp/type-bytes.ts'
import type { Reply } from '../../resp/types.ts'
import type { Caller } from '../../upstream/caller.ts'
import type { Walls } from '../../upstream/walls/walls.ts'
import { Refused } from '../jobs/refused.ts'
import { asOperator } from './as-operator.ts'
import { isReply } from './tenant-at-server.ts'

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
  private readonly specs: Readonly<Record<'get' | 'exists', CommandSpec>>

  constructor(table: CommandTable) {
    const spec = (name: string) => table.byName(name) as CommandSpec
    this.specs = { get: spec('get'), exists: spec('exists') }
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
    await this.change(caller, PUT, [keyOf(tenant, sha), indexOf(tenant)], [sha, text, `${most}`, keyOf(tenant, '')])
  }

  /** Drops one. */
  async remove(caller: Caller, tenant: string, sha: string): Promise<void> {
    await this.change(caller, REMOVE, [keyOf(tenant, sha), indexOf(tenant)], [sha])
  }

  /** Drops all, page by page. */
  async flush(caller: Caller, tenant: string): Promise<void> {
    while ((await this.change(caller, FLUSH, [indexOf(tenant)], [keyOf(tenant, '')])) === PAGE);
  }

  /** Runs Lua of Keyward's own, which lanes may not. */
  private async change(
    caller: Caller,
    lua: string,
    keys: readonly string[],
    args: readonly (Buffer | string)[],
  ): Promise<unknown> {
    try {
      return await asOperator(caller, false, (walls) =>
        walls.callPatiently('EVAL', lua, `${keys.length}`, ...keys, ...args),
      )
    } catch (error) {
      if (!isReply(error)) throw error
      throw new Refused(Buffer.from(`-${error.message}\r\n`))
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

/** Texts that are dropped at a time. */
const PAGE = 500

/*
 * Texts and index are changed together or not at all: else one of two that come at the same time leaves a text that no flush
 * finds, or an index of what is not there. An error of SET (OOM) is passed on in Redis' own words.
 */

/** KEYS: text, index. ARGV: SHA, text, how many there may be, what is in front of a SHA. By the server's clock, which all share. */
const PUT = `
local set = redis.pcall('SET', KEYS[1], ARGV[2])
if set.err then return set end
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] .. string.format('%06d', now[2]), ARGV[1])
local over = redis.call('ZCARD', KEYS[2]) - ARGV[3]
if over > 0 then
  for _, sha in ipairs(redis.call('ZRANGE', KEYS[2], 0, math.min(over, ${PAGE}) - 1)) do
    redis.call('UNLINK', ARGV[4] .. sha)
    redis.call('ZREM', KEYS[2], sha)
  end
end
return 1`

/** KEYS: text, index. ARGV: SHA. */
const REMOVE = `
redis.call('UNLINK', KEYS[1])
return redis.call('ZREM', KEYS[2], ARGV[1])`

/** KEYS: index. ARGV: what is in front of a SHA. How many it dropped. */
const FLUSH = `
local shas = redis.call('ZRANGE', KEYS[1], 0, ${PAGE - 1})
for _, sha in ipairs(shas) do
  redis.call('UNLINK', ARGV[1] .. sha)
  redis.call('ZREM', KEYS[1], sha)
end
return #shas`

function keyOf(tenant: string, sha: string): string {
  return `keyward:script:${tenant}:${sha}`
}

function markOf(tenant: string): string {
  return `keyward:script:${tenant}:used`
}

function indexOf(tenant: string): string {
  return `keyward:scripts:${tenant}`
}
