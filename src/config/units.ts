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

/** A wrong value as the message shows it: short, on one line. */
export function show(raw: unknown): string {
  if (raw === undefined) return 'nothing'
  if (raw === null) return 'an empty value'
  if (Array.isArray(raw)) return 'a list'
  if (typeof raw === 'object') return 'a map'
  const text = JSON.stringify(raw)
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text
}
