import { decode } from '../../helpers/differential.ts'
import type { Scenario, ScenarioRow, ScenarioStep } from '../scenario.ts'

/** The fields of CLIENT LIST that say the same wherever the client is connected. */
const CLIENTS: ScenarioRow = {
  mode: 'shape',
  reason: 'addresses, ids, ages and sizes of buffers differ',
  form: (frames) =>
    frames
      .map((frame) => {
        const text = decode(frame).text ?? frame
        const lines = text.replace(/^txt:/, '').split('\n')
        return lines.map((line) => line.match(/(?<= |^)(name|db|user|resp)=\S*/g)?.join(' ') ?? '').join('\n')
      })
      .join(),
}

const refused = (...lines: readonly string[]): ScenarioStep[] => lines.map((line) => `a ${line}`)

/** What a client sees and does of the other clients of its tenant. */
export const clients: readonly Scenario[] = [
  {
    name: 'CLIENT KILL by id',
    ids: true,
    steps: [
      { on: 'a', args: ['CLIENT', 'KILL', 'ID', '{id:b}'], expect: { a: 1 }, closes: 'b' },
      'a CLIENT KILL ID {id:b}',
      'a CLIENT KILL ID {id:a}',
      { on: 'a', args: ['CLIENT', 'KILL', 'ID', '{id:c}', 'SKIPME', 'yes'], expect: { a: 1 }, closes: 'c' },
      { on: 'd', args: ['GET', 'x'] },
      { on: 'a', args: ['CLIENT', 'KILL', 'ID', '{id:a}', 'SKIPME', 'no'], closes: 'a' },
    ],
  },
  {
    name: 'CLIENT KILL by address',
    ids: true,
    steps: [
      { on: 'a', args: ['CLIENT', 'KILL', '{addr:b}'], expect: { a: 1 }, closes: 'b' },
      'a CLIENT KILL {addr:b}',
      { on: 'a', args: ['CLIENT', 'KILL', 'ADDR', '{addr:c}'], expect: { a: 1 }, closes: 'c' },
      'a CLIENT KILL ADDR 127.0.0.1:1',
      'a CLIENT KILL 127.0.0.1:1',
      { on: 'd', args: ['PING'] },
      { on: 'd', args: ['CLIENT', 'KILL', '{addr:d}'], closes: 'd' },
    ],
  },
  {
    name: 'CLIENT KILL by type and user',
    ids: true,
    steps: [
      'b SUBSCRIBE c',
      { on: 'a', args: ['CLIENT', 'KILL', 'TYPE', 'pubsub'], expect: { a: 1 }, closes: 'b' },
      'a CLIENT KILL TYPE pubsub',
      'a CLIENT KILL USER nobody',
      'a CLIENT KILL TYPE master',
      'a CLIENT KILL TYPE replica',
      { on: 'a', args: ['CLIENT', 'KILL', 'TYPE', 'normal', 'ID', '{id:c}'], expect: { a: 1 }, closes: 'c' },
      { on: 'a', args: ['CLIENT', 'KILL', 'USER', 'default'], expect: { a: 1 }, closes: 'd' },
    ],
  },
  {
    name: 'CLIENT KILL of one that blocks, and of one in MULTI',
    ids: true,
    steps: [
      { on: 'b', args: ['BLPOP', 'nothing', '0'], expect: {} },
      { on: 'a', args: ['CLIENT', 'KILL', 'ID', '{id:b}'], expect: { a: 1 }, closes: 'b' },
      'c MULTI',
      'c SET killed yes',
      { on: 'a', args: ['CLIENT', 'KILL', 'ID', '{id:c}'], expect: { a: 1 }, closes: 'c' },
      'a EXISTS killed',
    ],
  },
  {
    name: 'CLIENT KILL, wrong',
    steps: refused(
      'CLIENT KILL',
      'CLIENT KILL nonsense',
      'CLIENT KILL ID',
      'CLIENT KILL ID abc',
      'CLIENT KILL ID 0',
      'CLIENT KILL ID -1',
      'CLIENT KILL ID 999999',
      'CLIENT KILL TYPE nosuch',
      'CLIENT KILL NOSUCH x',
      'CLIENT KILL ID 999999 TYPE',
      'CLIENT KILL SKIPME maybe',
      'CLIENT KILL ID 999999 SKIPME maybe',
      'CLIENT KILL USER nosuch',
      'CLIENT KILL LADDR 127.0.0.1:1',
      'CLIENT KILL ADDR',
      'CLIENT KILL ID 999999 ADDR x USER default TYPE normal',
    ),
  },
  {
    name: 'CLIENT LIST',
    ids: true,
    steps: [
      'a CLIENT SETNAME first',
      'b CLIENT SETNAME second',
      'b SELECT 0',
      { on: 'a', args: ['CLIENT', 'LIST'], row: CLIENTS },
      { on: 'a', args: ['CLIENT', 'LIST', 'TYPE', 'normal'], row: CLIENTS },
      { on: 'a', args: ['CLIENT', 'LIST', 'ID', '{id:b}', '{id:a}'], row: CLIENTS },
      { on: 'a', args: ['CLIENT', 'LIST', 'ID', '999999'], row: CLIENTS },
      { on: 'a', args: ['CLIENT', 'LIST', 'TYPE', 'pubsub'], row: CLIENTS },
      { on: 'b', args: ['CLIENT', 'INFO'], row: CLIENTS },
      'a CLIENT LIST TYPE nosuch',
      'a CLIENT LIST ID',
      'a CLIENT LIST ID abc',
      'a CLIENT LIST NOSUCH',
    ],
  },
  {
    name: 'CLIENT UNBLOCK',
    ids: true,
    steps: [
      'a CLIENT UNBLOCK {id:b}',
      { on: 'b', args: ['BLPOP', 'nothing', '0'], expect: {} },
      { on: 'a', args: ['CLIENT', 'UNBLOCK', '{id:b}'], until: ':1\r\n' },
      { on: 'b', args: [], expect: { b: 1 } },
      { on: 'b', args: ['BLMOVE', 'nothing', 'x', 'LEFT', 'LEFT', '0'], expect: {} },
      { on: 'a', args: ['CLIENT', 'UNBLOCK', '{id:b}', 'ERROR'], until: ':1\r\n' },
      { on: 'b', args: [], expect: { b: 1 } },
      { on: 'b', args: ['XREAD', 'BLOCK', '0', 'STREAMS', 'nothing', '$'], expect: {} },
      { on: 'a', args: ['CLIENT', 'UNBLOCK', '{id:b}', 'TIMEOUT'], until: ':1\r\n' },
      { on: 'b', args: [], expect: { b: 1 } },
      'b PING',
      'a CLIENT UNBLOCK {id:b} ERROR',
      'a CLIENT UNBLOCK {id:b} NOSUCH',
      'a CLIENT UNBLOCK',
      'a CLIENT UNBLOCK abc',
      'a CLIENT UNBLOCK 999999',
      'b RPUSH l x',
      'b BLPOP l 0',
    ],
  },
  {
    name: 'CLIENT PAUSE of writes',
    steps: [
      'a SET p 1',
      'a CLIENT PAUSE 100000 WRITE',
      'b GET p',
      { on: 'b', args: ['SET', 'p', '2'], expect: {} },
      'c GET p',
      { on: 'c', args: ['PUBLISH', 'x', 'y'], expect: {} },
      'a GET p',
      { on: 'a', args: ['CLIENT', 'UNPAUSE'], expect: { a: 1, b: 1, c: 1 } },
      'c GET p',
      'c DEL p',
    ],
  },
  {
    name: 'CLIENT PAUSE of writes, in MULTI',
    steps: [
      'a CLIENT PAUSE 100000 WRITE',
      'b MULTI',
      // Redis holds the member back, Keyward the EXEC.
      { on: 'b', args: ['SET', 'p', '2'], expect: {} },
      { on: 'a', args: ['CLIENT', 'UNPAUSE'], expect: { a: 1, b: 1 } },
      'b EXEC',
      'c GET p',
      'c DEL p',
    ],
  },
  {
    name: 'CLIENT PAUSE of everything',
    steps: [
      { on: 'a', args: ['CLIENT', 'PAUSE', '300'], expect: { a: 1 } },
      { on: 'b', args: ['GET', 'p'], expect: { b: 1 } },
      'a PING',
      { on: 'a', args: ['CLIENT', 'PAUSE', '300', 'ALL'], expect: { a: 1 } },
      { on: 'b', args: ['SET', 'p', '1'], expect: { b: 1 } },
      'a DEL p',
    ],
  },
  {
    name: 'CLIENT PAUSE, wrong',
    steps: refused(
      'CLIENT PAUSE',
      'CLIENT PAUSE abc',
      'CLIENT PAUSE -1',
      'CLIENT PAUSE 1 NOSUCH',
      'CLIENT PAUSE 1 WRITE x',
      'CLIENT PAUSE 9223372036854775807',
      'CLIENT UNPAUSE',
      'CLIENT UNPAUSE x',
    ),
  },
]
