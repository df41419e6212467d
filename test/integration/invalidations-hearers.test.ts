import { expect, test } from 'vitest'
import type { Hearer } from '../../src/upstream/invalidations/hearer.ts'
import { eventually } from '../helpers/places.ts'
import { listening, proxied, redis, stageFeeds, trackers } from './invalidations-stage.ts'

// Several who hear one feed: what one wants is nobody else's concern.
stageFeeds()

function listen(hearer: Hearer): string[] {
  const heard: string[] = []
  hearer.onInvalidated = (rawKey) => void heard.push(rawKey.toString('latin1'))
  hearer.onEverything = () => void heard.push('*')
  hearer.onLost = () => void heard.push('lost')
  return heard
}

test('one connection tells all of what any of them wants', async () => {
  const listener = await listening(redis.url, ['a:'])
  const hearer = listener.upstream.trackingEar
  const heard = listen(hearer)
  expect(hearer.heardAt).toBe(Number.NEGATIVE_INFINITY)
  const { epoch } = listener.ear
  hearer.track(['b:'])
  expect(await eventually(() => hearer.covers(Buffer.from('b:1'), 0, 3))).toBe(true)
  expect(await trackers()).toHaveLength(1)
  // The other one had all that it wants, all the time.
  expect(listener.ear.epoch).toBe(epoch)
  await redis.cli('MSET', 'a:1', '1', 'b:1', '2', 'c:1', '3')
  expect(await listener.caughtUp()).toBe(true)
  expect(listener.heard).toEqual(['a:1', 'b:1'])
  expect(heard).toEqual(['a:1', 'b:1'])
  await redis.cli('FLUSHALL')
  expect(await listener.caughtUp()).toBe(true)
  expect(heard.at(-1)).toBe('*')
  expect(listener.ear.epoch).toBe(epoch + 1)
})

test('one does not want to hear any more: the other hears on, and nothing that the first knew counts', async () => {
  const listener = await listening(redis.url, ['a:'])
  const hearer = listener.upstream.trackingEar
  hearer.track(['b:'])
  expect(await eventually(() => hearer.covers(Buffer.from('b:1'), 0, 3))).toBe(true)
  const [mine, others] = [listener.ear.epoch, hearer.epoch]
  listener.ear.track([])
  expect(listener.ear.heardAt).toBe(Number.NEGATIVE_INFINITY)
  expect(listener.ear.epoch).toBe(mine + 1)
  expect(hearer.epoch).toBe(others)
  expect(hearer.heardAt).toBeGreaterThan(0)
  expect(await eventually(() => !hearer.covers(Buffer.from('a:1'), 0, 3))).toBe(true)
  const heard = listen(hearer)
  await redis.cli('MSET', 'a:1', '1', 'b:1', '2')
  expect(await eventually(() => heard.includes('b:1'))).toBe(true)
  expect(heard).toEqual(['b:1'])
  hearer.track([])
  expect(await eventually(async () => (await trackers()).length === 0)).toBe(true)
})

test('what others want comes and goes: nobody misses a write', async () => {
  const listener = await listening(redis.url, ['a:'])
  const hearer = listener.upstream.trackingEar
  const { epoch } = listener.ear
  let written = 0
  for (let round = 0; round < 6; round++) {
    hearer.track(round % 2 === 0 ? ['b:', `c${round}:`] : ['b:'])
    for (let i = 0; i < 20; i++) await redis.cli('SET', `a:${written++}`, 'x')
  }
  expect(await listener.caughtUp()).toBe(true)
  // While one connection takes the place of another, both tell.
  expect(new Set(listener.heard.filter((key) => key.startsWith('a:'))).size).toBe(written)
  expect(listener.ear.epoch).toBe(epoch)
})

test('the connection is lost: all are told so, and begin anew', async () => {
  const proxy = await proxied()
  const listener = await listening(proxy.url, ['a:'])
  const hearer = listener.upstream.trackingEar
  hearer.track(['b:'])
  expect(await eventually(() => hearer.covers(Buffer.from('b:1'), 0, 3))).toBe(true)
  const heard = listen(hearer)
  const epochs = [listener.ear.epoch, hearer.epoch]
  proxy.cutFeeds()
  expect(await eventually(() => heard.includes('lost'))).toBe(true)
  expect(await eventually(() => hearer.covers(Buffer.from('b:1'), 0, 3))).toBe(true)
  expect(listener.ear.epoch).toBeGreaterThan(epochs[0])
  expect(hearer.epoch).toBeGreaterThan(epochs[1])
})
