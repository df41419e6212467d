import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Network } from '../helpers/network.ts'
import { eventually } from '../helpers/places.ts'
import { type SentinelSet, startSentinelSet } from '../helpers/sentinel-set.ts'

/** The servers, sentinels and cuts that tests of failovers stand on do what they say; without Keyward. */
const more = (process.env.KEYWARD_TIER ?? 'default') !== 'default'

describe('a primary, two replicas and three sentinels', () => {
  let set: SentinelSet

  beforeAll(async () => {
    set = await startSentinelSet({ password: 'data', sentinelPassword: 'watch' })
  })

  afterAll(async () => {
    await set?.stop()
  })

  test('come up in sync', async () => {
    const [first, ...others] = set.servers
    expect(await set.primary()).toBe(first)
    expect(await set.replicas()).toEqual(others)
    await first.ask('SET', 'a', 'written')
    expect(await first.ask('WAIT', 2, 10_000)).toBe(2)
    for (const replica of others) expect(await replica.ask('GET', 'a')).toBe('written')
  })

  test('fail over politely', async () => {
    const old = await set.failover()
    const now = await set.waitSwitched(old)
    expect(now).not.toBe(old)
    expect(await set.settled()).toBe(now)
    expect((await old.ask<unknown[]>('ROLE')).slice(0, 3)).toEqual(['slave', '127.0.0.1', now.announced])
    expect(await now.ask('GET', 'a')).toBe('written')
  })

  test('fail over when the primary is killed, which comes back as a replica', async () => {
    const old = await set.settled()
    const { pid } = old
    await old.kill('SIGKILL')
    await expect(old.ask('PING')).rejects.toThrow()
    const now = await set.waitSwitched(old)
    await old.restart()
    expect(old.pid).not.toBe(pid)
    expect(await set.settled()).toBe(now)
    expect(await old.ask('GET', 'a')).toBe('written')
  })

  test.runIf(more)('fail over when the primary is stopped', async () => {
    const old = await set.settled()
    await old.kill('SIGSTOP')
    const now = await set.waitSwitched(old)
    await old.kill('SIGCONT')
    expect(await set.settled()).toBe(now)
    expect((await old.ask<unknown[]>('ROLE')).slice(0, 3)).toEqual(['slave', '127.0.0.1', now.announced])
  })

  test.runIf(more)('a sentinel that is killed, stopped, added or removed', async () => {
    const [first, second] = set.sentinels
    await first.kill()
    expect(first.alive).toBe(false)
    await set.waitSwitched(await set.failover())
    await first.restart()
    await set.settled()
    await second.kill('SIGSTOP')
    await set.waitSwitched(await set.failover())
    await second.kill('SIGCONT')
    await set.settled()
    const added = await set.addSentinel()
    await set.settled()
    expect(set.sentinels).toContain(added)
    await set.removeSentinel(first)
    await set.settled()
    expect(set.sentinels).toHaveLength(3)
  })
})

describe.runIf(more)('behind fault proxies', () => {
  let set: SentinelSet

  beforeAll(async () => {
    set = await startSentinelSet({ proxied: true })
  })

  afterAll(async () => {
    await set?.stop()
  })

  test('a primary that is cut off goes on, and is a replica once it is back', async () => {
    const old = await set.primary()
    expect(old.announced).not.toBe(old.port)
    await set.partition(old)
    const now = await set.waitSwitched(old)
    // By its own port it can still be reached, and takes what will be lost.
    expect(await old.ask('SET', 'b', 'lost')).toBe('OK')
    expect(await now.ask('SET', 'b', 'kept')).toBe('OK')
    await set.heal()
    expect(await set.settled()).toBe(now)
    expect(await eventually(async () => (await old.ask('GET', 'b')) === 'kept')).toBe(true)
  })
})

describe.runIf(more)('in a network of namespaces', async () => {
  const network = more ? await Network.open() : ''
  if (more && typeof network === 'string') console.log(`skipped: ${network}`)
  let set: SentinelSet

  afterAll(async () => {
    await set?.stop()
    if (network instanceof Network) await network.close()
  })

  test.runIf(network instanceof Network)('a primary whose packets are lost is a replica once it is back', async () => {
    set = await startSentinelSet({ network: network as Network })
    const old = await set.primary()
    expect(await old.ask('SET', 'c', 'before')).toBe('OK')
    await set.partition(old)
    // Nobody refuses, nobody answers.
    const began = performance.now()
    await expect(old.ask('PING')).rejects.toThrow()
    expect(performance.now() - began).toBeGreaterThan(900)
    const now = await set.waitSwitched(old)
    expect(await old.cli('SET', 'c', 'lost')).toBe('OK')
    expect(await now.ask('SET', 'c', 'kept')).toBe('OK')
    await set.heal()
    expect(await set.settled()).toBe(now)
    expect(await eventually(async () => (await old.ask('GET', 'c')) === 'kept')).toBe(true)
  })
})
