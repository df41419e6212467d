import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** SCRIPT and FUNCTION while the upstream is away: what was not sent waits as any other request does. */

let redis: RedisServer
let keyward: Keyward
let clients: RawClient[]

beforeEach(async () => {
  redis = await startRedis()
  const acme = { upstream: 'main', users: { default: { password: 'acme' } }, functions: 'trusted' }
  keyward = await startKeyward(configFor(redis, { tenants: { acme } }, { hold: { time: '30s' } }))
  clients = []
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  keyward.stop()
  await redis.stop()
})

async function connect(): Promise<RawClient> {
  const client = await keyward.connect({ password: 'acme' })
  clients.push(client)
  return client
}

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
const library = (name: string) => `#!lua name=${name}\nredis.register_function('${name}_f', function() return 1 end)`

it('SCRIPT LOAD and FUNCTION wait for a server that is away, as SET does', async () => {
  const first = await connect()
  await first.command('SCRIPT', 'LOAD', 'return 1')
  await first.command('FUNCTION', 'LIST')
  const commands: [string[], RegExp][] = [
    [['SET', 'a', '1'], /^\+OK/],
    [['SCRIPT', 'LOAD', 'return 2'], new RegExp(`^\\$40\r\n${sha1('return 2')}`)],
    [['SCRIPT', 'EXISTS', sha1('return 9')], /^\*1\r\n:0/],
    [['FUNCTION', 'LIST', 'LIBRARYNAME', 'none'], /^\*0/],
    [['FUNCTION', 'LOAD', library('late')], /^\$4\r\nlate/],
    [['FUNCTION', 'DELETE', 'never'], /^-ERR Library not found/],
    [['FUNCTION', 'STATS'], /^\*4\r\n\$14\r\nrunning_script/],
  ]
  const waiting = await Promise.all(commands.map(() => connect()))
  const flusher = await connect()
  await redis.kill('SIGKILL')
  const replies = commands.map(([command], i) => waiting[i].command(...command))
  const flushed = flusher.command('SCRIPT', 'FLUSH')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await redis.restart()
  expect(await Promise.all(replies)).toEqual(commands.map(([, expected]) => expect.stringMatching(expected)))
  expect(await flushed).toBe('+OK\r\n')
}, 60_000)

it('SCRIPT LOAD and FUNCTION are not refused by a server that is well when idle connections were cut', async () => {
  const client = await connect()
  const bare = await RawClient.connect({ port: redis.port })
  clients.push(bare)
  await client.command('SCRIPT', 'LOAD', 'return 1')
  await client.command('FUNCTION', 'LIST')
  const wrong: string[] = []
  for (let i = 0; i < 20; i++) {
    await bare.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    const command = [
      ['SCRIPT', 'LOAD', `return ${i}`],
      ['FUNCTION', 'LIST'],
    ][i % 2]
    const reply = await client.command(...command)
    if (reply.startsWith('-')) wrong.push(reply)
  }
  expect(wrong).toEqual([])
}, 60_000)
