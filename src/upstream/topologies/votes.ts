/** The result of counting. */
export interface Tally {
  /** Named by more than half of the voters; undefined: nobody is. */
  readonly winner: string | undefined
  /** How many name each. */
  readonly counts: ReadonlyMap<string, number>
  /** Votes that a winner needs. */
  readonly needed: number
}

/** Counts who names whom. `voters`: how many could have voted, those that are silent too. */
export function tally(votes: Iterable<string>, voters: number): Tally {
  const counts = new Map<string, number>()
  for (const vote of votes) counts.set(vote, (counts.get(vote) ?? 0) + 1)
  const needed = Math.floor(voters / 2) + 1
  let winner: string | undefined
  for (const [name, count] of counts) if (count >= needed) winner = name
  return { winner, counts, needed }
}
