import { type Args, ask, decode, elementsOf } from '../helpers/differential.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { type Content, contentOf } from './content.ts'

/** Of each tenant, and of the bare servers. */
export const DATABASES = 5

/** Every character that a prefix may have and that means something to somebody: to SORT, to printf, to regular expressions. */
export const TENANTS = {
  acme: 'acme:',
  beta: 'beta->#$&%s|~(1+1)=2;<@>,!/_.-:',
} as const
export type TenantName = keyof typeof TENANTS

/**
 * KEYWARD_DIFFERENTIAL=self puts bare servers in Keyward's place: what differs then is the fault of the requests,
 * not of Keyward.
 */
const SELF = process.env.KEYWARD_DIFFERENTIAL === 'self'

/** Milliseconds that a reply may take: many jobs on a slow machine. */
const PATIENCE = 60_000

/** What a tenant sees, and what it would see with a server of its own. */
export interface World {
  connect(): Promise<RawClient>
  /** Of all databases; keys as `<database>:<key>`. Read straight from the server. */
  content(complete: boolean): Promise<Content>
}

export interface Worlds {
  readonly bare: Readonly<Record<TenantName, World>>
  readonly proxied: Readonly<Record<TenantName, World>>
  /** The server behind Keyward, straight. */
  readonly upstream: RawClient
  readonly keyward: Keyward | undefined
  stop(): Promise<void>
}

export async function openWorlds(): Promise<Worlds> {
  const servers: RedisServer[] = []
  const doors: RawClient[] = []
  const start = async (config: readonly string[] = []) => {
    const server = await startRedis({ config })
    servers.push(server)
    return server
  }
  const door = async (server: RedisServer) => {
    const client = await RawClient.connect({ port: server.port, timeout: PATIENCE })
    doors.push(client)
    return client
  }
  const bare = async (): Promise<World> => {
    const server = await start([`databases ${DATABASES}`])
    const back = await door(server)
    return {
      connect: () => RawClient.connect({ port: server.port, timeout: PATIENCE }),
      content: (complete) => allDatabases(back, complete),
    }
  }
  const both = async (world: (name: TenantName) => World | Promise<World>) => ({
    acme: await world('acme'),
    beta: await world('beta'),
  })

  const redis = await start()
  const upstream = await door(redis)
  const keyward = SELF ? undefined : await startProxy(redis)
  const proxied = async (name: TenantName): Promise<World> => {
    const back = await door(redis)
    return {
      async connect() {
        const client = await RawClient.connect({ port: keyward?.port ?? 0, timeout: PATIENCE })
        const reply = await client.command('AUTH', name)
        if (reply !== '+OK\r\n') throw new Error(`login failed: ${reply}`)
        return client
      },
      content: (complete) => contentOf(back, TENANTS[name], complete),
    }
  }
  return {
    bare: await both(bare),
    proxied: await both(SELF ? bare : proxied),
    upstream,
    keyward,
    async stop() {
      for (const client of doors) client.destroy()
      keyward?.stop()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

function startProxy(redis: RedisServer): Promise<Keyward> {
  const tenant = (name: TenantName) => ({
    upstream: 'main',
    prefix: TENANTS[name],
    databases: DATABASES,
    users: { default: { password: name } },
  })
  return startKeyward(configFor(redis, { tenants: { acme: tenant('acme'), beta: tenant('beta') } }))
}

async function allDatabases(client: RawClient, complete: boolean): Promise<Content> {
  const all = new Map<string, string>()
  for (let db = 0; db < DATABASES; db++) {
    await ask(client, [['SELECT', String(db)]])
    for (const [key, content] of await contentOf(client, '', complete)) all.set(`${db}:${key}`, content)
  }
  return all
}

/** Raw keys that are neither a tenant's nor Keyward's own, wherever they lie in the server. */
export async function strayKeys(upstream: RawClient): Promise<string[]> {
  const stray: string[] = []
  const own = (key: string) =>
    key.startsWith('keyward:') ||
    Object.values(TENANTS).some((prefix) => key.startsWith(prefix) && /^[0-4]:/.test(key.slice(prefix.length)))
  for (const db of await databasesOf(upstream)) {
    const requests: Args[] = [
      ['SELECT', db],
      ['KEYS', '*'],
      ['SELECT', '0'],
    ]
    const [, frame] = await ask(upstream, requests)
    for (const element of elementsOf(frame) ?? []) {
      const key = decode(element).text ?? ''
      if (db !== '0' || !own(key)) stray.push(`${db}: ${key}`)
    }
  }
  return stray
}

async function databasesOf(upstream: RawClient): Promise<string[]> {
  const [frame] = await ask(upstream, [['INFO', 'keyspace']])
  return [...frame.matchAll(/^db(\d+):/gm)].map(([, db]) => db)
}
