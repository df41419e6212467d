import { ArgView } from '../commands/arg-view.ts'
import type { Exchange } from '../commands/exchange.ts'
import { findKeys } from '../commands/keys.ts'
import { KeyList } from '../commands/spec.ts'
import { Asked } from './pubsub/asked.ts'
import { TenantRun } from './scripting/tenant-run.ts'
import { StoredArgs } from './stored-args.ts'
import { Abort } from './transaction.ts'

/** SLOWLOG shows no more of a request, and no more of an argument. */
export const MOST_ARGUMENTS = 32
export const MOST_BYTES = 128

/** The first arguments of a request, without the tenant's prefix. */
export interface SentArguments {
  /** How many the request has. */
  readonly count: number
  /** The first 32, each as far as its first 128 bytes. */
  readonly heads: readonly Buffer[]
  /** How long those are in truth. */
  readonly lengths: readonly number[]
}

/**
 * What the client asked for, read back from what x sends or does; the buffers are copies. undefined: it does not send
 * what the client asked for (a PING in its place). A rare path: it takes as long as 32 arguments take.
 */
export function sentArguments(x: Exchange): SentArguments | undefined {
  if (x.spec.route === 'local' || x.note instanceof Abort) return undefined
  if (x.errand !== undefined) return x.errand.request === undefined ? undefined : headsOf(x.errand.request)
  // Another request goes in the place of this one.
  const said = x.note instanceof Asked ? x.note.said : x.note
  if (said instanceof StoredArgs) return headsOf(said.into(new ArgView()).all())
  if (x.note instanceof TenantRun) {
    const bytes = x.note.said(x)
    return readSent({
      spec: x.spec,
      prefix: x.prefix,
      bytes,
      start: 0,
      end: bytes.length,
      tail: undefined,
      size: bytes.length,
    })
  }
  return readSent(x)
}

/** A request that went upstream, maybe in two pieces. */
type Sent = Pick<Exchange, 'spec' | 'prefix' | 'bytes' | 'start' | 'end' | 'tail' | 'size'>

function headsOf(args: readonly Buffer[]): SentArguments {
  const shown = args.slice(0, MOST_ARGUMENTS)
  return {
    count: args.length,
    heads: shown.map((arg) => Buffer.from(arg.subarray(0, MOST_BYTES))),
    lengths: shown.map((arg) => arg.length),
  }
}

function readSent(x: Sent): SentArguments {
  const reader = new Reader(x)
  const { prefix } = x
  const count = reader.number()
  const shown = Math.min(count, MOST_ARGUMENTS)
  const most = MOST_BYTES + prefix.length
  // One allocation for all of them; the log keeps it.
  const bytes = Buffer.allocUnsafeSlow(Math.min(x.size, shown * most))
  const offsets = new Int32Array(2 * Math.max(count, shown))
  const lengths: number[] = []
  /** Where they are in the request. */
  const whole = new Int32Array(offsets.length)
  let used = 0
  for (let i = 0; i < shown; i++) {
    const length = reader.number()
    whole[2 * i] = reader.at
    whole[2 * i + 1] = reader.at + length
    offsets[2 * i] = used
    used += reader.copy(length, Math.min(length, most), bytes, used)
    offsets[2 * i + 1] = used
    lengths.push(length)
  }
  offsets.fill(used, 2 * shown)
  const keys = new KeyList()
  if (x.spec.channel > 0) keys.push(x.spec.channel)
  else if (prefix.length > 0) {
    // A quirk looks at what arguments hold, perhaps far behind what is shown: the `*` of a pattern of SORT's.
    const view = new ArgView()
    if (x.spec.quirk.keys === undefined) view.set(bytes, count, offsets)
    else view.set(x.tail === undefined ? reader.head : Buffer.concat([reader.head, x.tail]), count, whole)
    findKeys(x.spec, view, keys)
  }
  for (let k = 0; k < keys.count; k++) {
    const i = keys.at[k]
    if (i >= shown) continue
    offsets[2 * i] += prefix.length
    lengths[i] -= prefix.length
  }
  const heads = lengths.map((_, i) =>
    bytes.subarray(offsets[2 * i], Math.min(offsets[2 * i + 1], offsets[2 * i] + MOST_BYTES)),
  )
  return { count, heads, lengths }
}

/** Reads x's request, `*n`, then `$length` and bytes for each, across the border of its two pieces. */
class Reader {
  readonly head: Buffer
  private readonly tail: Buffer
  /** Where the next byte is, counted over both pieces. */
  at = 0

  constructor(x: Sent) {
    this.head = x.bytes.subarray(x.start, x.end)
    this.tail = x.tail ?? NONE
  }

  /** The number in a line behind its type byte. */
  number(): number {
    let value = 0
    let byte = this.byte(++this.at)
    for (; byte !== CR; byte = this.byte(++this.at)) value = value * 10 + byte - ZERO
    this.at += 2
    return value
  }

  /** Copies the first `most` of the next `length` bytes to out[to], and skips them and the line end. Returns `most`. */
  copy(length: number, most: number, out: Buffer, to: number): number {
    for (let i = 0; i < most; i++) out[to + i] = this.byte(this.at + i)
    this.at += length + 2
    return most
  }

  private byte(at: number): number {
    // Behind the end, which only a bug could reach: a line end, so that number() ends.
    return (at < this.head.length ? this.head[at] : this.tail[at - this.head.length]) ?? CR
  }
}

const NONE = Buffer.alloc(0)
const CR = 0x0d
const ZERO = 0x30
