import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterEach, expect, test } from 'vitest'
import type { Address, HostPort, SentinelOptions } from '../../src/upstream/options.ts'
import { SentinelTopology } from '../../src/upstream/topologies/sentinel.ts'
import { eventually } from '../helpers/places.ts'
import { startRedis } from '../helpers/redis.ts'
import { Sentinel } from '../helpers/sentinel.ts'
import { type SentinelSet, type SentinelSetOptions, startSentinelSet } from '../helpers/sentinel-set.ts'
import { TLS_FILES } from '../helpers/tls.ts'

/** Real sentinels, and in place of a node something that writes down what it is told. */
const more = (process.env.KEYWARD_TIER ?? 'default') !== 'default'

/** What is to be ended after the test, last first. */
const started: (() => unknown)[] = []

afterEach(async () => {
  for (const end of started.splice(0).reverse()) await end()
})

/** By default nothing is down before ten seconds: on a busy machine, sentinels with less fail over by themselves. */
async function sentinelSet(options: SentinelSetOptions = {}): Promise<SentinelSet> {
  const set = await startSentinelSet({ downAfter: 10_000, ...options })
  started.push(() => set.stop())
  return set
}

class Recorder {
  readonly topology: SentinelTopology
  /** moveTo with its port, suspend, resume; without repetitions of suspend. */
  readonly calls: string[] = []
  readonly at: number[] = []
  /** Which calls came in one step: the same number. */
  readonly steps: number[] = []
  private step = 0
  readonly warnings: string[] = []
  /**
   * Without what is suspended in the step of a move and resumed by the next answer: the leader's last words about a primary that we had left come
   * seconds late, and count as an announcement when that one is the primary again so soon.
   */
  get withoutBlinks(): readonly string[] {
    const { calls, steps } = this
    const blinks = (n: number) => calls[n] === 'suspend' && calls[n + 1] === 'resume' && steps[n] === steps[n - 1]
    return calls.filter((_, n) => !blinks(n) && !(n > 0 && blinks(n - 1)))
  }

  readonly faults: unknown[] = []

  constructor(nodes: readonly number[], options: Partial<SentinelOptions> = {}) {
    const note = (call: string) => {
      if (call === 'suspend' && this.calls.at(-1) === 'suspend') return
      this.calls.push(call)
      this.at.push(performance.now())
      this.steps.push(this.step)
      queueMicrotask(() => this.step++)
    }
    this.topology = new SentinelTopology(
      'main',
      {
        master: 'mymaster',
        nodes: nodes.map((port) => ({ host: '127.0.0.1', port })),
        user: undefined,
        password: undefined,
        tls: undefined,
        natMap: new Map<string, HostPort>(),
        ...options,
      },
      {
        log: {
          info: () => {},
          warn: (fields, text) => void this.warnings.push(`${text} ${JSON.stringify(fields)}`),
        },
        moveTo: (address: Address) => note(`moveTo ${(address as HostPort).port}`),
        suspend: () => note('suspend'),
        resume: () => note('resume'),
        fault: (error) => void this.faults.push(error),
      },
    )
    this.topology.start()
    started.push(() => {
      this.topology.stop()
      expect(this.faults).toEqual([])
    })
  }

  /** Waits until the node has been told to move, and all `count` sentinels answer. */
  async following(count = 3): Promise<void> {
    expect(await eventually(() => this.topology.primary !== undefined && this.connected === count)).toBe(true)
  }

  get connected(): number {
    return this.topology.view().sentinels.filter(({ connected }) => connected).length
  }

  count(call: string): number {
    return this.calls.filter((each) => each === call).length
  }
}

const portsOf = (set: SentinelSet) => set.sentinels.map(({ port }) => port)
const moved = (recorder: Recorder, to: { announced: number }) => recorder.count(`moveTo ${to.announced}`) > 0

/** Polite failover; resolves with the old and the new primary when the node has been moved. */
async function failOver(set: SentinelSet, recorder: Recorder) {
  const old = await set.failover()
  const now = await set.waitSwitched(old)
  expect(await eventually(() => moved(recorder, now))).toBe(true)
  return { old, now }
}

test('a planned failover: writes wait from its first event on, before any replica is a primary, and go on at the new one', async () => {
  const set = await sentinelSet()
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  const events: { channel: string; at: number }[] = []
  for (const port of portsOf(set)) {
    const observer = new Redis({
      host: '127.0.0.1',
      port,
      protocol: 2,
      enableReadyCheck: false,
      disableClientInfo: true,
    })
    started.push(() => observer.disconnect())
    observer.on('pmessage', (_, channel: string) => void events.push({ channel, at: performance.now() }))
    await observer.psubscribe('*')
  }
  const { old, now } = await failOver(set, recorder)
  await set.settled()
  expect(await eventually(() => events.filter(({ channel }) => channel === '+switch-master').length === 3)).toBe(true)
  // The leader's events of the end come later than those of the others.
  expect(recorder.calls).toEqual([`moveTo ${old.announced}`, 'suspend', `moveTo ${now.announced}`])
  expect(recorder.topology.primary).toEqual({ host: '127.0.0.1', port: now.announced })
  const first = (name: string) => events.find(({ channel }) => channel === name)?.at ?? Number.NaN
  const [, suspendedAt, movedAt] = recorder.at
  console.log(
    `suspended ${(suspendedAt - first('+selected-slave')).toFixed(1)} ms after +selected-slave, ` +
      `${(first('+promoted-slave') - suspendedAt).toFixed(1)} ms before +promoted-slave; ` +
      `moved ${(movedAt - first('+switch-master')).toFixed(1)} ms after the first +switch-master`,
  )
  expect(suspendedAt).toBeLessThan(first('+promoted-slave'))
  expect(suspendedAt - first('+selected-slave')).toBeLessThan(50)
  expect(movedAt - first('+switch-master')).toBeLessThan(500)
  expect(await eventually(() => recorder.topology.replicas.length === 2)).toBe(true)
  expect(recorder.topology.replicas.map(({ port }) => port).sort()).toEqual(
    set.servers
      .filter((server) => server !== now)
      .map(({ announced }) => announced)
      .sort(),
  )
})

test('failover() asks for one and resolves when the node has been moved', async () => {
  const set = await sentinelSet()
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  const old = await set.primary()
  expect(
    await eventually(() =>
      recorder.topology.failover().then(
        () => true,
        () => false,
      ),
    ),
  ).toBe(true)
  expect(recorder.calls.slice(0, 2)).toEqual([`moveTo ${old.announced}`, 'suspend'])
  expect(recorder.calls).toHaveLength(3)
  expect((await set.primary()).announced).toBe(recorder.topology.primary?.port)
})

test('a failover that is aborted: writes go to the old primary again, and never to the replica that says master later', async () => {
  const set = await sentinelSet({ failoverTimeout: 1500 })
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  const primary = await set.primary()
  const replicas = await set.replicas()
  for (const replica of replicas) await replica.kill('SIGSTOP')
  await expect(recorder.topology.failover()).rejects.toThrow('-failover-abort-slave-timeout: the chosen replica')
  const calls = [`moveTo ${primary.announced}`, 'suspend', 'resume']
  expect(await eventually(() => recorder.calls.length === 3)).toBe(true)
  expect(recorder.calls).toEqual(calls)
  for (const replica of replicas) await replica.kill('SIGCONT')
  // What the leader sent it is executed now.
  let promoted = false
  expect(
    await eventually(async () => {
      for (const replica of replicas) if ((await replica.ask<[string]>('ROLE'))[0] === 'master') promoted = true
      return promoted
    }),
  ).toBe(true)
  expect(await set.settled()).toBe(primary)
  expect(recorder.calls).toEqual(calls)
  expect(recorder.topology.primary?.port).toBe(primary.announced)
})

test('no replica to promote: rejected in the words of Redis with a cure, and nothing waits', async () => {
  const set = await sentinelSet({ replicas: 0 })
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  await expect(recorder.topology.failover()).rejects.toThrow(
    'NOGOODSLAVE No suitable replica to promote: a replica must be up',
  )
  expect(recorder.calls).toEqual([`moveTo ${set.servers[0].announced}`])
})

test('a primary that is killed', async () => {
  const set = await sentinelSet({ downAfter: 1000 })
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  const old = await set.primary()
  await old.kill('SIGKILL')
  const now = await set.waitSwitched(old)
  expect(await eventually(() => moved(recorder, now))).toBe(true)
  expect(recorder.calls[0]).toBe(`moveTo ${old.announced}`)
  expect(recorder.topology.primary?.port).not.toBe(old.announced)
})

/** A failover that stays where it is until the replicas go on: its leader waits for a promotion that cannot happen yet. */
async function stuckFailover(options: SentinelSetOptions = {}) {
  const set = await sentinelSet({ failoverTimeout: 20_000, ...options })
  const replicas = await set.replicas()
  for (const replica of replicas) await replica.kill('SIGSTOP')
  const old = await set.failover()
  let leader: Sentinel | undefined
  expect(
    await eventually(async () => {
      const states = await Promise.all(
        set.sentinels.map((sentinel) => sentinel.ask<string[]>('SENTINEL', 'MASTER', 'mymaster')),
      )
      leader = set.sentinels[states.findIndex((fields) => fields.includes('wait_promotion'))]
      return leader !== undefined
    }),
  ).toBe(true)
  const goOn = async () => {
    for (const replica of replicas) await replica.kill('SIGCONT')
  }
  return { set, old, leader: leader as unknown as Sentinel, goOn }
}

test.each([
  ['as near as the others', undefined],
  ['far away', 40],
])(
  'started in the middle of a failover, its leader %s: to the old primary, suspended in the same step, then to the new one',
  async (_, latency) => {
    const { set, old, leader, goOn } = await stuckFailover({ proxied: true })
    if (leader.proxy !== undefined) leader.proxy.faults = { latency }
    const recorder = new Recorder(portsOf(set))
    expect(await eventually(() => recorder.calls.length > 0)).toBe(true)
    // In the same step: nothing could be written in between.
    expect(recorder.calls).toEqual([`moveTo ${old.announced}`, 'suspend'])
    expect(recorder.steps[0]).toBe(recorder.steps[1])
    await recorder.following()
    await goOn()
    const now = await set.waitSwitched(old)
    expect(await eventually(() => moved(recorder, now))).toBe(true)
    expect(recorder.calls).toEqual([`moveTo ${old.announced}`, 'suspend', `moveTo ${now.announced}`])
  },
)

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'a sentinel that got %s: the others are enough, and it is followed again when it is back',
  async (signal) => {
    const set = await sentinelSet()
    const recorder = new Recorder(portsOf(set))
    await recorder.following()
    const [victim] = set.sentinels
    await victim.kill(signal)
    expect(await eventually(() => recorder.connected === 2)).toBe(true)
    expect(recorder.warnings.filter((line) => line.startsWith('a sentinel does not answer'))).toHaveLength(1)
    const moves = () => recorder.calls.filter((call) => call.startsWith('moveTo')).length
    const failOverBy = async (leader: Sentinel) => {
      const before = moves()
      const attempt = async () => {
        // At first it may hold no replica for good: then it calls the failover off, or refuses.
        await leader.ask('SENTINEL', 'FAILOVER', 'mymaster').catch(() => {})
        return moves() > before
      }
      expect(await eventually(attempt, 40_000)).toBe(true)
      expect(recorder.calls.at(-2)).toBe('suspend')
    }
    await failOverBy(set.sentinels[1])
    if (signal === 'SIGSTOP') await victim.kill('SIGCONT')
    else await victim.restart()
    await recorder.following()
    expect(moves()).toBe(2)
    // Its events are heard again, too: only a leader announces its failover early.
    await failOverBy(victim)
  },
)

test('one more sentinel that watches another server under the same name changes nothing', async () => {
  const set = await sentinelSet()
  const other = await startRedis()
  started.push(() => other.stop())
  const liar = await Sentinel.prepare({})
  started.push(() => liar.stop())
  await liar.begin({
    master: 'mymaster',
    host: '127.0.0.1',
    port: other.port,
    quorum: 1,
    replicas: [],
    others: [],
    options: [],
  })
  const recorder = new Recorder([liar.port, ...portsOf(set)])
  await recorder.following(4)
  expect(recorder.topology.view().sentinels.map(({ names }) => names)).toContain(`127.0.0.1:${other.port}`)
  const { old, now } = await failOver(set, recorder)
  await liar.ask('SENTINEL', 'RESET', 'mymaster')
  await set.settled()
  expect(recorder.count(`moveTo ${other.port}`)).toBe(0)
  expect(recorder.calls).toEqual([`moveTo ${old.announced}`, 'suspend', `moveTo ${now.announced}`])
})

test('sentinels that are replaced one after the other are followed, until none is left of those that were configured', async () => {
  const set = await sentinelSet()
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  const before = await set.primary()
  const connected = () =>
    recorder.topology
      .view()
      .sentinels.filter((sentinel) => sentinel.connected)
      .map(({ address }) => address)
      .sort()
  for (const old of [...set.sentinels]) {
    await set.addSentinel()
    expect(await eventually(() => recorder.connected === 4)).toBe(true)
    await set.removeSentinel(old)
    expect(await eventually(() => recorder.connected === 3)).toBe(true)
    await set.settled()
  }
  expect(connected()).toEqual(
    portsOf(set)
      .map((port) => `127.0.0.1:${port}`)
      .sort(),
  )
  expect(recorder.calls).toEqual([`moveTo ${before.announced}`])
  const { now } = await failOver(set, recorder)
  expect(recorder.calls).toEqual([`moveTo ${before.announced}`, 'suspend', `moveTo ${now.announced}`])
})

test('one sentinel in the configuration: the others are found, and the majority is of all', async () => {
  const set = await sentinelSet()
  const [first, ...others] = set.sentinels
  const recorder = new Recorder([first.port])
  await recorder.following(3)
  for (const other of others) await other.kill()
  expect(await eventually(() => recorder.connected === 1)).toBe(true)
  const alone = new Recorder([first.port])
  // Its word alone is not enough.
  expect(await eventually(() => alone.warnings.some((line) => line.includes('1 of 3 sentinels name')))).toBe(true)
  expect(alone.calls).toEqual([])
  for (const other of others) await other.restart()
  await alone.following(3)
})

test('sentinels with a password; without it, the log names the cure', async () => {
  const set = await sentinelSet({ sentinelPassword: 'watch', password: 'data' })
  const recorder = new Recorder(portsOf(set), { password: 'watch' })
  await recorder.following()
  for (const password of [undefined, 'wrong']) {
    const locked = new Recorder(portsOf(set), { password })
    expect(await eventually(() => locked.warnings.some((line) => line.includes('none of 3 sentinels names')))).toBe(
      true,
    )
    expect(locked.warnings.every((line) => line.includes('set sentinel.password'))).toBe(true)
    expect(locked.warnings.some((line) => /NOAUTH|WRONGPASS/.test(line))).toBe(true)
    expect(locked.calls).toEqual([])
  }
  const { old, now } = await failOver(set, recorder)
  expect(recorder.calls).toEqual([`moveTo ${old.announced}`, 'suspend', `moveTo ${now.announced}`])
})

test('sentinels with TLS', async () => {
  const { ca, cert, key } = TLS_FILES
  const set = await sentinelSet({ tls: { ca, cert, key } })
  const tls = { ca: readFileSync(ca), cert: undefined, key: undefined, serverName: undefined }
  const recorder = new Recorder(portsOf(set), { tls })
  await recorder.following()
  expect(recorder.topology.primary?.port).toBe((await set.primary()).announced)
  const stranger = new Recorder(portsOf(set), { tls: { ...tls, ca: undefined } })
  expect(await eventually(() => stranger.warnings.some((line) => /self.signed/.test(line)))).toBe(true)
  expect(stranger.connected).toBe(0)
})

test('a connection that says nothing any more is replaced, and what was missed is asked for', async () => {
  const set = await sentinelSet({ proxied: true })
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  for (const { proxy } of set.sentinels) if (proxy !== undefined) proxy.faults = { blackHole: 'both' }
  expect(await eventually(() => recorder.connected === 0)).toBe(true)
  expect(recorder.topology.primary).toBeDefined()
  await set.heal()
  await recorder.following()
  const { old, now } = await failOver(set, recorder)
  expect(recorder.calls.slice(0, 1)).toEqual([`moveTo ${old.announced}`])
  expect(recorder.calls.at(-1)).toBe(`moveTo ${now.announced}`)
})

test('stop() leaves no socket and no timer', async () => {
  const set = await sentinelSet()
  const handles = () => process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout/.test(kind)).length
  const before = handles()
  const { topology } = new Recorder([...portsOf(set), 1])
  await eventually(() => topology.view().sentinels.filter(({ connected }) => connected).length === 3)
  topology.stop()
  const names = async () => {
    const lists = await Promise.all(set.sentinels.map((sentinel) => sentinel.ask<string>('CLIENT', 'LIST')))
    return lists.filter((list) => list.includes('name=keyward')).length
  }
  expect(await eventually(async () => (await names()) === 0)).toBe(true)
  expect(await eventually(() => handles() <= before)).toBe(true)
})

test.runIf(more)('ten planned failovers in a row: suspended and moved once each', async () => {
  const set = await sentinelSet()
  const recorder = new Recorder(portsOf(set))
  await recorder.following()
  for (let round = 0; round < 10; round++) {
    await set.settled()
    const { now } = await failOver(set, recorder)
    const calls = recorder.withoutBlinks
    const told = recorder.calls
      .map((call, n) => `${call} at ${Math.round(recorder.at[n])}, step ${recorder.steps[n]}`)
      .join('\n')
    expect(calls, told).toHaveLength(1 + 2 * (round + 1))
    expect(calls.slice(-2)).toEqual(['suspend', `moveTo ${now.announced}`])
  }
})
