import type { HostPort, SentinelOptions } from '../options.ts'
import { readAnswer, readLists, type SentinelAnswer, type SentinelLists } from './sentinel-answer.ts'
import { SentinelConnection } from './sentinel-connection.ts'

/** Who follows a sentinel. */
export interface LinkHost {
  now(): number
  answered(answer: SentinelAnswer, lists: SentinelLists | undefined): void
  /** No connection for questions: what it said last may be out of date. */
  silent(why: string): void
  /** Called while the bytes of the event are being read: nothing comes between. */
  event(channel: string, text: string): void
  /** From now on its events are heard; those of before may have been missed. `id`: who sends them, if it tells. */
  listening(id: string | undefined): void
  /** Its events are not heard, or not any more. */
  deaf(why: string): void
  fault(error: unknown): void
}

/** What a topology needs of a sentinel. */
export interface Link {
  /** Asks, and once more if it is asking already: the answer was on its way before the question's reason. `all`: the lists, too. */
  ask(all: boolean): void
  /** Looks whether the connection for events still is one. Sentinels are silent for hours. */
  beat(): void
  /** SENTINEL FAILOVER. Rejects with an Error whose name is ReplyError if the sentinel does not do it; otherwise it may have begun. */
  failover(): Promise<void>
  stop(): void
}

/** Milliseconds for SENTINEL FAILOVER: it answers when it has written its file. */
const FAILOVER_PATIENCE = 5000

/** Two connections to one sentinel: one hears its events, of which RESP2 allows nothing else beside, one asks. */
export class SentinelLink implements Link {
  private readonly master: string
  private readonly host: LinkHost
  private readonly questions: SentinelConnection
  private readonly events: SentinelConnection
  private asking = false
  private again = false
  private all = false
  private beating = false

  constructor(node: HostPort, options: SentinelOptions, host: LinkHost) {
    this.master = options.master
    this.host = host
    this.questions = new SentinelConnection(node, options, {
      ready: () => this.ask(true),
      lost: (why) => this.guard(() => host.silent(why)),
      message: () => {},
    })
    this.events = new SentinelConnection(node, options, {
      ready: () => void this.listen(),
      lost: (why) => this.guard(() => host.deaf(why)),
      message: (channel, text) => this.guard(() => host.event(channel, text)),
    })
  }

  ask(all: boolean): void {
    this.all ||= all
    this.again = true
    if (!this.asking) void this.askWhileWanted()
  }

  private async askWhileWanted(): Promise<void> {
    this.asking = true
    while (this.again && this.questions.ready) {
      this.again = false
      const { all, master } = this
      this.all = false
      const askedAt = this.host.now()
      try {
        const [named, state, id, peers, replicas] = await this.questions.ask([
          // The leader of a failover names the promoted replica here before SENTINEL MASTER does.
          ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master],
          ['SENTINEL', 'MASTER', master],
          ...(all
            ? ([
                ['SENTINEL', 'MYID'],
                ['SENTINEL', 'SENTINELS', master],
                // REPLICAS since Redis 5.
                ['SENTINEL', 'REPLICAS', master],
              ] as const)
            : []),
        ])
        const lists = all ? readLists(id, peers, replicas) : undefined
        this.guard(() => this.host.answered(readAnswer(askedAt, named, state), lists))
      } catch {
        // The connection is lost, and says so itself.
      }
    }
    this.asking = false
  }

  private async listen(): Promise<void> {
    try {
      const [id] = await this.events.ask([['SENTINEL', 'MYID']])
      await this.events.subscribe()
      this.guard(() => this.host.listening(typeof id === 'string' ? id : undefined))
    } catch (error) {
      this.unheard(error as Error)
    }
  }

  beat(): void {
    if (this.beating || !this.events.ready) return
    this.beating = true
    this.events
      .subscribe()
      .catch((error: Error) => this.unheard(error))
      .finally(() => {
        this.beating = false
      })
  }

  /** It may refuse. Lost connections say so themselves. */
  private unheard(error: Error): void {
    if (error.name === 'ReplyError') this.guard(() => this.host.deaf(error.message))
  }

  async failover(): Promise<void> {
    const [reply] = await this.questions.ask([['SENTINEL', 'FAILOVER', this.master]], FAILOVER_PATIENCE)
    if (reply instanceof Error) throw reply
  }

  stop(): void {
    this.questions.stop()
    this.events.stop()
  }

  /** ioredis throws what a listener throws again where nobody catches it. */
  private guard(fn: () => void): void {
    try {
      fn()
    } catch (error) {
      this.host.fault(error)
    }
  }
}
