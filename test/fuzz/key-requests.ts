import fc from 'fast-check'
import type { CommandSpec } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'

/*
 * Random requests that try to hide keys: most of them half valid, made of words that are names of keys, look like
 * options, or are options that end in a NUL.
 */

/** Their replies depend on the clock or on chance; their keys are at fixed positions. */
const UNSTEADY =
  /^(spop|.*randmember|hrandfield|.*expire.*|.*setex|getex|.*ttl|xinfo.*|xpending|x(auto)?claim|dump|object.*|.*wait.*|multi|exec|discard|.*watch)$/

const table = buildTable()
const steady = table
  .all()
  .filter(
    (spec) =>
      spec.open === 'tenant' &&
      spec.presence === 'always' &&
      spec.firstKey !== 0 &&
      !UNSTEADY.test(spec.name) &&
      !spec.name.includes('|'),
  )
/** Those whose options or counts decide where keys are. */
const vague = steady.filter(({ firstKey, quirk }) => firstKey === -1 || (quirk.refuses ?? quirk.forward) !== undefined)

export const NAMES = ['str', 'lst', 'hsh', 'set', 'zst', 'stm', 'geo', 'other']
/** What the patterns w_* and o_* come to, with the elements of the lists and sets below. */
export const PATTERN_NAMES = ['w_1', 'w_3', 'w_7', 'o_1', 'o_3', 'o_7']
const OPTIONS =
  'STREAMS STORE STOREDIST BY GET DB REPLACE KEYS GROUP COUNT BLOCK NOACK LIMIT ASC DESC ALPHA ANY WITHDIST WITHSCORES WEIGHTS AGGREGATE LEFT RIGHT MIN MAX'.split(
    ' ',
  )
export const ALL_OPTIONS = OPTIONS.flatMap((option) => [option, option.toLowerCase(), `${option}\0`, `${option}\0x`])
export const NUMBERS = [
  '0',
  '1',
  '2',
  '3',
  '5',
  '-1',
  '01',
  '+2',
  '1.5',
  '0-0',
  '1-1',
  '>',
  '$',
  '(1',
  '+',
  '-',
  'km',
  '10000',
]
export const ODD = ['', '#', '*', 'w_*', 'o_*', 'nosort', 'p:str']

const name = fc.constantFrom(...NAMES)
const small = fc.constantFrom('1', '2', '3')
const option = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...OPTIONS) }, fc.constantFrom(...ALL_OPTIONS))
const word = fc.oneof(
  { weight: 5, arbitrary: name },
  { weight: 4, arbitrary: option },
  { weight: 4, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: fc.constantFrom(...ODD, ...PATTERN_NAMES) },
)
const several = fc.array(name, { minLength: 1, maxLength: 3 })
const random = fc.array(word, { maxLength: 8 })

/** `words` with the options of a command, spoilt now and then: in another case, cut by a NUL, or another word. */
const said = (...words: fc.Arbitrary<string>[]) => fc.tuple(...words).map((tuple) => [...tuple])
const the = (text: string) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(text) },
    fc.constantFrom(text.toLowerCase(), `${text}\0`, `${text}\0x`),
    word,
  )

function right(first: fc.Arbitrary<string[]>, ...phrases: fc.Arbitrary<string[]>[]): fc.Arbitrary<string[]> {
  const rest = fc.array(fc.oneof(...phrases, fc.constant([])), { maxLength: 5 })
  return fc.tuple(first, rest).map(([start, more]) => [...start, ...more.flat()])
}

const streams = several.chain((keys) =>
  fc
    .tuple(the('STREAMS'), fc.constantFrom('0', '>', '5-5'))
    .map(([start, id]) => [start, ...keys, ...keys.map(() => id)]),
)
const geo = [
  said(the('STORE'), word),
  said(the('STOREDIST'), word),
  said(the('COUNT'), small),
  said(the('ASC')),
  said(the('WITHDIST')),
]
const sort = [
  said(the('STORE'), word),
  said(the('LIMIT'), small, small),
  said(the('ALPHA')),
  said(the('DESC')),
  said(the('BY'), fc.constantFrom('w_*', 'o_*', '*', 'nosort')),
  said(the('GET'), fc.constantFrom('w_*', 'o_*', '*', 'hsh->f', '#', '#\0*')),
]
const counted = several.map((keys) => [String(keys.length), ...keys])
const tail = [said(the('WITHSCORES')), said(the('LIMIT'), small), said(the('COUNT'), small)]
const group = said(the('GROUP'), fc.constantFrom('str', 'nobody', 'STREAMS'), word)

/** Requests that are mostly right, by command; what comes after the name. */
const RIGHT: Readonly<Record<string, fc.Arbitrary<string[]>>> = {
  xread: fc
    .tuple(right(fc.constant([]), said(the('COUNT'), word), said(the('BLOCK'), small)), streams)
    .map((all) => all.flat()),
  xreadgroup: fc
    .tuple(right(fc.constant([]), said(the('COUNT'), small), said(the('NOACK')), group), group, streams)
    .map((all) => all.flat()),
  georadius: right(said(name, small, small, fc.constant('10000'), fc.constant('km')), ...geo),
  georadiusbymember: right(said(name, fc.constant('m'), fc.constant('10000'), fc.constant('km')), ...geo),
  sort: right(said(name), ...sort),
  sort_ro: right(said(name), ...sort),
  copy: right(said(name, name), said(the('REPLACE')), said(the('DB'), fc.constantFrom('0', '1', '2'))),
  lmpop: fc.tuple(counted, said(the('LEFT'))).map((all) => all.flat()),
  zmpop: fc.tuple(counted, said(the('MIN'))).map((all) => all.flat()),
  blmpop: fc.tuple(counted, said(the('LEFT'))).map(([keys, side]) => ['1', ...keys, ...side]),
  bzmpop: fc.tuple(counted, said(the('MIN'))).map(([keys, side]) => ['1', ...keys, ...side]),
  zunionstore: right(fc.tuple(name, counted).map((all) => all.flat())),
  zinterstore: right(fc.tuple(name, counted).map((all) => all.flat())),
  zdiffstore: right(fc.tuple(name, counted).map((all) => all.flat())),
}

/** The words of a request: any command with any words, but mostly those that matter in a form that is mostly right. */
export const anyRequest = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(...vague).chain((spec) => named(spec, RIGHT[spec.name] ?? right(counted, ...tail))),
  },
  { weight: 1, arbitrary: fc.constantFrom(...vague).chain((spec) => named(spec, random)) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...steady)
      .chain((spec) => named(spec, spec.arity > 0 ? exactly(spec.arity - 1) : random)),
  },
)

function named(spec: CommandSpec, rest: fc.Arbitrary<string[]>): fc.Arbitrary<string[]> {
  return rest.map((words) => [spec.name, ...words])
}

function exactly(length: number): fc.Arbitrary<string[]> {
  return fc.array(word, { minLength: length, maxLength: length })
}
