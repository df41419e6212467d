import { ask } from './ask.ts'
import { FaultProxy } from './fault-proxy.ts'
import type { Machine, Network } from './network.ts'
import { type RedisOptions, type RedisServer, startRedis } from './redis.ts'

export interface DataServerOptions {
  /** `requirepass` and `masterauth`. */
  readonly password?: string
  readonly tls?: RedisOptions['tls']
  /** Others reach it through a fault proxy. */
  readonly proxied?: boolean
  /** It is on a machine of its own in this network. */
  readonly network?: Network
  /** Further lines of its configuration. */
  readonly server?: readonly string[]
}

/** A server that is a primary or a replica, as others say. */
export interface DataServer extends Omit<RedisServer, 'restart'> {
  /** The port by which others know it: its proxy's, if it has one. `port` is where it really listens. */
  readonly announced: number
  readonly proxy: FaultProxy | undefined
  readonly machine: Machine | undefined
  /** One command, from behind the proxy; resolves with strings, numbers, null and arrays of these. */
  ask<T = unknown>(...args: (string | number)[]): Promise<T>
  /** Empty, on the same port, as a replica of `of`; default: of the primary of the day. */
  restart(of?: DataServer): Promise<void>
}

/** Starts one, as a primary. `primary`: who it is when the server is restarted. */
export async function startDataServer(
  options: DataServerOptions,
  primary: () => Promise<DataServer | undefined>,
): Promise<DataServer> {
  const { password, tls, proxied, network, server: more = [] } = options
  // Read again at every restart, so it is the place for what it has to be then.
  const config = [
    ...['repl-diskless-sync yes', 'repl-diskless-sync-delay 0', 'repl-ping-replica-period 1'],
    'repl-backlog-size 32mb',
    ...(password === undefined ? [] : [`requirepass "${password}"`, `masterauth "${password}"`]),
    ...(tls === undefined ? [] : ['tls-replication yes']),
    ...more,
  ]
  const machine = await network?.attach()
  const redis = await startRedis({ config, tls, machine })
  const asked = { host: redis.host, port: redis.port, password, tls }
  const proxy = proxied === true ? await FaultProxy.start({ port: redis.port, host: redis.host }) : undefined
  const announced = proxy?.port ?? redis.port
  for (const [name, value] of [
    ['replica-announce-ip', redis.host],
    ['replica-announce-port', announced],
  ] as const) {
    config.push(`${name} ${value}`)
    await ask(asked, ['CONFIG', 'SET', name, value])
  }
  const fixed = config.length
  return {
    ...redis,
    get pid() {
      return redis.pid
    },
    announced,
    proxy,
    machine,
    ask: (...args) => ask(asked, args),
    restart: async (of) => {
      const now = of ?? (await primary())
      config.length = fixed
      if (now !== undefined && now.announced !== announced) config.push(`replicaof ${now.host} ${now.announced}`)
      await redis.restart()
    },
    stop: async () => {
      await redis.stop()
      await proxy?.stop()
    },
  }
}
