import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Several Keywards at one Redis: subscribers of all of them are counted, after a moment. */
let redis: RedisServer
let keywards: Keyward[]
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  keywards = await Promise.all([1, 2, 3].map(() => startKeyward(configFor(redis))))
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  for (const keyward of keywards) {
    expect(await leftovers(keyward)).toEqual({})
  }
})

afterAll(async () => {
  for (const keyward of keywards ?? []) keyward.stop()
  await redis?.stop()
})

async function connect(which: number, password = 'acme'): Promise<RawClient> {
  const client = await keywards[which].connect({ password })
  open.push(client)
  return client
}

async function subscribers(which: number, count: number, ...words: string[]): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    clients.push(await connect(which))
    await clients[i].exchange(request(...words), words.length - 1)
  }
  return clients
}

const becomes = (client: RawClient, words: string[], reply: string) =>
  eventually(async () => (await client.command(...words)) === reply)

test('one subscriber behind each is counted right at once', async () => {
  const publisher = await connect(2)
  for (const which of [0, 1, 2]) await subscribers(which, 1, 'SUBSCRIBE', 'c')
  expect(await publisher.command('PUBLISH', 'c', '1')).toBe(':3\r\n')
  expect(await publisher.command('PUBSUB', 'NUMSUB', 'c')).toBe('*2\r\n$1\r\nc\r\n:3\r\n')
})

test('many behind each are counted by all after a moment, and not for long when they have gone', async () => {
  const [here, there, third] = [await connect(0), await connect(1), await connect(2)]
  await subscribers(0, 3, 'SUBSCRIBE', 'c')
  const gone = await subscribers(1, 4, 'SUBSCRIBE', 'c')
  await subscribers(1, 2, 'PSUBSCRIBE', 'c*')
  await subscribers(1, 5, 'SSUBSCRIBE', 'c')
  await subscribers(1, 2, 'SUBSCRIBE', 'other')
  const outsider = await connect(1, 'beta')
  for (const client of [here, there, third]) {
    expect(await becomes(client, ['PUBLISH', 'c', '1'], ':9\r\n')).toBe(true)
    expect(await becomes(client, ['PUBLISH', 'cc', '1'], ':2\r\n')).toBe(true)
    expect(await becomes(client, ['SPUBLISH', 'c', '1'], ':5\r\n')).toBe(true)
    expect(
      await becomes(client, ['PUBSUB', 'NUMSUB', 'c', 'other'], '*4\r\n$1\r\nc\r\n:7\r\n$5\r\nother\r\n:2\r\n'),
    ).toBe(true)
    expect(await becomes(client, ['PUBSUB', 'SHARDNUMSUB', 'c'], '*2\r\n$1\r\nc\r\n:5\r\n')).toBe(true)
  }
  expect(await outsider.command('PUBLISH', 'c', '1')).toBe(':0\r\n')
  for (const client of gone.slice(1)) client.destroy()
  expect(await becomes(third, ['PUBLISH', 'c', '1'], ':6\r\n')).toBe(true)
  expect(await becomes(here, ['PUBLISH', 'c', '1'], ':6\r\n')).toBe(true)
})

test('a subscriber that is no Keyward counts as one', async () => {
  const publisher = await connect(0)
  await subscribers(1, 2, 'SUBSCRIBE', 'c')
  const direct = await connect(0)
  await direct.exchange(request('SUBSCRIBE', 'c'))
  expect(await becomes(publisher, ['PUBLISH', 'c', '1'], ':3\r\n')).toBe(true)
})

test('what processes say to each other, or what others put on their channels, shows nowhere', async () => {
  const [listener, publisher] = [await connect(0), await connect(1)]
  await listener.exchange(request('PSUBSCRIBE', '*', 'keyward:*'), 2)
  await subscribers(0, 2, 'SUBSCRIBE', 'c')
  expect(await becomes(publisher, ['PUBLISH', 'c', '1'], ':3\r\n')).toBe(true)
  expect(await publisher.command('PUBSUB', 'CHANNELS')).toBe('*1\r\n$1\r\nc\r\n')
  for (const rubbish of [
    '',
    'x',
    'someone acme: x',
    ` ${'a'.repeat(10)}`,
    'me acme: [[9,"c",1]]',
    'me acme: {"a":1}',
  ]) {
    for (const channel of (await redis.cli('PUBSUB', 'CHANNELS', 'keyward:*')).split('\n')) {
      await redis.cli('PUBLISH', channel, rubbish)
    }
  }
  expect(await publisher.command('PUBLISH', 'c', '2')).toBe(':3\r\n')
  for (;;) {
    const frame = (await listener.reply()).toString()
    expect(frame).not.toContain('keyward:counts')
    if (frame.endsWith('2\r\n')) break
  }
})
