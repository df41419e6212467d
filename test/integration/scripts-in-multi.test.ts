import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What a transaction with many scripts sends: each text once, and the rest by SHA, whatever the server still has. */
let redis: RedisServer
let keyward: Keyward
let acme: RawClient

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis))
})

beforeEach(async () => {
  await redis.cli('FLUSHALL')
  acme = await keyward.connect({ password: 'acme' })
})

afterEach(() => {
  acme.destroy()
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

const LOAD = ['SCRIPT', 'LOAD'] as const
const script = (n: number) => `return {${n}, redis.call('INCR', 'counter:' .. ARGV[1])} -- ${'x'.repeat(5000)}`
const shaOf = (reply: string) => reply.split('\r\n')[1]

/** The replies to MULTI, these and EXEC, all of them sent in one write. */
async function transaction(members: readonly Buffer[]): Promise<string> {
  const all = Buffer.concat([request('MULTI'), ...members, request('EXEC')])
  return String((await acme.exchange(all, members.length + 2)).at(-1))
}

const counted = (n: number, from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `*2\r\n:${n}\r\n:${from + i}\r\n`).join('')

async function calls(): Promise<{ eval: number; evalsha: number }> {
  const stats = await redis.info('commandstats')
  const of = (name: string) => Number(/calls=(\d+)/.exec(stats.get(`cmdstat_${name}`) ?? '')?.[1] ?? 0)
  return { eval: of('eval'), evalsha: of('evalsha') }
}

test.each(['as it is', 'after a SCRIPT FLUSH at the server'])(
  'a script many times: its text goes once, %s',
  async (how) => {
    const sha = shaOf(await acme.command(...LOAD, script(1)))
    if (how !== 'as it is') await redis.cli('SCRIPT', 'FLUSH')
    const before = await calls()
    const reply = await transaction(Array.from({ length: 50 }, () => request('EVALSHA', sha, 0, 'a')))
    expect(reply).toBe(`*50\r\n${counted(1, 1, 50)}`)
    const after = await calls()
    expect([after.eval - before.eval, after.evalsha - before.evalsha]).toEqual([1, 49])
  },
)

test('the next transaction brings it again', async () => {
  const sha = shaOf(await acme.command(...LOAD, script(2)))
  for (const from of [1, 3, 5]) {
    await redis.cli('SCRIPT', 'FLUSH')
    const [byText, bySha] = [request('EVAL', script(2), 0, 'b'), request('EVALSHA', sha, 0, 'b')]
    expect(await transaction(from === 3 ? [byText, bySha] : [bySha, byText])).toBe(`*2\r\n${counted(2, from, 2)}`)
  }
})

test('more scripts than a server keeps', async () => {
  const members: Buffer[] = []
  let expected = ''
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 150; n++) {
      if (round === 0) await acme.command(...LOAD, script(n))
      members.push(request('EVAL', script(n), 0, 'c'))
      expected += counted(n, round * 150 + n + 1, 1)
    }
  }
  expect(await transaction(members)).toBe(`*300\r\n${expected}`)
})

test('a text that does not compile is told of at each of its members', async () => {
  const reply = await transaction([request('EVAL', 'return return', 0), request('EVAL', 'return return', 0)])
  expect(reply.match(/-ERR Error compiling script/g)).toHaveLength(2)
})

test('what a script says in a transaction is passed on as it came, however deep and however much', async () => {
  const deep = 'local t = {} for i = 1, 300 do t = {t} end return t'
  const wide = 'local t = {} for i = 1, 200000 do t[i] = i % 10 end return t'
  expect(await acme.command('EVAL', 'return 1', 0)).toBe(':1\r\n')
  const reply = await transaction([
    request('PING'),
    request('EVAL', deep, 0),
    request('EVAL', "return redis.error_reply('MINE ' .. KEYS[1])", 1, 'k'),
    request('EVAL', wide, 0),
    request('INCR', 'n'),
  ])
  const numbers = Array.from({ length: 200_000 }, (_, i) => `:${(i + 1) % 10}\r\n`).join('')
  const nested = `${'*1\r\n'.repeat(300)}*0\r\n`
  expect(reply === `*5\r\n+PONG\r\n${nested}-MINE k\r\n*200000\r\n${numbers}:1\r\n`).toBe(true)
})

test('behind WATCH: the very first script of a tenant, and scripts on another connection than the one that watched', async () => {
  const aborted = /^-EXECABORT /
  const client = await keyward.connect({ password: 'beta' })
  await client.command('WATCH', 'k')
  expect(await client.command('GET', 'k')).toBe('$-1\r\n')
  expect(await client.command('EVAL', "return redis.call('SET', 'k', 1)", 0)).toBe('+OK\r\n')
  expect(await client.command('MULTI')).toBe('+OK\r\n')
  expect(await client.command('EXEC')).toMatch(aborted)
  // In one write, too: what was watched has changed meanwhile, for all that is known.
  const other = await startKeyward(configFor(redis))
  const fresh = await other.connect({ password: 'beta' })
  await redis.cli('FLUSHALL')
  expect(await fresh.command('WATCH', 'w')).toBe('+OK\r\n')
  const piece = [
    // The script waits for the one in front of it while EXEC is read.
    request('GET', 'w'),
    ...[request('EVAL', "return redis.call('SET', 'w', 'by the script')", 0), request('MULTI')],
    ...[request('SET', 'w', 'by EXEC'), request('EXEC'), request('GET', 'w')],
  ]
  const replies = (await fresh.exchange(Buffer.concat(piece), 6)).map(String)
  expect(replies.slice(0, 4)).toEqual(['$-1\r\n', '+OK\r\n', '+OK\r\n', '+QUEUED\r\n'])
  expect(replies[4]).toMatch(aborted)
  expect(replies[5]).toBe('$13\r\nby the script\r\n')
  fresh.destroy()
  other.stop()
  // From then on it is known.
  await client.command('WATCH', 'k')
  expect(await client.command('EVAL', 'return 1', 0)).toBe(':1\r\n')
  await client.command('MULTI')
  expect(await client.command('EXEC')).toBe('*0\r\n')
  await client.command('WATCH', 'k')
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
  await eventually(async () => (await client.command('GET', 'k')).startsWith('$'))
  expect(await client.command('EVAL', 'return 2', 0)).toBe(':2\r\n')
  await client.command('MULTI')
  expect(await client.command('EXEC')).toMatch(aborted)
  client.destroy()
})
