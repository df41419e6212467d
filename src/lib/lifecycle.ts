/** A named state with a written list of legal moves. An illegal move is a bug of ours, so it throws. */
export class Lifecycle<S extends string> {
  state: S
  private readonly moves: Readonly<Record<S, readonly S[]>>

  constructor(initial: S, moves: Readonly<Record<S, readonly S[]>>) {
    this.state = initial
    this.moves = moves
  }

  /** Moves to `next`; false when it is there already. */
  enter(next: S): boolean {
    if (this.state === next) return false
    if (!this.moves[this.state].includes(next)) throw new Error(`illegal move ${this.state} -> ${next}`)
    this.state = next
    return true
  }
}
