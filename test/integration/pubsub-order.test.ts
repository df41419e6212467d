import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Messages come between the acknowledgements of their subscription, in order, to those of one tenant alone. */
const ROUNDS = { default: 150, long: 3000, drill: 10_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 150

let redis: RedisServer
let keyward: Keyward
const open: RawClient[] = []

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis))
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'CHANNELS')) === '')).toBe(true)
  expect(await leftovers(keyward)).toEqual({})
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

async function connect(password = 'acme', protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await keyward.connect({ password })
  open.push(client)
  if (protocol === 3) await client.command('HELLO', '3')
  return client
}

/** The bulk strings of a frame. */
function elements(frame: Buffer): string[] {
  return [...frame.toString('latin1').matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, text]) => text)
}

/** Publishes 0, 1, 2 … to `channel` until told to stop. */
async function flood(client: RawClient, channel: string): Promise<() => Promise<number>> {
  let on = true
  let next = 0
  const work = (async () => {
    while (on) {
      const burst = Array.from({ length: 20 }, () => request('PUBLISH', channel, String(next++)))
      await client.exchange(Buffer.concat(burst), burst.length)
    }
    return next
  })()
  return () => {
    on = false
    return work
  }
}

test('no message comes before its acknowledgement or behind that of its end, and none is missing between', async () => {
  const stop = await flood(await connect(), 'c')
  const stays = await connect()
  await stays.exchange(request('SUBSCRIBE', 'c'))
  const comesAndGoes = async (protocol: 2 | 3, way: 'SUBSCRIBE' | 'PSUBSCRIBE') => {
    const client = await connect('acme', protocol)
    const undo = way === 'SUBSCRIBE' ? 'UNSUBSCRIBE' : 'PUNSUBSCRIBE'
    let messages = 0
    for (let round = 0; round < ROUNDS; round++) {
      client.send(Buffer.concat([request(way, 'c'), request(undo, 'c')]))
      let last = -1
      for (let inside = false; ; ) {
        const [word, ...rest] = elements(await client.reply())
        if (word === way.toLowerCase()) inside = true
        else if (word === undo.toLowerCase()) break
        else {
          expect(inside, 'a message before the acknowledgement').toBe(true)
          const n = Number(rest.at(-1))
          if (last >= 0) expect(n).toBe(last + 1)
          last = n
          messages++
        }
      }
      // The pipelined pair leaves little time for messages: every other round waits for one.
      if (round % 2 === 0) {
        await client.exchange(request(way, 'c'))
        const first = Number(elements(await client.reply()).at(-1))
        const second = Number(elements(await client.reply()).at(-1))
        expect(second).toBe(first + 1)
        client.send(request(undo, 'c'))
        for (let n = second; ; ) {
          const [word, ...rest] = elements(await client.reply())
          if (word === undo.toLowerCase()) break
          expect(Number(rest.at(-1))).toBe(++n)
        }
        messages += 2
      }
    }
    expect(messages).toBeGreaterThan(ROUNDS / 2)
    await client.silence(30)
  }
  await Promise.all([comesAndGoes(2, 'SUBSCRIBE'), comesAndGoes(3, 'SUBSCRIBE'), comesAndGoes(3, 'PSUBSCRIBE')])
  await stop()
  // Who stayed has got all of them.
  let expected = Number(elements(await stays.reply()).at(-1))
  while (stays.pending > 0) expect(Number(elements(await stays.reply()).at(-1))).toBe(++expected)
})

test('a client that subscribes, publishes and unsubscribes in one pipeline is counted exactly', async () => {
  const client = await connect('acme', 3)
  const round = ['PUBLISH c 0', 'SUBSCRIBE c', 'PUBLISH c 1', 'PSUBSCRIBE c*', 'PUBLISH c 2', 'UNSUBSCRIBE c']
  const rounds = [...round, 'PUBLISH c 3', 'PUNSUBSCRIBE', 'PUBLISH c 4', 'PUBSUB NUMSUB c']
  for (let i = 0; i < ROUNDS; i++) {
    client.send(Buffer.concat(rounds.map((line) => request(...line.split(' ')))))
    const counts: string[] = []
    const messages: string[] = []
    while (counts.length < 6 || messages.length < 4) {
      const frame = await client.reply()
      if (frame[0] === 0x3e) {
        const [word, ...rest] = elements(frame)
        if (word.endsWith('message')) messages.push(`${word} ${rest.at(-1)}`)
      } else counts.push(frame.toString())
    }
    expect(counts).toEqual([':0\r\n', ':1\r\n', ':2\r\n', ':1\r\n', ':0\r\n', '*2\r\n$1\r\nc\r\n:0\r\n'])
    expect(messages).toEqual(['message 1', 'message 2', 'pmessage 2', 'pmessage 3'])
  }
})

test('thousands of SUBSCRIBE in one pipeline are acknowledged in order', async () => {
  const client = await connect()
  const names = Array.from({ length: 5000 }, (_, i) => `channel:${i}`)
  client.send(Buffer.concat(names.map((name) => request('SUBSCRIBE', name))))
  for (const [i, name] of names.entries()) {
    expect((await client.reply()).toString()).toBe(
      `*3\r\n$9\r\nsubscribe\r\n$${name.length}\r\n${name}\r\n:${i + 1}\r\n`,
    )
  }
  expect((await redis.cli('PUBSUB', 'CHANNELS', 'acme:*')).split('\n')).toHaveLength(5000)
  const acks = await client.exchange(request('UNSUBSCRIBE'), 5000)
  expect(acks.at(-1)?.toString()).toContain(':0\r\n')
})

test('two tenants with the same names never hear each other', async () => {
  const names = ['*', 'news', '[a]', 'x\\*', '', 'acme:news', 'beta:news', '../beta:news', '?']
  const patterns = ['*', 'n*', '[^x]*', '\\*', '?', '*:news', 'acme:*', 'beta:*', '[a-z]*', '\\']
  const heard: Record<string, string[]> = { acme: [], beta: [] }
  const listeners: Record<string, RawClient> = {}
  for (const tenant of ['acme', 'beta']) {
    const client = await connect(tenant, tenant === 'acme' ? 2 : 3)
    listeners[tenant] = client
    await client.exchange(request('SUBSCRIBE', ...names), names.length)
    await client.exchange(request('PSUBSCRIBE', ...patterns), patterns.length)
    await client.exchange(request('SSUBSCRIBE', ...names), names.length)
  }
  const counts: Record<string, number> = { acme: 0, beta: 0 }
  for (const tenant of ['acme', 'beta']) {
    const client = await connect(tenant)
    for (const name of names) {
      for (const word of ['PUBLISH', 'SPUBLISH']) {
        counts[tenant] += Number((await client.command(word, name, `of ${tenant}`)).slice(1))
      }
    }
  }
  for (const [tenant, client] of Object.entries(listeners)) {
    for (const frame of await client.replies(counts[tenant])) heard[tenant].push(elements(frame).at(-1) as string)
    expect(new Set(heard[tenant])).toEqual(new Set([`of ${tenant}`]))
    await client.silence(50)
  }
  // Outside of every prefix, nobody hears anything, and lists show nothing.
  for (const raw of ['news', '*', 'acmf:news', 'acme', 'beta']) expect(await redis.cli('PUBLISH', raw, 'x')).toBe('0')
  const curious = await connect('acme')
  const channels = elements((await curious.exchange(request('PUBSUB', 'CHANNELS')))[0]).sort()
  expect(channels).toEqual([...names].sort())
  for (const client of Object.values(listeners)) await client.silence(50)
})

test('AUTH as another tenant ends the subscriptions of the first', async () => {
  const client = await connect('acme', 3)
  await client.exchange(request('SUBSCRIBE', 'x', 'y'), 2)
  await client.exchange(request('PSUBSCRIBE', '*'))
  expect(await client.command('AUTH', 'beta', 'beta')).toMatch(/^-WRONGPASS/)
  expect(await client.command('CLIENT', 'INFO')).toContain('sub=2 psub=1')
  expect(await client.command('AUTH', 'beta/default', 'beta')).toBe('+OK\r\n')
  expect(await client.command('CLIENT', 'INFO')).toContain('sub=0 psub=0')
  const publisher = await connect('acme')
  expect(await eventually(async () => (await publisher.command('PUBLISH', 'x', '1')) === ':0\r\n')).toBe(true)
  await client.silence(30)
  const acks = await client.exchange(request('SUBSCRIBE', 'x'))
  expect(acks[0].toString()).toBe('>3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n')
})

test('a message never stands inside a reply that is streamed', { timeout: 120_000 }, async () => {
  const size = 10 * 1024 * 1024
  const client = await connect('acme', 3)
  const stop = await flood(await connect(), 'c')
  await client.command('SET', 'big', Buffer.alloc(size, 'b'))
  await client.exchange(request('SUBSCRIBE', 'c'))
  let big = 0
  let last = -1
  client.send(Buffer.concat([request('GET', 'big'), request('GET', 'big'), request('GET', 'big')]))
  while (big < 3) {
    const frame = await client.reply()
    if (frame[0] === 0x24) {
      expect(frame.length).toBe(size + `$${size}\r\n\r\n`.length)
      expect(
        frame.equals(Buffer.concat([Buffer.from(`$${size}\r\n`), Buffer.alloc(size, 'b'), Buffer.from('\r\n')])),
      ).toBe(true)
      big++
      continue
    }
    const n = Number(elements(frame).at(-1))
    if (last >= 0) expect(n).toBe(last + 1)
    last = n
  }
  expect(await stop()).toBeGreaterThan(0)
})
