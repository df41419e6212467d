import type { Topic } from './topic.ts'

/** Errors of a server that is busy with something else: they say nothing about what was asked. */
const PASSING = /^(BUSY|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|TRYAGAIN|CLUSTERDOWN) /

/** `error`: its line, without the `-`. */
export function isPassing(error: string): boolean {
  return PASSING.test(error)
}

/** The topic may not be had: the user may not, or the server does not know the command. */
export function isRefusal(error: string): boolean {
  return /^(NOPERM|ERR unknown command)/.test(error)
}

/** Milliseconds before a topic is asked for again; doubled each time, up to the second number. */
const SOON: readonly [number, number] = [100, 2000]
const LATER: readonly [number, number] = [1000, 10_000]

/**
 * Topics about which the server answered with an error, and when it is asked again: a server that was busy soon, one that
 * does not let us more rarely. Limit: topics that somebody wants, or that are being left.
 */
export class SubscriberRetries {
  /** Clock time at which it is asked again. */
  private readonly due = new Map<Topic, number>()

  later(topic: Topic, error: string, now: number): void {
    const [first, most] = isPassing(error) ? SOON : LATER
    this.due.set(topic, now + Math.min(most, first * 2 ** Math.min(topic.errors++, 30)))
  }

  /** Those whose time has come; they are forgotten here. */
  *take(now: number): Iterable<Topic> {
    for (const [topic, at] of this.due) {
      if (at > now) continue
      this.due.delete(topic)
      yield topic
    }
  }

  delete(topic: Topic): void {
    this.due.delete(topic)
  }

  clear(): void {
    this.due.clear()
  }
}
