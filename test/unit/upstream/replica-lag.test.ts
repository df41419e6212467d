import { expect, test } from 'vitest'
import { ReplicaLag, type ReplicaPosition } from '../../../src/upstream/replica-lag.ts'

const UNKNOWN = Number.POSITIVE_INFINITY

function sampled(lag: ReplicaLag, now: number, offset: number, history = 'h'): number {
  const sample = lag.begin(now)
  lag.end(sample, offset, history)
  return sample
}

test('lag counts from the beginning of the newest sample that was passed', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  expect(lag.lag(replica, 0)).toBe(UNKNOWN)
  const first = lag.begin(1000)
  lag.reported(replica, 100, 'h')
  expect(lag.lag(replica, 1040)).toBe(UNKNOWN)
  // The report came first: a sample that ends behind it is placed all the same.
  lag.end(first, 100, 'h')
  expect(lag.lag(replica, 1050)).toBe(50)
  sampled(lag, 2000, 101)
  expect(lag.lag(replica, 2000)).toBe(1000)
  lag.reported(replica, 101, 'h')
  expect(lag.lag(replica, 2001)).toBe(1)
})

test('a write is covered by a sample that was begun after its answer, not by one that was under way', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  const under = lag.begin(0)
  const wrote = lag.newest
  lag.end(under, 100, 'h')
  lag.reported(replica, 100, 'h')
  expect(lag.covers(replica, wrote)).toBe(false)
  sampled(lag, 10, 110)
  expect(lag.covers(replica, wrote)).toBe(false)
  lag.reported(replica, 110, 'h')
  expect(lag.covers(replica, wrote)).toBe(true)
})

test('who has not written may read as soon as anything is known', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  expect(lag.covers(replica, 0)).toBe(false)
  sampled(lag, 0, 0)
  expect(lag.covers(replica, 0)).toBe(false)
  lag.reported(replica, 0, 'h')
  expect(lag.covers(replica, 0)).toBe(true)
})

test('an unsynchronised replica says 1 and a fresh primary 0: that is no proof', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  sampled(lag, 0, 0, 'of the primary')
  lag.reported(replica, 1, 'of its own')
  expect(lag.lag(replica, 1)).toBe(UNKNOWN)
  expect(lag.covers(replica, 0)).toBe(false)
})

test.each<[string, (lag: ReplicaLag, replica: ReplicaPosition) => void]>([
  ['the primary changes', (lag) => lag.reset()],
  ['the primary begins another history', (lag) => void sampled(lag, 20, 300, 'other')],
  ['the primary has fewer bytes than before', (lag) => void sampled(lag, 20, 99)],
  ['the primary does not say', (lag) => lag.end(lag.begin(20), undefined, 'h')],
  ['the replica follows somebody else', (lag, replica) => lag.reported(replica, 200, 'other')],
  ['the replica has gone back', (lag, replica) => lag.reported(replica, 99, 'h')],
  ['the replica does not say', (lag, replica) => lag.reported(replica, undefined, 'h')],
  ['the replica has left', (lag, replica) => lag.leave(replica)],
])('nothing is known any more when %s', (_, happens) => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  const wrote = lag.newest
  sampled(lag, 0, 100)
  lag.reported(replica, 100, 'h')
  expect(lag.covers(replica, wrote)).toBe(true)
  happens(lag, replica)
  expect(lag.lag(replica, 30)).toBe(UNKNOWN)
  expect(lag.covers(replica, wrote)).toBe(false)
})

test('after a reset only samples begun since then count, and numbers go on', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  sampled(lag, 0, 100)
  const under = lag.begin(10)
  const wrote = lag.newest
  lag.reset()
  lag.end(under, 500, 'h')
  lag.reported(replica, 600, 'h')
  expect(lag.lag(replica, 20)).toBe(UNKNOWN)
  expect(sampled(lag, 30, 600)).toBeGreaterThan(wrote)
  expect(lag.covers(replica, wrote)).toBe(true)
  expect(lag.lag(replica, 40)).toBe(10)
})

test('a replica that has gone back is where it says, not where it was', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  sampled(lag, 0, 100)
  const wrote = lag.newest
  sampled(lag, 10, 200)
  lag.reported(replica, 200, 'h')
  expect(lag.covers(replica, wrote)).toBe(true)
  lag.reported(replica, 150, 'h')
  expect(lag.covers(replica, wrote)).toBe(false)
  expect(lag.lag(replica, 20)).toBe(20)
})

test('in another history, samples of the old one are not passed', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  sampled(lag, 0, 100)
  sampled(lag, 10, 300, 'other')
  lag.reported(replica, 200, 'other')
  expect(lag.lag(replica, 20)).toBe(UNKNOWN)
})

test('a replica that stands still keeps what it has passed, although samples are dropped', () => {
  const lag = new ReplicaLag()
  const replicas = [5, 50, 500, 5000].map((at) => ({ at, position: lag.join() }))
  for (let now = 0; now < 20_000; now++) {
    sampled(lag, now, now)
    for (const { at, position } of replicas) {
      if (now < at) continue
      lag.reported(position, at, 'h')
      if (lag.lag(position, now) !== now - at) expect.fail(`at ${at}, found ${lag.lag(position, now)} at ${now}`)
    }
  }
})

test('a sample that was overtaken by the next one never counts', () => {
  const lag = new ReplicaLag()
  const replica = lag.join()
  const slow = lag.begin(0)
  const next = lag.begin(100)
  lag.end(slow, 50, 'h')
  lag.reported(replica, 50, 'h')
  expect(lag.lag(replica, 100)).toBe(UNKNOWN)
  lag.end(next, 50, 'h')
  expect(lag.lag(replica, 100)).toBe(0)
})

test.each([
  { every: 1000, behind: [0, 2000, 60_000, 600_000, 3_000_000] },
  { every: 50, behind: [0, 100, 1000, 60_000, 600_000] },
])('64 samples, $every ms apart, are enough for lags of up to an hour', ({ every, behind }) => {
  const lag = new ReplicaLag()
  const replicas = behind.map((ms) => ({ ms, position: lag.join() }))
  // The primary's offset is the clock, so where a replica is can be told exactly.
  for (let now = 0; now < 8_000_000; now += every) {
    sampled(lag, now, now)
    for (const { ms, position } of replicas) {
      if (now < ms) continue
      lag.reported(position, now - ms, 'h')
      // Towards the end, when thousands have been dropped.
      if (now < 4_000_000) continue
      const found = lag.lag(position, now)
      if (found < ms || found > ms * 1.4 + every) expect.fail(`${ms} ms behind at ${now}, found ${found}`)
    }
  }
})
