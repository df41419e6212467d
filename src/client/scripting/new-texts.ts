import type { Tenant } from '../../session/tenant.ts'

const MINUTE = 60_000

/** Bytes of text that count as one script: reading it takes time, which all tenants lack. */
const PIECE = 16 * 1024

/**
 * How many scripts each tenant has brought this minute whose texts are not at hand. One that nobody has run before stays in the server,
 * compiled and many times as large as its text, since Redis before 7.4 forgets none; whoever writes values into texts, in place of ARGV,
 * has a new one for each.
 */
export class NewTexts {
  private readonly most: () => number
  /** By name. */
  private readonly windows = new Map<string, { since: number; count: number }>()

  constructor(most: () => number) {
    this.most = most
  }

  /**
   * Counts one more, of so many bytes, or tells in how many milliseconds there may be one. A large one counts as many, but may always be
   * the first of its minute. `now`: clock milliseconds.
   */
  take({ name }: Tenant, bytes: number, now: number): number {
    let window = this.windows.get(name)
    if (window === undefined || now - window.since >= MINUTE) {
      window = { since: now, count: 0 }
      this.windows.set(name, window)
    }
    const most = this.most()
    const count = Math.max(1, Math.ceil(bytes / PIECE))
    if (window.count >= most || (window.count > 0 && window.count + count > most)) return window.since + MINUTE - now
    window.count += count
    return 0
  }

  /** The tenant is gone. */
  forget(tenant: string): void {
    this.windows.delete(tenant)
  }

  /** The error, without `-`, for one who would have to wait so many milliseconds. */
  refusal(wait: number): string {
    return `RATELIMITED scripts.newPerMinute: ${this.most()}/m; retry after ${Math.ceil(wait)} ms`
  }
}
