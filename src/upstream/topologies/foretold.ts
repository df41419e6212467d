/** Milliseconds: by then the sentinels have been asked again, several times, and their answers tell. */
const FRESH = 5000

/** What a sentinel announced. */
interface Announcement {
  /** As it names it. */
  readonly primary: string
  readonly why: string
  /** Clock time. */
  readonly at: number
}

/**
 * Failovers of primaries that are not ours yet. One may follow so closely on another that it is announced before a majority
 * has named the primary that it begins with, and it is announced once. The newest of each sentinel is kept, so that
 * none can displace what another said.
 */
export class Foretold<T extends object> {
  private readonly newest = new WeakMap<T, Announcement>()

  note(teller: T, announcement: Announcement): void {
    this.newest.set(teller, announcement)
  }

  /** It has called the failover of `primary` off. */
  takeBack(teller: T, primary: string): void {
    if (this.newest.get(teller)?.primary === primary) this.newest.delete(teller)
  }

  /** What it announced of `primary`, which is ours now; undefined: nothing, or too long ago. Told once. */
  take(teller: T, primary: string, now: number): Announcement | undefined {
    const found = this.newest.get(teller)
    if (found?.primary !== primary) return undefined
    this.newest.delete(teller)
    return now - found.at > FRESH ? undefined : found
  }
}
