import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { Turn } from '../../src/lib/turn.ts'
import { Invalidations } from '../../src/upstream/invalidations/invalidations.ts'
import { loneUpstream } from '../helpers/lone-upstream.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'
import { ScriptedServer } from '../helpers/scripted-server.ts'
import { Listener, listening, proxied, redis, stageFeeds, started, TRACKS, trackers } from './invalidations-stage.ts'

// The feed of writes: what it promises to who keeps what is behind keys.
stageFeeds()

test('each write to a key with one of the prefixes is told of, and nothing else', async () => {
  const listener = await listening(redis.url, ['acme:', 'beta:x'])
  expect(await trackers()).toHaveLength(1)
  await redis.cli('MSET', 'acme:1', 'a', 'other', 'b', 'beta:x1', 'c', 'beta:y', 'd')
  await redis.cli('EXPIRE', 'acme:1', '100')
  await redis.cli('DEL', 'beta:x1', 'acme:nothing')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard.sort()).toEqual(['acme:1', 'acme:1', 'beta:x1', 'beta:x1'])
  expect(listener.feed.view()).toMatchObject({
    wanted: true,
    connected: true,
    prefixes: 2,
    invalidations: 4,
    flushes: 0,
  })
  expect(listener.feed.view().delay).toBeGreaterThan(0)
})

test('FLUSHALL, and FLUSHDB of any database, end an epoch', async () => {
  const listener = await listening(redis.url)
  const { epoch } = listener.ear
  await redis.cli('-n', '3', 'FLUSHDB')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.ear.epoch).toBe(epoch + 1)
  await redis.cli('FLUSHALL')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.ear.epoch).toBe(epoch + 2)
  expect(listener.heard).toEqual(['*', '*'])
  expect(listener.feed.view()).toMatchObject({ flushes: 2, reconnects: 0 })
})

test('with more than 16 prefixes, or an empty one, the server tells of all keys', async () => {
  const many = Array.from({ length: 17 }, (_, i) => `tenant-${String.fromCharCode(97 + i)}:`)
  const listener = await listening(redis.url, many)
  await redis.cli('SET', 'anybody', 'x')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard).toEqual(['anybody'])
  expect(listener.feed.view().prefixes).toBe(0)
  // Not made anew: it covers all that is wanted.
  const [id] = await trackers()
  listener.ear.track([''])
  expect(await listener.caughtUp()).toBe(true)
  expect(await trackers()).toEqual([id])
})

test('nobody wants to hear: there is no connection, and what was heard counts no more', async () => {
  const listener = await listening(redis.url)
  const { epoch } = listener.ear
  listener.ear.track([])
  expect(listener.ear.heardAt).toBe(Number.NEGATIVE_INFINITY)
  expect(listener.ear.epoch).toBeGreaterThan(epoch)
  expect(await eventually(async () => (await trackers()).length === 0)).toBe(true)
  expect(listener.feed.view()).toMatchObject({ wanted: false, connected: false, reconnects: 0 })
  listener.ear.track(['acme:'])
  expect(await listener.tracks()).toBe(true)
  expect(listener.warnings).toEqual([])
})

test('the keys that are wanted change: no write is missed meanwhile, on a slow line, and the epoch ends where there are more', async () => {
  const proxy = await proxied()
  const listener = await listening(proxy.url, ['a:'])
  proxy.feed.delay = 60
  const { epoch } = listener.ear
  const writer = await RawClient.connect({ port: redis.port })
  let written = 0
  let least = Number.POSITIVE_INFINITY
  let busy = true
  const writing = (async () => {
    while (busy) {
      await writer.command('SET', `a:${written++}`, 'x')
      least = Math.min(least, listener.ear.heardAt)
    }
  })()
  const sets = [['a:', 'b:'], ['a:', 'b:', 'c:'], ['', 'd:'], ['a:', 'd:'], ['a:']]
  for (const prefixes of sets) {
    const ids = await trackers()
    listener.ear.track(prefixes)
    expect(await eventually(async () => (await trackers()).length === 1 && (await trackers())[0] !== ids[0])).toBe(true)
    expect(listener.feed.view().prefixes).toBe(prefixes[0] === '' ? 0 : prefixes.length)
  }
  busy = false
  await writing
  writer.destroy()
  expect(await listener.caughtUp()).toBe(true)
  const heard = new Set(listener.heard)
  expect(written).toBeGreaterThan(100)
  expect(Array.from({ length: written }, (_, i) => `a:${i}`).filter((key) => !heard.has(key))).toEqual([])
  expect(least).toBeGreaterThan(0)
  // Three of them have keys that were not told of before: what was asked for before that may come only now.
  expect(listener.ear.epoch).toBe(epoch + 3)
  expect(listener.feed.view().reconnects).toBe(0)
})

test('the keys that are wanted change: what is still on its way on the old connection is waited for', async () => {
  const slow = await proxied()
  const { upstream, log } = loneUpstream(redis.url)
  started.push(upstream)
  const heard: string[] = []
  let port = slow.port
  const feed = new Invalidations({
    options: upstream.options,
    turn: new Turn(),
    clock: upstream.primary.clock,
    log: upstream.primary.log,
    mustBe: undefined,
    runId: '',
    connect: () => connect(port, '127.0.0.1'),
    later: (delay, fn) => void setTimeout(fn, delay),
    fault: (error) => void heard.push(String(error)),
  })
  started.push(feed)
  const ear = feed.hear()
  ear.onInvalidated = (rawKey) => void heard.push(rawKey.toString('latin1'))
  ear.track(['a:'])
  expect(await eventually(() => ear.heardAt > 0)).toBe(true)
  const { epoch } = ear
  // From here on, the old connection is slow, and the new one is not.
  slow.feed.delay = 600
  port = redis.port
  await redis.cli('SET', 'a:1', 'x')
  ear.track(['a:', 'b:'])
  expect(await eventually(() => feed.view().prefixes === 2)).toBe(true)
  expect(heard).toEqual(['a:1'])
  expect(ear.epoch).toBe(epoch + 1)
  expect(log.filter(({ level }) => level >= 40)).toEqual([])
})

test('what was not covered for a while is not taken for what it was: the epoch ends', async () => {
  const listener = await listening(redis.url, ['a:', 'b:'])
  const { epoch } = listener.ear
  listener.ear.track(['a:'])
  expect(await eventually(() => listener.feed.view().prefixes === 1)).toBe(true)
  expect(listener.ear.epoch).toBe(epoch)
  expect(listener.ear.covers(Buffer.from('b:1'), 0, 3)).toBe(false)
  listener.ear.track(['a:', 'b:'])
  expect(listener.ear.epoch).toBe(epoch + 1)
  // Not before it is really told of.
  expect(listener.ear.covers(Buffer.from('b:1'), 0, 3)).toBe(false)
  expect(await eventually(() => listener.ear.covers(Buffer.from('b:1'), 0, 3))).toBe(true)
})

test('a change of mind on the way changes nothing', async () => {
  const listener = await listening(redis.url, ['a:'])
  const [id] = await trackers()
  const { epoch } = listener.ear
  listener.ear.track(['a:', 'b:'])
  listener.ear.track(['a:', 'c:'])
  listener.ear.track(['a:'])
  expect(await listener.caughtUp()).toBe(true)
  expect(await eventually(async () => (await trackers()).join() === id)).toBe(true)
  expect(listener.ear.epoch).toBe(epoch)
})

test('a lost connection ends the epoch at once, and another one begins when there is a new connection', async () => {
  const listener = await listening(redis.url)
  const { epoch } = listener.ear
  const lost = new Promise<number>((resolve) => {
    const look = setInterval(() => {
      if (listener.feed.view().connected) return
      clearInterval(look)
      resolve(listener.ear.heardAt)
    }, 1)
  })
  await redis.cli('CLIENT', 'KILL', 'ID', (await trackers())[0])
  expect(await lost).toBe(Number.NEGATIVE_INFINITY)
  expect(listener.ear.epoch).toBeGreaterThan(epoch)
  const between = listener.ear.epoch
  expect(await listener.tracks()).toBe(true)
  // What was fetched in between was not covered.
  expect(listener.ear.epoch).toBeGreaterThan(between)
  expect(listener.feed.view().reconnects).toBe(1)
  expect(listener.warnings.join()).toContain('was lost')
  await redis.cli('SET', 'acme:1', 'x')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard).toEqual(['acme:1'])
})

test('a stalled connection: what was heard grows old, then it is given up, and made anew once that works', async () => {
  const proxy = await proxied()
  const listener = await listening(proxy.url)
  const { epoch } = listener.ear
  proxy.feed.stall = 'reply'
  const stalledAt = performance.now()
  await redis.cli('SET', 'acme:1', 'x')
  expect(await eventually(() => listener.behind > 1500)).toBe(true)
  expect(listener.ear.epoch).toBe(epoch)
  expect(listener.ear.heardAt).toBeLessThanOrEqual(stalledAt)
  expect(await eventually(() => listener.ear.epoch > epoch)).toBe(true)
  expect(performance.now() - stalledAt).toBeGreaterThan(2500)
  expect(listener.ear.heardAt).toBe(Number.NEGATIVE_INFINITY)
  expect(listener.heard).toEqual([])
  proxy.release()
  expect(await listener.tracks()).toBe(true)
  expect(await listener.caughtUp()).toBe(true)
})

test('a stall that ends in time costs nothing: what was missing comes, in its order', async () => {
  const proxy = await proxied()
  const listener = await listening(proxy.url)
  const { epoch } = listener.ear
  proxy.feed.stall = 'reply'
  const stalledAt = performance.now()
  await redis.cli('SET', 'acme:1', 'x')
  expect(await eventually(() => listener.behind > 700)).toBe(true)
  let heardAt = 0
  listener.ear.onInvalidated = () => {
    heardAt = listener.ear.heardAt
  }
  proxy.release()
  expect(await listener.caughtUp()).toBe(true)
  expect(heardAt).toBeGreaterThan(0)
  expect(heardAt).toBeLessThanOrEqual(stalledAt)
  expect(listener.ear.epoch).toBe(epoch)
})

test('a slow connection: it is said how far behind it is', async () => {
  const proxy = await proxied()
  const listener = await listening(proxy.url)
  proxy.feed.delay = 400
  expect(await eventually(() => (listener.feed.view().delay ?? 0) >= 390)).toBe(true)
  let least = Number.POSITIVE_INFINITY
  for (const until = performance.now() + 1500; performance.now() < until; ) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    least = Math.min(least, listener.behind)
  }
  expect(least).toBeGreaterThanOrEqual(390)
  expect(listener.feed.view()).toMatchObject({ connected: true, reconnects: 0 })
})

test('tracking is turned off behind our back: nothing counts that was heard afterwards', async () => {
  const proxy = await proxied()
  const listener = await listening(proxy.url)
  const { epoch } = listener.ear
  let newest = 0
  const look = setInterval(() => {
    if (listener.ear.epoch === epoch) newest = listener.ear.heardAt
  }, 1)
  expect(await listener.caughtUp()).toBe(true)
  const at = performance.now()
  proxy.inject('CLIENT', 'TRACKING', 'OFF')
  expect(await eventually(() => listener.ear.epoch > epoch)).toBe(true)
  // It takes a quarter of a second; the rest is for a slow machine.
  expect(performance.now() - at).toBeLessThan(2000)
  clearInterval(look)
  expect(newest).toBeGreaterThan(0)
  expect(newest).toBeLessThanOrEqual(at + 20)
  expect(await listener.tracks()).toBe(true)
  await redis.cli('SET', 'acme:1', 'x')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard).toEqual(['acme:1'])
})

test('a server that may not be asked: said once with the cure, tried again slowly, and used when it lets us', async () => {
  const server = await startRedis({ config: ['user keyward on >secret ~* &* +@all -client|tracking'] })
  started.push(server)
  if (Number.parseInt(server.version, 10) < 7) return
  const listener = new Listener(server.url, ['acme:'], { user: 'keyward', password: 'secret' })
  expect(await eventually(() => listener.feed.view().refusal !== undefined)).toBe(true)
  expect(await eventually(() => listener.upstream.primary.usable)).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(listener.feed.view()).toMatchObject({ wanted: true, connected: false, reconnects: 0 })
  expect(listener.feed.view().refusal).toContain('NOPERM')
  // Once more, perhaps, when the lanes were there.
  expect(listener.feed.view().refusals).toBeLessThanOrEqual(2)
  expect(listener.warnings.filter((text) => text.includes('+client|tracking'))).toHaveLength(1)
  await server.cli('ACL', 'SETUSER', 'keyward', '+client|tracking')
  expect(await eventually(() => listener.feed.view().connected, 20_000)).toBe(true)
  expect(listener.feed.view().refusal).toBeUndefined()
  // And taken away again, while it is used.
  await server.cli('ACL', 'SETUSER', 'keyward', '-client|trackinginfo')
  expect(await eventually(() => !listener.feed.view().connected)).toBe(true)
  expect(listener.feed.view().refusal).toContain('client|trackinginfo')
})

test('something in between that is no server is not tried again and again', async () => {
  const server = await ScriptedServer.start(([name, sub]) =>
    name === 'CLIENT' && sub === 'TRACKING' ? "-ERR unknown subcommand 'TRACKING'\r\n" : undefined,
  )
  started.push(server)
  const listener = new Listener(server.url)
  expect(await eventually(() => listener.warnings.some((text) => text.includes('Redis 6.2')))).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(listener.feed.view().connected).toBe(false)
  expect(listener.feed.view().refusals).toBeLessThanOrEqual(2)
})

test('an answer counts once all that came with it has been handed on', async () => {
  let asked = 0
  const server = await ScriptedServer.start(([name, sub]) => {
    if (name !== 'CLIENT' || sub !== 'TRACKINGINFO') return undefined
    // The first is of the login.
    if (++asked !== 2) return TRACKS
    return `${TRACKS}>2\r\n$10\r\ninvalidate\r\n*2\r\n$6\r\nacme:1\r\n$6\r\nacme:2\r\n`
  })
  started.push(server)
  const listener = new Listener(server.url)
  const seen: number[] = []
  listener.ear.onInvalidated = () => void seen.push(listener.ear.heardAt)
  expect(await listener.tracks()).toBe(true)
  expect(await listener.caughtUp()).toBe(true)
  expect(seen).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])
})

test.each(['+PONG\r\n', ':1\r\n', TRACKS.repeat(2), '*0\r\n'])(
  'a server that answers %j is not believed',
  async (answer) => {
    let wrong = false
    const server = await ScriptedServer.start(([name, sub]) => {
      if (name !== 'CLIENT' || sub !== 'TRACKINGINFO') return undefined
      return wrong ? answer : TRACKS
    })
    started.push(server)
    const listener = await listening(server.url)
    const { epoch } = listener.ear
    wrong = true
    expect(await eventually(() => listener.ear.epoch > epoch)).toBe(true)
    wrong = false
    expect(await listener.tracks()).toBe(true)
  },
)
