import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { FeedProxy } from '../helpers/feed-proxy.ts'
import type { ConfigObject } from '../helpers/keyward.ts'
import { type LoneUpstream, loneUpstream } from '../helpers/lone-upstream.ts'
import { eventually } from '../helpers/places.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What the tests of the feed of writes share: a server, and listeners that end with their test. */
export let redis: RedisServer
export const started: { stop(): unknown }[] = []
export const lone: LoneUpstream[] = []

export function stageFeeds(): void {
  beforeAll(async () => {
    redis = await startRedis()
  })

  afterEach(async () => {
    const faults = lone.splice(0).flatMap((one) => one.faults)
    for (const one of started.splice(0).reverse()) await one.stop()
    await redis.cli('FLUSHALL')
    expect(faults).toEqual([])
  })

  afterAll(() => redis.stop())
}

/** An upstream, and what its feed says. */
export class Listener {
  readonly upstream: Upstream
  readonly one: LoneUpstream
  /** Keys, '*' for all of them. */
  heard: string[] = []

  constructor(url: string, prefixes: readonly string[] = ['acme:'], more: ConfigObject = {}) {
    this.one = loneUpstream(url, more)
    this.upstream = this.one.upstream
    started.push(this.upstream)
    lone.push(this.one)
    const { ear } = this
    ear.onInvalidated = (rawKey) => void this.heard.push(rawKey.toString('latin1'))
    ear.onEverything = () => void this.heard.push('*')
    ear.track(prefixes)
  }

  get feed() {
    return this.upstream.invalidations
  }

  /** The near cache's. */
  get ear() {
    return this.upstream.cacheSource.feed
  }

  get warnings(): string[] {
    return this.one.log.filter(({ level }) => level >= 40).map(({ msg }) => msg)
  }

  /** Milliseconds since all writes had been heard of. */
  get behind(): number {
    return performance.now() - this.ear.heardAt
  }

  tracks(): Promise<boolean> {
    return eventually(() => this.feed.view().connected && this.upstream.primary.usable)
  }

  /** Everything that was written before now has come. */
  async caughtUp(): Promise<boolean> {
    const now = performance.now()
    return eventually(() => this.ear.heardAt > now)
  }
}

export async function listening(...args: ConstructorParameters<typeof Listener>): Promise<Listener> {
  const listener = new Listener(...args)
  expect(await listener.tracks()).toBe(true)
  return listener
}

/** What a scripted server says to CLIENT TRACKINGINFO when it tracks. */
export const TRACKS = '%3\r\n+flags\r\n~2\r\n+on\r\n+bcast\r\n+redirect\r\n:0\r\n+prefixes\r\n*1\r\n$5\r\nacme:\r\n'

/** The ids of connections that track. */
export async function trackers(server = redis): Promise<string[]> {
  const list = await server.cli('CLIENT', 'LIST')
  return [...list.matchAll(/^id=(\d+) .* flags=\S*t\S* /gm)].map(([, id]) => id)
}

export async function proxied(): Promise<FeedProxy> {
  const proxy = await FeedProxy.start(redis)
  started.push(proxy)
  return proxy
}
