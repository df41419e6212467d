import type { Sequence } from './sequence.ts'

const raw = (name: string, ...bytes: string[]): Sequence => ({
  name,
  closes: true,
  protocols: [2],
  steps: [...bytes.map((text) => ({ raw: text })), 'QUIT'],
})
/** The error ends the connection: nothing is sent behind it, so that nothing is unread when the server closes. */
const fatal = (name: string, bytes: string, login = true): Sequence => ({
  name,
  closes: true,
  protocols: [2],
  login,
  steps: [{ raw: bytes }],
})

/** Bytes that are no ordinary requests. */
export const protocol: readonly Sequence[] = [
  raw(
    'inline',
    'PING\r\n',
    'SET a b\r\n',
    'GET a\r\n',
    '   GET    a   \r\n',
    'GET a\n',
    '\r\n',
    '\n',
    'NOSUCH x y\r\n',
    'GET\r\n',
  ),
  raw(
    'inline with quotes',
    'SET a "x\\x41\\n y"\r\n',
    'GET a\r\n',
    "SET b 'it\\'s'\r\n",
    'GET b\r\n',
    'ECHO ""\r\n',
    'ECHO "\\q"\r\n',
  ),
  raw('inline between multibulk', 'PING\r\n*1\r\n$4\r\nPING\r\n', 'PING\r\n'),
  raw('empty multibulk', '*0\r\n', '*-1\r\n', '*-10\r\n', '*1\r\n$4\r\nPING\r\n'),
  raw('empty command name', '*1\r\n$0\r\n\r\n', '*2\r\n$0\r\n\r\n$1\r\na\r\n'),
  raw('numbers with a plus or zeros', '*1\r\n$4\r\nPING\r\n', '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n'),
  fatal('unbalanced quotes', 'SET a "x\r\n'),
  fatal('text behind a quote', 'SET a "x"y\r\n'),
  fatal('not a bulk', '*1\r\n+PING\r\n'),
  fatal('not a bulk, second', '*2\r\n$3\r\nGET\r\n:1\r\n'),
  fatal('count is no number', '*abc\r\n'),
  fatal('count is empty', '*\r\n'),
  fatal('count has a blank', '* 1\r\n'),
  fatal('count is too big', '*2147483648\r\n'),
  fatal('count is over every range', '*99999999999999999999\r\n'),
  fatal('length is no number', '*1\r\n$abc\r\n'),
  fatal('length is negative', '*1\r\n$-1\r\n'),
  fatal('length is empty', '*1\r\n$\r\n'),
  fatal('length is too big', '*1\r\n$536870913\r\n'),
  fatal('length has a leading zero', '*1\r\n$04\r\n'),
  fatal('behind good requests', '*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$3\r\nstr\r\n*1\r\n!\r\n'),
  fatal('behind a blocked one', '*3\r\n$5\r\nBLPOP\r\n$7\r\nmissing\r\n$4\r\n0.01\r\n*1\r\n!\r\n'),
  fatal('an endless inline request', 'x'.repeat(66_000)),
  fatal('an endless count', `*${'1'.repeat(66_000)}`),
  fatal('HTTP', 'POST / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  fatal('HTTP, other verb', 'GET str\r\nHost: localhost\r\n'),
  fatal('HTTP in multibulk', '*2\r\n$4\r\npost\r\n$1\r\n/\r\n'),
  fatal('too many arguments before login', '*11\r\n', false),
  fatal('too long an argument before login', '*2\r\n$4\r\nECHO\r\n$16385\r\n', false),
  fatal('HTTP before login', 'POST / HTTP/1.1\r\n', false),
]
