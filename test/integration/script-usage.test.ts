import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Only the very first script of a tenant may be refused inside MULTI: later ones run, through whichever process, after any restart. */

const MARK = 'keyward:script:acme:used'
const SCRIPT = 'return 7'
let redis: RedisServer
const started: Keyward[] = []

beforeAll(async () => {
  redis = await startRedis()
})

beforeEach(async () => {
  for (const keyward of started.splice(0)) keyward.stop()
  await redis.cli('FLUSHALL')
})

afterAll(async () => {
  for (const keyward of started) keyward.stop()
  await redis?.stop()
})

async function connect(): Promise<RawClient> {
  const keyward = await startKeyward(configFor(redis))
  started.push(keyward)
  return keyward.connect({ password: 'acme' })
}

/** The replies to MULTI, this and EXEC. */
async function inMulti(client: RawClient, ...command: (string | number)[]): Promise<string[]> {
  return [await client.command('MULTI'), await client.command(...command), await client.command('EXEC')]
}

const marked = () => eventually(async () => (await redis.cli('EXISTS', MARK)) === '1')
const REFUSED = [
  '+OK\r\n',
  '-ERR Command not allowed inside a transaction\r\n',
  '-EXECABORT Transaction discarded because of previous errors.\r\n',
]
const RUN = ['+OK\r\n', '+QUEUED\r\n', '*1\r\n:7\r\n']

it('a tenant that uses scripts in MULTI only is not refused again after a restart of Keyward', async () => {
  const before = await connect()
  expect(await inMulti(before, 'EVAL', SCRIPT, 0)).toEqual(REFUSED)
  expect(await inMulti(before, 'EVAL', SCRIPT, 0)).toEqual(RUN)
  expect(await marked()).toBe(true)
  const after = await connect()
  expect(await inMulti(after, 'EVAL', SCRIPT, 0)).toEqual(RUN)
})

it('a tenant that has said EVAL once is not refused in MULTI after a restart of Keyward', async () => {
  const before = await connect()
  expect(await before.command('EVAL', SCRIPT, 0)).toBe(':7\r\n')
  expect(await marked()).toBe(true)
  expect(await inMulti(await connect(), 'EVAL', SCRIPT, 0)).toEqual(RUN)
})

it('a script of a transaction in one write is not refused after a restart of Keyward', async () => {
  const before = await connect()
  expect(await before.command('EVAL', SCRIPT, 0)).toBe(':7\r\n')
  expect(await marked()).toBe(true)
  const after = await connect()
  const all = Buffer.concat([request('MULTI'), request('EVAL', SCRIPT, 0), request('EXEC')])
  expect((await after.exchange(all, 3)).map(String)).toEqual(RUN)
  const last = await connect()
  const watched = Buffer.concat([request('WATCH', 'w'), all, request('PING')])
  expect((await last.exchange(watched, 5)).map(String)).toEqual(['+OK\r\n', ...RUN, '+PONG\r\n'])
})

it('a process that has found no script of a tenant looks again', async () => {
  const [one, two] = [await connect(), await connect()]
  expect(await inMulti(two, 'GET', 'x')).toEqual(['+OK\r\n', '+QUEUED\r\n', '*1\r\n$-1\r\n'])
  expect(await one.command('EVAL', SCRIPT, 0)).toBe(':7\r\n')
  expect(await marked()).toBe(true)
  // It asks once a second at most.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(await inMulti(two, 'EVAL', SCRIPT, 0)).toEqual(RUN)
})

it('transactions of a tenant without scripts ask the store once a second, not each', async () => {
  const client = await connect()
  const asked = async () =>
    Number(/calls=(\d+)/.exec((await redis.info('commandstats')).get('cmdstat_exists') ?? '')?.[1] ?? 0)
  const [before, begun] = [await asked(), performance.now()]
  for (let i = 0; i < 100; i++) await inMulti(client, 'GET', 'x')
  const seconds = (performance.now() - begun) / 1000
  expect((await asked()) - before).toBeLessThanOrEqual(Math.ceil(seconds) + 1)
})

it('a server that came back without its data is told again who uses scripts', async () => {
  const client = await connect()
  await client.command('EVAL', SCRIPT, 0)
  expect(await marked()).toBe(true)
  await redis.restart()
  expect(await redis.cli('EXISTS', MARK)).toBe('0')
  expect(
    await eventually(async () => {
      await client.command('EVAL', SCRIPT, 0)
      return (await redis.cli('EXISTS', MARK)) === '1'
    }),
  ).toBe(true)
})

it('SCRIPT FLUSH does not make a tenant one that has never used scripts', async () => {
  const before = await connect()
  await before.command('SCRIPT', 'LOAD', SCRIPT)
  expect(await marked()).toBe(true)
  expect(await before.command('SCRIPT', 'FLUSH')).toBe('+OK\r\n')
  expect(await inMulti(await connect(), 'EVAL', SCRIPT, 0)).toEqual(RUN)
})
