import { formatAddress } from '../address.ts'
import type { FactsLog } from '../server-facts.ts'
import type { Seat } from './electorate.ts'
import type { Tally } from './votes.ts'

/** Milliseconds between two lines about the same. */
const SAY_SEEKING = 10_000
const SAY_UNDECIDED = 60_000
const SAY_SENTINEL = 10_000
const SAY_TOO_MANY = 600_000
/** Milliseconds without a majority before it is complained of: at a start, connecting takes its time; later, a switch does. */
const START_PATIENCE = 1000
const LATER_PATIENCE = 10_000

/** What errors of sentinels mean. */
const CURES: readonly (readonly [RegExp, string])[] = [
  [/^(NOAUTH|WRONGPASS)/, 'set sentinel.password, and sentinel.user if the sentinels have users'],
  [/^NOPERM/, 'on the sentinels: ACL SETUSER <user> &* +sentinel +psubscribe +client +ping'],
  [/^ERR No such master/, 'compare sentinel.master with the names that SENTINEL MASTERS lists'],
]

interface Said {
  /** What is wrong with it; undefined: nothing. */
  silent: string | undefined
  deaf: string | undefined
  readonly at: Map<string, number>
}

/** What an operator should know about the sentinels, each thing in one line and not too often. */
export class SentinelComplaints {
  private readonly upstream: string
  private readonly master: string
  private readonly log: FactsLog
  private readonly said = new WeakMap<Seat, Said>()
  private undecidedSince: number | undefined
  private undecidedSaidAt = Number.NEGATIVE_INFINITY
  private tooManySaidAt = Number.NEGATIVE_INFINITY

  constructor(upstream: string, master: string, log: FactsLog) {
    this.upstream = upstream
    this.master = master
    this.log = log
  }

  /** It answers, perhaps with an error. */
  answers(seat: Seat, now: number): void {
    const problem = seat.answer?.problem
    const said = this.about(seat)
    if (problem !== undefined) {
      if (said.silent !== problem) this.say(seat, 'problem', now, problem, 'a sentinel names no primary')
    } else if (said.silent !== undefined) {
      this.log.info({ upstream: this.upstream, sentinel: seat.address }, 'a sentinel answers')
    }
    said.silent = problem
  }

  silent(seat: Seat, why: string, now: number): void {
    const said = this.about(seat)
    if (said.silent === undefined) this.say(seat, 'silent', now, why, 'a sentinel does not answer; trying on')
    said.silent = why
  }

  heard(seat: Seat): void {
    this.about(seat).deaf = undefined
  }

  /** A sentinel that does not answer at all is not complained of twice. */
  deaf(seat: Seat, why: string, now: number): void {
    const said = this.about(seat)
    if (said.deaf === undefined && seat.answer !== undefined) {
      this.say(
        seat,
        'deaf',
        now,
        why,
        'the events of a sentinel are not heard, so the begin of a failover may be noticed too late; trying on',
      )
    }
    said.deaf = why
  }

  left({ address }: Seat): void {
    this.log.info(
      { upstream: this.upstream, sentinel: address },
      'a sentinel is not followed any more: the others do not know it',
    )
  }

  tooMany(limit: number, now: number): void {
    if (now - this.tooManySaidAt < SAY_TOO_MANY) return
    this.tooManySaidAt = now
    const cure = `SENTINEL RESET ${this.master} on one after the other makes them forget those that are gone`
    this.log.warn({ upstream: this.upstream, limit, cure }, 'the sentinels know more sentinels than are followed')
  }

  decided(): void {
    this.undecidedSince = undefined
  }

  /** No majority names a primary. `primary`: the one that is kept, as text; undefined: there was none yet. */
  undecided(seats: readonly Seat[], result: Tally, voters: number, primary: string | undefined, now: number): void {
    this.undecidedSince ??= now
    const [patience, pause] = primary === undefined ? [START_PATIENCE, SAY_SEEKING] : [LATER_PATIENCE, SAY_UNDECIDED]
    if (now - this.undecidedSince < patience || now - this.undecidedSaidAt < pause) return
    this.undecidedSaidAt = now
    const sentinels = seats.map((seat) => {
      const names = seat.answer?.names
      return `${seat.address}: ${names === undefined ? (this.about(seat).silent ?? 'no answer yet') : formatAddress(names)}`
    })
    const counts = [...result.counts].map(([name, count]) => `${count} of ${voters} sentinels name ${name}`)
    const text = [
      ...(counts.length === 0 ? [`none of ${voters} sentinels names a primary`] : counts),
      `${result.needed} are needed`,
    ]
    this.log.warn(
      { upstream: this.upstream, master: this.master, sentinels, cure: this.cureFor(seats, result) },
      `${text.join(', ')}${primary === undefined ? '' : `; going on with ${primary}, and a failover would not be followed`}`,
    )
  }

  private cureFor(seats: readonly Seat[], { counts }: Tally): string {
    for (const seat of seats) {
      const cure = cureOf(this.about(seat).silent)
      if (cure !== undefined) return cure
    }
    if (counts.size > 1)
      return `see what SENTINEL GET-MASTER-ADDR-BY-NAME ${this.master} says at each; one may be of another set, or have a file of its own past`
    if (counts.size === 0) return 'check sentinel.nodes, and that they can be reached from here'
    return `start the other sentinels; if there are none any more, SENTINEL RESET ${this.master} on one after the other makes these forget them, and sentinel.nodes should not name them`
  }

  private about(seat: Seat): Said {
    let said = this.said.get(seat)
    if (said === undefined) {
      said = { silent: undefined, deaf: undefined, at: new Map() }
      this.said.set(seat, said)
    }
    return said
  }

  private say(seat: Seat, what: string, now: number, why: string, text: string): void {
    const { at } = this.about(seat)
    if (now - (at.get(what) ?? Number.NEGATIVE_INFINITY) < SAY_SENTINEL) return
    at.set(what, now)
    this.log.warn({ upstream: this.upstream, sentinel: seat.address, why, cure: cureOf(why) }, text)
  }
}

function cureOf(why: string | undefined): string | undefined {
  return why === undefined ? undefined : CURES.find(([text]) => text.test(why))?.[1]
}
