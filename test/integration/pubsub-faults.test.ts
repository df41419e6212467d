import { afterEach, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { type Script, ScriptedServer } from '../helpers/scripted-server.ts'

/** What the upstream says to subscriptions when it is busy, closed for a while, or asked for Keyward's own channels. */
const open: RawClient[] = []
const started: { stop(): unknown }[] = []

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  for (const one of started.splice(0).reverse()) await one.stop()
})

async function redisWith(...config: string[]) {
  const redis = await startRedis({ config })
  started.push(redis)
  return redis
}

async function keywardAt(...args: Parameters<typeof configFor>): Promise<Keyward> {
  const keyward = await startKeyward(configFor(...args))
  started.push(keyward)
  return keyward
}

async function connect(to: Keyward, password = 'acme'): Promise<RawClient> {
  const client = await to.connect({ password })
  open.push(client)
  return client
}

async function scripted(script: Script): Promise<ScriptedServer> {
  const server = await ScriptedServer.start((args, socket) => {
    const own = script(args, socket)
    if (own !== undefined) return own
    const word = args[0].toLowerCase()
    if (word === 'ping') return '+PONG\r\n'
    if (!word.endsWith('subscribe')) return undefined
    const ack = (name: string) => `*3\r\n$${word.length}\r\n${word}\r\n$${name.length}\r\n${name}\r\n:1\r\n`
    return args.slice(1).map(ack).join('')
  })
  started.push(server)
  return server
}

const reconnects = (keyward: Keyward) => keyward.proxy.view().upstreams[0].node.subscriber.reconnects
const warnings = (keyward: Keyward) => keyward.log.filter(({ level }) => level >= 40).map(({ msg }) => msg)

test('the upstream is BUSY while somebody subscribes and another leaves: nobody loses a message', async () => {
  const redis = await redisWith('lua-time-limit 50')
  const keyward = await keywardAt(redis)
  const [stays, leaves, comes] = [await connect(keyward), await connect(keyward), await connect(keyward)]
  await stays.exchange(request('SUBSCRIBE', 'x'))
  await leaves.exchange(request('SUBSCRIBE', 'y'))
  const script = redis.cli('EVAL', 'while true do end', '0')
  expect(await eventually(async () => (await redis.cli('PING')).startsWith('BUSY'))).toBe(true)
  leaves.send(request('UNSUBSCRIBE', 'y'))
  comes.send(request('SUBSCRIBE', 'x', 'z'))
  expect(await eventually(() => warnings(keyward).some((text) => text.includes('tried again')))).toBe(true)
  await redis.cli('SCRIPT', 'KILL')
  await script
  expect((await comes.replies(2)).join('')).toContain(':2\r\n')
  expect((await leaves.reply()).toString()).toContain(':0\r\n')
  expect(await redis.cli('PUBLISH', 'acme:x', 'after')).toBe('1')
  expect((await stays.reply()).toString()).toContain('after')
  expect((await comes.reply()).toString()).toContain('after')
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'acme:y')) === 'acme:y\n0')).toBe(true)
  expect(reconnects(keyward)).toBe(0)
})

test('the upstream answers PING with MISCONF: subscribing goes on, on the same connection', async () => {
  const error = '-MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.\r\n'
  let pings = 0
  const server = await scripted((args) => {
    if (args[0] !== 'PING') return undefined
    pings++
    return error
  })
  const keyward = await keywardAt(server, {}, { walls: 'off' })
  const [first, second] = [await connect(keyward), await connect(keyward)]
  await first.exchange(request('SUBSCRIBE', 'x'))
  expect((await second.exchange(request('SUBSCRIBE', 'x')))[0].toString()).toContain('subscribe')
  expect((await second.exchange(request('UNSUBSCRIBE', 'x')))[0].toString()).toContain('unsubscribe')
  expect(pings).toBeGreaterThan(0)
  expect(warnings(keyward)).toEqual([])
  expect(reconnects(keyward)).toBe(0)
})

test('the upstream answers SUBSCRIBE and UNSUBSCRIBE with errors that pass: they are said again', async () => {
  const errors = [
    '-ERR something new\r\n',
    '-MASTERDOWN Link with MASTER is down\r\n',
    '-LOADING Redis is loading the dataset in memory\r\n',
  ]
  let left: string[] = []
  const server = await scripted((args) => (args[0].endsWith('subscribe') ? left.shift() : undefined))
  const keyward = await keywardAt(server)
  const client = await connect(keyward)
  left = [...errors]
  expect((await client.exchange(request('SUBSCRIBE', 'x')))[0].toString()).toContain('subscribe')
  expect(left).toEqual([])
  left = [...errors]
  expect((await client.exchange(request('UNSUBSCRIBE', 'x')))[0].toString()).toContain('unsubscribe')
  expect(left).toEqual([])
  expect(reconnects(keyward)).toBe(0)
})

test('a topic that was refused for a while is subscribed to again, by itself and for who asks anew', async () => {
  const redis = await redisWith('user service on >secret ~* &* +@all')
  const keyward = await keywardAt(redis, {}, { user: 'service', password: 'secret' })
  const [first, second] = [await connect(keyward), await connect(keyward)]
  await first.exchange(request('SUBSCRIBE', 'x'))
  const refused = () => warnings(keyward).filter((text) => text.includes('may not subscribe')).length
  const listeners = async (n: number) =>
    eventually(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'acme:x')) === `acme:x\n${n}`)

  await redis.cli('ACL', 'SETUSER', 'service', 'resetchannels')
  expect(await eventually(() => refused() === 1)).toBe(true)
  expect(await second.command('SUBSCRIBE', 'x')).toMatch(/^-NOPERM/)
  await redis.cli('ACL', 'SETUSER', 'service', 'allchannels')
  expect(await listeners(1)).toBe(true)
  expect(await redis.cli('PUBLISH', 'acme:x', 'by itself')).toBe('1')
  expect((await first.reply()).toString()).toContain('by itself')

  await redis.cli('ACL', 'SETUSER', 'service', 'resetchannels')
  expect(await listeners(0)).toBe(true)
  await redis.cli('ACL', 'SETUSER', 'service', 'allchannels')
  expect((await second.exchange(request('SUBSCRIBE', 'x')))[0].toString()).toContain('subscribe')
  expect(await redis.cli('PUBLISH', 'acme:x', 'anew')).toBe('1')
  for (const client of [first, second]) expect((await client.reply()).toString()).toContain('anew')
  expect(refused()).toBe(1)
})

test('no client waits for notifications that the upstream does not let us have', async () => {
  const redis = await redisWith('user service on >secret ~* resetchannels &acme:* +@all')
  const keyward = await keywardAt(redis, {}, { user: 'service', password: 'secret' })
  for (let i = 0; i < 3; i++) {
    const client = await connect(keyward)
    expect(await client.command('PSUBSCRIBE', '*')).toContain('psubscribe')
  }
})

test('a tenant without a prefix cannot have, or take from Keyward, the channels of Keyward', async () => {
  const redis = await redisWith()
  const all = { upstream: 'main', prefix: '', users: { default: { password: 'all' } } }
  const keyward = await keywardAt(redis, { tenants: { all } })
  const [subscriber, client] = [await connect(keyward, 'all'), await connect(keyward, 'all')]
  await subscriber.exchange(request('SUBSCRIBE', 'x'))
  const own = async (n: number) =>
    eventually(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'keyward:counts')) === `keyward:counts\n${n}`)
  expect(await own(1)).toBe(true)
  for (const verb of ['SUBSCRIBE', 'SSUBSCRIBE']) {
    expect(await client.command(verb, 'a', 'keyward:counts')).toMatch(/^-NOPERM/)
  }
  expect(await client.command('UNSUBSCRIBE', 'keyward:counts')).toContain('unsubscribe')
  expect(await client.command('SUBSCRIBE', 'keyward')).toContain('subscribe')
  expect(await own(1)).toBe(true)
})

test('the operator reads once that the upstream limits subscribers, and how to change that', async () => {
  const redis = await redisWith()
  const keyward = await keywardAt(redis)
  const said = () => keyward.log.filter(({ msg }) => msg.includes('pubsub 0 0 0'))
  for (const tenant of ['acme', 'beta']) await (await connect(keyward, tenant)).exchange(request('SUBSCRIBE', 'x'))
  expect(said().map(({ level, setting }) => [level, setting])).toEqual([[30, 'pubsub 33554432 8388608 60']])
  const unlimited = await keywardAt(await redisWith('client-output-buffer-limit pubsub 0 0 0'))
  await (await connect(unlimited)).exchange(request('SUBSCRIBE', 'x'))
  expect(unlimited.log.filter(({ msg }) => msg.includes('pubsub 0 0 0'))).toEqual([])
})
