import { beforeEach, expect, test } from 'vitest'
import { Stats } from '../../../../src/client/stats.ts'
import type { Notice } from '../../../../src/client/tracking/notice.ts'
import type { Reader } from '../../../../src/client/tracking/reader.ts'
import { TrackingBudget } from '../../../../src/client/tracking/tracked-keys.ts'
import { TrackedTenant } from '../../../../src/client/tracking/tracked-tenant.ts'
import { TrackedUpstream } from '../../../../src/client/tracking/tracked-upstream.ts'
import { Turn } from '../../../../src/lib/turn.ts'
import { Coverage } from '../../../../src/upstream/invalidations/coverage.ts'
import { type HeardFeed, Hearer } from '../../../../src/upstream/invalidations/hearer.ts'
import { tenant } from '../../../helpers/local-client.ts'

/** A feed that covers whatever is wanted, as soon as `covers` says so. */
class Feed implements HeardFeed {
  heardAt = 0
  coverage: Coverage | undefined = undefined
  /** What was asked for, oldest first. */
  readonly wishes: (readonly string[])[] = []

  want(hearer: Hearer, wanted: Coverage | undefined): void {
    hearer.wanted = wanted
    this.wishes.push(wanted?.prefixes.map(String) ?? ['nothing'])
  }
}

class Listener implements Reader {
  readonly told: string[] = []
  readonly over = false
  readonly bcast = false
  everything = 0
  tell(notice: Notice): void {
    this.told.push(notice.push.toString('latin1').split('\r\n')[5])
  }
  tellEverything(): void {
    this.everything++
  }
  settle(): void {}
}

let feed: Feed
let hearer: Hearer
let upstream: TrackedUpstream
const host = {
  turn: new Turn(),
  clock: { now: 0, tick: () => 0 },
  budget: new TrackingBudget(1000),
  maxStaleness: 1000,
}

beforeEach(() => {
  feed = new Feed()
  hearer = new Hearer(feed)
  host.clock.now = 0
  upstream = new TrackedUpstream(hearer, host)
})

function enter(name: string, databases?: number): { place: TrackedTenant; listener: Listener } {
  const place = new TrackedTenant(tenant(name, { databases }), new Stats(), upstream)
  const listener = new Listener()
  place.readers.add(listener)
  upstream.add(place)
  return { place, listener }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a key is its tenant’s, however many there are, and nobody’s else', async () => {
  const names = Array.from({ length: 300 }, (_, i) => `t${i}`)
  const all = names.map((name, i) => enter(name, i === 7 ? 3 : undefined))
  feed.coverage = new Coverage([''])
  for (const { place, listener } of all) place.know(listener, ['k', 'k:1', ''], true)
  for (const raw of ['t5:k', 't299:', 't7:2:k', 't7:k', 't7:x:k', 't30:k:1', 't:k', 't500:k', 't5', '', 'zzz', 'a']) {
    hearer.onInvalidated(Buffer.from(raw))
  }
  await turn()
  const told = all.flatMap(({ listener }, i) => listener.told.map((key) => `${names[i]} ${key}`))
  expect(told.sort()).toEqual(['t299 ', 't30 k:1', 't5 k', 't7 k'])
})

test('the feed is asked for more only as long as it does not tell of all keys, and for less a minute later', () => {
  const all = Array.from({ length: 100 }, (_, i) => enter(`t${String(i).padStart(3, '0')}`))
  // From the 17th on, the server tells of all.
  expect(feed.wishes).toHaveLength(17)
  expect(feed.wishes[16]).toEqual([])
  for (const { place } of all.slice(2)) upstream.remove(place)
  upstream.tick(59_000)
  expect(feed.wishes).toHaveLength(17)
  upstream.tick(60_000)
  expect(feed.wishes[17]).toEqual(['t000:', 't001:'])
  for (const { place } of all.slice(0, 2)) upstream.remove(place)
  expect(upstream.idle).toBe(false)
  upstream.tick(61_000)
  expect(feed.wishes.at(-1)).toEqual(['nothing'])
  expect(upstream.idle).toBe(true)
})

test('all is taken back once when the feed is lost or too old, and not again before somebody keeps something', () => {
  const { place, listener } = enter('acme')
  hearer.onLost()
  upstream.tick(5000)
  expect(listener.everything).toBe(0)
  feed.coverage = hearer.wanted
  host.clock.now = 900
  expect(place.heard).toBe(true)
  const { epoch } = place
  upstream.tick(1000)
  expect(listener.everything).toBe(0)
  upstream.tick(1001)
  upstream.tick(1300)
  hearer.onLost()
  expect(listener.everything).toBe(1)
  expect(place.epoch).toBe(epoch + 1)
  host.clock.now = 1300
  expect(place.heard).toBe(false)
  feed.heardAt = 1250
  expect(place.heard).toBe(true)
  hearer.onLost()
  expect(listener.everything).toBe(2)
  // All keys of the server are gone: that is told in any case.
  hearer.onEverything()
  expect(listener.everything).toBe(3)
})
