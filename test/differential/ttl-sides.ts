import type { Tenant } from '../../src/session/tenant.ts'
import type { Node } from '../../src/upstream/node.ts'
import { type Args, ask, decode } from '../helpers/differential.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { type CommandDoc, readDocs } from './grammar.ts'

/**
 * A tenant without numbered databases, database 3 of one that has 16, or a tenant whose rule bounds the times that clients
 * ask for, too.
 */
export type TtlPlace = 'plain' | 'db3' | 'bounded'

/**
 * The two sides that are compared where a tenant has a rule for times to live: a database of a server that knows nothing of
 * it, and a tenant of Keyward all of whose keys live for an hour at most unless they say otherwise. Both on one server.
 */
export interface TtlSides {
  readonly keyward: Keyward
  /** Names of the commands that the server has, without subcommands. */
  readonly commands: ReadonlySet<string>
  /** What the server tells of commands, by name; nothing before 7.0. */
  readonly docs: ReadonlyMap<string, CommandDoc>
  /** DUMP of a short string. */
  readonly payload: string
  bare(place?: TtlPlace): Promise<RawClient>
  proxied(protocol: 2 | 3, place?: TtlPlace): Promise<RawClient>
  /** Straight to the database where the tenants' keys lie. */
  raw(): Promise<RawClient>
  /** What Keyward logged as a warning or worse. */
  warnings(): readonly string[]
  stop(): Promise<void>
}

export const PREFIX: Readonly<Record<TtlPlace, string>> = { plain: 'ttl:', db3: 'many:3:', bounded: 'bounded:' }
const BARE: Readonly<Record<TtlPlace, string>> = { plain: '9', db3: '8', bounded: '7' }
/** In the order of the listeners. */
const PLACES: readonly TtlPlace[] = ['plain', 'db3', 'bounded']
const WARN = 40

/** `oldServer`: Keyward takes the server for one that does not know PEXPIRE … NX. */
export async function openTtlSides({ oldServer = false } = {}): Promise<TtlSides> {
  const redis = await startRedis()
  const ttl = [{ keys: '*', default: '1h', persist: 'clamp' }]
  const tenant = { upstream: 'main', users: { default: {} }, ttl }
  const bounds = [{ ...ttl[0], min: '1h', max: '1h' }]
  const names = ['ttl', 'many', 'bounded']
  const keyward = await startKeyward(
    configFor(
      redis,
      {
        listeners: names.map((name) => ({ address: '127.0.0.1:0', tenant: name, login: 'optional' })),
        tenants: { ttl: tenant, many: { ...tenant, databases: 16 }, bounded: { ...tenant, ttl: bounds } },
      },
      // An old server can have none.
      oldServer ? { walls: 'off' } : {},
    ),
  )
  if (oldServer) ageServer(keyward)
  const ports = keyward.proxy.bound.flatMap((place) => ('port' in place ? [place.port] : []))
  const connect = async (port: number, greeting: readonly Args[]) => {
    const client = await RawClient.connect({ port })
    for (const frame of await ask(client, greeting)) {
      if (frame.startsWith('-')) throw new Error(`no way in: ${frame}`)
    }
    return client
  }
  const first = await connect(redis.port, [])
  const [all, docs] = await ask(first, [['COMMAND'], ['COMMAND', 'DOCS']])
  const dump = (
    await ask(first, [
      ['SET', 'x', 'restored'],
      ['DUMP', 'x'],
      ['DEL', 'x'],
    ])
  )[1]
  first.destroy()
  return {
    keyward,
    commands: new Set(decode(all).items?.map(({ items }) => items?.[0].text ?? '')),
    docs: readDocs(docs),
    payload: dump.slice(dump.indexOf('\r\n') + 2, -2),
    bare: (place = 'plain') => connect(redis.port, [['SELECT', BARE[place]]]),
    proxied(protocol, place = 'plain') {
      const greeting: Args[] = protocol === 3 ? [['HELLO', '3']] : []
      if (place === 'db3') greeting.push(['SELECT', '3'])
      return connect(ports[PLACES.indexOf(place)], greeting)
    },
    raw: () => connect(redis.port, []),
    warnings: () => keyward.log.filter(({ level }) => level >= WARN).map((line) => JSON.stringify(line)),
    async stop() {
      keyward.stop()
      await redis.stop()
    },
  }
}

/** From now on Keyward believes that its upstream is Redis 6.2, so that the way for such servers runs on any. */
export function ageServer({ proxy }: Keyward): void {
  const node: Node = proxy.node({ upstream: 'main' } as Tenant)
  Object.defineProperty(node.facts, 'version', { get: () => '6.2.14' })
}
