import { readFileSync } from 'node:fs'
import type { Args } from '../helpers/differential.ts'

/** A script with what it is given. */
export interface ScriptCase {
  /** Its beginning, and where it stands. */
  readonly name: string
  readonly lua: string
  readonly keys: readonly string[]
  readonly args: readonly string[]
  readonly file: CaseFile
  /** Why it is not compared. */
  readonly differs: string | undefined
}

const FILES = ['calls', 'replies', 'errors', 'compile', 'libraries', 'language'] as const
export type CaseFile = (typeof FILES)[number]

/** What cannot be, or is not worth it. */
const NIL = 'a call of one argument that is nil cannot be told from one without: Redis has other words for each'
const TAIL = 'Lua forgets where a tail call came from, and this form is too rare to be looked for: the line is 0'
const OWN = "Lua's own words, of a function in its place"
const ORDER = 'the order is that of a table of Lua, whose keys are others'
const DIFFERENT: Readonly<Record<string, string>> = {
  'return redis.call(nil)': NIL,
  'return redis.call(1)': NIL,
  "return redis.call('GET')": NIL,
  "\nredis.call('GET')": NIL,
  "return redis.log('x')": TAIL,
  "return redis.log(99, 'x')": TAIL,
  'return redis.log(redis.LOG_WARNING)': TAIL,
  "return redis:call('GET', 'str')": TAIL,
  "return redis.call{'PING'}": TAIL,
  "return load('return 1')": OWN,
  'return loadstring()': OWN,
  'return setmetatable(_G, {})': OWN,
  "redis.setresp(3) return redis.call('XREAD', 'STREAMS', 'stream', 'stream:b', '0', '0')": ORDER,
}

/** Of cases/scripts/*.lua. Each begins behind a line `--- <keys> / <arguments>`, both parted by blanks. */
export function readScriptCases(): ScriptCase[] {
  return FILES.flatMap((file) => {
    const text = readFileSync(new URL(`cases/scripts/${file}.lua`, import.meta.url), 'latin1')
    return text
      .split(/^---(?=[ \n])/m)
      .slice(1)
      .map((part, i) => {
        const [head, ...lines] = part.replace(/\n$/, '').split('\n')
        const [keys, args = []] = head.split('/').map((words) => words.split(' ').filter((word) => word !== ''))
        const lua = lines.join('\n')
        return {
          name: `${file} ${i + 1}: ${lua.trim().split('\n')[0].slice(0, 70)}`,
          lua,
          keys,
          args,
          file,
          differs: DIFFERENT[lua],
        }
      })
  })
}

/** A script that names these commands and their arguments, and returns all replies. */
export function literalScript(lists: readonly Args[]): string {
  const calls = lists.map((args) => `t[#t + 1] = redis.pcall(${args.map(quote).join(', ')})`)
  return `local t = {}\n${calls.join('\n')}\nreturn t`
}

/** A script that learns at run time what it is to call, and the arguments that tell it. */
export function computedScript(lists: readonly Args[]): { readonly lua: string; readonly args: readonly string[] } {
  return { lua: COMPUTED, args: lists.flatMap((args) => [String(args.length), ...args]) }
}

const COMPUTED = `local i, t = 1, {}
while ARGV[i] do
  local n = tonumber(ARGV[i])
  t[#t + 1] = redis.pcall(unpack(ARGV, i + 1, i + n))
  i = i + n + 1
end
return t`

/** A literal of Lua; one character per byte. */
function quote(text: string): string {
  return `'${text.replace(/[^ !#-&(-[\]-~]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`)}'`
}
