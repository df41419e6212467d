import type { CommandSpec } from '../commands/spec.ts'

/** Arguments up to which a request is read. */
const MOST = 1000

/**
 * The keys of a request of Keyward's own, as it goes upstream, whose command says where they stand. One object is read into again
 * and again.
 */
export class RawKeys {
  count = 0
  /** Key i is request[at[2*i] .. at[2*i+1]). */
  readonly at = new Int32Array(2 * MOST)

  /** Reads them. False: it has none, or has not been understood; then there are none here. */
  read(spec: CommandSpec, request: Buffer): boolean {
    const { firstKey, keyStep, lastKey } = spec
    this.count = 0
    let pos = request.indexOf(LF) + 1
    const args = numberIn(request, pos)
    const last = lastKey < 0 ? args + lastKey : lastKey
    if (!(args <= MOST) || firstKey <= 0 || last < firstKey || last >= args) return false
    let count = 0
    for (let i = 0; i <= last; i++) {
      const from = request.indexOf(LF, pos) + 1
      const to = from + numberIn(request, from)
      if (!(to <= request.length)) return false
      if (i >= firstKey && (i - firstKey) % keyStep === 0) {
        this.at[2 * count] = from
        this.at[2 * count++ + 1] = to
      }
      pos = to + 2
    }
    this.count = count
    return true
  }
}

/** The number in the line that ends in front of `pos`; NaN: there is none. */
function numberIn(buf: Buffer, pos: number): number {
  let number = 0
  let unit = 1
  for (let at = pos - 3; at >= 0 && buf[at] >= ZERO && buf[at] <= NINE; at--) {
    number += (buf[at] - ZERO) * unit
    unit *= 10
  }
  return unit === 1 ? Number.NaN : number
}

const LF = 0x0a
const ZERO = 0x30
const NINE = 0x39
