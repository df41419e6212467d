import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { PlannedFailover } from '../../../../src/upstream/topologies/planned-failover.ts'
import type { Link } from '../../../../src/upstream/topologies/sentinel-link.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** What the sentinel replies; with `lost`, the connection breaks before it does. */
function link(words: string | undefined, lost = false): Link & { asked: number } {
  const made = {
    asked: 0,
    ask: () => {},
    beat: () => {},
    stop: () => {},
    failover: () => {
      made.asked++
      if (words === undefined) return Promise.resolve()
      return Promise.reject(Object.assign(new Error(words), lost ? {} : { name: 'ReplyError' }))
    },
  }
  return made
}

const lost = () => link('connection closed', true)

test('resolves when the primary has moved, and only one sentinel is asked', async () => {
  const planned = new PlannedFailover()
  const [first, second] = [link(undefined), link(undefined)]
  let done = false
  const waiting = planned.begin([first, second], 1000).then(() => {
    done = true
  })
  await vi.advanceTimersByTimeAsync(500)
  expect(done).toBe(false)
  planned.moved()
  await waiting
  expect([first.asked, second.asked]).toEqual([1, 0])
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['NOGOODSLAVE No suitable replica to promote', 'replica-priority'],
  ['INPROG Failover already in progress', 'wait until it has ended'],
  ["NOPERM this user has no permissions to run the 'sentinel|failover' command", '+sentinel|failover'],
  ['ERR something new', 'see the logs of the sentinels'],
])('%s is passed on with a cure, and nobody else is asked', async (words, cure) => {
  const second = link(undefined)
  const refused = new PlannedFailover().begin([link(words), second], 1000)
  await expect(refused).rejects.toThrow(`${words}: `)
  await expect(refused).rejects.toThrow(cure)
  expect(second.asked).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('a sentinel whose connection breaks may have begun: INPROG of the next one says that it has', async () => {
  const planned = new PlannedFailover()
  const waiting = planned.begin([lost(), link('INPROG Failover already in progress')], 1000)
  await vi.advanceTimersByTimeAsync(10)
  planned.moved()
  await waiting
})

test('all connections break: only time tells', async () => {
  const planned = new PlannedFailover()
  const refused = expect(planned.begin([lost(), lost()], 1000)).rejects.toThrow('no new primary within 4000 ms: ')
  await vi.advanceTimersByTimeAsync(4000)
  await refused
  // It can be asked for again.
  const again = planned.begin([link(undefined)], 1000)
  planned.moved()
  await again
})

test('the longest wait is half a minute, whatever failover-timeout says', async () => {
  const refused = expect(new PlannedFailover().begin([link(undefined)], 180_000)).rejects.toThrow('within 30000 ms')
  await vi.advanceTimersByTimeAsync(30_000)
  await refused
})
