import type { Scenario, ScenarioStep } from '../scenario.ts'

/** The same events of keys, seen through `patterns` and `channels` of the database that the commands run in. */
const events: readonly ScenarioStep[] = [
  'b SET k v',
  'b APPEND k x',
  'b INCR n',
  'b DEL k missing n',
  ['b', 'SET', '', 'the empty key'],
  ['b', 'SET', 'a b\r\nc', 'odd'],
  ['b', 'SET', '*', 'glob'],
  ['b', 'SET', 'one:x', 'like a raw key'],
  ['b', 'SET', '\xff\0', 'bytes'],
  'b MSET x 1 y 2',
  'b RENAME x z',
  'b RENAMENX z y',
  'b COPY y copied',
  'b EXPIRE y 10000000',
  'b PERSIST y',
  'b PEXPIREAT y 1',
  'b LPUSH l a b',
  'b LPOP l 2',
  'b RPUSH l a',
  'b LMOVE l m LEFT RIGHT',
  'b HSET h f v',
  'b HDEL h f',
  'b SADD s a b',
  'b SREM s a',
  'b SPOP s',
  'b ZADD zs 1 a',
  'b ZREM zs a',
  'b XADD st 1-1 f v',
  'b XGROUP CREATE st g 0',
  'b XADD st 2-1 f v',
  'b SETRANGE r 0 abc',
  'b GETDEL r',
  'b GET missing',
  'b SET k v NX GET',
  'b MULTI',
  'b SET k 1',
  'b DEL k',
  'b EXEC',
  'b UNLINK st m',
  'b RESTORE wrong 0 payload',
  // Each runs more than once.
  ['b', 'DEL', 'k', 'x', 'y', 'z', 'copied', 'l', 'h', 's', 'zs', '', 'a b\r\nc', '*', 'one:x', '\xff\0'],
]

const forDatabase = (db: string): Scenario[] => [
  { name: 'of all keys', steps: [`a PSUBSCRIBE __keyspace@${db}__:*`, ...events] },
  { name: 'of all events', steps: [`a PSUBSCRIBE __keyevent@${db}__:*`, ...events] },
  {
    name: 'of both, by several',
    steps: [
      `a PSUBSCRIBE __key*@${db}__:*`,
      `c PSUBSCRIBE __keyspace@${db}__:k`,
      `d SUBSCRIBE __keyevent@${db}__:set`,
      ...events,
    ],
  },
  {
    name: 'of one key and one event',
    steps: [
      `a SUBSCRIBE __keyspace@${db}__:k __keyevent@${db}__:del __keyspace@${db}__:*`,
      ['a', 'SUBSCRIBE', `__keyspace@${db}__:one:x`, `__keyspace@${db}__:a b\r\nc`],
      ...events,
      `a UNSUBSCRIBE __keyspace@${db}__:k`,
      'b SET k v',
      'b DEL k',
    ],
  },
  {
    name: 'a key expires',
    steps: [
      `a SUBSCRIBE __keyevent@${db}__:expired`,
      { on: 'b', args: ['SET', 'short', 'v', 'PX', '1'], expect: { b: 1, a: 1 } },
      'b EXISTS short',
    ],
  },
  {
    name: 'published by hand',
    steps: [
      `a PSUBSCRIBE __key*`,
      `b PUBLISH __keyspace@${db}__:k set`,
      `b PUBLISH __keyevent@${db}__:set k`,
      'b PUBLISH __keyspace@99__:k set',
      'b PUBLISH __key x',
      `b PUBSUB NUMSUB __keyspace@${db}__:k`,
    ],
  },
]

/** Keyspace notifications: `__keyspace@n__:key` with the event as message, `__keyevent@n__:event` with the key. */
export const notifications: readonly Scenario[] = [
  ...forDatabase('0').map((scenario): Scenario => ({ ...scenario, places: ['plain', 'db0'] })),
  ...forDatabase('3').map((scenario): Scenario => ({ ...scenario, places: ['db3'] })),
  {
    name: 'of every database',
    places: ['db0', 'db3'],
    steps: [
      'a PSUBSCRIBE __keyspace@*__:*',
      'b SELECT 0',
      'b SET k 0',
      'b SELECT 4',
      'b SET k 4',
      'b SELECT 3',
      'b DEL k',
      'b SET k 3',
      'b DEL k',
      'b SELECT 4',
      'b DEL k',
      'b SELECT 0',
      'b DEL k',
    ],
  },
  {
    name: 'of another database',
    places: ['db0'],
    steps: [
      'a PSUBSCRIBE __keyevent@1__:*',
      'b SET k 0',
      'b SELECT 1',
      'b SET k 1',
      'b DEL k',
      'b SELECT 0',
      'b DEL k',
    ],
  },
]
