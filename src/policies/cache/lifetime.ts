import type { CacheRule } from '../../session/tenant.ts'

/** Not to be stored. It is in the past of every clock. */
export const NEVER = Number.NEGATIVE_INFINITY

const COLON = 0x3a
const MINUS = 0x2d
const ZERO = 0x30
const CR = 0x0d
const LF = 0x0a

/**
 * The number in a reply to PTTL, buf[start..end): milliseconds, -1 for a key that does not expire, -2 for none. NaN: it
 * is no such reply, or no number that can be counted with.
 */
export function readPttl(buf: Buffer, start: number, end: number): number {
  if (end - start < 4 || buf[start] !== COLON || buf[end - 2] !== CR || buf[end - 1] !== LF) return Number.NaN
  const negative = buf[start + 1] === MINUS
  let value = 0
  const first = start + (negative ? 2 : 1)
  if (first === end - 2) return Number.NaN
  for (let at = first; at < end - 2; at++) {
    const digit = buf[at] - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    value = 10 * value + digit
  }
  if (negative) value = -value
  return value >= -2 && Number.isSafeInteger(value) ? value : Number.NaN
}

/**
 * When what has been fetched stops being good, on the clock that `sentAt` is of; NEVER: it must not be stored. It is
 * the earliest of what the key's own expiry and the rule say, counted from `sentAt`, the moment before which the fetch
 * had not been sent: the server looked later than that, so the key is there at least as long.
 *
 * `pttl`: as readPttl has it, from the same batch as the reply. `absent`: the reply is what a key that does not exist
 * gives. Beside any other one, -2 means that the key came in between: nothing is known of when it will go. `random`: 0
 * to 1, for the jitter, so that what was stored together does not end together.
 */
export function endOf(pttl: number, absent: boolean, sentAt: number, rule: CacheRule, random: number): number {
  const share = 1 - rule.jitter * random
  if (pttl === -2) return absent && rule.negative > 0 ? sentAt + Math.min(rule.negative, rule.maxAge) * share : NEVER
  if (pttl === -1) return sentAt + rule.maxAge * share
  return pttl > 0 ? sentAt + Math.min(pttl, rule.maxAge * share) : NEVER
}
