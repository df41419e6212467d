import { createClient } from 'redis'

export interface CacheOptions {
  readonly host: string
  readonly port: number
  readonly password: string
  /** Default: 0. */
  readonly database?: number
  /** Milliseconds after which a caller is told that there is nothing, whatever Redis does. */
  readonly patience: number
  /** Connections; requests are spread over them. Default: 2. */
  readonly connections?: number
  /** Hears why a call failed. */
  readonly log?: (reason: string) => void
}

export interface CacheStats {
  readonly hits: number
  readonly misses: number
  /** Of all look-ups, from 0 to 1; 0 when there were none. */
  readonly hitRate: number
  /** Calls that Redis did not answer, or with an error. */
  readonly failures: number
  /** Of this namespace, metadata not counted; undefined: Redis is away. */
  readonly entries: number | undefined
  /** What INFO says, field by field. */
  readonly server: ReadonlyMap<string, string>
}

export type Metadata = Readonly<Record<string, unknown>>

const META = ':meta'
const open = ({ host, port, password, database = 0, patience }: CacheOptions) =>
  createClient({
    socket: { host, port, connectTimeout: patience, reconnectStrategy: 100 },
    password,
    database,
    // Without it requests pile up in the client while it is not connected.
    disableOfflineQueue: true,
  })
type Client = ReturnType<typeof open>

/**
 * A cache in a Redis that it takes for its own: what it clears is the whole database. It is never the reason for a
 * failure of those who use it: when Redis is away, too slow or answers an error, a look-up is a miss and a change
 * is told not to have happened.
 */
export class Cache {
  private readonly clients: readonly Client[]
  private readonly patience: number
  private readonly log: (reason: string) => void
  private turn = 0
  private hits = 0
  private misses = 0
  private failures = 0

  constructor(options: CacheOptions) {
    this.patience = options.patience
    this.log = options.log ?? (() => {})
    this.clients = Array.from({ length: options.connections ?? 2 }, () => open(options))
    // They connect again by themselves; callers are told by what they get.
    for (const client of this.clients) client.on('error', () => {})
  }

  /** Whether Redis could be reached. If not, the clients go on trying. */
  async connect(): Promise<boolean> {
    const all = await Promise.all(this.clients.map((client) => this.within(client.connect().then(() => true))))
    return all.every((connected) => connected === true)
  }

  close(): void {
    for (const client of this.clients) client.destroy()
  }

  async ping(): Promise<boolean> {
    return (await this.ask((client) => client.ping())) === 'PONG'
  }

  async get(key: string): Promise<string | undefined> {
    const value = (await this.ask((client) => client.get(key))) ?? undefined
    this.count(value)
    return value
  }

  /** `ttl`: seconds, of the value and what is told about it alike. Default: for good. */
  async set(key: string, value: string, options: { ttl?: number; meta?: Metadata } = {}): Promise<boolean> {
    const { ttl, meta } = options
    const expiration = ttl === undefined ? {} : ({ expiration: { type: 'EX', value: ttl } } as const)
    const done = await this.ask((client) => {
      const both = client.multi().set(key, value, expiration)
      if (meta === undefined) both.del(key + META)
      else both.set(key + META, JSON.stringify(meta), expiration)
      return both.exec()
    })
    return done !== undefined
  }

  async meta(key: string): Promise<Metadata | undefined> {
    const text = await this.ask((client) => client.get(key + META))
    return text === undefined || text === null ? undefined : JSON.parse(text)
  }

  async delete(key: string): Promise<boolean> {
    return ((await this.ask((client) => client.del([key, key + META]))) ?? 0) > 0
  }

  async has(key: string): Promise<boolean> {
    return (await this.ask((client) => client.exists(key))) === 1
  }

  /** Those that are there; one request. */
  async getMany(keys: readonly string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    if (keys.length === 0) return found
    const values = await this.ask((client) => client.mGet([...keys]))
    for (const [i, key] of keys.entries()) {
      const value = values?.[i] ?? undefined
      this.count(value)
      if (value !== undefined) found.set(key, value)
    }
    return found
  }

  /** How many were stored; one pipeline. */
  async setMany(entries: ReadonlyMap<string, string>, ttl: number): Promise<number> {
    const replies = await this.ask((client) =>
      Promise.all([...entries].map(([key, value]) => client.setEx(key, ttl, value))),
    )
    return replies?.filter((reply) => reply === 'OK').length ?? 0
  }

  /** How many were there; one pipeline. */
  async deleteMany(keys: readonly string[]): Promise<number> {
    const replies = await this.ask((client) =>
      Promise.all(keys.flatMap((key) => [client.del(key), client.del(key + META)])),
    )
    return replies?.filter((removed, i) => i % 2 === 0 && removed > 0).length ?? 0
  }

  /** Names that match a glob pattern, without those of metadata; found by SCAN, so that nobody else has to wait. */
  async keys(pattern = '*'): Promise<string[]> {
    const found = await this.ask(async (client) => {
      const names = new Set<string>()
      for await (const page of client.scanIterator({ MATCH: pattern, COUNT: 100 }))
        for (const key of page) names.add(key)
      return names
    })
    return [...(found ?? [])].filter((key) => !key.endsWith(META)).sort()
  }

  /** Empties the database that the cache is in; how many keys were there, metadata included. */
  async clear(): Promise<number> {
    const [keys] = (await this.ask((client) => Promise.all([client.dbSize(), client.flushDb()]))) ?? [0]
    return keys
  }

  async stats(): Promise<CacheStats> {
    const { hits, misses } = this
    const entries = await this.ask((client) => client.dbSize())
    const info = (await this.ask((client) => client.info())) ?? ''
    return {
      hits,
      misses,
      hitRate: hits + misses === 0 ? 0 : hits / (hits + misses),
      failures: this.failures,
      entries: entries === undefined ? undefined : entries - (await this.metaCount()),
      server: new Map([...info.matchAll(/^([^#:\r\n]+):([^\r\n]*)/gm)].map(([, field, value]) => [field, value])),
    }
  }

  private async metaCount(): Promise<number> {
    return (
      (await this.ask(async (client) => {
        const names = new Set<string>()
        for await (const page of client.scanIterator({ MATCH: `*${META}` })) for (const key of page) names.add(key)
        return names.size
      })) ?? 0
    )
  }

  private count(value: string | undefined): void {
    if (value === undefined) this.misses++
    else this.hits++
  }

  private async ask<T>(request: (client: Client) => Promise<T>): Promise<T | undefined> {
    const client = this.clients[this.turn++ % this.clients.length]
    const reply = await this.within(Promise.resolve().then(() => request(client)))
    if (reply === undefined) this.failures++
    return reply
  }

  /** Undefined when it fails or takes too long; what comes later is of no interest. */
  private async within<T>(promise: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.log(`no reply within ${this.patience} ms`)
        resolve(undefined)
      }, this.patience)
    })
    const failed = (error: unknown) => void this.log(String(error))
    try {
      return await Promise.race([promise.catch(failed), tooLate])
    } finally {
      clearTimeout(timer)
    }
  }
}
