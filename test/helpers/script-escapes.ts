import { readFileSync } from 'node:fs'

/**
 * Lua of a tenant that tries to see or to touch what is not its own, with what comes of it behind each of the layers that keep
 * scripts apart: test/fixtures/escapes/*.lua. test/integration/script-escapes.test.ts runs it.
 *
 * On the server are, beside the key `acme:own` of the tenant that runs it, `beta:vault` and others of another tenant, and
 * `keyward:vault`, whose values say CANARY (escape-stage.ts).
 *
 *     --@ <verdict of each layer, in the order of LAYERS>: <name>
 *     --args <JSON>    the script's arguments
 *     --foreign <regular expression>    what in a reply is not the tenant's own, beside FOREIGN; `any`: whatever is no error
 *     --error <regular expression>    the same for errors; default: CANARY
 *     --setting    it changes what all scripts of a server share, which is no business of a wall
 *     --next <Lua>    run by the other tenant afterwards
 */
export interface Escape {
  readonly name: string
  readonly lua: string
  readonly args: readonly string[]
  readonly foreign: RegExp
  readonly error: RegExp
  readonly setting: boolean
  readonly next: string | undefined
  readonly verdicts: Readonly<Record<Layer, Verdict>>
}

/**
 * stopped  an error, and nothing happened
 * own      it ran, and saw and touched what is the tenant's own, or nothing
 * passed   it saw or touched something else
 */
export type Verdict = 'stopped' | 'own' | 'passed'

/**
 * none      as it stands, by a user who may do anything: whether this is an attempt at all
 * prologue  behind the prologue, without a wall
 * wall      as it stands, by the tenant's ACL user
 * both      through Keyward as it is meant to be
 */
export const LAYERS = ['none', 'prologue', 'wall', 'both'] as const
export type Layer = (typeof LAYERS)[number]

/** Values and names that are not the tenant's, and views of the whole server. */
const FOREIGN = /CANARY|\bbeta:|keyward:|redis_version|addr=127/
const CANARY = /CANARY/

const FILES = ['keys', 'server', 'channels', 'names', 'calls', 'arguments', 'left'] as const

export function readEscapes(): Escape[] {
  return FILES.flatMap((file) => {
    const text = readFileSync(new URL(`../fixtures/escapes/${file}.lua`, import.meta.url), 'utf8')
    return text.split(/^--@ /m).slice(1).map(readEscape)
  })
}

function readEscape(text: string): Escape {
  const [head, ...lines] = text.trimEnd().split('\n')
  const [verdicts, ...name] = head.split(': ')
  const words = verdicts.split(' ')
  if (words.length !== LAYERS.length || words.some((word) => !/^(stopped|own|passed)$/.test(word)))
    throw new Error(head)
  const options = new Map<string, string>()
  while (lines[0].startsWith('--')) {
    const [, option, value] = /^--(\w+) ?(.*)$/.exec(lines.shift() as string) as RegExpExecArray
    options.set(option, value)
  }
  const foreign = options.get('foreign')
  return {
    name: name.join(': '),
    lua: lines.join('\n'),
    args: JSON.parse(options.get('args') ?? '[]'),
    foreign:
      foreign === 'any' ? /^/ : new RegExp(`${FOREIGN.source}${foreign === undefined ? '' : `|${foreign}`}`, 'm'),
    error: new RegExp(options.get('error') ?? CANARY),
    setting: options.has('setting'),
    next: options.get('next'),
    verdicts: Object.fromEntries(LAYERS.map((layer, i) => [layer, words[i]])) as Escape['verdicts'],
  }
}
