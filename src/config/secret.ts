import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Reading, show } from './units.ts'

/** Where a secret is, as the file says it. */
export type SecretSource =
  | { readonly text: string }
  | { readonly env: string }
  | { readonly file: string }
  | { readonly sha256: string }

/** What secrets are looked up with. */
export interface SecretPlaces {
  readonly env: NodeJS.ProcessEnv
  /** Relative file names start here. */
  readonly baseDir: string
}

/** A secret that Keyward must send: a string, `{env: NAME}` or `{file: path}`. */
export function readSecret(raw: unknown): Reading<SecretSource> {
  const cure = 'write a quoted string, {env: NAME} or {file: path}'
  if (isMap(raw) && 'sha256' in raw) {
    return { message: 'is only a digest, and Keyward must send the password itself', cure }
  }
  return readSource(raw, cure)
}

/** A password that Keyward only checks: also `{sha256: hex}`. */
export function readPassword(raw: unknown): Reading<SecretSource> {
  const cure = 'write a quoted string, {env: NAME}, {file: path} or {sha256: hex}'
  if (!isMap(raw) || !('sha256' in raw)) return readSource(raw, cure)
  const hex = raw.sha256
  if (Object.keys(raw).length !== 1) return { message: 'has more than one source', cure }
  if (typeof hex !== 'string' || !/^[0-9a-fA-F]{64}$/.test(hex)) {
    return {
      message: 'is not a SHA-256 digest',
      cure: "write its 64 hexadecimal digits, as printf %s 'password' | sha256sum prints them, in quotes",
    }
  }
  if (hex.toLowerCase() === EMPTY_DIGEST) return EMPTY
  return { value: { sha256: hex.toLowerCase() } }
}

/** Any text that may also stand in the environment or in a file: an upstream's url. */
export function readText(raw: unknown): Reading<SecretSource> {
  return readSource(raw, 'write a string, {env: NAME} or {file: path}')
}

const EMPTY = { message: 'is empty', cure: 'give it a value; an empty secret protects nothing' } as const
const EMPTY_DIGEST = createHash('sha256').digest('hex')

function readSource(raw: unknown, cure: string): Reading<SecretSource> {
  if (typeof raw === 'string') return raw === '' ? EMPTY : { value: { text: raw } }
  if (!isMap(raw)) {
    // The value itself is not shown: it may be the password, written without quotes.
    const scalar = typeof raw === 'number' || typeof raw === 'boolean'
    return scalar
      ? { message: `is a ${typeof raw} to YAML`, cure: 'put it in quotes' }
      : { message: `is ${show(raw)}`, cure }
  }
  const keys = Object.keys(raw)
  const [key] = keys
  if (keys.length > 1) return { message: 'has more than one source', cure }
  if (key !== 'env' && key !== 'file') return { message: 'is a map without env or file', cure }
  const name = raw[key]
  if (typeof name !== 'string' || name === '') return { message: `has no name after ${key}:`, cure }
  if (key === 'file') return { value: { file: name } }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return {
      message: `${show(name)} is not the name of an environment variable`,
      cure: 'write its name only: {env: NAME}',
    }
  }
  return { value: { env: name } }
}

/** The text of a secret. A file's last line end is not part of it. */
export function lookUp(source: Exclude<SecretSource, { sha256: string }>, places: SecretPlaces): Reading<string> {
  if ('text' in source) return { value: source.text }
  if ('env' in source) {
    const value = places.env[source.env]
    if (value === undefined) {
      return { message: `the environment has no ${source.env}`, cure: `set ${source.env} before Keyward starts` }
    }
    if (value === '') return { message: `${source.env} is empty in the environment`, cure: EMPTY.cure }
    return { value }
  }
  const file = resolve(places.baseDir, source.file)
  try {
    const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    if (value === '') return { message: `${file} is empty`, cure: EMPTY.cure }
    return { value }
  } catch (error) {
    return {
      message: `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? error}`,
      cure: 'check the path and its permissions',
    }
  }
}

/** SHA-256 of a password that clients must send. */
export function lookUpDigest(source: SecretSource, places: SecretPlaces): Reading<Buffer> {
  if ('sha256' in source) return { value: Buffer.from(source.sha256, 'hex') }
  const password = lookUp(source, places)
  if ('message' in password) return password
  return { value: createHash('sha256').update(password.value).digest() }
}

function isMap(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}
