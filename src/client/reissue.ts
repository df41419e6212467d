import { ArgView } from '../commands/arg-view.ts'
import type { Exchange } from '../commands/exchange.ts'
import type { KeyList } from '../commands/spec.ts'
import { decodeReply } from '../resp/reply-decoder.ts'
import { encodeRequest } from '../resp/request-encoder.ts'

/** What a blocked command needs to be sent again as if nothing had happened. */
interface Blocked {
  /** The request as it goes upstream, by arguments. */
  readonly args: Buffer[]
  /** Milliseconds for which it may still block when it is sent; 0 = for ever. */
  time: number
  /** It was sent before, and its time runs on while it waits to be sent again. */
  again: boolean
  /** Arguments that say `$`, and what that meant when it was sent. */
  readonly newest: { readonly argument: number; id: string | undefined }[]
}

/**
 * Remembers how long x may block. XREAD with `$` is preceded by XREVRANGE key + - COUNT 1 for each such key, whose
 * replies tell which id was the newest: sent again with `$`, it would miss what came in between (s10).
 * x.bytes must hold the request as it goes upstream, `keys` its keys.
 */
export function prepareReissue(x: Exchange, time: number, keys: KeyList): void {
  // A request is an array of bulk strings, so the reply decoder reads it.
  const args = (decodeReply(x.bytes, x.start, x.end).items ?? []).map((item) => item.text as Buffer)
  const blocked: Blocked = { args, time, again: false, newest: [] }
  x.note = blocked
  if (x.spec.quirk.fromNewest !== true) return
  const preface: Buffer[] = []
  for (let i = 0; i < keys.count; i++) {
    const argument = keys.at[i] + keys.count
    if (args[argument]?.toString('latin1') !== '$') continue
    blocked.newest.push({ argument, id: undefined })
    preface.push(encodeRequest(['XREVRANGE', args[keys.at[i]], '+', '-', 'COUNT', '1']))
  }
  x.swallow = preface.length
  x.setBytes(Buffer.concat([...preface, x.bytes.subarray(x.start, x.end)]))
}

/** The reply to one of the XREVRANGE in front of x. */
export function overhear(x: Exchange, frame: Buffer): void {
  const waiting = (x.note as Blocked).newest.find((one) => one.id === undefined)
  if (waiting === undefined) return
  const entry = decodeReply(frame, 0, frame.length).items?.[0]
  waiting.id = entry?.items?.[0]?.text?.toString('latin1') ?? '0-0'
}

/** x goes out now, after it has waited for a connection. `now`: clock milliseconds. */
export function sendAgainLate(x: Exchange, now: number): void {
  if ((x.note as Blocked | undefined)?.again === true) sendAgain(x, now)
}

/** Makes x what it has to say now: the ids that `$` meant then, and the time that is left. `now`: clock milliseconds. */
export function sendAgain(x: Exchange, now: number): void {
  const blocked = x.note as Blocked | undefined
  if (blocked === undefined || x.place === 'scheduled') return
  const { args } = blocked
  blocked.again = true
  for (const { argument, id } of blocked.newest) if (id !== undefined) args[argument] = Buffer.from(id)
  blocked.newest.length = 0
  if (blocked.time > 0) {
    const left = Math.max(1, Math.ceil(blocked.time - (now - x.since)))
    const where = x.spec.quirk.timeout?.(ArgView.of(args))
    if (where !== undefined) args[where.at] = Buffer.from(String((left * where.perSecond) / 1000))
    x.patience -= blocked.time - left
    blocked.time = left
    x.since = now
  }
  // WAIT confirms what its own connection has executed.
  const pinged = x.spec.route === 'wait'
  x.swallow = pinged ? 1 : 0
  // What follows it in the same piece.
  const behind = x.behind > 0 ? x.tail : undefined
  x.setBytes(pinged ? Buffer.concat([encodeRequest(['PING']), encodeRequest(args)]) : encodeRequest(args))
  x.tail = behind
}
