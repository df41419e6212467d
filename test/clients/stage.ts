import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** A server with Keyward in front of it, for the tests with real clients. Tenants: acme and beta, passwords likewise. */
export interface Stage {
  readonly redis: RedisServer
  readonly keyward: Keyward
  /** All raw keys of the server, sorted. */
  rawKeys(): Promise<string[]>
  /** What Keyward logged as a warning or worse. */
  warnings(): string[]
  stop(): Promise<void>
}

export interface StageOptions {
  /** Lines of redis.conf. */
  readonly redis?: readonly string[]
  /** So many databases for each tenant; raw keys then have the number behind the prefix. */
  readonly databases?: number
}

const WARN = 40

export async function openStage({ redis: lines, databases }: StageOptions = {}): Promise<Stage> {
  const redis = await startRedis({ config: lines })
  const config = configFor(redis)
  if (databases !== undefined) {
    for (const tenant of Object.values(config.tenants as object)) Object.assign(tenant, { databases })
  }
  const keyward = await startKeyward(config)
  const bare = await RawClient.connect({ port: redis.port })
  return {
    redis,
    keyward,
    async rawKeys() {
      const reply = await bare.command('KEYS', '*')
      return [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, key]) => key).sort()
    },
    warnings: () => keyward.log.filter(({ level }) => level >= WARN).map((line) => JSON.stringify(line)),
    async stop() {
      bare.destroy()
      keyward.stop()
      await redis.stop()
    },
  }
}
