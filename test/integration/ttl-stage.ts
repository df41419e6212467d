import { expect } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
/** Milliseconds: of the tenant `numbered`, SLOWLOG has what takes longer. */
export const SLOW = 50

export const RULES: readonly object[] = [
  { keys: 'job:*', default: '1h', max: '4h', min: '10m' },
  { keys: 'job*', default: '3h' },
  { keys: 'most:*', max: '4h' },
  { keys: 'least:*', min: '1h' },
  { keys: 'deny:*', default: '1h', persist: 'deny' },
  { keys: 'clamp:*', default: '1h', persist: 'clamp' },
  { keys: 'most-clamp:*', max: '2h', persist: 'clamp' },
  { keys: 'allow:*', default: '1h' },
  { keys: 'jitter:*', default: '10h', max: '20h', jitter: '50%' },
  { keys: 'dry:*', default: '1h', max: '4h', min: '10m', persist: 'deny', dryRun: true },
]

/** Milliseconds; undefined: the key has none; null: there is no such key. */
export type Left = number | undefined | null

/** A server, and Keyward with the tenants `acme` and `numbered`, which has four databases and the password `n`. */
export class TtlStage {
  readonly redis: RedisServer
  readonly keyward: Keyward
  /** Of acme. */
  readonly client: RawClient
  /** Past Keyward. */
  readonly bare: RawClient

  static async open(): Promise<TtlStage> {
    const redis = await startRedis()
    const keyward = await startKeyward(ttlConfig(redis, RULES))
    const client = await keyward.connect({ password: 'acme' })
    return new TtlStage(redis, keyward, client, await RawClient.connect({ port: redis.port }))
  }

  private constructor(redis: RedisServer, keyward: Keyward, client: RawClient, bare: RawClient) {
    this.redis = redis
    this.keyward = keyward
    this.client = client
    this.bare = bare
  }

  /** How long a key lives; `prefix`: of its raw name. */
  async left(key: string, prefix = 'acme:'): Promise<Left> {
    const time = Number((await this.bare.command('PTTL', prefix + key)).slice(1))
    return time === -2 ? null : time === -1 ? undefined : time
  }

  /** The key lives so long from now, but for what a slow machine needs. */
  async expectLeft(key: string, time: Left, what = key, prefix?: string): Promise<void> {
    const found = await this.left(key, prefix)
    if (typeof time !== 'number') expect(found, what).toBe(time)
    else {
      // `min` in whole seconds is rounded up.
      expect(found, what).toBeLessThanOrEqual(time + 1000)
      expect(found, what).toBeGreaterThan(time - 5 * MINUTE)
    }
  }

  async stop(): Promise<void> {
    for (const one of [this.client, this.bare]) one.destroy()
    this.keyward.stop()
    await this.redis.stop()
  }
}

export function ttlConfig(redis: RedisServer, ttl: readonly object[]) {
  const tenant = (password: string) => ({ upstream: 'main', users: { default: { password } }, ttl })
  return configFor(redis, {
    tenants: {
      acme: tenant('acme'),
      numbered: { ...tenant('n'), databases: 4, slowlog: { slowerThan: `${SLOW}ms` } },
    },
  })
}
