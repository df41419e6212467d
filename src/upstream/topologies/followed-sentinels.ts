import { formatAddress } from '../address.ts'
import type { HostPort, SentinelOptions } from '../options.ts'
import { leavers, newcomers, type Seat } from './electorate.ts'
import type { Hearing } from './first-move.ts'
import type { SentinelAnswer, SentinelLists } from './sentinel-answer.ts'
import type { SentinelComplaints } from './sentinel-complaints.ts'
import type { Link, LinkHost } from './sentinel-link.ts'

/** Limit of sentinels that are followed. */
const MOST_SENTINELS = 32

/** A sentinel that is followed. */
export interface FollowedSentinel extends Seat, Hearing {
  readonly link: Link
  answer: SentinelAnswer | undefined
  silent: boolean
  heardSince: number | undefined
  deaf: boolean
  /** SENTINEL MYID on the connection for events. */
  eventsId: string | undefined
  /** The primary that it named together with its lists, as text. */
  listsFor: string | undefined
}

export interface Follower {
  readonly now: () => number
  readonly complaints: SentinelComplaints
  openLink(node: HostPort, options: SentinelOptions, host: LinkHost): Link
  /** What it answers, whether it answers, or whether it is heard. */
  changed(): void
  event(seat: FollowedSentinel, channel: string, text: string): void
  fault(error: unknown): void
}

/** The sentinels that are asked and heard: those of the configuration, and those that they know. */
export class FollowedSentinels {
  readonly seats: FollowedSentinel[] = []
  private readonly options: SentinelOptions
  private readonly follower: Follower

  constructor(options: SentinelOptions, follower: Follower) {
    this.options = options
    this.follower = follower
  }

  start(): void {
    for (const node of this.options.nodes) this.follow(node, true, undefined)
  }

  stop(): void {
    for (const seat of this.seats.splice(0)) seat.link.stop()
  }

  /** `all`: also what changes rarely. */
  ask(all: boolean): void {
    for (const { link } of this.seats) link.ask(all)
  }

  beat(): void {
    for (const { link } of this.seats) link.beat()
  }

  /** Where that which sentinels call `node` is reached from here. */
  reachable(node: HostPort): HostPort {
    return this.options.natMap.get(formatAddress(node)) ?? node
  }

  private follow(node: HostPort, configured: boolean, id: string | undefined): void {
    const { follower } = this
    const seat: FollowedSentinel = {
      address: formatAddress(node),
      configured,
      id,
      eventsId: undefined,
      covers: false,
      answer: undefined,
      lists: undefined,
      listsFor: undefined,
      unknownSince: undefined,
      gone: false,
      silent: false,
      heardSince: undefined,
      deaf: false,
      link: follower.openLink(node, this.options, {
        now: follower.now,
        answered: (answer, lists) => this.answered(seat, answer, lists),
        silent: (why) => this.silent(seat, why),
        event: (channel, text) => {
          if (this.seats.includes(seat)) follower.event(seat, channel, text)
        },
        listening: (eventsId) => this.listening(seat, eventsId),
        deaf: (why) => this.deaf(seat, why),
        fault: (error) => follower.fault(error),
      }),
    }
    this.seats.push(seat)
  }

  private answered(seat: FollowedSentinel, answer: SentinelAnswer, lists: SentinelLists | undefined): void {
    if (!this.seats.includes(seat)) return
    seat.answer = answer
    seat.silent = false
    seat.gone = false
    this.follower.complaints.answers(seat, this.follower.now())
    if (lists !== undefined) {
      seat.lists = lists
      seat.listsFor = answer.names === undefined ? undefined : formatAddress(answer.names)
      seat.id = lists.id ?? seat.id
      matchIds(seat)
      this.changeSeats()
    }
    this.follower.changed()
  }

  private silent(seat: FollowedSentinel, why: string): void {
    seat.answer = undefined
    seat.lists = undefined
    seat.listsFor = undefined
    seat.silent = true
    this.follower.complaints.silent(seat, why, this.follower.now())
    this.follower.changed()
  }

  private listening(seat: FollowedSentinel, eventsId: string | undefined): void {
    seat.heardSince = this.follower.now()
    seat.deaf = false
    seat.eventsId = eventsId
    matchIds(seat)
    this.follower.complaints.heard(seat)
    // What it announced before has been missed.
    seat.link.ask(true)
    this.follower.changed()
  }

  private deaf(seat: FollowedSentinel, why: string): void {
    seat.heardSince = undefined
    seat.deaf = true
    this.follower.complaints.deaf(seat, why, this.follower.now())
    this.follower.changed()
  }

  private changeSeats(): void {
    const { complaints } = this.follower
    const now = this.follower.now()
    const addressOf = ({ address }: { readonly address: HostPort }) => formatAddress(this.reachable(address))
    for (const left of leavers(this.seats, addressOf, now)) {
      this.seats.splice(this.seats.indexOf(left), 1)
      left.link.stop()
      left.answer = undefined
      complaints.left(left)
    }
    for (const { address, id } of newcomers(this.seats, addressOf)) {
      if (this.seats.length >= MOST_SENTINELS) complaints.tooMany(MOST_SENTINELS, now)
      else this.follow(this.reachable(address), false, id)
    }
  }
}

/** Behind the address of a load balancer, the two connections may lead to different sentinels. */
function matchIds(seat: FollowedSentinel): void {
  seat.covers = seat.id !== undefined && seat.id === seat.eventsId
}
