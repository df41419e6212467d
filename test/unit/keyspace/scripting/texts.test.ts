import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fuzz } from '../../../helpers/fuzz.ts'
import { World } from './world.ts'

/*
 * Wrapping never changes what a text means: random programs, whose strings and comments are full of what the lexer looks for, give
 * the same reply and leave the same data as without a prologue.
 */

let world: World
beforeAll(async () => {
  world = await World.open()
})
afterAll(() => world?.close())

const FRAGMENTS = [
  `return redis.call('GET', 'k')`,
  'return redis.call(',
  ')',
  '(',
  'end',
  ';',
  '--',
  '--[[',
  '--[==[',
  '[[',
  '[=[',
  '=',
  '"',
  `'`,
  'x',
  ' ',
  'redis',
  '.call',
  'cjson',
  '_G',
  '\t',
  '%d',
  '#!lua',
]

const fragments = fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 6 }).map((parts) => parts.join(''))

/** A string of Lua, in one of its forms, with this inside; some with escapes and line ends. */
const quoted = fc.tuple(fragments, fc.integer({ min: 0, max: 7 })).map(([inside, form]) => {
  if (form < 2) return `"${inside.replace(/["\\]/g, '\\$&')}"`
  if (form < 4) return `'${inside.replace(/['\\]/g, '\\$&')}'`
  if (form === 4) return `"${inside.replace(/["\\]/g, '\\$&')}\\\n\\065\\n"`
  const level = '='.repeat(form - 4)
  return inside.includes(`]${level}`) ? `''` : `[${level}[${inside}]${level}]`
})

const comment = fc.tuple(fragments, fc.integer({ min: 0, max: 4 })).map(([inside, form]) => {
  if (form === 0) return ' '
  if (form === 1) return '\n'
  const level = '='.repeat(form - 1)
  if (form === 2) return `--${inside.replace(/^\[/, ' [')}\n`
  return inside.includes(`]${level}`) ? ' ' : `--[${level}[${inside}]${level}]`
})

const key = fc.constantFrom(`'k'`, `"l"`, 'KEYS[1]', 'KEYS[2]', `'q' .. 1`, '5', '1.5', 'ARGV[1]')

/** Something whose value is that of a call, or a string; with comments wherever they may be. */
const callOf = (...names: string[]) =>
  fc
    .tuple(
      fc.constantFrom(...names),
      fc.constantFrom(
        `'GET',`,
        `"APPEND", `,
        `'LPUSH',`,
        `'get' , `,
        `'EXISTS',`,
        `'TYPE',`,
        `'G'..'ET',`,
        `cmd,`,
        `'MGET',`,
      ),
      key,
      quoted,
      comment,
      comment,
    )
    .map(([name, command, k, text, c1, c2]) => {
      const value = command.includes('APPEND') || command.includes('LPUSH') ? `, ${text}` : ''
      return `${name}${c1 === '\n' ? ' ' : c1.replace(/^--(?!\[).*\n/, ' ')}(${c2}${command} ${k}${value})`
    })

const statementOf = (call: fc.Arbitrary<string>) =>
  fc.tuple(fc.integer({ min: 0, max: 11 }), call, quoted, comment, call).map(([form, a, text, c, b]) => {
    switch (form) {
      case 0:
        return `do local x = ${a} end`
      case 1:
        return `s = ${text} ${c}`
      case 2:
        return `if s == ${text} then ${c} return ${a} ${c} else t = {${b}, ${text}} end`
      case 3:
        return `t[#t + 1] = (function() ${c} return ${a} end)()`
      case 4:
        return `t[#t + 1] = select('#', (function() return ${a}, ${b} end)())`
      case 5:
        return `for i = 1, 2 do if i == 3 then return ${a} ${c} end end`
      case 6:
        return `repeat if s then break end return ${a}; until true`
      case 7:
        return `t[#t + 1] = pcall(function() return ${a} end)`
      case 8:
        return c
      case 9:
        return `t[#t + 1] = tostring((function() return ${a} or ${b} end)())`.replace('tostring', 'type')
      case 10:
        return `t[#t + 1] = {pcall(redis.call, 'GET', ${text})}`
      default:
        return `s = ${text} .. ${text}`
    }
  })

/** A program whose calls have these names; `names` declares them. */
const programOf = (names: string, ...calls: string[]) =>
  fc
    .tuple(
      fc.array(statementOf(callOf(...calls)), { maxLength: 6 }),
      fc.array(comment, { maxLength: 3 }),
      callOf(...calls),
      comment,
      fc.boolean(),
      fc.boolean(),
    )
    .map(([statements, comments, last, c, table, shebang]) =>
      [
        shebang ? '#!lua flags=allow-oom\n' : '',
        comments.join(''),
        `local cmd, s, t = 'GET', '', {} ${names}\n`,
        statements.join('\n'),
        table ? `\nt[#t + 1] = s return t ${c}` : `\nreturn ${c} ${last} ${c}`,
      ].join(''),
    )

/** Calls under their own names, or such as stay what they are: errors have the right line. */
const plain = programOf(
  'local rcall = redis.call local f = redis.pcall',
  'redis.call',
  'redis . call',
  'redis.pcall',
  'rcall',
  'f',
)
/** Calls of which nobody can know by the text what they are: where a tail call has left its frame, the line is not known. */
const hidden = programOf(
  `local rcall, r, f = nil, redis, redis.call rcall = f`,
  ...['redis.call', 'rcall', 'f', 'redis["call"]', '(redis).call', 'r.call'],
)

async function compare(text: string, lines: boolean): Promise<void> {
  await world.flush()
  const mine = await world.run(text, ['k', 'l'], ['a'])
  const bare = await world.runBare(text, ['k', 'l'], ['a'])
  // Lua calls `redis` a local then, as it is.
  const named = (reply: string) => reply.replace(/\b(local|upvalue|global) '/, "'")
  const shown = (reply: string) => named(lines ? reply : reply.replace(/on @user_script:\d+\./, ''))
  expect(shown(mine)).toBe(shown(bare))
  const state = `local out = {} for _, k in ipairs(redis.call('KEYS', '*')) do
    out[#out + 1] = k:gsub('^acme:', '') .. redis.call('DUMP', k) end table.sort(out) return out`
  expect(await world.inside.command('EVAL', state, 0)).toBe(await world.bare.command('EVAL', state, 0))
}

test.each([
  ['calls under their own names', plain, true],
  ['calls under other names', hidden, false],
] as const)('programs mean the same: %s', async (name, texts, lines) => {
  const property = fc.asyncProperty(texts, (text) => compare(text, lines))
  await fc.assert(property, fuzz(`texts of scripts: ${name}`, 0.25, 100_000))
})

test('most programs run', async () => {
  let ran = 0
  for (const text of fc.sample(plain, 200)) if (!(await world.runBare(text, ['k', 'l'], ['a'])).startsWith('-')) ran++
  expect(ran).toBeGreaterThan(100)
})

/** Lines are in the texts of syntax errors, and compared there. */
test('what does not compile has the same error', async () => {
  const soup = fc.array(
    fc.oneof(quoted, comment, fc.constantFrom(...FRAGMENTS, '\n', 'local', 'return ', 'then', 'if')),
    { maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(
      soup.map((parts) => parts.join('')),
      async (text) => {
        // `redis = 1` is an error without a prologue; with one, `redis` is a local.
        fc.pre(!(await world.runBare(text, ['k', 'l'], ['a'])).includes('Attempt to modify a readonly table'))
        await compare(text, false)
      },
    ),
    fuzz('texts of scripts: any', 0.25, 100_000),
  )
})
