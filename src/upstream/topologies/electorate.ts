import type { Peer, SentinelAnswer, SentinelLists } from './sentinel-answer.ts'

/** What must be known of a sentinel to judge whether it counts. */
export interface Seat {
  /** As text; where it is reached from here. */
  readonly address: string
  /** Named in the configuration. */
  readonly configured: boolean
  /** SENTINEL MYID as it said last, or as the others said. Behind an address of several sentinels it changes. */
  id: string | undefined
  /** Both connections of it lead to the sentinel `id`. */
  covers: boolean
  /** undefined: it is silent. */
  answer: SentinelAnswer | undefined
  /** As of its last long answer; undefined: none yet, or it is silent. */
  lists: SentinelLists | undefined
  /** Clock time since which no other sentinel lists it as up; and it does not answer, if it is configured. */
  unknownSince: number | undefined
  /** Silent, and nobody knows it any more: it is not counted until it is seen again. */
  gone: boolean
}

/** Where a peer is reached from here, as text. */
type AddressOf = (peer: Peer) => string

/** Milliseconds for which a sentinel may be unknown to all others: they hear of each other every two seconds. */
const UNKNOWN = 6000

/**
 * How many sentinels there are, for telling what a majority is. Neither what is configured nor what sentinels say is
 * right alone:
 * - The configuration is old when sentinels were replaced, and may name one of several. But before the first answers it is all
 *   that protects from believing the one sentinel that was reached first.
 * - Sentinels count each other (num-other-sentinels), those that died long ago, too, until SENTINEL RESET, and one that was
 *   set up wrongly may count anything. So we take what most of those that answer count at least (the median), without
 *   those that have been down for ten minutes: otherwise a Keyward that starts would refuse what one that was running follows.
 * - Those that answer do exist.
 * The largest of these, so that in doubt more have to agree.
 */
export function countVoters(seats: readonly Seat[]): number {
  const present = new Set<string>()
  const reported: number[] = []
  for (const seat of seats) {
    if (!seat.gone) present.add(nameOf(seat))
    // One that knows no such primary knows no sentinels of it either.
    if (seat.answer?.names === undefined) continue
    reported.push(seat.answer.voters - (seat.lists?.peers.filter((peer) => peer.forgotten).length ?? 0))
  }
  reported.sort((a, b) => a - b)
  return Math.max(present.size, reported[reported.length >> 1] ?? 0, 1)
}

/** The newest answer of each sentinel: two addresses may lead to the same one, which has one vote. */
export function answersOf<S extends Seat>(seats: readonly S[]): ReadonlyMap<string, S> {
  const newest = new Map<string, S>()
  for (const seat of seats) {
    if (seat.answer === undefined) continue
    const before = newest.get(nameOf(seat))?.answer
    if (before === undefined || before.askedAt < seat.answer.askedAt) newest.set(nameOf(seat), seat)
  }
  return newest
}

/**
 * Peers that at least half of the sentinels know and that have no seat yet. Half of those that are silent, too: one sentinel
 * of another set, which happens to use the same name, must not bring its friends and outvote the others.
 */
export function newcomers(seats: readonly Seat[], addressOf: AddressOf): readonly Peer[] {
  const known = new Map<string, { readonly peer: Peer; readonly by: Set<string> }>()
  const present = new Set<string>()
  for (const seat of seats) {
    if (seat.gone) continue
    present.add(nameOf(seat))
    for (const peer of seat.lists?.peers ?? []) {
      if (!peer.up) continue
      const address = addressOf(peer)
      const entry = known.get(address) ?? { peer, by: new Set() }
      entry.by.add(nameOf(seat))
      known.set(address, entry)
    }
  }
  return [...known].flatMap(([address, { peer, by }]) => {
    const seated = seats.some((seat) => seat.address === address || covered(peer.id, seat))
    return !seated && by.size * 2 >= present.size ? [peer] : []
  })
}

/**
 * Judges those that have been unknown for a while; only while more than half of all answer, since whoever is cut off knows
 * nobody. Half is enough when they do not know the other half even as being down: all were replaced, quickly. Of those that are
 * configured it is noted, the others are handed back: they can be given up.
 */
export function leavers<S extends Seat>(seats: readonly S[], addressOf: AddressOf, now: number): readonly S[] {
  for (const seat of seats) {
    if (isKnown(seat, seats, addressOf)) {
      seat.unknownSince = undefined
      seat.gone = false
    } else seat.unknownSince ??= now
  }
  const leave = seats.filter((seat) => !seat.configured && seats.some((other) => covered(seat.id, other)))
  const present = seats.filter((seat) => !seat.gone && !leave.includes(seat))
  const all = new Set(present.map(nameOf)).size
  const answering = answersOf(present)
  if (answering.size * 2 < all) return leave
  if (
    answering.size * 2 === all &&
    present.some((seat) => seat.answer === undefined && isListed(seat, seats, addressOf))
  ) {
    return leave
  }
  for (const seat of present) {
    if (seat.unknownSince === undefined || now - seat.unknownSince <= UNKNOWN) continue
    if (seat.configured) seat.gone = true
    else leave.push(seat)
  }
  return leave
}

function isKnown(seat: Seat, seats: readonly Seat[], addressOf: AddressOf): boolean {
  return (seat.configured && seat.answer !== undefined) || isListed(seat, seats, addressOf, (peer) => peer.up)
}

/** Whether any sentinel lists this one, and as one that `suits`. */
function isListed(
  seat: Seat,
  seats: readonly Seat[],
  addressOf: AddressOf,
  suits: (peer: Peer) => boolean = () => true,
): boolean {
  // One that was found is where it was found; if it has moved, it is found again there.
  const isIt = (peer: Peer) => addressOf(peer) === seat.address || (seat.configured && peer.id === seat.id)
  return seats.some(({ lists }) => lists?.peers.some((peer) => isIt(peer) && suits(peer)) ?? false)
}

/** Whether the seat's two connections, both of them, lead to the sentinel `id`. */
function covered(id: string | undefined, { configured, covers, id: own }: Seat): boolean {
  return configured && covers && id !== undefined && own === id
}

function nameOf({ id, address }: Seat): string {
  return id ?? address
}
