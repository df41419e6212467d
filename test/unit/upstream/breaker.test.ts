import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Breaker } from '../../../src/upstream/breaker.ts'
import type { BreakerOptions } from '../../../src/upstream/options.ts'

const OPTIONS: BreakerOptions = { errors: 0.5, window: 10_000, volume: 5, probe: 1000 }
const PATIENCE = 4000

let now = 0
let lines: string[] = []
let breaker: Breaker

const log = {
  info: (_: object, text: string) => void lines.push(text),
  warn: (_: object, text: string) => void lines.push(text),
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  now = 5_000_000
  lines = []
})

afterEach(() => {
  breaker.stop()
  vi.useRealTimers()
})

function start(options: Partial<BreakerOptions> = {}): void {
  breaker = new Breaker('main', { ...OPTIONS, ...options }, { log, now: () => now }, PATIENCE)
}

/** Opossum learns of an outcome some microtasks after it was told. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await undefined
}

async function pass(ms: number): Promise<void> {
  now += ms
  await vi.advanceTimersByTimeAsync(ms)
}

/** One outcome for each letter, far enough apart to be facts of their own: "g" good, "b" bad. */
async function tell(outcomes: string): Promise<void> {
  for (const one of outcomes) {
    if (one === 'g') breaker.succeeded()
    else breaker.failed()
    await settled()
    await pass(100)
  }
}

test('opens when enough outcomes are bad, and not by fewer than `volume`', async () => {
  start()
  await tell('bbbb')
  expect(breaker.opened).toBe(false)
  await tell('b')
  expect(breaker.opened).toBe(true)
  expect(breaker.mayProbe).toBe(false)
  expect(breaker.view()).toMatchObject({ state: 'open', openedTimes: 1, openFor: 100, outcomes: 5, rate: 1 })
})

test('exactly the share `errors` is enough, a little less is not', async () => {
  start()
  await tell('gggggbbbb')
  expect(breaker.view().rate).toBeCloseTo(4 / 9)
  expect(breaker.opened).toBe(false)
  await tell('b')
  expect(breaker.opened).toBe(true)
})

test('with errors: 100% it opens when all are bad', async () => {
  start({ errors: 1 })
  await tell('gbbbbbbbb')
  expect(breaker.opened).toBe(false)
  await pass(10_000)
  await tell('bbbbb')
  expect(breaker.opened).toBe(true)
})

test('what is older than `window` does not count, without any timer having run', async () => {
  start()
  await tell('bbbb')
  now += 10_000
  expect(breaker.view()).toMatchObject({ outcomes: 0, rate: 0 })
  await tell('bbbb')
  expect(breaker.opened).toBe(false)
  // Still within the window, at nine tenths of it.
  now += 8600
  await tell('b')
  expect(breaker.opened).toBe(true)
})

test('a hundred connections that are lost at once are one fact', async () => {
  start()
  for (let i = 0; i < 100; i++) breaker.failed()
  await settled()
  expect(breaker.opened).toBe(false)
  expect(breaker.view().outcomes).toBe(1)
})

test('half-open lets one try through; its success closes it, and what was before is forgotten', async () => {
  start()
  expect(breaker.takeProbe()).toBe(true)
  expect(breaker.takeProbe()).toBe(true)
  await tell('bbbbb')
  await pass(890)
  expect(breaker.takeProbe()).toBe(false)
  await pass(20)
  expect(breaker.view().state).toBe('half-open')
  // Requests still find it open.
  expect(breaker.opened).toBe(true)
  expect(breaker.mayProbe).toBe(true)
  expect(breaker.takeProbe()).toBe(true)
  expect(breaker.takeProbe()).toBe(false)
  expect(breaker.mayProbe).toBe(false)
  await tell('g')
  expect(breaker.opened).toBe(false)
  expect(breaker.view()).toEqual({ state: 'closed', openedTimes: 1, openFor: 0, outcomes: 0, rate: 0 })
  await tell('bbbb')
  expect(breaker.opened).toBe(false)
  expect(lines).toHaveLength(2)
})

test('a failed probe opens it again, for `probe` more, and says nothing more', async () => {
  start()
  await tell('bbbbb')
  for (let round = 0; round < 5; round++) {
    await pass(1000)
    expect(breaker.takeProbe()).toBe(true)
    breaker.failed()
    await settled()
    expect(breaker.view().state).toBe('open')
    expect(breaker.takeProbe()).toBe(false)
  }
  expect(breaker.view()).toMatchObject({ openedTimes: 1, openFor: 5100 })
  expect(lines).toHaveLength(1)
})

test('a probe whose outcome is never told is given up', async () => {
  start()
  await tell('bbbbb')
  await pass(1000)
  expect(breaker.takeProbe()).toBe(true)
  await pass(PATIENCE - 1)
  expect(breaker.takeProbe()).toBe(false)
  await pass(1)
  expect(breaker.takeProbe()).toBe(true)
  expect(breaker.takeProbe()).toBe(false)
})

test('outcomes told while it is open neither close it nor count', async () => {
  start()
  await tell('bbbbb')
  await tell('ggggg')
  expect(breaker.view()).toMatchObject({ state: 'open', outcomes: 5 })
  await pass(1000)
  await tell('b')
  expect(breaker.view().state).toBe('open')
})

test('reset closes it at once and forgets: it is another server', async () => {
  start()
  await tell('bbbb')
  breaker.reset()
  await tell('bbbb')
  expect(breaker.opened).toBe(false)
  await tell('b')
  expect(breaker.opened).toBe(true)
  breaker.reset()
  expect(breaker.opened).toBe(false)
  expect(breaker.view()).toMatchObject({ state: 'closed', outcomes: 0 })
  // The time at which it would have been half-open comes, and nothing happens.
  await pass(2000)
  expect(breaker.view().state).toBe('closed')
})

test('stopped, it takes outcomes and does nothing, and no timer is left', async () => {
  start()
  await tell('bbbbb')
  expect(vi.getTimerCount()).toBe(1)
  breaker.stop()
  expect(vi.getTimerCount()).toBe(0)
  await tell('gb')
  breaker.reset()
  expect(vi.getTimerCount()).toBe(0)
  // The same for a failure whose promise was under way.
  start()
  await tell('bbbb')
  breaker.failed()
  breaker.stop()
  await settled()
  expect(vi.getTimerCount()).toBe(0)
})

test('an open one does not keep the process alive', async () => {
  vi.useRealTimers()
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  start({ volume: 1 })
  breaker.failed()
  await settled()
  expect(breaker.opened).toBe(true)
  expect(timers()).toBeLessThanOrEqual(before)
})

test('no rejection is left unhandled', async () => {
  const unhandled: unknown[] = []
  const keep = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', keep)
  start({ volume: 1 })
  for (let i = 0; i < 3; i++) breaker.failed()
  await pass(1000)
  // Half-open: the first decides, opossum rejects the rest.
  for (let i = 0; i < 3; i++) breaker.failed()
  await settled()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', keep)
  expect(unhandled).toEqual([])
})
