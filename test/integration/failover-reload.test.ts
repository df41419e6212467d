import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { type SentinelSet, startSentinelSet } from '../helpers/sentinel-set.ts'

/** What was begun before a reload is there after a failover behind it, or its client is told that it is not. */
let set: SentinelSet
let keyward: Keyward

beforeAll(async () => {
  set = await startSentinelSet({ downAfter: 10_000 })
  keyward = await startKeyward(set.config())
}, 60_000)

afterAll(async () => {
  keyward?.stop()
  await set?.stop()
})

test('a transaction and a blocked command of before the reload move with the primary', {
  timeout: 90_000,
}, async () => {
  const login = { password: 'acme' }
  const [writer, taker, other] = [
    await keyward.connect(login),
    await keyward.connect(login),
    await keyward.connect(login),
  ]
  expect(await writer.command('MULTI')).toBe('+OK\r\n')
  expect(await writer.command('SET', 'tx', 'new')).toBe('+QUEUED\r\n')
  taker.send(request('BLPOP', 'qq', 0))
  expect(await eventually(() => places(keyward).pinsBlocked === 1)).toBe(true)

  const config = stringify(set.config({}, { lanes: 3 }))
  await keyward.proxy.reload(parseConfig(config, { source: 'test.yaml', env: {}, baseDir: '.' }))
  expect(await eventually(async () => (await other.command('SET', 'a', 1)) === '+OK\r\n')).toBe(true)
  expect(await keyward.proxy.operations.failover(undefined, 20_000)).toMatch(/nothing was lost/)

  expect(await writer.command('EXEC')).toMatch(/^-EXECABORT /)
  expect(await other.command('GET', 'tx')).toBe('$-1\r\n')
  expect(await other.command('RPUSH', 'qq', 'x')).toBe(':1\r\n')
  expect(String(await taker.reply())).toBe('*2\r\n$2\r\nqq\r\n$1\r\nx\r\n')
  expect(await writer.command('SET', 'tx', 'again')).toBe('+OK\r\n')
  for (const client of [writer, taker, other]) client.destroy()
  expect(await leftovers(keyward)).toEqual({})
})

test('a failover that the operator began goes on through a reload, and ends for both', {
  timeout: 90_000,
}, async () => {
  await set.settled()
  const client = await keyward.connect({ password: 'acme' })
  expect(await eventually(async () => (await client.command('SET', 'n', 0)) === '+OK\r\n')).toBe(true)
  const failover = keyward.proxy.operations.failover(undefined, 20_000).catch((error: Error) => error.message)
  let acked = 0
  let unknown = 0
  let over = false
  const work = (async () => {
    while (!over) {
      const reply = await client.command('INCR', 'n')
      if (reply.startsWith(':')) acked++
      else if (reply.startsWith('-OUTCOMEUNKNOWN ')) unknown++
      else throw new Error(reply)
    }
  })()
  const config = stringify(set.config({}, { lanes: 2 }))
  await keyward.proxy.reload(parseConfig(config, { source: 'test.yaml', env: {}, baseDir: '.' }))
  await failover
  const upstream = () => keyward.proxy.view().upstreams[0]
  expect(await eventually(() => upstream().waits === 'nothing' && upstream().usable, 30_000)).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 300))
  over = true
  await work
  const final = Number((await client.command('GET', 'n')).split('\r\n')[1])
  expect(final).toBeGreaterThanOrEqual(acked)
  expect(final).toBeLessThanOrEqual(acked + unknown)
  client.destroy()
})
