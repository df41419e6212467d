import { type Args, ask } from '../helpers/differential.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import type { Place } from './combinations.ts'
import { KEYLIKE, ODD, poolCommands, withPrefix } from './pool.ts'
import { type ConnectOptions, type Doors, PASSWORD, SELF, type Sides, startTenants } from './sides.ts'
import { Backdoor, type View } from './state.ts'

/**
 * Sides for commands that see or change more than keys of their own: a bare server of its own for each tenant, with
 * as many databases as the tenant has, and another server behind Keyward, where keys of others lie among the tenant's.
 * All of them send keyspace notifications.
 *
 * KEYWARD_DIFFERENTIAL=self puts further bare servers in Keyward's place.
 */
export async function openOwnServers({ keys = true }: OwnServerOptions = {}): Promise<Sides> {
  const start = (databases: number) => startRedis({ config: [...CONFIG, `databases ${databases}`] })
  const bare: Servers = { one: await start(1), five: await start(5) }
  const behind: Servers = SELF ? { one: await start(1), five: await start(5) } : sameServer(await start(16))
  const keyward = SELF ? undefined : await startTenants(behind.one.url, TENANTS)
  const ports = keyward?.ports ?? { one: behind.one.port, five: behind.five.port }
  const connect = async (port: number, { protocol = 2, login = true, place = 'plain' }: ConnectOptions) => {
    const client = await RawClient.connect({ port })
    const greeting: Args[] = []
    if (login) greeting.push(['AUTH', PASSWORD])
    if (login && place === 'db3') greeting.push(['SELECT', '3'])
    if (login && protocol === 3) greeting.push(['HELLO', '3'])
    for (const frame of await ask(client, greeting)) {
      if (frame.startsWith('-')) throw new Error(`no way in: ${frame}`)
    }
    return client
  }
  const bareDoor = async ({ port }: RedisServer, name: TenantName) =>
    new Backdoor(await connect(port, {}), bareKeys(name), bareViews(name))
  const rawDoor = async ({ port }: RedisServer, name: TenantName) =>
    new Backdoor(await connect(port, {}), rawKeys(name), [{ prefix: TENANTS[name].prefix, among: true }])
  const doors = new Map<TenantName, Doors>()
  for (const name of keys ? (['one', 'five'] as const) : []) {
    const proxied = await (SELF ? bareDoor : rawDoor)(behind[name], name)
    doors.set(name, { bare: await bareDoor(bare[name], name), proxied })
  }
  const nameOf = (place: Place = 'plain'): TenantName => (place === 'plain' ? 'one' : 'five')
  return {
    bare: (options = {}) => connect(bare[nameOf(options.place)].port, options),
    proxied: (options = {}) => connect(ports[nameOf(options.place)], options),
    doors(place) {
      const found = doors.get(nameOf(place))
      if (found === undefined) throw new Error('opened without keys')
      return found
    },
    warnings: () => keyward?.warnings() ?? [],
    async stop() {
      for (const { bare, proxied } of doors.values()) {
        bare.close()
        proxied.close()
      }
      keyward?.stop()
      await Promise.all([bare, behind].flatMap(({ one, five }) => [one.stop(), five.stop()]))
    },
  }
}

export interface OwnServerOptions {
  /** False: no pool and no doors, so that the connections of a test are the only ones of the bare servers. */
  readonly keys?: boolean
}

/** Nothing is slow: the log holds what a test puts there. */
const CONFIG = [`requirepass ${PASSWORD}`, 'notify-keyspace-events KEA', 'slowlog-log-slower-than 60000000']

const TENANTS = { one: { prefix: 'one:', databases: undefined }, five: { prefix: 'five:', databases: 5 } } as const
type TenantName = keyof typeof TENANTS
type Servers = Readonly<Record<TenantName, RedisServer>>

function sameServer(server: RedisServer): Servers {
  return { one: server, five: server }
}
/** With five databases the pool lies in 0 and 3, and 1 has a few keys of the same names. */
const FEW: readonly Args[] = [
  ['SET', 'str', 'in database 1'],
  ['SET', 'a key', 'in database 1'],
  ['SADD', '*', 'in database 1'],
]

function bareKeys(name: TenantName): Args[] {
  const pool = poolCommands()
  if (name === 'one') return [['FLUSHALL'], ...pool]
  return [['FLUSHALL'], ['SELECT', '0'], ...pool, ['SELECT', '1'], ...FEW, ['SELECT', '3'], ...pool]
}

function bareViews(name: TenantName): View[] {
  if (name === 'one') return [{ prefix: '' }]
  return Array.from({ length: 5 }, (_, database) => ({ database, prefix: '', label: `${database}:` }))
}

function rawKeys(name: TenantName): Args[] {
  const pool = poolCommands()
  const { prefix } = TENANTS[name]
  if (name === 'one') return [['FLUSHALL'], ...withPrefix(pool, prefix), ...othersKeys(prefix)]
  const [db0, db1, db3] = [0, 1, 3].map((db) => `${prefix}${db}:`)
  const own = [...withPrefix(pool, db0), ...withPrefix(FEW, db1), ...withPrefix(pool, db3)]
  return [['FLUSHALL'], ...own, ...othersKeys(prefix)]
}

/** Keys of nobody and of other tenants, with names as close to the tenant's as they can be, and enough to fill pages. */
function othersKeys(prefix: string): Args[] {
  const word = prefix.slice(0, -1)
  const near = [word, `${word};str`, `${word}z:str`, prefix.toUpperCase(), ` ${prefix}str`, `*:str`, `\\${prefix}str`]
  const names = [
    ...near,
    ...KEYLIKE,
    ...ODD.globs,
    ...ODD.bytes,
    ...(prefix === 'one:' ? ['five:0:str', 'five:3:str'] : ['one:str', 'one:0:str', 'one:*']),
    ...Array.from({ length: 300 }, (_, i) => `other:${i}`),
  ]
  return names.filter((name) => !name.startsWith(prefix)).map((name) => ['SET', name, 'of another'])
}
