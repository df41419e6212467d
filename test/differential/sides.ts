import type { Redis as Server } from '../../scripts/lib/redis.mjs'
import { type Args, ask } from '../helpers/differential.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { PLACES, type Place } from './combinations.ts'
import { type Backdoor, poolDoor } from './state.ts'

/**
 * The two sides that are compared: a database of a real server, reached directly, and a tenant of Keyward whose keys
 * lie in another database of the same server. The same server, because the order of a hash differs between processes.
 * (Commands that see a whole server are compared in own-servers.ts.)
 *
 * KEYWARD_DIFFERENTIAL=self puts a second database of the server in Keyward's place: what differs then is the fault of
 * the requests, not of Keyward.
 */
export interface Sides {
  /** Connections, logged in unless told otherwise, on the bare side in the database that stands for the place. */
  bare(options?: ConnectOptions): Promise<RawClient>
  proxied(options?: ConnectOptions): Promise<RawClient>
  /** Only one place holds data at a time: filling one empties the others. */
  doors(place?: Place): Doors
  /** What Keyward logged as a warning or worse. */
  warnings(): readonly string[]
  stop(): Promise<void>
}

export interface Doors {
  readonly bare: Backdoor
  readonly proxied: Backdoor
}

export interface ConnectOptions {
  readonly protocol?: 2 | 3
  readonly login?: boolean
  readonly place?: Place
  /** The tenant with 16 databases, as many as the bare server has, in place of the one without or with 5. */
  readonly databases?: boolean
}

export const SELF = process.env.KEYWARD_DIFFERENTIAL === 'self'

/** `requirepass` of the server, the upstream's password and the tenants' password: AUTH means the same on both sides. */
export const PASSWORD = 'pass'
const WARN = 40

/** The bare side's database, that of the other side without Keyward, and how the tenant's raw keys begin. */
const DATABASES: Readonly<Record<Place, { bare: string; self: string; prefix: string }>> = {
  plain: { bare: '9', self: '8', prefix: 'diff:' },
  // A bare database 0 would be the one where the tenants' keys lie.
  db0: { bare: '9', self: '8', prefix: 'five:0:' },
  db3: { bare: '3', self: '4', prefix: 'five:3:' },
}

/** `server`: default: the first that the resolver finds. */
export async function openSides(server?: Server): Promise<Sides> {
  const redis = await startRedis({ config: [`requirepass ${PASSWORD}`], redis: server })
  const keyward = SELF ? undefined : await startTenants(redis.url, TENANTS)
  const connect = async (port: number, { protocol = 2, login = true }: ConnectOptions, db: string | undefined) => {
    const client = await RawClient.connect({ port })
    const greeting: Args[] = []
    if (login) greeting.push(['AUTH', PASSWORD])
    if (login && db !== undefined) greeting.push(['SELECT', db])
    if (login && protocol === 3) greeting.push(['HELLO', '3'])
    for (const frame of await ask(client, greeting)) {
      if (frame.startsWith('-')) throw new Error(`no way in: ${frame}`)
    }
    return client
  }
  const doors = {} as Record<Place, Doors>
  for (const place of PLACES) {
    const { bare, self, prefix } = DATABASES[place]
    doors[place] = {
      bare: poolDoor(await connect(redis.port, {}, bare), ''),
      proxied: SELF
        ? poolDoor(await connect(redis.port, {}, self), '')
        : poolDoor(await connect(redis.port, {}, '0'), prefix),
    }
  }
  return {
    bare: (options = {}) => connect(redis.port, options, DATABASES[options.place ?? 'plain'].bare),
    proxied(options = {}) {
      const { place = 'plain', databases = false } = options
      if (keyward === undefined) return connect(redis.port, options, DATABASES[place].self)
      const port = databases ? keyward.ports.many : place === 'plain' ? keyward.ports.diff : keyward.ports.five
      return connect(port, options, place === 'db3' ? '3' : undefined)
    },
    doors: (place = 'plain') => doors[place],
    warnings: () => keyward?.warnings() ?? [],
    async stop() {
      for (const { bare, proxied } of Object.values(doors)) {
        bare.close()
        proxied.close()
      }
      keyward?.stop()
      await redis.stop()
    },
  }
}

const TENANTS = {
  diff: { prefix: 'diff:' },
  many: { prefix: 'many:', databases: 16 },
  five: { prefix: 'five:', databases: 5 },
}

/** Keyward with these tenants, each with a listener, on a server that wants PASSWORD. */
export async function startTenants<Name extends string>(
  url: string,
  tenants: Readonly<Record<Name, { readonly prefix: string; readonly databases?: number }>>,
) {
  const { configFor, startKeyward } = await import('../helpers/keyward.ts')
  const names = Object.keys(tenants) as Name[]
  const tenant = (name: Name) => ({ upstream: 'main', users: { default: { password: PASSWORD } }, ...tenants[name] })
  const keyward = await startKeyward(
    configFor(
      { url },
      {
        listeners: names.map((name) => ({ address: '127.0.0.1:0', tenant: name })),
        tenants: Object.fromEntries(names.map((name) => [name, tenant(name)])),
        // A slow machine must not look like a lost feed.
        tracking: { maxStaleness: '20s' },
      },
      { password: PASSWORD },
    ),
  )
  const ports = keyward.proxy.bound.flatMap((place) => ('port' in place ? [place.port] : []))
  return {
    ports: Object.fromEntries(names.map((name, i) => [name, ports[i]])) as Record<Name, number>,
    warnings: () => keyward.log.filter(({ level }) => level >= WARN).map((line) => JSON.stringify(line)),
    stop: () => keyward.stop(),
  }
}
