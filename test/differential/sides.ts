import { type Args, ask } from '../helpers/differential.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { Backdoor } from './state.ts'

/**
 * The two sides that are compared: a database of a real server, reached directly, and a tenant of Keyward whose keys
 * lie in another database of the same server. The same server, because the order of a hash differs between processes.
 *
 * KEYWARD_DIFFERENTIAL=self puts a second database of the server in Keyward's place: what differs then is the fault of
 * the requests, not of Keyward.
 */
export interface Sides {
  readonly redis: Awaited<ReturnType<typeof startRedis>>
  /** Connections, logged in unless told otherwise, in database `BARE` on the bare side. */
  bare(options?: ConnectOptions): Promise<RawClient>
  proxied(options?: ConnectOptions): Promise<RawClient>
  readonly bareDoor: Backdoor
  readonly proxiedDoor: Backdoor
  /** What Keyward logged as a warning or worse. */
  warnings(): readonly string[]
  stop(): Promise<void>
}

export interface ConnectOptions {
  readonly protocol?: 2 | 3
  readonly login?: boolean
  /** The tenant with 16 databases, as many as the bare server has. */
  readonly databases?: boolean
}

export const SELF = process.env.KEYWARD_DIFFERENTIAL === 'self'

/** `requirepass` of the server, the upstream's password and the tenants' password: AUTH means the same on both sides. */
export const PASSWORD = 'pass'
const BARE = '9'
const OTHER = '8'
const PREFIX = 'diff:'
const WARN = 40

export async function openSides(): Promise<Sides> {
  const redis = await startRedis({ config: [`requirepass ${PASSWORD}`] })
  const keyward = SELF ? undefined : await startProxied(redis.url)
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
  const doors = [await connect(redis.port, {}, BARE), await connect(redis.port, {}, SELF ? OTHER : '0')]
  return {
    redis,
    bare: (options = {}) => connect(redis.port, options, BARE),
    proxied: (options = {}) => {
      if (keyward === undefined) return connect(redis.port, options, OTHER)
      return connect(options.databases === true ? keyward.manyPort : keyward.port, options, undefined)
    },
    bareDoor: new Backdoor(doors[0], ''),
    proxiedDoor: new Backdoor(doors[1], SELF ? '' : PREFIX),
    warnings: () => keyward?.warnings() ?? [],
    async stop() {
      for (const door of doors) door.destroy()
      keyward?.stop()
      await redis.stop()
    },
  }
}

async function startProxied(url: string) {
  const { configFor, startKeyward } = await import('../helpers/keyward.ts')
  const users = { default: { password: PASSWORD } }
  const keyward = await startKeyward(
    configFor(
      { url },
      {
        listeners: [
          { address: '127.0.0.1:0', tenant: 'diff' },
          { address: '127.0.0.1:0', tenant: 'many' },
        ],
        tenants: {
          diff: { upstream: 'main', prefix: PREFIX, users },
          many: { upstream: 'main', prefix: 'many:', databases: 16, users },
        },
      },
      { password: PASSWORD },
    ),
  )
  const ports = keyward.proxy.bound.flatMap((place) => ('port' in place ? [place.port] : []))
  return {
    port: ports[0],
    manyPort: ports[1],
    warnings: () => keyward.log.filter(({ level }) => level >= WARN).map((line) => JSON.stringify(line)),
    stop: () => keyward.stop(),
  }
}
