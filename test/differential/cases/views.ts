import type { Scenario, ScenarioRow, ScenarioStep } from '../scenario.ts'

/** A line of MONITOR without its time and address. */
const LINE: ScenarioRow = {
  mode: 'shape',
  reason: 'the time, and the address of the connection',
  form: (frames) => frames.map((frame) => frame.replace(/^\+\d+\.\d{6} \[(\d+) [^\]]+\] /, '+[$1] ')).join(''),
}

const HELP: ScenarioRow = { mode: 'skip', reason: 'HELP lists what is open', form: () => '' }

/** What a client sees of what happens in its tenant's Redis. */
export const views: readonly Scenario[] = [
  {
    name: 'CONFIG SET notify-keyspace-events',
    steps: [
      'b PSUBSCRIBE __key*__:*',
      'a CONFIG GET notify-keyspace-events',
      'a SET k v',
      'a CONFIG SET notify-keyspace-events K$',
      'a SET k v',
      'a LPUSH l x',
      'a CONFIG GET notify-keyspace-events',
      'a CONFIG SET notify-keyspace-events El',
      'a SET k v',
      'a LPUSH l x',
      ['a', 'CONFIG', 'SET', 'notify-keyspace-events', ''],
      'a SET k v',
      'a CONFIG GET notify-keyspace-events',
      'a CONFIG SET notify-keyspace-events zz',
      'a CONFIG SET NOTIFY-KEYSPACE-EVENTS gxE',
      'a CONFIG GET notify-keyspace-events',
      'a DEL k l',
      'a CONFIG SET',
      'a CONFIG SET notify-keyspace-events',
      'a CONFIG SET notify-keyspace-events KEA',
      'a SET k v',
      'a DEL k',
    ],
  },
  {
    name: 'SLOWLOG',
    steps: [
      'a SLOWLOG RESET',
      'a SLOWLOG LEN',
      'a SLOWLOG GET',
      'a SLOWLOG GET 10',
      'a SLOWLOG GET -1',
      'a SLOWLOG GET -2',
      'a SLOWLOG GET abc',
      'a SLOWLOG GET 1 2',
      'a SLOWLOG LEN x',
      'a SLOWLOG RESET x',
      'a SLOWLOG',
      'a SLOWLOG NOSUCH',
      { on: 'a', args: ['SLOWLOG', 'HELP'], row: HELP },
    ],
  },
  {
    name: 'LATENCY',
    steps: [
      'a LATENCY LATEST',
      'a LATENCY HISTORY command',
      'a LATENCY HISTORY',
      'a LATENCY RESET',
      'a LATENCY RESET command',
      'a LATENCY GRAPH command',
      'a LATENCY',
      'a LATENCY NOSUCH',
      { on: 'a', args: ['LATENCY', 'HELP'], row: HELP },
    ],
  },
  {
    name: 'MONITOR',
    steps: [
      { on: 'a', args: ['MONITOR'], expect: { a: 1 } },
      ...(
        [
          ['GET', 'k'],
          ['SET', 'a key', 'a "value" with \\ and \r\n\t\0\xff\x07'],
          ['set', '', ''],
          ['SELECT', '0'],
          ['MGET', 'one:x', 'five:0:x', '*'],
          ['PING'],
          ['ECHO', 'x'.repeat(200)],
          ['CLIENT', 'GETNAME'],
          ['INCR', 'a key'],
          ['LPUSH', 'l', 'x'],
          ['BLPOP', 'l', '0'],
          ['PUBLISH', 'c', 'message'],
          ['DEL', 'a key', ''],
        ] as const
      ).map((args): ScenarioStep => ({ on: 'b', args, expect: { a: 1, b: 1 }, row: LINE })),
    ],
  },
  {
    name: 'MONITOR hides what is secret, and what is refused',
    steps: [
      { on: 'a', args: ['MONITOR'], expect: { a: 1 } },
      { on: 'b', args: ['AUTH', 'pass'], expect: { a: 1, b: 1 }, row: LINE },
      { on: 'b', args: ['AUTH', 'default', 'wrong'], expect: { a: 1, b: 1 }, row: LINE },
      { on: 'b', args: ['NOSUCH', 'x'], expect: { b: 1 } },
      { on: 'b', args: ['GET'], expect: { b: 1 } },
      { on: 'b', args: ['GET', 'x'], expect: { a: 1, b: 1 }, row: LINE },
    ],
  },
  {
    name: 'MONITOR of a transaction',
    steps: [
      { on: 'a', args: ['MONITOR'], expect: { a: 1 } },
      { on: 'b', args: ['MULTI'], expect: { a: 1, b: 1 }, row: LINE },
      { on: 'b', args: ['SET', 'k', 'v'], expect: { b: 1 } },
      { on: 'b', args: ['GET', 'k'], expect: { b: 1 } },
      { on: 'b', args: ['EXEC'], expect: { a: 3, b: 1 }, row: LINE },
      { on: 'b', args: ['DEL', 'k'], expect: { a: 1, b: 1 }, row: LINE },
    ],
  },
  {
    name: 'MONITOR, wrong',
    steps: ['a MONITOR x', 'a PING'],
  },
]
