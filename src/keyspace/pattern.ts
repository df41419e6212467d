import { escapeGlob } from '../lib/glob.ts'

/**
 * A pattern of a tenant (KEYS, SCAN MATCH, PSUBSCRIBE …) as one on raw names: the prefix, taken literally, in front.
 * https://redis.io/docs/latest/commands/keys/
 */
export function rawPattern(prefix: Buffer, pattern: Buffer): Buffer {
  const literal = escapeGlob(prefix.toString('latin1'))
  return Buffer.concat([Buffer.from(literal, 'latin1'), pattern])
}

/** Does it match one name only, its own text? */
export function isLiteral(pattern: Buffer): boolean {
  return !/[*?[\\]/.test(pattern.toString('latin1'))
}
