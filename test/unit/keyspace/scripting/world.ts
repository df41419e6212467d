import { findServers } from '../../../../scripts/lib/redis.mjs'
import { buildTable } from '../../../../src/commands/table.ts'
import { scopeArgument } from '../../../../src/keyspace/scripting/scope.ts'
import { originalError, wrapScript } from '../../../../src/keyspace/scripting/wrap-script.ts'
import type { Tenant, TtlRule } from '../../../../src/session/tenant.ts'
import { keyPrefix } from '../../../../src/session/tenant.ts'
import { RawClient, request } from '../../../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../../../helpers/redis.ts'

export const TABLE = buildTable()

/** What scripts read of a tenant. */
export function tenantWith(more: Partial<Tenant> = {}): Tenant {
  return { prefix: 'acme:', databases: undefined, ttl: [], cache: undefined, ...more } as Tenant
}

export const NO_RULE: TtlRule = {
  keys: '*',
  default: undefined,
  max: undefined,
  min: undefined,
  jitter: 0,
  persist: 'allow',
  dryRun: false,
}

type Text = string | Buffer

/**
 * One server, spoken to without Keyward: database 0 is where wrapped scripts run, as a tenant with a prefix; database 1 where the
 * same scripts run as they are.
 */
export class World {
  readonly redis: RedisServer
  readonly inside: RawClient
  readonly bare: RawClient

  private constructor(redis: RedisServer, inside: RawClient, bare: RawClient) {
    this.redis = redis
    this.inside = inside
    this.bare = bare
  }

  static async open(options: Parameters<typeof startRedis>[0] = {}): Promise<World> {
    const redis = await startRedis(options)
    const inside = await RawClient.connect({ port: redis.port })
    const bare = await RawClient.connect({ port: redis.port })
    await bare.command('SELECT', 1)
    return new World(redis, inside, bare)
  }

  async close(): Promise<void> {
    this.inside.destroy()
    this.bare.destroy()
    await this.redis.stop()
  }

  async flush(): Promise<void> {
    await this.inside.command('FLUSHALL')
  }

  /** The reply, as latin1, to the script wrapped and run as the tenant's. */
  async run(
    script: Text,
    keys: readonly Text[] = [],
    args: readonly Text[] = [],
    tenant = tenantWith(),
    db = 0,
  ): Promise<string> {
    const wrapped = wrapScript(Buffer.from(script), TABLE, { ttl: tenant.ttl.length > 0 })
    const prefix = keyPrefix(tenant, db)
    const raw = keys.map((key) => Buffer.concat([prefix, Buffer.from(key)]))
    const call = request('EVAL', wrapped.text, raw.length, ...raw, ...args, scopeArgument(tenant, db))
    const [reply] = await this.inside.exchange(call)
    return originalError(reply, wrapped).toString('latin1')
  }

  /** The reply to the script as it is. */
  async runBare(script: Text, keys: readonly Text[] = [], args: readonly Text[] = []): Promise<string> {
    return this.bare.command('EVAL', Buffer.from(script), keys.length, ...keys, ...args)
  }
}

/** Every server that can be had here; by default the first of each kind. */
export async function servers(): ReturnType<typeof findServers> {
  const all = await findServers({ log: console.log })
  const quick = (process.env.KEYWARD_TIER ?? 'default') === 'default'
  return quick ? all.filter(({ kind }, i) => all.findIndex((other) => other.kind === kind) === i) : all
}
