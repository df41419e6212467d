import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { watchFolder } from '../../../scripts/lib/watchdog.mjs'
import { type KeywardProcess, spawnKeyward } from '../../helpers/keyward.ts'
import type { Network } from '../../helpers/network.ts'
import { eventually } from '../../helpers/places.ts'
import { type DataServer, type SentinelSet, startSentinelSet } from '../../helpers/sentinel-set.ts'
import {
  type ClientOrder,
  counterKey,
  type RoundReport,
  VALUES,
  valueKey,
  valueOf,
  type WorkerOrder,
} from '../workers/protocol.ts'
import { ControlWriter } from './control-writer.ts'
import { Crew, ordersFor } from './crew.ts'
import type { Scenario } from './scenarios.ts'
import { SwitchWatch } from './switch-watch.ts'
import type { Measured } from './verdict.ts'

/** How clients reach Redis: as if Keyward were it, or by ioredis' own Sentinel client, with its option for failovers or not. */
export type Way = 'keyward' | 'ioredis' | 'ioredis with failoverDetector'

/** Milliseconds of work before it happens, and after the switch. Not what is waited for, but what is looked at. */
const BEFORE = 1500
const AFTER = 2500

/** The set, what leads to it, and the workers; from start() to stop(). */
export class Stage {
  readonly set: SentinelSet
  private readonly scenario: Scenario
  private readonly way: Way
  private readonly orders: Map<string, ClientOrder[]>
  private readonly network: Network | undefined
  private keyward: KeywardProcess | undefined
  private crew: Crew | undefined
  private watch: SwitchWatch | undefined

  /** `network`: for a scenario that needs one; the stage closes it. */
  static async start(scenario: Scenario, way: Way, libraries: readonly string[], network?: Network): Promise<Stage> {
    const set = await startSentinelSet({ fast: false, proxied: scenario.proxied, network })
    const stage = new Stage(set, scenario, way, ordersFor(way === 'keyward' ? libraries : ['ioredis']), network)
    try {
      await stage.begin()
      return stage
    } catch (error) {
      await stage.stop()
      throw error
    }
  }

  private constructor(
    set: SentinelSet,
    scenario: Scenario,
    way: Way,
    orders: Map<string, ClientOrder[]>,
    network: Network | undefined,
  ) {
    this.set = set
    this.scenario = scenario
    this.way = way
    this.orders = orders
    this.network = network
  }

  /** What Keyward printed. */
  get log(): string {
    return this.keyward?.output ?? ''
  }

  async round(round: number): Promise<Measured> {
    const { set, scenario } = this
    const crew = this.crew as Crew
    const watch = this.watch as SwitchWatch
    const old = await set.settled()
    await set.pace('field')
    const control = await ControlWriter.start(old, round)
    watch.begin()
    crew.begin(round)
    await sleep(BEFORE)
    const began = Date.now()
    await scenario.strike(set, old)
    // A failover begins when a sentinel says that it does; all else when it is done to the server.
    const struckAt = scenario.lossless === true ? Date.now() : began
    const now = await set.waitSwitched(old)
    if (!(await eventually(() => watch.switchedAt !== undefined))) throw new Error('no majority said +switch-master')
    await sleep(AFTER)
    const losses = await control.losses(now)
    // Only Keyward's clients have their replies by now; others may wait for the old primary.
    let reports: RoundReport[] | undefined
    if (this.way === 'keyward') reports = await crew.end()
    await scenario.mend(set, old)
    reports ??= await crew.end()
    await set.pace('fast')
    const primary = await set.settled()
    return {
      scenario,
      round,
      struckAt,
      switchedAt: watch.switchedAt as number,
      reports,
      finals: await this.finals(primary, round),
      controlLosses: losses,
    }
  }

  async stop(): Promise<void> {
    this.crew?.stop()
    this.watch?.stop()
    await this.keyward?.stop()
    await this.set.stop()
    await this.network?.close()
  }

  private async begin(): Promise<void> {
    const { set } = this
    this.watch = await SwitchWatch.start(set)
    const primary = await set.settled()
    for (const prefix of ['', 'acme:', 'beta:']) {
      for (let i = 0; i < VALUES; i++) await primary.ask('SET', prefix + valueKey(i), valueOf(i))
    }
    await set.settled()
    this.crew = await Crew.start(await this.place(), this.orders)
  }

  /** Where clients connect to. */
  private async place(): Promise<Omit<WorkerOrder, 'clients'>> {
    const { set, way } = this
    if (way !== 'keyward') {
      const sentinels = set.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
      return { port: 0, sentinels, master: set.master, failoverDetector: way !== 'ioredis' }
    }
    const config = set.config()
    if (this.scenario.past === true) {
      const { main } = config.upstreams as { main: { sentinel: Record<string, unknown> } }
      main.sentinel.natMap = set.past
    }
    const dir = mkdtempSync(join(tmpdir(), 'keyward-drill-'))
    watchFolder(dir)
    writeFileSync(join(dir, 'keyward.json'), JSON.stringify(config))
    this.keyward = spawnKeyward(['serve', '--config', join(dir, 'keyward.json')])
    const [, port] = await this.keyward.printed(/"listening":\["127\.0\.0\.1:(\d+)"/)
    rmSync(dir, { recursive: true, force: true })
    return { port: Number(port) }
  }

  private async finals(primary: DataServer, round: number): Promise<Map<string, number>> {
    const finals = new Map<string, number>()
    for (const { id, tenant, role } of [...this.orders.values()].flat()) {
      if (role !== 'incr' && role !== 'wait') continue
      const prefix = this.way === 'keyward' ? `${tenant}:` : ''
      finals.set(id, Number((await primary.ask('GET', prefix + counterKey(id, round))) ?? 0))
    }
    return finals
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
