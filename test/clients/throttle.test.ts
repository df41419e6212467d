import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { Redis as Redis6 } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { redisCli } from './redis-cli.ts'
import { skip } from './required.ts'

/** CL.THROTTLE by the means that each client has for commands of modules. */
let redis: RedisServer
let keyward: Keyward

beforeAll(async () => {
  redis = await startRedis()
  const acme = { upstream: 'main', users: { default: { password: 'acme' } }, extensions: ['throttle'] }
  keyward = await startKeyward(configFor(redis, { tenants: { acme } }))
}, 60_000)

beforeEach(async () => {
  await redis.cli('FLUSHALL')
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

const CALL = ['CL.THROTTLE', 'user123', '15', '30', '60'] as const
const REPLY = [0, 16, 15, -1, 2]

test.each([
  ['ioredis 5', () => new Redis5({ port: keyward.port, password: 'acme' })],
  ['ioredis 6', () => new Redis6({ port: keyward.port, password: 'acme' }) as unknown as Redis5],
])('%s', async (_, open) => {
  const client = open()
  try {
    expect(await client.call(...CALL)).toEqual(REPLY)
    const batch = client.multi().call('CL.THROTTLE', 'l', 15, 1, 60).call('CL.STATUS', 'l', 15, 1, 60)
    const replies = (await batch.exec()) as [unknown, number[]][]
    const shown = replies.map(([error, numbers]) => [error, numbers.slice(0, 4)])
    expect(shown).toEqual(Array(2).fill([null, [0, 16, 15, -1]]))
    await expect(client.call('CL.THROTTLE', 'k', 15, 0, 60)).rejects.toThrow('Cell error: Zero rates are not supported')
  } finally {
    client.disconnect()
  }
})

test('node-redis', async () => {
  const client = createClient({ url: `redis://:acme@127.0.0.1:${keyward.port}` })
  await client.connect()
  try {
    expect(await client.sendCommand([...CALL])).toEqual(REPLY)
  } finally {
    client.destroy()
  }
})

test('redis-cli, which asks COMMAND DOCS what there is', async () => {
  const cli = (...words: string[]) => redisCli(keyward.port, ['-a', 'acme', '--no-auth-warning', ...words])
  expect((await cli(...CALL)).trim().split('\n')).toEqual(REPLY.map(String))
  const help = await redisCli(keyward.port, ['-a', 'acme', '--no-auth-warning'], 'help cl.throttle\n')
  // Between the colours.
  expect(help).toMatch(/CL\.THROTTLE.*key max_burst count period \[quantity\]/)
})

const python = process.env.KEYWARD_PYTHON ?? 'python3'

function missing(): string | undefined {
  try {
    execFileSync(python, ['-c', 'import redis'], { stdio: 'pipe', timeout: 60_000 })
    return undefined
  } catch (error) {
    return `${python} cannot import redis (${String(error).split('\n')[0]})`
  }
}

test.skipIf(skip('redis-py', missing()))('redis-py', { timeout: 120_000 }, async () => {
  const lines = [
    'import redis, sys',
    'acme = redis.Redis(port=int(sys.argv[1]), password="acme")',
    'print(acme.execute_command(*sys.argv[2:]))',
    'print(acme.command_getkeys(*sys.argv[2:]))',
  ]
  const run = promisify(execFile)(python, ['-c', lines.join('\n'), String(keyward.port), ...CALL])
  expect((await run).stdout).toBe("[0, 16, 15, -1, 2]\n['user123']\n")
})
