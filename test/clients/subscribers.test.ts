import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { openStage, type Stage } from './stage.ts'

/** Subscribers whose Redis is killed and comes back: they keep their connection, and messages come again. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage({ redis: ['notify-keyspace-events KEA'] })
})

afterAll(async () => {
  await stage.stop()
})

interface Subscriber {
  /** `channel message`, in order. */
  readonly got: string[]
  /** How often its connection ended. */
  readonly ends: () => number
  close(): Promise<unknown>
}

async function byIoredis(protocol: 2 | 3): Promise<Subscriber> {
  const client = new Redis({ port: stage.keyward.port, password: 'acme', protocol })
  const got: string[] = []
  let ends = 0
  client.on('error', () => {})
  client.on('close', () => ends++)
  client.on('message', (channel, message) => got.push(`${channel} ${message}`))
  client.on('pmessage', (_, channel, message) => got.push(`${channel} ${message}`))
  await client.subscribe('news')
  await client.psubscribe('__keyspace@0__:*', 'n?ws')
  return { got, ends: () => ends, close: () => client.quit() }
}

async function byNodeRedis(RESP: 2 | 3): Promise<Subscriber> {
  const client = createClient({ url: `redis://:acme@127.0.0.1:${stage.keyward.port}`, RESP })
  const got: string[] = []
  let ends = 0
  client.on('error', () => {})
  client.on('reconnecting', () => ends++)
  await client.connect()
  const listen = (message: string, channel: string) => void got.push(`${channel} ${message}`)
  await client.subscribe('news', listen)
  await client.pSubscribe(['__keyspace@0__:*', 'n?ws'], listen)
  return { got, ends: () => ends, close: () => client.close() }
}

test('subscriptions outlive the upstream, and clients do nothing for it', async () => {
  const subscribers = [await byIoredis(2), await byIoredis(3), await byNodeRedis(2), await byNodeRedis(3)]
  const publisher = new Redis({ port: stage.keyward.port, password: 'acme' })
  expect(await publisher.publish('news', 'before')).toBe(2 * subscribers.length)
  await eventually(() => subscribers.every(({ got }) => got.length === 2))

  await stage.redis.restart()
  // Pub/sub promises nothing for the time between, so it is said again until everybody has heard it.
  const back = await eventually(async () => {
    await publisher.publish('news', 'after').catch(() => {})
    await publisher.set('key', 'value').catch(() => {})
    return subscribers.every(({ got }) => got.includes('news after') && got.includes('__keyspace@0__:key set'))
  }, 40_000)
  expect(back).toBe(true)
  for (const { got } of subscribers) got.length = 0
  expect(await publisher.publish('news', 'at last')).toBe(2 * subscribers.length)
  const atLast = () => subscribers.map(({ got }) => got.filter((line) => line === 'news at last').length)
  await eventually(() => atLast().every((count) => count >= 2))
  // By the channel and by the pattern, and nobody has been subscribed twice.
  expect(atLast()).toEqual([2, 2, 2, 2])
  expect(subscribers.map(({ ends }) => ends())).toEqual([0, 0, 0, 0])
  await Promise.all([...subscribers, { close: () => publisher.quit() }].map(({ close }) => close()))
})
