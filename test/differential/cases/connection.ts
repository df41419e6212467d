import { type Sequence, sequence } from './sequence.ts'

const WORDING = { mode: 'skip', reason: 'the text changed after 7.0; Keyward has the later one' } as const
const ID = { mode: 'shape', reason: "the connection's id is Keyward's own" } as const

/** Logging in, names, databases, RESP versions, and requests that are no commands. */
export const connection: readonly Sequence[] = [
  {
    name: 'before login',
    login: false,
    steps: ['GET str', 'PING', 'PING x', 'ECHO x', 'NOSUCH', 'GET', 'SELECT 0', 'CLIENT ID', 'MULTI', 'EXEC', 'COMMAND COUNT'],
  },
  { name: 'login', login: false, steps: ['AUTH wrong', 'PING', 'AUTH pass', 'PING'] },
  {
    name: 'login with a name',
    login: false,
    steps: ['AUTH default wrong', 'AUTH nobody pass', 'AUTH default pass', 'PING', 'AUTH default wrong', 'PING', 'AUTH a b c', 'AUTH'],
  },
  {
    name: 'HELLO before login',
    login: false,
    steps: ['HELLO', 'HELLO 3', 'HELLO 9', 'HELLO 3 AUTH default wrong', 'HELLO 2 AUTH default', 'HELLO 2 AUTH default pass', 'PING'],
    modes: { 0: WORDING, 1: WORDING, 5: ID },
  },
  {
    name: 'HELLO with login and name',
    login: false,
    databases: true,
    steps: ['HELLO 3 AUTH default pass SETNAME me', 'CLIENT GETNAME', 'SELECT 9', 'COMMAND GETKEYS GET a', 'HGETALL nothing', 'GET missing', 'HELLO 2', 'GET missing'],
    modes: { 0: ID, 6: ID },
  },
  {
    name: 'HELLO again and wrong',
    steps: [
      'HELLO',
      'HELLO 4',
      'HELLO 1',
      'HELLO abc',
      'HELLO 3 SETNAME',
      ['HELLO', '3', 'SETNAME', 'two words'],
      'HELLO 3 FOO',
      'HELLO 3 AUTH default wrong',
      ['HELLO', ''],
      'HELLO 3 SETNAME a SETNAME b',
      'CLIENT GETNAME',
      'HELLO 2',
    ],
    modes: { 0: ID, 9: ID, 11: ID },
  },
  {
    name: 'RESP3 and back in a pipeline',
    steps: ['HELLO 3', 'HGETALL hash', 'GET missing', 'SMEMBERS set:ints', 'ZRANGE zset:a 0 -1 WITHSCORES', 'HELLO 2', 'HGETALL hash', 'GET missing'],
    modes: { 0: ID, 5: ID },
  },
  sequence('client names', 'CLIENT GETNAME', 'CLIENT SETNAME me', 'CLIENT GETNAME', ['CLIENT', 'SETNAME', 'a b'], 'client getname', [
    'CLIENT',
    'SETNAME',
    '',
  ], 'CLIENT GETNAME', 'CLIENT SETNAME', 'CLIENT GETNAME x', 'CLIENT SETNAME a b'),
  sequence('client without and with an unknown subcommand', 'CLIENT', 'CLIENT NOSUCH', ['CLIENT', 'a\r\nb'], 'CLIENT NO-EVICT', 'CLIENT NO-EVICT on', 'CLIENT NO-EVICT maybe', 'CLIENT NO-EVICT off'),
  { name: 'CLIENT REPLY OFF and ON', replies: 3, steps: ['PING a', 'CLIENT REPLY OFF', 'PING b', 'SET str changed', 'NOSUCH', 'CLIENT REPLY ON', 'GET str'] },
  { name: 'CLIENT REPLY SKIP', replies: 3, steps: ['PING a', 'CLIENT REPLY SKIP', 'SET str changed', 'GET str', 'PING c'] },
  { name: 'CLIENT REPLY SKIP before an answer of our own', replies: 2, steps: ['CLIENT REPLY SKIP', 'PING a', 'PING b', 'GET str'] },
  { name: 'CLIENT REPLY OFF over many', replies: 2, steps: ['CLIENT REPLY OFF', 'INCR str:int', 'GET nothing', 'INCR str:int', 'CLIENT REPLY OFF', 'CLIENT REPLY SKIP', 'INCR str:int', 'CLIENT REPLY ON', 'GET str:int'] },
  sequence('CLIENT REPLY wrong', 'CLIENT REPLY', 'CLIENT REPLY maybe', 'CLIENT REPLY ON', 'CLIENT REPLY ON ON', 'PING'),
  {
    name: 'SELECT',
    databases: true,
    steps: ['SET of-nine 1', 'SELECT 3', 'GET of-nine', 'SET of-three 3', 'SELECT 16', 'GET of-three', 'SELECT -1', 'SELECT abc', ['SELECT', ''], 'SELECT 1 2', 'SELECT', 'SELECT 3', 'GET of-three', 'DEL of-three'],
  },
  sequence('PING and ECHO', 'PING', 'PING hello', 'PING a b', 'ECHO hello', 'ECHO', 'ECHO a b', ['ECHO', '\0\r\n\xff'], ['PING', '']),
  { name: 'RESET', steps: ['CLIENT SETNAME me', 'RESET', 'GET str', 'PING', 'AUTH pass', 'CLIENT GETNAME'] },
  { name: 'RESET within MULTI', steps: ['MULTI', 'SET str changed', 'RESET', 'EXEC', 'AUTH pass', 'EXEC'] },
  { name: 'QUIT', closes: true, steps: ['SET str before', 'QUIT', 'SET str after'] },
  { name: 'QUIT within MULTI', closes: true, steps: ['MULTI', 'SET str changed', 'QUIT', 'EXEC'] },
  { name: 'QUIT with arguments', closes: true, steps: ['PING', 'QUIT now', 'PING'] },
  { name: 'QUIT behind what takes another way', closes: true, steps: ['RPUSH q a', 'BLPOP q 0', 'LPUSH q b', 'QUIT'] },
  sequence(
    'unknown commands',
    'NOSUCH',
    'nosuch a b',
    ['NOSUCH', 'x'.repeat(200), 'y'.repeat(200)],
    ['n'.repeat(300), 'a'],
    ['NOSUCH', '', ' ', "it's", 'a\r\nb', '\0z'],
    ['NO\r\nSUCH', '1'],
    [''],
    [' '],
    ['GET ', 'str'],
    ['NOSUCH', ...Array.from({ length: 60 }, (_, i) => `arg${i}`)],
    'PING',
  ),
  sequence('in any case', 'get str', 'GeT str', 'object ENCODING str', 'OBJECT encoding str', 'xInfo StReAm stream'),
  sequence('wrong number of arguments', 'GET', 'GET a b', 'SET a', 'MSET a 1 b', 'MSET a', 'OBJECT', 'OBJECT ENCODING', 'XGROUP CREATE', 'DEL', 'EXEC x', 'MULTI x', 'WATCH'),
]
