import type { Args } from '../helpers/differential.ts'

/**
 * The keys that both sides hold before a list is run, of every type and of every encoding that changes an answer.
 * Loaded straight into the server, with the raw prefix on the proxied side, so that a mistake of Keyward's cannot
 * hide by being made twice. Nothing expires soon and stream ids are given: both sides are the same to the byte.
 */
export type Kind = 'string' | 'bitmap' | 'hyperloglog' | 'list' | 'hash' | 'set' | 'zset' | 'geo' | 'stream' | 'missing'

/** The first of January 2100, in seconds. */
export const FAR = '4102444800'

export const KEYS: Readonly<Record<Kind, readonly string[]>> = {
  string: [
    'str',
    'str:int',
    'str:float',
    'str:long',
    'str:binary',
    'str:empty',
    'str:ttl',
    '',
    'a key',
    '\xd0\xba\xff\r\n',
  ],
  bitmap: ['bits', 'bits:b', 'str'],
  hyperloglog: ['hll:a', 'hll:b'],
  list: ['list', 'list:one', 'list:ints', 'list:long'],
  hash: ['hash', 'hash:ints', 'hash:wide', 'hash:ttl'],
  set: ['set:a', 'set:b', 'set:ints', 'set:wide'],
  zset: ['zset:a', 'zset:b', 'zset:lex', 'zset:wide'],
  geo: ['geo', 'geo', 'geo:b'],
  stream: ['stream', 'stream', 'stream', 'stream:b', 'stream:empty'],
  missing: ['missing', 'no such key', '{tag}missing', 'missing:\0'],
}

/**
 * Names that a pattern, a quote, a protocol or a prefix could mistake for something else. The last ones look like raw
 * keys: with the prefix of this tenant or of others, with and without the number of a database.
 */
export const ODD = {
  globs: ['*', '?', '[a-c]*', '[^a]', 'a\\*b', '\\', ']', '^', '-', 'h[e', 'a-b^c'],
  bytes: [' ', 'two  blanks\t', '\r\n', '$3\r\nfoo\r\n', 'nul\0nul', '\0', '\xff\xfe', '\xd0\xba', "it's", '"quoted"'],
  prefixes: ['diff:str', 'five:3:str', '3:str', '0:', ':', 'acme:x', 'keyward:x', 'diff:', 'diff', '{tag}str'],
} as const

/** Odd names of keys that hold something, by kind: each kind has some of every sort. */
export const ODD_KEYS: Readonly<Record<Kind, readonly string[]>> = {
  string: ['*', '[a-c]*', '\\', '\r\n', 'nul\0nul', 'diff:str', 'five:3:str', '3:str', '"quoted"'],
  bitmap: ['?', '\0', 'diff:'],
  hyperloglog: ['[^a]', '0:'],
  list: ['a\\*b', 'two  blanks\t', 'acme:x', 'diff:list'],
  hash: [']', '$3\r\nfoo\r\n', 'keyward:x', 'diff:hash'],
  set: ['^', ' ', '\xff\xfe', 'diff:set:a'],
  zset: ['-', "it's", 'diff', ':', 'diff:zset:a'],
  geo: ['h[e', '{tag}geo'],
  stream: ['a-b^c', '\xd0\xba', 'five:0:stream', 'diff:stream'],
  missing: ['**', '[', '\r', 'diff:missing', 'five:', '\xff'],
}

/** Values that look like keys: raw ones, and those of this pool. */
export const KEYLIKE: readonly string[] = ['diff:str', 'five:3:str', 'acme:x', 'str', '*', 'keyward:']

function oddCommands(): Args[] {
  const all: Args[] = []
  const add = (kind: Kind, command: (key: string, i: number) => Args): void => {
    for (const [i, key] of ODD_KEYS[kind].entries()) all.push(command(key, i))
  }
  add('string', (key, i) => ['SET', key, KEYLIKE[i % KEYLIKE.length]])
  add('bitmap', (key, i) => ['SETBIT', key, String(9 * i + 3), '1'])
  add('hyperloglog', (key) => ['PFADD', key, ...KEYLIKE])
  add('list', (key, i) => ['RPUSH', key, ...KEYLIKE.slice(i), 'a', 'b'])
  add('hash', (key, i) => ['HSET', key, ...KEYLIKE.slice(i).flatMap((field) => [field, field]), 'f1', 'v1', 'n', '1'])
  add('set', (key, i) => ['SADD', key, ...KEYLIKE.slice(i), 'a', 'b'])
  add('zset', (key, i) => ['ZADD', key, ...KEYLIKE.slice(i).flatMap((member, n) => [String(n), member]), '9', 'a'])
  add('geo', (key) => ['GEOADD', key, '13.361389', '38.115556', 'Palermo', '2.35', '48.85', 'diff:geo'])
  add('stream', (key) => ['XADD', key, '1-1', ...KEYLIKE])
  add('stream', (key) => ['XGROUP', 'CREATE', key, 'g1', '0'])
  return all
}

export function poolCommands(): Args[] {
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))
  return [
    ...oddCommands(),
    ['SET', 'str', 'hello world'],
    ['SET', 'str:int', '42'],
    ['SET', 'str:float', '3.25'],
    ['SET', 'str:long', 'abcdefghij'.repeat(100)],
    ['SET', 'str:binary', '\0\xff\r\n$5\r\nhello\x80'],
    ['SET', 'str:empty', ''],
    ['SET', 'str:ttl', 'until 2100', 'EXAT', FAR],
    ['SET', '', 'the empty key'],
    ['SET', 'a key', 'with a blank'],
    ['SET', '\xd0\xba\xff\r\n', 'with odd bytes'],
    ['SETBIT', 'bits', '7', '1'],
    ['SETBIT', 'bits', '100', '1'],
    ['SET', 'bits:b', '\x0f\xf0\xaa'],
    ['PFADD', 'hll:a', 'a', 'b', 'c'],
    ['PFADD', 'hll:b', ...numbers(300)],
    ['RPUSH', 'list', 'a', 'b', 'c', 'b', 'a'],
    ['RPUSH', 'list:one', 'a'],
    ['RPUSH', 'list:ints', '3', '1', '2', '-5'],
    ['RPUSH', 'list:long', ...numbers(300)],
    ['HSET', 'hash', 'f1', 'v1', 'f2', 'v2', 'n', '10', 'x', '1.5'],
    ['HSET', 'hash:ints', 'a', '1', 'b', '2', 'n', '9223372036854775807'],
    ['HSET', 'hash:wide', ...numbers(200).flatMap((n) => [`f${n}`, `v${n}`])],
    ['HSET', 'hash:ttl', 'f1', 'v1'],
    ['EXPIREAT', 'hash:ttl', FAR],
    ['SADD', 'set:a', 'a', 'b', 'c', 'd'],
    ['SADD', 'set:b', 'b', 'c', 'x'],
    ['SADD', 'set:ints', '1', '2', '3', '100'],
    ['SADD', 'set:wide', ...numbers(200).map((n) => `m${n}`)],
    ['ZADD', 'zset:a', '1', 'a', '2', 'b', '3', 'c', '3', 'd'],
    ['ZADD', 'zset:b', '-inf', 'x', '2.5', 'b', '1e20', 'c'],
    ['ZADD', 'zset:lex', '0', 'a', '0', 'b', '0', 'c', '0', 'd'],
    ['ZADD', 'zset:wide', ...numbers(200).flatMap((n) => [n, `m${n}`])],
    ['GEOADD', 'geo', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'],
    ['GEOADD', 'geo:b', '-122.27', '37.80', 'Oakland', '2.35', '48.85', 'Paris'],
    ['XADD', 'stream', '1-1', 'f', 'v'],
    ['XADD', 'stream', '2-0', 'f', 'v', 'g', 'w'],
    ['XADD', 'stream', '3-3', 'f', '\0\r\n'],
    ['XADD', 'stream:b', '1-1', 'a', 'b'],
    ['XGROUP', 'CREATE', 'stream', 'g1', '0'],
    ['XGROUP', 'CREATE', 'stream', 'g2', '$'],
    ['XGROUP', 'CREATE', 'stream:b', 'g1', '0'],
    ['XREADGROUP', 'GROUP', 'g1', 'c1', 'COUNT', '2', 'STREAMS', 'stream', '>'],
    ['XGROUP', 'CREATE', 'stream:empty', 'g1', '$', 'MKSTREAM'],
    // What the patterns of SORT find for the elements of list:ints and list.
    ...['3', '1', '2', '-5', 'a', 'b'].flatMap((element, i): Args[] => [
      ['SET', `weight:${element}`, String((7 * i) % 5)],
      ['HSET', `object:${element}`, 'weight', String((5 * i) % 7), 'name', `diff:object ${element}`],
    ]),
  ]
}

/** The same commands with the prefix in front of every key. */
export function withPrefix(commands: readonly Args[], prefix: string): Args[] {
  return commands.map((args) => {
    const at = args[0] === 'XGROUP' ? 2 : args[0] === 'XREADGROUP' ? 7 : 1
    return args.map((arg, i) => (i === at ? prefix + arg : arg))
  })
}
