import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { executed } from '../helpers/cached.ts'
import { FeedProxy } from '../helpers/feed-proxy.ts'
import { type ConfigObject, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What the tests of the near cache share: a server, a Keyward for each test, and clients that end with it. */
export let redis: RedisServer
/** Past Keyward. */
export let bare: RawClient
/** In front of the server of `stageCacheBehindProxy`: keeps requests or replies, and delays the feed. */
export let net: FeedProxy
export let keyward: Keyward
/** Of this test; they are closed with it. */
export const clients: RawClient[] = []
/** Of this test. */
let started = false

/** One server for all tests of the file, emptied after each. */
export function stageCache(): void {
  beforeAll(async () => {
    redis = await startRedis()
    bare = await RawClient.connect({ port: redis.port })
  })
  afterEach(async () => {
    await end()
    await bare.command('FLUSHALL')
  })
  afterAll(async () => {
    bare?.destroy()
    await redis?.stop()
  })
}

/** Each test has a server of its own, behind `net`. */
export function stageCacheBehindProxy(): void {
  beforeEach(async () => {
    redis = await startRedis()
    bare = await RawClient.connect({ port: redis.port })
    net = await FeedProxy.start({ port: redis.port })
  })
  afterEach(async () => {
    net.release()
    await end()
    bare.destroy()
    await net.stop()
    await redis.stop()
  })
}

/** Nothing of any client may be left. */
async function end(): Promise<void> {
  for (const client of clients.splice(0)) client.destroy()
  if (!started) return
  started = false
  expect(await leftovers(keyward)).toEqual({})
  keyward.stop()
}

export async function start(config: ConfigObject): Promise<void> {
  keyward = await startKeyward(config)
  started = true
}

export async function connect(protocol: 2 | 3 = 2, tenant = 'acme'): Promise<RawClient> {
  const client = await keyward.connect({ password: tenant })
  clients.push(client)
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

export type Words = readonly (string | number)[]

/** Sends them in one piece; resolves with their replies. */
export async function pipeline(client: RawClient, ...requests: Words[]): Promise<string[]> {
  const frames = await client.exchange(Buffer.concat(requests.map((words) => request(...words))), requests.length)
  return frames.map((frame) => frame.toString('latin1'))
}

/** Asked again and again, it soon is answered without the server. */
export async function remembered(client: RawClient, ...words: Words): Promise<boolean> {
  await client.command(...words)
  return eventually(async () => Object.keys(await executed(bare, () => client.command(...words))).length === 0, 5000)
}

export const reload = (config: ConfigObject) =>
  keyward.proxy.reload(
    parseConfig(stringify(config), { source: 'test.yaml', env: process.env, baseDir: process.cwd() }),
  )
