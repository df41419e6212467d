import type { FactsLog } from '../server-facts.ts'

/** Milliseconds between two lines about a lost connection. */
const SAY_AGAIN = 10_000

/** What people are told of the feed of one upstream, without being told it again and again. `now`: clock milliseconds. */
export class FeedNews {
  /** The server's words when it would not tell of writes; undefined: it does, or was not asked. */
  refusal: string | undefined = undefined
  refusals = 0
  private readonly upstream: string
  private readonly log: FactsLog
  private saidRefusal = ''
  private lostAt = Number.NEGATIVE_INFINITY
  /** It was said that nothing is heard. */
  private said = false

  constructor(upstream: string, log: FactsLog) {
    this.upstream = upstream
    this.log = log
  }

  /** Writes are heard of from now on. */
  heard(): void {
    this.refusal = undefined
    if (this.said)
      this.log.info({ upstream: this.upstream }, 'the upstream tells of writes to keys, so they are cached')
    this.said = false
  }

  lost(why: string, now: number): void {
    if (now - this.lostAt <= SAY_AGAIN) return
    this.lostAt = now
    this.said = true
    this.log.warn({ upstream: this.upstream, why }, LOST)
  }

  refused(error: string): void {
    this.refusal = error
    this.refusals++
    if (error === this.saidRefusal) return
    this.saidRefusal = error
    this.said = true
    const cure = error.startsWith('NOPERM') ? BY_ACL : BY_VERSION
    this.log.warn({ upstream: this.upstream, error }, `${REFUSES}: ${cure}`)
  }
}

const LOST =
  'the connection that tells of writes to cached keys was lost: the near cache begins anew once there is another one'
const REFUSES = 'the upstream does not tell of writes to keys, so nothing is cached'
const BY_ACL =
  'allow it with ACL SETUSER … +hello +client|tracking +client|trackinginfo (before Redis 7: +hello +client)'
const BY_VERSION = 'it takes Redis 6.2, and nothing on the way there that does not know CLIENT TRACKING'
