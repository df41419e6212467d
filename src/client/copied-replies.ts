import { copyBytes } from '../lib/slab.ts'

const SLAB_BYTES = 64 * 1024
/** Longer replies are written from where they are. */
export const LONGEST_COPY = SLAB_BYTES / 4

/** Whose output the copies are part of. */
export interface CopyOwner {
  /** A run of copies is whole; it comes behind what was added before. */
  addRun(run: Buffer): void
}

/**
 * Replies whose memory is about to be used for something else, copied one behind the other: those to one pipeline are
 * one span, for which one Buffer is made. When the kernel has taken all spans of a turn, which is the rule, the memory
 * is used again; else it is left to whoever still has it.
 */
export class CopiedReplies {
  private bytes: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
  private used = 0
  /** Where the run of `owner` begins. */
  private from = 0
  private owner: CopyOwner | undefined = undefined
  /** Runs in `bytes` that the kernel may not have taken. */
  private out = 0
  /** Of the memory: another one is another number. */
  private slab = 0

  /** buf[start..end), at most LONGEST_COPY bytes, at the end of what the owner has. */
  add(owner: CopyOwner, buf: Buffer, start: number, end: number): void {
    if (this.owner !== owner || end - start > SLAB_BYTES - this.used) this.begin(owner, end - start)
    this.used = copyBytes(buf, start, end, this.bytes, this.used)
  }

  private begin(owner: CopyOwner, length: number): void {
    this.closeRun()
    if (length > SLAB_BYTES - this.used) {
      this.bytes = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.used = 0
      this.out = 0
      this.slab++
    }
    this.owner = owner
    this.from = this.used
  }

  /** Before anything else is added to the owner's output, or taken from it. */
  close(owner: CopyOwner): void {
    if (this.owner === owner) this.closeRun()
  }

  private closeRun(): void {
    const { owner } = this
    if (owner === undefined) return
    this.owner = undefined
    this.out++
    owner.addRun(this.bytes.subarray(this.from, this.used))
  }

  /** What `taken` is told when its runs have been written. */
  get mark(): number {
    return this.slab
  }

  /** The kernel has taken so many runs that were made while `mark` was this. */
  taken(runs: number, mark: number): void {
    if (mark !== this.slab) return
    this.out -= runs
    if (this.out === 0 && this.owner === undefined) this.used = 0
  }
}

/** One for the process: requests are handled one after the other. */
export const copiedReplies = new CopiedReplies()
