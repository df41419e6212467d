import type { CommandSpec } from './spec.ts'

/**
 * Names to specs, without making a string of the name: a hash over three of its bytes with letters folded to lower
 * case, open addressing, and a comparison byte by byte.
 */
class NameIndex {
  private readonly specs: readonly CommandSpec[]
  /** Position in `specs` plus one; 0 = free. At most half full, so a search ends. */
  private readonly slots: Int32Array
  private readonly mask: number
  private readonly names: Buffer
  /** Name i is names[offsets[i] .. offsets[i + 1]). */
  private readonly offsets: Int32Array
  private readonly longest: number

  constructor(specs: readonly CommandSpec[], names: readonly string[]) {
    this.specs = specs
    this.names = Buffer.from(names.join(''), 'latin1')
    this.offsets = new Int32Array(names.length + 1)
    let size = 4
    while (size < names.length * 2) size *= 2
    this.slots = new Int32Array(size)
    this.mask = size - 1
    let longest = 0
    for (let i = 0; i < names.length; i++) {
      const start = this.offsets[i]
      const end = start + names[i].length
      this.offsets[i + 1] = end
      longest = Math.max(longest, names[i].length)
      let slot = hash(this.names, start, end) & this.mask
      while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask
      this.slots[slot] = i + 1
    }
    this.longest = longest
  }

  find(buf: Buffer, start: number, end: number): CommandSpec | undefined {
    if (end <= start || end - start > this.longest) return undefined
    let slot = hash(buf, start, end) & this.mask
    for (;;) {
      const entry = this.slots[slot]
      if (entry === 0) return undefined
      if (this.equal(entry - 1, buf, start, end)) return this.specs[entry - 1]
      slot = (slot + 1) & this.mask
    }
  }

  private equal(i: number, buf: Buffer, start: number, end: number): boolean {
    const from = this.offsets[i]
    const length = end - start
    if (this.offsets[i + 1] - from !== length) return false
    for (let k = 0; k < length; k++) {
      const byte = buf[start + k]
      const lower = byte >= 65 && byte <= 90 ? byte | 0x20 : byte
      if (lower !== this.names[from + k]) return false
    }
    return true
  }
}

/**
 * Length, first, middle and last byte tell nearly all command names apart; the names are ours, so nobody can choose
 * colliding ones. `| 0x20` makes lower case of letters and mixes up a few other bytes, which `equal` tells apart.
 */
function hash(buf: Buffer, start: number, end: number): number {
  const length = end - start
  const ends = (buf[start] | 0x20) ^ Math.imul(buf[end - 1] | 0x20, 0x1f35)
  const h = Math.imul(ends ^ Math.imul(buf[start + (length >> 1)] | 0x20, 0x2c1b) ^ (length << 20), 0x9e3779b1)
  return h ^ (h >>> 15)
}

/** All commands that are known, open or not. Immutable. */
export class CommandTable {
  private readonly specs: readonly CommandSpec[]
  private readonly top: NameIndex
  /** By the container's index. */
  private readonly subs: (NameIndex | undefined)[]
  private readonly names = new Map<string, CommandSpec>()

  /** `specs`: commands and subcommands, each at its own index. */
  constructor(specs: readonly CommandSpec[]) {
    this.specs = specs
    const top = specs.filter((spec) => !spec.name.includes('|'))
    this.top = new NameIndex(
      top,
      top.map((spec) => spec.name),
    )
    this.subs = new Array(specs.length).fill(undefined)
    for (const spec of specs) {
      this.names.set(spec.name, spec)
      if (spec.subcommands === undefined) continue
      this.subs[spec.index] = new NameIndex([...spec.subcommands.values()], [...spec.subcommands.keys()])
    }
  }

  /** The command with the name buf[start .. end), in any case. A container's own spec, not its subcommand's. */
  find(buf: Buffer, start: number, end: number): CommandSpec | undefined {
    return this.top.find(buf, start, end)
  }

  /** The subcommand of a container with the name buf[start .. end), in any case. */
  findSub(spec: CommandSpec, buf: Buffer, start: number, end: number): CommandSpec | undefined {
    return this.subs[spec.index]?.find(buf, start, end)
  }

  /** A command or, as "container|sub", a subcommand, in any case. */
  byName(name: string): CommandSpec | undefined {
    return this.names.get(name.toLowerCase())
  }

  /** Commands and subcommands in order of name; position = index. */
  all(): readonly CommandSpec[] {
    return this.specs
  }
}
