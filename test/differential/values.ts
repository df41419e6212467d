import type { Argument } from './grammar.ts'
import { FAR, KEYLIKE, KEYS, type Kind, ODD_KEYS } from './pool.ts'
import type { Random } from './random.ts'

/**
 * Values for arguments, by their name in the server's documentation. None of them makes a key expire while the test
 * runs, allocates much, or blocks for long: both sides could then differ, or the run would hang.
 */

/** What kind of key a command of this group works on. */
const KINDS: Readonly<Record<string, readonly Kind[]>> = {
  string: ['string'],
  bitmap: ['bitmap', 'string'],
  hyperloglog: ['hyperloglog'],
  list: ['list'],
  hash: ['hash'],
  set: ['set'],
  'sorted-set': ['zset'],
  geo: ['geo'],
  stream: ['stream'],
}

const ANY: readonly Kind[] = ['string', 'list', 'hash', 'set', 'zset', 'geo', 'stream', 'hyperloglog', 'bitmap']

export function kindsOf(group: string): readonly Kind[] {
  return KINDS[group] ?? ANY
}

/** Where most keys of the right type would only bring the same error. */
const FITTING: Readonly<Record<string, readonly string[]>> = {
  incr: ['str:int', 'missing', 'str:int', 'no such key', 'str'],
  decr: ['str:int', 'missing', 'str:int', 'no such key', 'str'],
  incrby: ['str:int', 'str:int', 'missing', 'str'],
  decrby: ['str:int', 'str:int', 'missing', 'str'],
  incrbyfloat: ['str:int', 'str:float', 'missing', 'str:empty'],
  restore: ['missing', 'no such key', '{tag}missing', 'str'],
  sort: ['list:ints', 'set:ints', 'list:long', 'list:ints', 'zset:lex', 'str'],
  sort_ro: ['list:ints', 'set:ints', 'list:long', 'list:ints', 'zset:lex', 'str'],
}

export function fittingKeys(command: string, group: string, random: Random): readonly string[] {
  const fitting = FITTING[command]
  if (fitting !== undefined) return fitting
  const kind = random.pick(kindsOf(group))
  return random.chance(0.3) ? ODD_KEYS[kind] : KEYS[kind]
}

/** A key of a type that the command does not take. */
export function keyOfOtherKind(group: string, random: Random): string {
  const own = kindsOf(group)
  const others = ANY.filter((kind) => !own.includes(kind) || own === ANY)
  const kind = random.pick(others)
  return random.pick(random.chance(0.3) ? ODD_KEYS[kind] : KEYS[kind])
}

/** A key that nothing holds. */
export function missingKey(random: Random): string {
  return random.pick(random.chance(0.3) ? ODD_KEYS.missing : KEYS.missing)
}

const SCORES = ['0', '1', '2', '3', '-1', '(1', '(2', '-inf', '+inf', 'inf', '2.5', '1e20']
const LEX = ['-', '+', '[a', '(a', '[b', '(c', '[d', '[']
const IDS = ['-', '+', '0', '0-0', '1-1', '1', '2-0', '(1-1', '3-3', '3-9', '9']
const TIMES = ['10000000', '20000000', '0', '-1']
const UNIX = [FAR, `${FAR}000`, '4102444801', '1', '0']
const SMALL = ['0', '1', '2', '3', '5', '10', '100', '-1', '-2', '-100']

/** By argument name. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  field: ['f1', 'f2', 'n', 'x', 'f150', 'a', 'no such field', '', 'f\0\r\n', ...KEYLIKE],
  value: ['v', '', '12', '-3.5', 'a\r\nb', '\0\xff', 'x'.repeat(200), ...KEYLIKE],
  element: ['a', 'b', 'c', '1', 'x', '', '\xff', ...KEYLIKE],
  pivot: ['a', 'b', '1', 'no such element'],
  groupname: ['g1', 'g1', 'g1', 'g2', 'no such group', 'STREAMS'],
  group: ['g1', 'g1', 'g1', 'g1', 'g2', 'no such group', 'STREAMS'],
  consumer: ['c1', 'c2', 'BLOCK', ''],
  consumername: ['c1', 'c2', 'new'],
  'min-idle-time': ['0', '0', '10000000'],
  threshold: ['2', '0', '1000', '2-0', '1-1'],
  'last-id': ['100-0', '3-3', '3', '0-1'],
  max_deleted_entry_id: ['0-0', '1-1', '2-0'],
  pattern: ['*', 'f*', 'm1*', '[ab]', '?', '\\*', '', 'no*match'],
  message: ['hello', '', 'a\r\nb', '\0'],
  timeout: ['0.001', '0.005'],
  increment: ['1', '-1', '0', '5', '100'],
  decrement: ['1', '-1', '100'],
  seconds: TIMES,
  ttl: TIMES,
  milliseconds: TIMES,
  ms: TIMES,
  frequency: ['0', '255', '100'],
  bit: ['0', '1', '0', '1', '2'],
  longitude: ['15.08', '13.36', '0', '-122.2', '180', '15.5', '14', '200'],
  latitude: ['37.5', '38.1', '0', '85', '37.9', '-1.5', '38', '90'],
  radius: ['200', '1000.5', '0', '20000'],
  width: ['400', '0.5', '40000'],
  height: ['400', '0.5', '40000'],
  encoding: ['u8', 'i8', 'u1', 'i64', 'u63', 'i5', 'i16', 'u2', 'u64', 'x8'],
  offset: ['0', '1', '7', '100', '3', '12', '-1'],
  count: ['1', '2', '3', '5', '10', '100', '1', '2', '0', '-1', '-5'],
  cursor: ['0', '0', '0', '3', '64'],
  numreplicas: ['0', '0', '1'],
  db: ['0', '9', '16', '-1'],
  protover: ['2', '3', '4', '1'],
  username: ['default', 'nobody', ''],
  password: ['pass', 'secret', ''],
  clientname: ['me', '', 'two words'],
  'connection-name': ['me', '', 'two words', 'a\nb'],
  section: ['server', 'clients', 'everything', 'nosuch'],
  parameter: ['maxmemory', 'databases', 'SAVE', 'appendonly', 'nosuch', 'max*'],
  'command-name': ['get', 'SET', 'xread', 'nosuch', 'client|id', 'object'],
  'module-name': ['nosuch'],
  category: ['string', 'read', 'nosuch'],
  'client-id': ['1', '999999', '0', '-1'],
}

/** Of keys and channels: every special character, alone, escaped, unfinished and in a class, and plain names. */
export const PATTERNS: readonly string[] = [
  ...['*', '**', '?', '', '*?*', 's*', '*:a', 'str', 'str*', '*\r\n*', '* *', '*\0*', '\xff*', '*\xd0*'],
  ...[
    '[a-c]*',
    '[^a]*',
    '[^a-s]*',
    '[c-a]*',
    '[]*',
    '[^]*',
    '[[]*',
    '[a',
    '[^',
    '[',
    '[a-',
    '[\\]]*',
    '[*]*',
    '[ls]i*',
  ],
  ...[
    '\\*',
    '\\**',
    '\\?',
    '\\[a-c\\]\\*',
    '\\\\',
    '\\\\*',
    '\\',
    'a\\',
    '\\s\\t\\r',
    ']',
    '-',
    '^',
    '[-]',
    '[^-]',
    '[\\^]',
  ],
  ...['diff:*', 'one:*', 'five:3:*', '*:str', '0:*', 'acme:x', 'keyward:*', '{tag}*', '?????????????????????????????'],
]

/** Where the name alone does not tell, by "command.argument". */
const EXACT: Readonly<Record<string, readonly string[]>> = {
  'bitfield.offset': ['0', '#0', '#1', '#2', '7', '100', '#'],
  'bitfield_ro.offset': ['0', '#0', '#1', '#2', '7', '100', '#'],
  'setbit.value': ['0', '1', '1', '0', '2'],
  'bitop.operation': ['AND', 'or', 'XOR', 'NOT', 'NOPE'],
  'wait.timeout': ['1', '5'],
  'xread.milliseconds': ['1', '5'],
  'xreadgroup.milliseconds': ['1', '5'],
  'xread.id': ['0', '$', '1-1', '0-0', '9', '3-3'],
  'xreadgroup.id': ['>', '>', '0', '1-1', '$'],
  'xadd.id': ['100-1', '100-*', '5-5', '0-0', '1-1', '9-9', '50'],
  'xack.id': ['1-1', '2-0', '3-3', '9-9'],
  'xclaim.id': ['1-1', '2-0', '3-3', '9-9'],
  'xdel.id': ['1-1', '2-0', '9-9'],
  'xautoclaim.start': ['0', '0-0', '1-1', '9', '(1-1', '-'],
  'xgroup|create.id': ['0', '1-1', '9-9'],
  'xgroup|setid.id': ['0', '1-1', '9-9'],
  'copy.destination-db': ['0', '9', '1', '3', '4', '5', '16', '-1', '03', '+3'],
  'move.db': ['0', '1', '3', '4', '1', '5', '16', '-1', '03', '99999999999'],
  'select.index': ['0', '1', '3', '4', '5', '15', '16', '-1', '03'],
  'keys.pattern': PATTERNS,
  'scan.pattern': PATTERNS,
  'scan.cursor': ['0', '0', '0', '0', '00', '+0', '3', '64', '18446744073709551615'],
  'scan.count': ['1', '2', '10', '100', '1000', '1000', '100000', '0', '-1'],
  'scan.type': ['string', 'hash', 'ZSET', 'stream', 'nosuch', '', 'str'],
  'client|pause.timeout': ['0', '1', '2', '-1', '0.5'],
  'client|unblock.client-id': ['999999', '0', '-1', '18446744073709551615'],
  'memory|usage.count': ['0', '1', '5', '100'],
}

/** What SORT puts an element into, by the option in front. Some read keys that are there, some read none. */
const SORT_PATTERNS: Readonly<Record<string, readonly string[]>> = {
  BY: [
    'weight:*',
    'object:*->weight',
    'nosort',
    'weight:*',
    'no*such',
    'object:*->nope',
    '*',
    'list',
    'w*:*',
    '',
    'x->*',
  ],
  GET: [
    '#',
    'weight:*',
    'object:*->name',
    '#',
    'object:*->',
    'no*such',
    '*',
    'str',
    '*->name',
    '',
    '##',
    'obj*->weight',
  ],
}

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  set: ['a', 'b', 'c', '1', '2', 'm7', 'no such member', '', ...KEYLIKE],
  'sorted-set': ['a', 'b', 'c', 'd', 'x', 'm7', 'no such member', '', ...KEYLIKE],
  geo: ['Palermo', 'Catania', 'Palermo', 'Catania', 'Paris', 'nowhere'],
}

export interface Context {
  readonly command: string
  readonly group: string
  readonly random: Random
  /** Payloads of DUMP, for RESTORE. */
  readonly payloads: readonly string[]
}

/** ZRANGE's bounds are of the kind that an option behind them says. */
export function zrangeBounds(words: readonly string[]): readonly string[] {
  if (words.includes('BYSCORE')) return SCORES
  return words.includes('BYLEX') ? LEX : ['0', '1', '2', '-1', '-2', '100', '-100']
}

/** A value for an argument that is neither a key, a token nor made of parts. */
export function valueFor({ name, type, token }: Argument, { command, group, random, payloads }: Context): string {
  if (command.startsWith('sort') && type === 'pattern') return random.pick(SORT_PATTERNS[token ?? 'GET'])
  if (/^(s?publish|pubsub)/.test(command) && /channel|pattern/.test(name)) return random.pick(PATTERNS)
  const exact = EXACT[`${command}.${name}`]
  if (exact !== undefined) return random.pick(exact)
  if (name === 'serialized-value') return random.pick(payloads)
  if (name.startsWith('member')) return random.pick(MEMBERS[group] ?? MEMBERS.set)
  if (group === 'sorted-set' && (name === 'min' || name === 'max'))
    return random.pick(command.includes('lex') ? LEX : SCORES)
  if (group === 'stream' && (name === 'start' || name === 'end')) return random.pick(IDS)
  const named = NAMED[name]
  if (type === 'double' && named === undefined) return random.pick(['0', '1', '1.5', '-2.25', '3e2', 'inf'])
  if (named !== undefined) return random.pick(named)
  if (type === 'unix-time') return random.pick(UNIX)
  if (type === 'integer') return random.pick(SMALL)
  return random.pick(['x', 'hello', '', '12', 'a b'])
}

/** Not an integer, or one out of every range; none that is a small positive number. */
export const BAD_NUMBERS: readonly string[] = [
  'abc',
  '',
  '1.5.2',
  ' 1',
  '1 ',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '-9223372036854775809',
  '0x',
  '--1',
  'nan',
  '\xff',
]

/** For time-outs: of the bad numbers those that no server takes for a long time. */
export const BAD_TIMEOUTS: readonly string[] = ['abc', '', '-1', '-0.5', '0.0.1', '--1', '9223372036854775808', 'nan']
