/** What a value of the file means, or what is wrong with it. `message` follows the key: "is …", "has …". */
export type Reading<T> = { readonly value: T } | { readonly message: string; readonly cure: string }

/** Node's timers take no more than this many milliseconds; beyond it they fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const

/** 1048576GiB. No machine has it: a size above it is a slip of the hand. */
const LARGEST_SIZE = 2 ** 50

/** `250ms 5s 10m 24h` as milliseconds, `most` of them at most. */
export function readDuration(raw: unknown, most = LONGEST_TIMER): Reading<number> {
  const reading = typeof raw === 'string' ? parseDuration(raw, most) : undefined
  return reading ?? { message: `${show(raw)} is not a duration`, cure: cureDuration(String(raw), most) }
}

/** undefined: this is not how a duration is written. */
function parseDuration(text: string, most: number): Reading<number> | undefined {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text)
  if (match === null) return undefined
  const value = Number(match[1]) * MILLISECONDS[match[2] as keyof typeof MILLISECONDS]
  if (value === 0) return { message: `${show(text)} is no time at all`, cure: 'write a duration of at least 1ms' }
  const hours = Math.floor(most / MILLISECONDS.h)
  if (value > most) return { message: `${show(text)} is too long`, cure: `write at most ${hours}h` }
  return { value }
}

/** `512B 64KiB 1MiB 2GiB` as bytes, `most` of them at most. */
export function readSize(raw: unknown, most = LARGEST_SIZE): Reading<number> {
  const reading = typeof raw === 'string' ? parseSize(raw, most) : undefined
  return reading ?? { message: `${show(raw)} is not a size`, cure: cureSize(String(raw), most) }
}

/** undefined: this is not how a size is written. */
function parseSize(text: string, most: number): Reading<number> | undefined {
  const match = /^(\d+)(B|KiB|MiB|GiB)$/.exec(text)
  if (match === null) return undefined
  const value = Number(match[1]) * BYTES[match[2] as keyof typeof BYTES]
  if (value === 0) return { message: `${show(text)} is no size at all`, cure: 'write a size of at least 1B' }
  if (value > most) return { message: `${show(text)} is too large`, cure: `write at most ${formatSize(most)}` }
  return { value }
}

/** How much of what may pass. */
export interface Rate {
  readonly unit: 'operations' | 'bytes'
  readonly perSecond: number
  /** As the file has it. */
  readonly text: string
}

const SECONDS = { s: 1, m: 60, h: 3600 } as const

/** More a second than one process can pass on, in each unit: a rate above them is a slip of the hand. */
const MOST_OPERATIONS = 1e9
const MOST_BYTES = 2 ** 40

/** `100/s 6000/m 3600/h` operations, `10MiB/s` bytes. */
export function readRate(raw: unknown): Reading<Rate> {
  const reading = typeof raw === 'string' ? parseRate(raw) : undefined
  return reading ?? { message: `${show(raw)} is not a rate`, cure: cureRate(String(raw)) }
}

/** undefined: this is not how a rate is written. */
function parseRate(text: string): Reading<Rate> | undefined {
  const match = /^(\d+)(B|KiB|MiB|GiB)?\/(s|m|h)$/.exec(text)
  if (match === null) return undefined
  const [, digits, size, time] = match
  const amount = Number(digits) * (size === undefined ? 1 : BYTES[size as keyof typeof BYTES])
  if (amount === 0) return { message: `${show(text)} lets nothing pass`, cure: `write at least 1${size ?? ''}/h` }
  const perSecond = amount / SECONDS[time as keyof typeof SECONDS]
  const [most, words] = size === undefined ? [MOST_OPERATIONS, `${MOST_OPERATIONS}/s`] : [MOST_BYTES, '1024GiB/s']
  if (perSecond > most) return { message: `${show(text)} is too much`, cure: `write at most ${words}` }
  return { value: { unit: size === undefined ? 'operations' : 'bytes', perSecond, text } }
}

/** Bytes in the largest unit that divides them, as the file writes them. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    if (bytes >= BYTES[unit] && bytes % BYTES[unit] === 0) return `${bytes / BYTES[unit]}${unit}`
  }
  return `${bytes}B`
}

/** Milliseconds in the largest unit that divides them, as the file writes them. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (milliseconds % MILLISECONDS[unit] === 0) return `${milliseconds / MILLISECONDS[unit]}${unit}`
  }
  return `${milliseconds}ms`
}

/** What somebody meant, rightly spelled, in the order of likelihood, or how to write it in words. */
type Meant = readonly string[] | { readonly words: string }

/**
 * The cure for a wrong spelling. A right one whose value is refused would be no cure: of such, the cure of the first is
 * told in their place.
 */
function cure(
  meant: Meant,
  parse: (text: string) => Reading<unknown> | undefined,
  say = (good: readonly string[]) => good[0],
): string {
  if ('words' in meant) return `write ${meant.words}`
  const readings = meant.map((text) => ({ text, reading: parse(text) ?? { message: '', cure: 'write less' } }))
  const good = readings.filter(({ reading }) => 'value' in reading).map(({ text }) => text)
  if (good.length > 0) return `write ${say(good)}`
  const [{ reading }] = readings
  return 'cure' in reading ? reading.cure : ''
}

function cureSize(text: string, most: number): string {
  return cure(sizeMeant(text), (size) => parseSize(size, most))
}

function sizeMeant(text: string): Meant {
  const match = /^\s*(\d+)\s*([a-z]*)\s*$/i.exec(text)
  if (match === null) return { words: 'a whole number and a unit, such as 64KiB or 1MiB' }
  const [, digits, written] = match
  const unit = written.toLowerCase()
  // Above, a number has lost its last digits and is written with an exponent.
  if (unit === '') return [Number.isSafeInteger(Number(digits)) ? formatSize(Number(digits)) : `${digits}B`]
  const name = { b: 'B', k: 'KiB', m: 'MiB', g: 'GiB' }[unit[0]]
  const known = /^(b|bytes?|[kmg](i?b)?|[kmg]i)$/.test(unit)
  return known ? [`${digits}${name}`] : { words: 'a unit of B, KiB, MiB or GiB' }
}

function cureDuration(text: string, most: number): string {
  const parse = (duration: string) => parseDuration(duration, most)
  const match = /^\s*(\d+)\s*([a-z]*)\s*$/i.exec(text)
  if (match === null) return 'write a whole number and a unit, such as 250ms, 5s, 10m or 24h'
  const [, number, written] = match
  const unit = written.toLowerCase()
  if (unit === '') {
    const all = [`${number}ms`, `${number}s`, `${number}m`, `${number}h`]
    return cure(all, parse, (good) => `a unit with it: ${either(good)}`)
  }
  return cure(durationMeant(number, unit), parse)
}

function durationMeant(number: string, unit: string): Meant {
  if (/^(ms|msecs?|millis|milliseconds?)$/.test(unit)) return [`${number}ms`]
  if (/^(s|secs?|seconds?)$/.test(unit)) return [`${number}s`]
  if (/^(m|mins?|minutes?)$/.test(unit)) return [`${number}m`]
  if (/^(h|hrs?|hours?)$/.test(unit)) return [`${number}h`]
  if (/^(d|days?)$/.test(unit)) return [`${BigInt(number) * 24n}h`]
  return { words: 'a unit of ms, s, m or h' }
}

const ANY_RATE = { words: 'a rate, such as 100/s, 6000/m or 3600/h, or 10MiB/s for bytes' }

/** `100 per second`, `10MB/s`, `600rpm`, `0.5/s`. */
function cureRate(text: string): string {
  const match = /^\s*([\d.,_]+)\s*([a-z]*?)\s*(?:\/|per|p(?=[smh]$))\s*([a-z]+)\s*$/i.exec(text)
  if (match === null) {
    const amount = /^\d+$/.test(text) ? [text] : sizeMeant(text)
    if ('words' in amount) return cure(ANY_RATE, parseRate)
    const all = ['s', 'm', 'h'].map((time) => `${amount[0]}/${time}`)
    return cure(all, parseRate, (good) => `a unit of time with it: ${either(good)}`)
  }
  const time = TIMES.find(([pattern]) => pattern.test(match[3]))?.[1]
  if (time === undefined) return cure(ANY_RATE, parseRate)
  const amount = Number(match[1].replace(/[,_]/g, ''))
  const unit = match[2].toLowerCase()
  const [operations, size] = unit === 'k' ? [amount * 1e3, 'KiB'] : [amount * 1e6, 'MiB']
  if (/^[km]$/.test(unit) && Number.isSafeInteger(operations)) {
    const meanings = [`${operations}/${time}`, `${amount}${size}/${time}`]
    return cure(meanings, parseRate, (good) =>
      good.map((one) => `${one} for ${one.includes('iB') ? 'bytes' : 'operations'}`).join(', '),
    )
  }
  return cure(rateMeant(match[1], amount, unit, time), parseRate)
}

function rateMeant(written: string, amount: number, unit: string, time: 's' | 'm' | 'h'): Meant {
  if (unit === '' || /^([rqto]|ops?|operations?|req|requests?|calls?|commands?|times)$/.test(unit)) {
    if (Number.isSafeInteger(amount)) return [`${amount}/${time}`]
    const larger = time === 's' ? 'm' : 'h'
    return time !== 'h' && Number.isSafeInteger(amount * 60) ? [`${amount * 60}/${larger}`] : ANY_RATE
  }
  const size = sizeMeant(`${written}${unit}`)
  return 'words' in size ? ANY_RATE : [`${size[0]}/${time}`]
}

function either(all: readonly string[]): string {
  return all.length === 1 ? all[0] : `${all.slice(0, -1).join(', ')} or ${all[all.length - 1]}`
}

const TIMES: readonly (readonly [RegExp, 's' | 'm' | 'h'])[] = [
  [/^(s|secs?|seconds?)$/i, 's'],
  [/^(m|mins?|minutes?)$/i, 'm'],
  [/^(h|hrs?|hours?)$/i, 'h'],
]

/** A wrong value as the message shows it: short, on one line. */
export function show(raw: unknown): string {
  if (raw === undefined) return 'nothing'
  if (raw === null) return 'an empty value'
  if (Array.isArray(raw)) return 'a list'
  if (typeof raw === 'object') return 'a map'
  const text = JSON.stringify(raw)
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text
}
