import { Redis } from 'ioredis'
import type { SentinelSet } from '../../helpers/sentinel-set.ts'

/** Hears every sentinel say that it has a new primary: Sentinel's own time for a switch. */
export class SwitchWatch {
  private readonly links: Redis[]
  private readonly times: number[] = []
  private readonly majority: number

  static async start(set: SentinelSet): Promise<SwitchWatch> {
    const links = set.sentinels.map(({ ownPort }) => new Redis({ port: ownPort, maxRetriesPerRequest: null }))
    const watch = new SwitchWatch(links)
    for (const link of links) {
      link.on('error', () => {})
      link.on('message', () => watch.times.push(Date.now()))
      await link.subscribe('+switch-master')
    }
    return watch
  }

  private constructor(links: Redis[]) {
    this.links = links
    this.majority = Math.floor(links.length / 2) + 1
  }

  /** Forgets what was said so far. */
  begin(): void {
    this.times.length = 0
  }

  /** When more than half of the sentinels had said it since begin(); undefined: not yet. */
  get switchedAt(): number | undefined {
    return this.times[this.majority - 1]
  }

  stop(): void {
    for (const link of this.links) link.disconnect()
  }
}
