import { RawClient, request } from '../../helpers/raw-client.ts'
import type { DataServer } from '../../helpers/sentinel-set.ts'

const BATCH = 10

/**
 * The control: it writes straight to the primary, over the connection that it has, for as long as that takes its
 * writes. What it is told was written and is not there afterwards is what this failover costs those who do not follow it.
 */
export class ControlWriter {
  acked = 0
  readonly key: string
  private readonly client: RawClient
  private ended: Promise<void> = Promise.resolve()
  private over = false

  static async start(primary: DataServer, round: number): Promise<ControlWriter> {
    const writer = new ControlWriter(
      await RawClient.connect({ host: primary.host, port: primary.port, timeout: 120_000 }),
      round,
    )
    writer.ended = writer.work()
    return writer
  }

  private constructor(client: RawClient, round: number) {
    this.client = client
    this.key = `control:${round}`
  }

  /** Ends it; resolves with what it lost, given who is primary now. */
  async losses(primary: DataServer): Promise<number> {
    this.over = true
    // A stopped or unreachable server does not answer any more.
    this.client.reset()
    await this.ended
    // What was on its way when it ended may be there, too.
    return Math.max(0, this.acked - Number((await primary.ask('GET', this.key)) ?? 0))
  }

  private async work(): Promise<void> {
    const batch = Buffer.concat(Array.from({ length: BATCH }, () => request('INCR', this.key)))
    try {
      while (!this.over) {
        for (const reply of await this.client.exchange(batch, BATCH)) {
          // Made a replica, it says READONLY.
          if (reply[0] !== 0x3a) return
          this.acked++
        }
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    } catch {
      // The connection has ended, which is what it waited for.
    }
  }
}
