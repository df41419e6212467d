import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type SentinelSet, startSentinelSet } from '../helpers/sentinel-set.ts'

/**
 * After a failover the new primary knows neither the ACL users nor the scripts: neither is replicated. Tenants see nothing of
 * that, in transactions either, and no process needs to have said EVAL before.
 */

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
const INCR = "return redis.call('INCR', KEYS[1])"
const GET = "return redis.call('GET', KEYS[1])"
let set: SentinelSet
let keywards: Keyward[]
let one: RawClient
let two: RawClient

beforeAll(async () => {
  set = await startSentinelSet({ downAfter: 10_000 })
  keywards = [await startKeyward(set.config({}, { lanes: 1 })), await startKeyward(set.config({}, { lanes: 1 }))]
  one = await keywards[0].connect({ password: 'acme' })
  two = await keywards[1].connect({ password: 'acme' })
  await one.command('SET', 'n', 0)
  for (const lua of [INCR, GET]) await one.command('SCRIPT', 'LOAD', lua)
  await one.command('EVALSHA', sha1(INCR), 1, 'n')
}, 90_000)

afterAll(async () => {
  one?.destroy()
  two?.destroy()
  for (const keyward of keywards ?? []) keyward.stop()
  await set?.stop()
})

async function inMulti(client: RawClient, ...args: string[]): Promise<string> {
  const pipeline = [request('MULTI'), request('EVALSHA', ...args), request('EXEC')]
  const [, , exec] = (await client.exchange(Buffer.concat(pipeline), 3)).map(String)
  return exec
}

it('scripts run on under load, and each INCR that was acknowledged is there', { timeout: 120_000 }, async () => {
  let acknowledged = 1
  let unknown = 0
  let over = false
  const worker = async (keyward: Keyward) => {
    const client = await keyward.connect({ password: 'acme' })
    while (!over) {
      const reply = await client.command('EVALSHA', sha1(INCR), 1, 'n')
      if (reply.startsWith(':')) acknowledged++
      else if (reply.startsWith('-OUTCOMEUNKNOWN ')) unknown++
      else throw new Error(reply)
    }
    client.destroy()
  }
  const work = Promise.all([worker(keywards[0]), worker(keywards[0]), worker(keywards[1])])
  const before = await set.primary()
  expect(await keywards[0].proxy.operations.failover(undefined, 20_000)).toMatch(/nothing was lost/)
  expect(await eventually(async () => (await set.primary()) !== before, 30_000)).toBe(true)
  const at = acknowledged
  expect(await eventually(() => acknowledged > at + 50, 30_000)).toBe(true)
  over = true
  await work
  const count = Number((await one.command('GET', 'n')).split('\r\n')[1])
  expect(count).toBeGreaterThanOrEqual(acknowledged)
  expect(count).toBeLessThanOrEqual(acknowledged + unknown)
})

it('a script that only was loaded runs afterwards: by SHA, in MULTI, through either process', {
  timeout: 60_000,
}, async () => {
  await one.command('SET', 'text', 'here')
  for (const client of [one, two]) {
    expect(
      await eventually(async () => (await client.command('EVALSHA', sha1(GET), 1, 'text')) === '$4\r\nhere\r\n'),
    ).toBe(true)
    expect(await inMulti(client, sha1(GET), '1', 'text')).toBe('*1\r\n$4\r\nhere\r\n')
    expect(await client.command('SCRIPT', 'EXISTS', sha1(GET), sha1(INCR))).toBe('*2\r\n:1\r\n:1\r\n')
  }
})

it('the new primary has the users, and a process that starts now finds the texts', { timeout: 60_000 }, async () => {
  const users = await (await set.primary()).ask<string[]>('ACL', 'USERS')
  expect(users).toEqual(expect.arrayContaining(['keyward:', 'keyward:acme']))
  const late = await startKeyward(set.config())
  const client = await late.connect({ password: 'acme' })
  expect(
    await eventually(async () => (await client.command('EVALSHA', sha1(GET), 1, 'text')) === '$4\r\nhere\r\n'),
  ).toBe(true)
  const beta = await late.connect({ password: 'beta' })
  expect(await beta.command('EVALSHA', sha1(GET), 1, 'text')).toMatch(/^-NOSCRIPT /)
  client.destroy()
  beta.destroy()
  late.stop()
})
