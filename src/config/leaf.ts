import { z } from 'zod'
import { type Rate, type Reading, readDuration, readRate, readSize, show } from './units.ts'

/** A kind of value: how it is read, and how docs/configuration.md and the JSON Schema describe it. */
export interface Kind<T> {
  readonly name: string
  readonly json: Record<string, unknown>
  read(raw: unknown): Reading<T>
}

/** What the docs say of a key; carried in the JSON Schema as `x-keyward` until docs.ts takes it out. */
export interface KeyDoc {
  readonly kind?: string
  /** As the file would write it. */
  readonly default?: string
  /** Part of the contract, but not enforced by this version. */
  readonly later?: boolean
}

/** Stands for a value already reported as wrong, where a key must be present: it reads as undefined. */
export const WRONG = Symbol('wrong')

function leaf<T>(kind: Kind<T>, optional: boolean) {
  return z.unknown().transform((raw, context): T | undefined => {
    if (raw === WRONG || (raw === undefined && optional)) return undefined
    const reading = raw === undefined ? MISSING : raw === null ? NO_VALUE : kind.read(raw)
    if ('value' in reading) return reading.value
    const params = { cure: reading.cure, kind: kind.name }
    context.issues.push({ code: 'custom', input: raw, message: reading.message, params })
    return z.NEVER
  })
}

/** The key is not known here; validate.ts writes the cure. */
const MISSING = { message: 'is missing', cure: '' }
const NO_VALUE = { message: 'has no value', cure: 'write a value after the colon, or remove the key' }

/** A key that must be there. Its value is undefined only after a problem was reported at its path. */
export function required<T>(kind: Kind<T>, description: string) {
  return leaf(kind, false).meta({ description, ...kind.json, 'x-keyward': { kind: kind.name } satisfies KeyDoc })
}

export function optional<T>(kind: Kind<T>, description: string) {
  return leaf(kind, true)
    .optional()
    .meta({ description, ...kind.json, 'x-keyward': { kind: kind.name } satisfies KeyDoc })
}

/** An optional key; `fallback` is written as in the file (`5s`, `64KiB`, 4). */
export function defaulted<T>(kind: Kind<T>, fallback: string | number | boolean, description: string) {
  const reading = kind.read(fallback)
  if (!('value' in reading)) throw new Error(`default ${fallback}: ${reading.message}`)
  const doc: KeyDoc = { kind: kind.name, default: String(fallback) }
  return (leaf(kind, true) as z.ZodType<T>)
    .default(reading.value as z.util.NoUndefined<T>)
    .meta({ description, ...kind.json, 'x-keyward': doc })
}

/**
 * An optional key that means something beside another one only. Absent reads as undefined, so that where it means nothing
 * it can be told from a given one; who resolves it puts `fallback` in.
 */
export function conditional<T>(kind: Kind<T>, fallback: string | number, description: string) {
  const doc: KeyDoc = { kind: kind.name, default: String(fallback) }
  return leaf(kind, true)
    .optional()
    .meta({ description, ...kind.json, 'x-keyward': doc })
}

/** A key of the contract that this version does not enforce: any value is an error. */
export function later(description: string) {
  return z
    .unknown()
    .transform((raw, context): undefined => {
      if (raw === undefined) return undefined
      context.issues.push({
        code: 'custom',
        input: raw,
        message: 'is not enforced by this version yet',
        params: { cure: 'remove it', at: 'key' },
      })
      return z.NEVER
    })
    .optional()
    .meta({ description, 'x-keyward': { later: true } satisfies KeyDoc })
}

export const duration: Kind<number> = {
  name: 'duration',
  json: { type: 'string', pattern: '^[0-9]+(ms|s|m|h)$' },
  read: readDuration,
}

/** 100 years. No timer waits for them: what lives so long is kept by the server. */
const LONGEST_LIFETIME = 876_000 * 3_600_000

/** How long a key may live, or may be asked to. */
export const lifetime: Kind<number> = { ...duration, read: (raw) => readDuration(raw, LONGEST_LIFETIME) }

/** `off` is 0 milliseconds. */
export const durationOrOff: Kind<number> = {
  name: 'duration | off',
  json: { type: 'string', pattern: '^(off|[0-9]+(ms|s|m|h))$' },
  read(raw) {
    if (raw === 'off') return { value: 0 }
    if (raw === 0 || raw === false || /^0(ms|s|m|h)$/.test(String(raw))) {
      return { message: `${show(raw)} is no time at all`, cure: 'write off, or a duration of at least 1ms' }
    }
    return readDuration(raw)
  },
}

export const size: Kind<number> = {
  name: 'size',
  json: { type: 'string', pattern: '^[0-9]+(B|KiB|MiB|GiB)$' },
  read: (raw) => readSize(raw),
}

export const rate: Kind<Rate> = {
  name: 'rate',
  json: { type: 'string', pattern: '^[0-9]+(B|KiB|MiB|GiB)?/(s|m|h)$' },
  read: readRate,
}

export const share: Kind<number> = {
  name: 'share',
  json: { type: 'string', pattern: '^(100|[1-9][0-9]?)%$' },
  read(raw) {
    const percent = typeof raw === 'string' ? /^(100|[1-9][0-9]?)%$/.exec(raw)?.[1] : undefined
    if (percent !== undefined) return { value: Number(percent) / 100 }
    return { message: `${show(raw)} is not a share`, cure: 'write whole percents from "1%" to "100%"' }
  },
}

export function count(least: number, most: number): Kind<number> {
  return {
    name: 'number',
    json: { type: 'integer', minimum: least, maximum: most },
    read(raw) {
      if (typeof raw === 'number' && Number.isInteger(raw) && raw >= least && raw <= most) return { value: raw }
      return {
        message: `${show(raw)} is not a whole number from ${least} to ${most}`,
        cure: `write a number from ${least} to ${most}`,
      }
    },
  }
}

export function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
  return {
    name: choices.join(' | '),
    json: { enum: choices },
    read(raw) {
      const choice = choices.find((one) => one === raw)
      if (choice !== undefined) return { value: choice }
      return { message: `${show(raw)} is not one of ${choices.join(', ')}`, cure: `write one of ${choices.join(', ')}` }
    },
  }
}

export const flag: Kind<boolean> = {
  name: 'true | false',
  json: { type: 'boolean' },
  read(raw) {
    if (typeof raw === 'boolean') return { value: raw }
    return { message: `${show(raw)} is neither true nor false`, cure: 'write true or false, without quotes' }
  },
}

/** Text that matches a pattern; `rule` says in words what that is. */
export function text(name: string, pattern: RegExp, rule: string): Kind<string> {
  return {
    name,
    json: { type: 'string', pattern: pattern.source },
    read(raw) {
      if (typeof raw === 'string') {
        return pattern.test(raw) ? { value: raw } : { message: `${show(raw)} is not ${rule}`, cure: `write ${rule}` }
      }
      if (typeof raw === 'object') return { message: `is ${show(raw)}, not text`, cure: `write ${rule}` }
      const cure = pattern.test(String(raw)) ? `put it in quotes: "${raw}"` : `write ${rule}`
      return { message: `is a ${typeof raw} to YAML, not text`, cure }
    },
  }
}
