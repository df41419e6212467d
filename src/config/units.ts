/** What a value of the file means, or what is wrong with it. `message` follows the key: "is …", "has …". */
export type Reading<T> = { readonly value: T } | { readonly message: string; readonly cure: string }

/** Node's timers take no more than this many milliseconds; beyond it they fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const

/** `250ms 5s 10m 24h` as milliseconds. */
export function readDuration(raw: unknown): Reading<number> {
  const text = String(raw)
  const match = /^(\d+)(ms|s|m|h)$/.exec(text)
  if (typeof raw !== 'string' || match === null) {
    return { message: `${show(raw)} is not a duration`, cure: `write ${durationMeant(text)}` }
  }
  const value = Number(match[1]) * MILLISECONDS[match[2] as keyof typeof MILLISECONDS]
  if (value === 0) return { message: `${show(raw)} is no time at all`, cure: 'write a duration of at least 1ms' }
  if (value > LONGEST_TIMER) return { message: `${show(raw)} is too long`, cure: 'write at most 596h' }
  return { value }
}

/** `512B 64KiB 1MiB 2GiB` as bytes. */
export function readSize(raw: unknown): Reading<number> {
  const text = String(raw)
  const match = /^(\d+)(B|KiB|MiB|GiB)$/.exec(text)
  if (typeof raw !== 'string' || match === null) {
    return { message: `${show(raw)} is not a size`, cure: `write ${sizeMeant(text)}` }
  }
  const value = Number(match[1]) * BYTES[match[2] as keyof typeof BYTES]
  if (value === 0) return { message: `${show(raw)} is no size at all`, cure: 'write a size of at least 1B' }
  if (!Number.isSafeInteger(value)) return { message: `${show(raw)} is too large`, cure: 'write at most 1048576GiB' }
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
  const text = String(raw)
  const match = /^(\d+)(B|KiB|MiB|GiB)?\/(s|m|h)$/.exec(text)
  if (typeof raw !== 'string' || match === null) {
    return { message: `${show(raw)} is not a rate`, cure: `write ${rateMeant(text)}` }
  }
  const [, digits, size, time] = match
  const amount = Number(digits) * (size === undefined ? 1 : BYTES[size as keyof typeof BYTES])
  if (amount === 0) return { message: `${show(raw)} lets nothing pass`, cure: `write at least 1${size ?? ''}/h` }
  const perSecond = amount / SECONDS[time as keyof typeof SECONDS]
  const [most, words] = size === undefined ? [MOST_OPERATIONS, `${MOST_OPERATIONS}/s`] : [MOST_BYTES, '1024GiB/s']
  if (perSecond > most) return { message: `${show(raw)} is too much`, cure: `write at most ${words}` }
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

/** The nearest right spelling of what somebody wrote for a size. */
function sizeMeant(text: string): string {
  const match = /^\s*(\d+)\s*([a-z]*)\s*$/i.exec(text)
  if (match === null) return 'a whole number and a unit, such as 64KiB or 1MiB'
  const unit = match[2].toLowerCase()
  if (unit === '') return formatSize(Number(match[1]))
  const name = { b: 'B', k: 'KiB', m: 'MiB', g: 'GiB' }[unit[0]]
  const known = /^(b|bytes?|[kmg](i?b)?|[kmg]i)$/.test(unit)
  return known ? `${match[1]}${name}` : 'a unit of B, KiB, MiB or GiB'
}

function durationMeant(text: string): string {
  const match = /^\s*(\d+)\s*([a-z]*)\s*$/i.exec(text)
  if (match === null) return 'a whole number and a unit, such as 250ms, 5s, 10m or 24h'
  const [, number, written] = match
  const unit = written.toLowerCase()
  if (unit === '') return `a unit with it: ${number}ms, ${number}s, ${number}m or ${number}h`
  if (/^(ms|msecs?|millis|milliseconds?)$/.test(unit)) return `${number}ms`
  if (/^(s|secs?|seconds?)$/.test(unit)) return `${number}s`
  if (/^(m|mins?|minutes?)$/.test(unit)) return `${number}m`
  if (/^(h|hrs?|hours?)$/.test(unit)) return `${number}h`
  if (/^(d|days?)$/.test(unit)) return `${Number(number) * 24}h`
  return 'a unit of ms, s, m or h'
}

/** The nearest right spelling of what somebody wrote for a rate: `100 per second`, `10MB/s`, `600rpm`, `0.5/s`. */
function rateMeant(text: string): string {
  const any = 'a rate, such as 100/s, 6000/m or 3600/h, or 10MiB/s for bytes'
  const match = /^\s*([\d.,_]+)\s*([a-z]*?)\s*(?:\/|per|p(?=[smh]$))\s*([a-z]+)\s*$/i.exec(text)
  if (match === null) {
    const amount = /^\d+$/.test(text) ? text : sizeMeant(text)
    return /^\d/.test(amount) ? `a unit of time with it: ${amount}/s, ${amount}/m or ${amount}/h` : any
  }
  const time = TIMES.find(([pattern]) => pattern.test(match[3]))?.[1]
  if (time === undefined) return any
  const amount = Number(match[1].replace(/[,_]/g, ''))
  const unit = match[2].toLowerCase()
  if (/^[km]$/.test(unit) && Number.isInteger(amount)) {
    const size = `${amount}${unit === 'k' ? 'KiB' : 'MiB'}`
    return `${amount * (unit === 'k' ? 1e3 : 1e6)}/${time} for operations, ${size}/${time} for bytes`
  }
  if (unit === '' || /^([rqto]|ops?|operations?|req|requests?|calls?|commands?|times)$/.test(unit)) {
    if (Number.isInteger(amount)) return `${amount}/${time}`
    const larger = time === 's' ? 'm' : 'h'
    return time !== 'h' && Number.isInteger(amount * 60) ? `${amount * 60}/${larger}` : any
  }
  const size = sizeMeant(`${match[1]}${unit}`)
  return /^\d/.test(size) ? `${size}/${time}` : any
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
