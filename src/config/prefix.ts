import type { Kind } from './leaf.ts'
import { show } from './units.ts'

/** Keyward's own keys on every upstream start with it. */
export const OWN_PREFIX = 'keyward:'

/** Redis' own channels start so: a tenant with such a prefix, or with their first letters, could hear what is not its own. */
const SERVER_CHANNELS = ['__keyspace@', '__keyevent@', '__redis__:', '__sentinel__:']

/** Every key on the wire carries its prefix; longer ones are a mistake. */
const LONGEST = 128

/**
 * What would break rewriting or a Redis ACL rule made from the prefix: blanks, quotes, backslash, hash tags (braces),
 * glob characters, and `^`, which a character class would negate.
 */
const FORBIDDEN = /[^\x21-\x7e]|["'`\\{}*?[\]^]/

export const prefix: Kind<string> = {
  name: 'prefix',
  json: { type: 'string', maxLength: LONGEST, pattern: '^[!#-&(-)+->@-Z_a-z|~]*$' },
  read(raw) {
    if (typeof raw === 'object') {
      const key = raw === null || Array.isArray(raw) ? undefined : Object.keys(raw)[0]
      const quoted = key === undefined ? '"acme:"' : `"${key}:"`
      return { message: `${show(raw)} is not a prefix`, cure: `quote it: prefix: ${quoted}` }
    }
    if (typeof raw !== 'string')
      return { message: `is a ${typeof raw} to YAML, not text`, cure: `quote it: prefix: "${raw}"` }
    const wrong = FORBIDDEN.exec(raw)
    if (wrong !== null) {
      return {
        message: `${show(raw)} has ${JSON.stringify(wrong[0])} in it`,
        cure: 'use printable ASCII without blanks, quotes, backslash, braces, glob characters (* ? [ ]) and ^, such as "acme:"',
      }
    }
    if (raw !== '' && SERVER_CHANNELS.some((channels) => overlap(raw, channels))) {
      return {
        message: `${show(raw)} is how channels begin that Redis itself publishes to`,
        cure: 'use another prefix, such as "acme:"',
      }
    }
    if (raw.length > LONGEST) return { message: `is ${raw.length} characters long`, cure: `use at most ${LONGEST}` }
    return { value: raw }
  },
}

/** Which of two prefixes starts the other; undefined: neither, their keys can never meet. */
export function overlap(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a)
}
