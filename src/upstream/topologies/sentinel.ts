import { Lifecycle } from '../../lib/lifecycle.ts'
import { formatAddress } from '../address.ts'
import type { HostPort, SentinelOptions } from '../options.ts'
import { answersOf, countVoters } from './electorate.ts'
import { FailoverWatch } from './failover-watch.ts'
import { FirstMove } from './first-move.ts'
import { type FollowedSentinel, FollowedSentinels, type Follower } from './followed-sentinels.ts'
import { Foretold } from './foretold.ts'
import { PlannedFailover } from './planned-failover.ts'
import type { SentinelAnswer } from './sentinel-answer.ts'
import { SentinelComplaints } from './sentinel-complaints.ts'
import { parseEvent } from './sentinel-events.ts'
import { SentinelLink } from './sentinel-link.ts'
import type { Topology, TopologyHost, TopologyView } from './topology.ts'
import { tally } from './votes.ts'

/** Milliseconds between two questions to each sentinel; every second time, what changes rarely is asked, too. */
const POLL = 1000

/**
 *   idle       not started
 *   seeking    no majority has named a primary yet, or not every sentinel has been heard that could know of a failover of it
 *   following  the primary is known, and nothing is known against it
 *   suspended  a failover of it is under way
 */
const MOVES = {
  idle: ['seeking', 'stopped'],
  seeking: ['following', 'stopped'],
  following: ['suspended', 'stopped'],
  suspended: ['following', 'stopped'],
  stopped: [],
} as const
type State = keyof typeof MOVES

/**
 * Finds the primary by Redis Sentinel, and follows it. The primary is the address that more than half of the sentinels name;
 * no sentinel is believed alone, and no server because of what it says about itself. Events of any sentinel make us ask all of
 * them, and the answers decide. The exception is the begin of a failover: its leader alone announces it, 50 to 100 ms before the
 * replica is promoted, and what is written to the old primary from then on is lost. So that one is believed at once, and
 * writes wait until the failover has ended one way or the other.
 * https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/
 */
export class SentinelTopology implements Topology {
  primary: HostPort | undefined
  replicas: readonly HostPort[] = []
  private readonly options: SentinelOptions
  private readonly host: TopologyHost
  private readonly now: () => number
  private readonly life = new Lifecycle<State>('idle', MOVES)
  private readonly complaints: SentinelComplaints
  private readonly sentinels: FollowedSentinels
  private readonly watch = new FailoverWatch<FollowedSentinel>()
  private readonly foretold = new Foretold<FollowedSentinel>()
  private readonly firstMove = new FirstMove(() => this.decide())
  private readonly planned = new PlannedFailover()
  /** The primary as sentinels name it, and so as it stands in their events. */
  private named: string | undefined
  private timer: NodeJS.Timeout | undefined
  private ticks = 0

  /** `upstream`: its name, for the log. `openLink` and `now` are for tests. */
  constructor(
    upstream: string,
    options: SentinelOptions,
    host: TopologyHost,
    openLink: Follower['openLink'] = (...args) => new SentinelLink(...args),
    now: () => number = () => performance.now(),
  ) {
    this.options = options
    this.host = host
    this.now = now
    this.complaints = new SentinelComplaints(upstream, options.master, host.log)
    this.sentinels = new FollowedSentinels(options, {
      now,
      complaints: this.complaints,
      openLink,
      changed: () => this.decide(),
      event: (seat, channel, text) => this.event(seat, channel, text),
      fault: (error) => host.fault(error),
    })
  }

  get state(): State {
    return this.life.state
  }

  start(): void {
    this.life.enter('seeking')
    this.sentinels.start()
    this.timer = setInterval(() => this.tick(), POLL)
    this.timer.unref()
  }

  stop(): void {
    if (!this.life.enter('stopped')) return
    clearInterval(this.timer)
    this.firstMove.end()
    this.sentinels.stop()
    this.planned.refused('Keyward stops')
  }

  doubt(_why: string): void {
    this.sentinels.ask(false)
  }

  async failover(): Promise<void> {
    // Only by one whose events we hear: what it announces is what makes writes wait.
    const able = this.sentinels.seats.filter((seat) => seat.heardSince !== undefined && this.isNamedBy(seat.answer))
    if (able.length === 0)
      throw new Error('no sentinel that names the primary can be both asked and heard: see the log')
    const timeout = Math.max(...able.map(({ answer }) => answer?.failoverTimeout ?? 0))
    await this.planned.begin(
      able.map(({ link }) => link),
      timeout,
    )
  }

  view(): TopologyView {
    const sentinels = this.sentinels.seats.map(({ address, answer }) => ({
      address,
      connected: answer !== undefined,
      names: answer?.names === undefined ? undefined : formatAddress(answer.names),
    }))
    return { kind: 'sentinel', sentinels }
  }

  /** The interval calls it. */
  tick(): void {
    this.sentinels.ask(this.ticks++ % 2 === 0)
    this.sentinels.beat()
    this.decide()
  }

  // What sentinels tell by themselves.

  private event(seat: FollowedSentinel, channel: string, text: string): void {
    const event = parseEvent(channel, text, this.options.master)
    switch (event?.kind) {
      case undefined:
        return
      case 'danger':
        this.endangered(seat, event.primary, channel)
        break
      case 'switched':
        // It may be the first to know, or alone in error: writes wait until the others have said which.
        this.endangered(seat, event.from, channel)
        break
      case 'aborted':
        this.foretold.takeBack(seat, event.primary)
        if (event.primary === this.named) this.calledOff(seat, channel)
        break
      case 'news':
        if (!event.now) {
          // Soon enough at the next tick, with the lists.
          this.ticks = 0
          return
        }
    }
    this.sentinels.ask(true)
  }

  private endangered(seat: FollowedSentinel, primary: string, channel: string): void {
    const why = `${channel} from sentinel ${seat.address}`
    const at = this.now()
    if (primary === this.named) this.suspend(seat, at, why)
    else this.foretold.note(seat, { primary, why, at })
  }

  /** Nothing may be waited for here: what is written from now on may be lost. `since`: what was asked before proves nothing. */
  private suspend(seat: FollowedSentinel, since: number, why: string): void {
    this.host.suspend(why)
    this.watch.tell(seat, since)
    this.life.enter('suspended')
  }

  private calledOff(seat: FollowedSentinel, why: string): void {
    this.watch.takeBack(seat)
    // What it answered before it called it off.
    if (seat.answer !== undefined) seat.answer = { ...seat.answer, failover: undefined }
    this.planned.refused(why)
    this.decide()
  }

  // What follows from what they answer.

  private decide(): void {
    if (this.state === 'idle' || this.state === 'stopped') return
    const now = this.now()
    const answering = [...answersOf(this.sentinels.seats).values()]
    const named = answering.flatMap(({ answer }) => (answer?.names === undefined ? [] : [answer.names]))
    const voters = countVoters(this.sentinels.seats)
    const result = tally(named.map(formatAddress), voters)
    const { winner } = result
    const words = winner === undefined ? '' : `${result.counts.get(winner)} of ${voters} sentinels name it`
    if (winner === undefined) {
      const kept = this.primary && formatAddress(this.primary)
      this.complaints.undecided(this.sentinels.seats, result, voters, kept, now)
    } else {
      this.complaints.decided()
      const address = named.find((one) => formatAddress(one) === winner)
      const due = this.named !== undefined || this.firstMove.due(this.sentinels.seats, now)
      if (winner !== this.named && address !== undefined && due) {
        this.move(winner, this.sentinels.reachable(address), words, now)
      }
    }
    this.chooseReplicas(answering)
    this.followFailover(winner === this.named, now, words)
  }

  private move(named: string, primary: HostPort, words: string, now: number): void {
    const first = this.named === undefined
    this.named = named
    this.primary = primary
    this.replicas = []
    this.watch.clear()
    this.life.enter('following')
    this.firstMove.end()
    this.host.moveTo(primary, words)
    // In the same step: the host has not written anything there yet. Not before: moving ends a suspension.
    for (const seat of this.sentinels.seats) {
      const announced = this.foretold.take(seat, named, now)
      if (announced !== undefined) this.suspend(seat, announced.at, announced.why)
    }
    this.planned.moved()
    // Who is a replica has changed, too.
    if (!first) this.sentinels.ask(true)
  }

  private followFailover(agreed: boolean, now: number, words: string): void {
    for (const seat of this.sentinels.seats) {
      const failover = seat.answer?.failover
      if (failover === undefined || failover.from !== this.named || this.watch.knows(seat)) continue
      const since = seat.answer?.askedAt ?? now
      // Its event was missed, or comes in a moment. A host that has given up waiting for this failover is not told again.
      if (this.state === 'suspended') this.watch.tell(seat, since)
      else this.suspend(seat, since, `sentinel ${seat.address} says failover_in_progress, ${failover.state}`)
    }
    if (this.state !== 'suspended') return
    this.watch.review(
      agreed,
      now,
      (answer) => this.isNamedBy(answer),
      (answer) => answer.failover?.from === this.named,
    )
    if (!this.watch.quiet) return
    this.life.enter('following')
    this.planned.refused('the failover ended, and the primary is the same as before')
    this.host.resume(agreed ? `no failover is under way any more, and ${words}` : 'the failover was called off')
  }

  private isNamedBy(answer: SentinelAnswer | undefined): boolean {
    return answer?.names !== undefined && formatAddress(answer.names) === this.named
  }

  /** Those that more than half of the sentinels that name the primary list in good order: one alone might lead us anywhere. */
  private chooseReplicas(answering: readonly FollowedSentinel[]): void {
    const lists = answering.flatMap(({ lists, listsFor }) =>
      lists === undefined || listsFor === undefined || listsFor !== this.named ? [] : [lists.replicas],
    )
    if (lists.length === 0) return
    const addresses = new Map<string, HostPort>()
    const votes: string[] = []
    for (const replica of lists.flat()) {
      const text = formatAddress(replica)
      addresses.set(text, replica)
      if (text !== this.named) votes.push(text)
    }
    const good: HostPort[] = []
    for (const [text, count] of tally(votes, lists.length).counts) {
      const address = addresses.get(text)
      if (count * 2 > lists.length && address !== undefined) good.push(this.sentinels.reachable(address))
    }
    this.replicas = good
  }
}
