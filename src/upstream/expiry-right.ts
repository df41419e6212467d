/** What the question is asked of; it never comes to be, as its time is none. */
const KEY = 'keyward:expiry'

/** For servers whose PEXPIRE does not know NX: what is asked there in its place (client/expire-behind.ts). */
const BY_SCRIPT = "redis.call('pttl',KEYS[1]) return redis.call('pexpire',KEYS[1],ARGV[1])"

/** Of an ACL, by itself or out of a script; and of a server where the command was renamed. */
const DENIED = /^-?NOPERM|can't run this command|no permissions|ACL failure|unknown command/i

/**
 * Whether the upstream's user may set the expiries that ttl rules send behind writes. Where it may not, such writes are refused: keys
 * that nobody would ever expire are worse than errors that everybody sees. Asked in each handshake, and while the answer is no, or
 * in doubt, with each health probe: a PEXPIRE whose time is no number, so that the server looks at the rights and does nothing.
 */
export class ExpiryRight {
  /** What the server's last answer said. */
  denied = false
  private prefix: string | undefined = undefined
  private doubted = false

  /** `prefix`: in front of raw keys of a tenant that needs the right, one character per byte; undefined: nobody needs it. */
  want(prefix: string | undefined): void {
    if (prefix !== undefined && this.prefix === undefined) this.doubted = true
    if (prefix === undefined) this.denied = false
    this.prefix = prefix
  }

  /** An expiry was answered by an error, whatever that was. */
  doubt(): void {
    this.doubted = true
  }

  /** It has to be asked again. */
  get due(): boolean {
    return this.prefix !== undefined && (this.denied || this.doubted)
  }

  /** The arguments of the request that asks; undefined: nobody needs to know. `knowsNx`: of the server's PEXPIRE. */
  question(knowsNx: boolean): readonly string[] | undefined {
    if (this.prefix === undefined) return undefined
    const key = this.prefix + KEY
    return knowsNx ? ['PEXPIRE', key, 'x'] : ['EVAL', BY_SCRIPT, '1', key, 'x']
  }

  /** `reply`: to that; an error, if the server is well. Returns whether it was denied. */
  judge(reply: string): boolean {
    this.doubted = false
    this.denied = this.prefix !== undefined && DENIED.test(reply)
    return this.denied
  }
}
