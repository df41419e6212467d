import type { Link } from './sentinel-link.ts'

/** Milliseconds: the longest that a caller waits, and what a sentinel may take to say that it has given up. */
const LONGEST = 30_000
const GRACE = 3000

/** Redis' own words, and what to do about them. */
const CURES: readonly (readonly [RegExp, string])[] = [
  [/^INPROG/, 'wait until it has ended, then ask again'],
  [
    /^NOGOODSLAVE/,
    'a replica must be up, linked to the primary and have a replica-priority over 0: see SENTINEL REPLICAS and INFO replication',
  ],
  [/^NOPERM/, 'on the sentinels: ACL SETUSER <user> +sentinel|failover'],
  [/^-failover-abort-no-good-slave/, 'see SENTINEL REPLICAS for the state of the replicas; the primary is as before'],
  [
    /^-failover-abort-slave-timeout/,
    'the chosen replica did not become a primary within failover-timeout: see its log; the primary is as before',
  ],
  [/^-failover-abort/, 'see the log of the sentinel; the primary is as before'],
]

/** A planned failover that somebody waits for. There is one at a time. */
export class PlannedFailover {
  private waiting: { resolve(): void; reject(error: Error): void } | undefined
  private timer: NodeJS.Timeout | undefined

  /**
   * Asks `links`, one after the other, until one begins. `timeout`: failover-timeout in milliseconds. Resolves at moved();
   * rejects with the sentinel's words and a cure.
   */
  async begin(links: readonly Link[], timeout: number): Promise<void> {
    if (this.waiting !== undefined) throw failure('INPROG Failover already in progress')
    const patience = Math.min(timeout + GRACE, LONGEST)
    const done = new Promise<void>((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.timer = setTimeout(() => this.refused(`no new primary within ${patience} ms`), patience)
      this.timer.unref()
    })
    // It may be over before anybody awaits it.
    done.catch(() => {})
    await this.ask(links)
    await done
  }

  private async ask(links: readonly Link[]): Promise<void> {
    let begun = false
    let error: Error | undefined
    for (const link of links) {
      try {
        await link.failover()
        return
      } catch (refusal) {
        error = refusal as Error
        if (error.name === 'ReplyError') {
          // In progress by the question to the one before, whose reply was lost.
          if (begun && error.message.startsWith('INPROG')) return
          break
        }
        begun = true
      }
    }
    // All connections were lost with the question: only time tells.
    if (error?.name === 'ReplyError') this.refused(error.message)
    else if (!begun) this.refused('no sentinel can be asked')
  }

  /** The primary is another now. */
  moved(): void {
    this.take()?.resolve()
  }

  /** There will be none. `words`: Redis' own, or what happened. */
  refused(words: string): void {
    this.take()?.reject(failure(words))
  }

  private take() {
    const { waiting } = this
    this.waiting = undefined
    clearTimeout(this.timer)
    return waiting
  }
}

function failure(words: string): Error {
  const cure = CURES.find(([text]) => text.test(words))?.[1] ?? 'see the logs of the sentinels'
  return new Error(`${words}: ${cure}`)
}
