import type { Random } from '../differential/random.ts'

/** What a key is meant to hold. RENAME and COPY let it hold something else now and then. */
export const KINDS = ['string', 'bitmap', 'hll', 'list', 'set', 'zset', 'hash', 'geo', 'stream'] as const
export type Kind = (typeof KINDS)[number]

/**
 * Names that something on the way could take for something else: glob characters, blanks, line ends, the protocol,
 * prefixes and database numbers. Two for each kind, in the order of KINDS.
 */
const NAMES = [
  ['plain', 'with blank'],
  ['*', '?x'],
  ['[a-c]', '[^x]'],
  ['', 'cr\r\nlf'],
  ['\\', '\\*'],
  ['h[el]*o', '^-]'],
  ['\0\xff\xfe', '\xc3\xa9t\xc3\xa9'],
  ['1:', '0:plain'],
  ['acme:0:plain', '*2\r\n$3\r\nGET\r\n$1\r\n'],
] as const

/** Elements for which there are weights: SORT … BY looks for `w_<element>`, GET for the field `f` of `o_<element>`, too. */
export const WEIGHED = ['1', '2', '3'] as const

/** Patterns of KEYS and SCAN. They match many of the names, one of them, or none. */
export const PATTERNS = [
  '*',
  '*',
  '**',
  '?*',
  '',
  'plain',
  'p*',
  '*~1',
  '[a-p]*',
  '[^a-p]*',
  '\\*',
  '\\**',
  '\\?*',
  '\\[*',
  '\\\\*',
  'h\\[el\\]\\*o*',
  '*\r\n*',
  '\\',
  '[',
  '[a',
  'w_?',
  '0:*',
  'acme:*',
  '*:*',
  'cr\r\nlf',
  '*\0*',
  '\xff*',
  '{*',
  '?',
  'no*such',
] as const

/**
 * The keys of one class. What connections do at the same time must not meet, or the order would decide what comes of
 * it: each connection then keeps to a class of its own. Class 0 has the names as they are, the empty one among them.
 */
export class KeyClass {
  private readonly own: Readonly<Record<Kind, readonly string[]>>
  private readonly all: readonly string[]
  private readonly others: readonly string[]
  /** The pattern for SORT … BY and GET: weights. */
  readonly weights: string
  /** Hashes with a field `f`. */
  readonly objects: string
  private readonly suffix: string

  constructor(number: number) {
    const suffix = number === 0 ? '' : `~${number}`
    this.suffix = suffix
    this.own = Object.fromEntries(
      KINDS.map((kind, i) => [kind, NAMES[i].map((name) => name + suffix)]),
    ) as unknown as Record<Kind, string[]>
    this.weights = `w_*${suffix}`
    this.objects = `o_*${suffix}`
    this.all = [...Object.values(this.own).flat(), ...WEIGHED.flatMap((n) => [`w_${n}${suffix}`, `o_${n}${suffix}`])]
    this.others = this.all.filter((name) => !this.own.set.includes(name))
  }

  /** Mostly one of this kind, by its name. For sets always: what commands on sets write stays under their names. */
  key(random: Random, kind: Kind): string {
    return kind !== 'set' && random.chance(0.06) ? random.pick(this.all) : this.sure(random, kind)
  }

  sure(random: Random, kind: Kind): string {
    return random.pick(this.own[kind])
  }

  any(random: Random): string {
    return random.pick(this.all)
  }

  /** Any key but those named as sets. */
  notset(random: Random): string {
    return random.pick(this.others)
  }

  weight(random: Random): string {
    return `w_${random.pick(WEIGHED)}${this.suffix}`
  }

  object(random: Random): string {
    return `o_${random.pick(WEIGHED)}${this.suffix}`
  }
}
