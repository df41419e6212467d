import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { ScriptedServer } from '../helpers/scripted-server.ts'

/** What becomes of subscriptions when their upstream goes, comes back, refuses, lies or is replaced. */
let redis: RedisServer
let keyward: Keyward
let config: ConfigObject
const open: RawClient[] = []
const others: { stop(): unknown }[] = []

beforeAll(async () => {
  redis = await startRedis()
  config = configFor(redis, {}, { hold: { time: '1500ms' } })
  keyward = await startKeyward(config)
})

afterEach(async () => {
  for (const client of open.splice(0)) client.destroy()
  expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
  for (const other of others.splice(0)) await other.stop()
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'CHANNELS')) === '')).toBe(true)
  expect(await leftovers(keyward)).toEqual({})
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

async function connect(to: Keyward = keyward, password = 'acme', protocol: 2 | 3 = 2): Promise<RawClient> {
  const client = await to.connect({ password })
  open.push(client)
  if (protocol === 3) await client.command('HELLO', '3')
  return client
}

const published = async (client: RawClient, channel: string, payload: string, times: number) =>
  eventually(async () => (await client.command('PUBLISH', channel, payload)) === `:${times}\r\n`)

/** Frames until one holds `text`. */
async function until(client: RawClient, text: string): Promise<string> {
  for (;;) {
    const frame = (await client.reply()).toString('latin1')
    if (frame.includes(text)) return frame
  }
}

test('CLIENT KILL TYPE pubsub on the upstream: all subscriptions are back, and no client notices', async () => {
  const clients = [await connect(), await connect(keyward, 'acme', 3), await connect(keyward, 'beta')]
  const names = Array.from({ length: 3000 }, (_, i) => `many:${i}`)
  for (const client of clients) {
    await client.exchange(request('SUBSCRIBE', 'x'), 1)
    await client.exchange(request('PSUBSCRIBE', '[xy]*', 'z'), 2)
    await client.exchange(request('SSUBSCRIBE', 's'), 1)
  }
  await clients[0].exchange(request('SUBSCRIBE', ...names), names.length)
  const publisher = await connect()
  for (let round = 0; round < 3; round++) {
    // One for each tenant.
    expect(await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe('2')
    expect(await published(publisher, 'x', `again ${round}`, 4)).toBe(true)
    expect(await until(clients[0], `again ${round}`)).toContain('message')
    expect(await until(clients[1], `again ${round}`)).toContain('message')
    expect(await eventually(async () => (await redis.cli('PUBSUB', 'CHANNELS')).split('\n').length === 3003)).toBe(true)
  }
  expect(await publisher.command('SPUBLISH', 's', 'shard')).toBe(':2\r\n')
  await until(clients[0], 'shard')
  // What came meanwhile is lost, but nothing came twice, and nothing else came.
  expect(await publisher.command('PUBLISH', 'many:2999', 'last')).toBe(':1\r\n')
  await until(clients[0], 'last')
  await clients[2].silence(50)
})

test('the upstream is restarted: subscriptions are back', async () => {
  const client = await connect()
  await client.exchange(request('SUBSCRIBE', 'x'))
  await redis.restart()
  const publisher = await connect()
  expect(await published(publisher, 'x', 'after', 1)).toBe(true)
  await until(client, 'after')
})

test('while the upstream is away, SUBSCRIBE waits for hold.time and fails; UNSUBSCRIBE and PING answer', async () => {
  const [subscribed, fresh] = [await connect(), await connect()]
  await subscribed.exchange(request('SUBSCRIBE', 'x', 'y'), 2)
  await redis.kill('SIGKILL')
  const begun = performance.now()
  const late = fresh.command('SUBSCRIBE', 'x', 'new')
  expect((await subscribed.exchange(request('UNSUBSCRIBE', 'x')))[0].toString()).toContain(':1\r\n')
  expect(await subscribed.command('PING')).toBe('*2\r\n$4\r\npong\r\n$0\r\n\r\n')
  expect(await late).toMatch(/^-UPSTREAMDOWN/)
  expect(performance.now() - begun).toBeGreaterThan(1000)
  // It is not subscribed: its mode is the ordinary one.
  expect(await fresh.command('CLIENT', 'INFO')).toContain('sub=0 psub=0 ssub=0')
  const waits = fresh.exchange(request('PSUBSCRIBE', 'y*'))
  await redis.restart()
  expect((await waits)[0].toString()).toContain('psubscribe')
  const publisher = await connect()
  expect(await published(publisher, 'y', 'hello', 2)).toBe(true)
  await until(subscribed, 'hello')
  await until(fresh, 'hello')
})

test('an upstream whose user may not subscribe: NOPERM, one line for the operator, and nobody else is hurt', async () => {
  const closed = await startRedis()
  others.push(closed)
  await closed.cli('ACL', 'SETUSER', 'service', 'on', '>secret', '~*', '+@all', 'resetchannels', '&acme:*')
  const own = await startKeyward(configFor(closed, {}, { user: 'service', password: 'secret' }))
  others.unshift({ stop: () => own.stop() })
  const [good, bad, both] = [await connect(own), await connect(own, 'beta'), await connect(own)]
  const refusal = '-NOPERM this user has no permissions to access one of the channels used as arguments\r\n'
  const [first, second] = await Promise.all([good.command('SUBSCRIBE', 'x'), bad.command('SUBSCRIBE', 'x')])
  expect(first).toContain('subscribe')
  expect(second).toBe(refusal)
  expect(await bad.command('PUBLISH', 'x', '1')).toBe(refusal)
  expect(await bad.command('CLIENT', 'INFO')).toContain('sub=0')
  expect(await both.command('PUBLISH', 'x', '1')).toBe(':1\r\n')
  // The pattern may be had, the notifications that it could match may not.
  expect(await both.command('PSUBSCRIBE', '*')).toContain('psubscribe')
  expect(own.log.filter((line) => line.msg.includes('may not subscribe'))).toHaveLength(1)
})

test('an upstream that acknowledges something else is not believed', async () => {
  let lies = 0
  const liar = await ScriptedServer.start((args) => {
    if (args[0].toUpperCase() !== 'SUBSCRIBE') return undefined
    lies++
    return '*3\r\n$9\r\nsubscribe\r\n$6\r\nacme:y\r\n:1\r\n'
  })
  others.push({ stop: () => liar.stop() })
  const own = await startKeyward(
    configFor({ url: liar.url }, {}, { hold: { time: '400ms' }, timeouts: { request: '400ms' } }),
  )
  others.unshift({ stop: () => own.stop() })
  const client = await connect(own)
  expect(await client.command('SUBSCRIBE', 'x')).toMatch(/^-UPSTREAMDOWN/)
  expect(lies).toBeGreaterThan(0)
  expect(await client.command('PING')).toBe('+PONG\r\n')
})

test('a message from outside the prefix of its tenant reaches nobody', async () => {
  const liar = await ScriptedServer.start((args, socket) => {
    const [word, name] = [args[0].toLowerCase(), args[1]]
    if (word === 'ping') return '+PONG\r\n'
    if (word === 'subscribe') return `*3\r\n$9\r\nsubscribe\r\n$${name.length}\r\n${name}\r\n:1\r\n`
    if (word !== 'psubscribe') return undefined
    setTimeout(
      () => socket.write(`*4\r\n$8\r\npmessage\r\n$${name.length}\r\n${name}\r\n$6\r\nbeta:x\r\n$1\r\n1\r\n`),
      20,
    )
    setTimeout(
      () => socket.write(`*4\r\n$8\r\npmessage\r\n$${name.length}\r\n${name}\r\n$6\r\nacme:x\r\n$1\r\n2\r\n`),
      40,
    )
    return `*3\r\n$10\r\npsubscribe\r\n$${name.length}\r\n${name}\r\n:1\r\n`
  })
  others.push({ stop: () => liar.stop() })
  const own = await startKeyward(configFor({ url: liar.url }))
  others.unshift({ stop: () => own.stop() })
  const client = await connect(own)
  await client.exchange(request('PSUBSCRIBE', 'x*'))
  expect((await client.reply()).toString()).toBe('*4\r\n$8\r\npmessage\r\n$2\r\nx*\r\n$1\r\nx\r\n$1\r\n2\r\n')
})

test('a reload changes the upstream: subscriptions go along', async () => {
  const next = await startRedis()
  others.push(next)
  const client = await connect()
  await client.exchange(request('SUBSCRIBE', 'x'))
  await client.exchange(request('PSUBSCRIBE', '*'))
  const withMain = (more: object) => {
    const changed = structuredClone(config) as { upstreams: Record<string, object> }
    changed.upstreams.main = { ...changed.upstreams.main, ...more }
    return parse(changed)
  }
  await keyward.proxy.reload(withMain({ url: next.url }))
  const publisher = await connect()
  expect(await published(publisher, 'x', 'there', 2)).toBe(true)
  expect(await until(client, 'there')).toContain('$7\r\nmessage')
  expect(await next.cli('PUBSUB', 'CHANNELS', 'acme:*')).toBe('acme:x')
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'CHANNELS')) === '')).toBe(true)
  await keyward.proxy.reload(parse(config))
  expect(await published(publisher, 'x', 'home', 2)).toBe(true)
  await until(client, 'home')
  // The same server with other settings: a new node takes over from the old one, and no message comes twice.
  await keyward.proxy.reload(withMain({ lanes: 2 }))
  // Until the new one is subscribed, messages go to the old one, which nobody listens to any more.
  const heard = async () => {
    await publisher.command('PUBLISH', 'x', 'again')
    return client.pending > 0
  }
  expect(await eventually(heard)).toBe(true)
  expect(await eventually(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'acme:x')) === 'acme:x\n1')).toBe(true)
  expect(await published(publisher, 'x', 'once', 2)).toBe(true)
  expect([await until(client, 'once'), await until(client, 'once')].join('').match(/pmessage/g)).toHaveLength(1)
  await client.silence(50)
  await keyward.proxy.reload(parse(config))
})

function parse(object: object) {
  return parseConfig(JSON.stringify(object), { source: 'test.yaml', env: process.env, baseDir: process.cwd() })
}

test('an idle subscriber connection is closed, and dialled again when somebody subscribes', async () => {
  const own = await startKeyward(configFor(redis, {}, { keepAlive: '300ms' }))
  others.unshift({ stop: () => own.stop() })
  const connections = () => own.proxy.view().upstreams[0].node.subscriber.connections
  const client = await connect(own)
  await client.exchange(request('SUBSCRIBE', 'x'))
  expect(connections()).toBe(1)
  // With a subscription it stays, kept alive by PING.
  await client.silence(1200)
  expect(connections()).toBe(1)
  expect(own.proxy.view().upstreams[0].node.subscriber.reconnects).toBe(0)
  await client.exchange(request('UNSUBSCRIBE'))
  expect(await eventually(() => connections() === 0)).toBe(true)
  await client.exchange(request('SUBSCRIBE', 'x'))
  expect(connections()).toBe(1)
})

test('a connection that was quiet is not taken for dead when an acknowledgement takes its time', async () => {
  const slow = await FaultProxy.start({ port: redis.port })
  slow.faults.latency = 150
  others.push({ stop: () => slow.stop() })
  const url = `redis://127.0.0.1:${slow.port}`
  const own = await startKeyward(configFor({ url }, {}, { timeouts: { request: '400ms' } }))
  others.unshift({ stop: () => own.stop() })
  const client = await connect(own)
  await client.exchange(request('SUBSCRIBE', 'x'))
  // Three time-outs and more.
  await client.silence(1500)
  await client.exchange(request('SUBSCRIBE', 'y'))
  expect(own.proxy.view().upstreams[0].node.subscriber.reconnects).toBe(0)
})

test('what comes from the upstream in drips is the same', async () => {
  const drips = await FaultProxy.start({ port: redis.port })
  drips.faults.trickle = 7
  others.push({ stop: () => drips.stop() })
  const own = await startKeyward(configFor({ url: `redis://127.0.0.1:${drips.port}` }))
  others.unshift({ stop: () => own.stop() })
  const [two, three] = [await connect(own), await connect(own, 'acme', 3)]
  await two.exchange(request('SUBSCRIBE', 'x', 'y'), 2)
  await three.exchange(request('PSUBSCRIBE', 'x*', '*'), 2)
  const payload = `\r\n$3\r\n${'z'.repeat(300)}`
  expect(await redis.cli('PUBLISH', 'acme:x', payload)).toBe('3')
  const body = `$1\r\nx\r\n$${payload.length}\r\n${payload}\r\n`
  expect((await two.reply()).toString()).toBe(`*3\r\n$7\r\nmessage\r\n${body}`)
  const heard = (await three.replies(2)).map(String).sort()
  expect(heard).toEqual([`>4\r\n$8\r\npmessage\r\n$1\r\n*\r\n${body}`, `>4\r\n$8\r\npmessage\r\n$2\r\nx*\r\n${body}`])
})

test('where the upstream knows no shard channels, the command is unknown in its own words', async () => {
  const old = await ScriptedServer.start((args) => {
    const [word, name] = [args[0].toLowerCase(), args[1]]
    if (word === 'ping') return '+PONG\r\n'
    if (word === 'ssubscribe') return `-ERR unknown command \`ssubscribe\`, with args beginning with: \`${name}\`, \r\n`
    if (word !== 'subscribe') return undefined
    return args
      .slice(1)
      .map((one) => `*3\r\n$9\r\nsubscribe\r\n$${one.length}\r\n${one}\r\n:1\r\n`)
      .join('')
  })
  others.push({ stop: () => old.stop() })
  const own = await startKeyward(configFor({ url: old.url }))
  others.unshift({ stop: () => own.stop() })
  const client = await connect(own)
  expect(await client.command('Ssubscribe', 'x', 'y')).toBe(
    "-ERR unknown command 'Ssubscribe', with args beginning with: 'x' 'y' \r\n",
  )
  expect(await client.command('SUBSCRIBE', 'x')).toContain('subscribe')
})

test('a flood of messages that makes Redis cut a connection costs another tenant nothing', async () => {
  await redis.cli('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 1000000 1000000 60')
  const [flooded, calm, publisher] = [await connect(), await connect(keyward, 'beta'), await connect(keyward, 'beta')]
  await flooded.exchange(request('SUBSCRIBE', 'big'))
  await calm.exchange(request('SUBSCRIBE', 'calm'))
  flooded.pauseReading()
  const flood = await connect()
  const values = Array.from({ length: 4 }, () => request('PUBLISH', 'big', 'x'.repeat(900_000)))
  const sent: string[] = []
  for (let i = 0; i < 40; i++) {
    if (i % 10 === 0) flood.send(Buffer.concat(values))
    expect(await publisher.command('PUBLISH', 'calm', `${i};`)).toBe(':1\r\n')
    sent.push(`${i};`)
  }
  const got = (await calm.replies(40)).map((frame) => String(frame).split('\r\n').at(-2))
  expect(got).toEqual(sent)
  await redis.cli('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 33554432 8388608 60')
})
