import { describe, expect, test } from 'vitest'
import { monitorArguments, monitorBody, monitorLine } from '../../../src/client/monitor-line.ts'
import type { CommandSpec } from '../../../src/commands/spec.ts'
import { argsOf } from '../../helpers/arg-view.ts'
import { theTable } from '../../helpers/local-client.ts'

function shown(...words: readonly (string | Buffer)[]): string {
  return monitorArguments(theTable().byName(String(words[0])) as CommandSpec, argsOf(...words))
}

describe('arguments', () => {
  test('every byte, as Redis writes it', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const plain: Record<number, string> = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' }
    const expected = [...bytes].map((byte) => {
      if (plain[byte] !== undefined) return plain[byte]
      return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
    })
    expect(shown('SET', 'k', bytes)).toBe(` "SET" "k" "${expected.join('')}"`)
  })

  test('secrets wherever they may stand', () => {
    expect(shown('AUTH', 'a', 'b', 'c')).toBe(' "AUTH" "(redacted)" "(redacted)" "(redacted)"')
    expect(shown('HELLO', '3', 'auth', 'AUTH', 'b', 'SETNAME', 'auth')).toBe(
      ' "HELLO" "3" "auth" "(redacted)" "(redacted)" "SETNAME" "auth"',
    )
    expect(shown('HELLO', '3', 'SETNAME', 'x', 'AUTH', 'a')).toBe(' "HELLO" "3" "SETNAME" "x" "AUTH" "(redacted)"')
  })

  test('one byte too long, and one too many', () => {
    const most = 'x'.repeat(64 * 1024)
    expect(shown('ECHO', most)).toBe(` "ECHO" "${most}"`)
    expect(shown('ECHO', `${most}y`)).toBe(` "ECHO" "${most}... (1 more bytes)"`)
    expect(shown('DEL', ...Array.from({ length: 20 }, () => most)).endsWith('x" "... (4 more arguments)"')).toBe(true)
  })
})

test('a line', () => {
  const body = monitorBody(3, '127.0.0.1:5', ' "PING"')
  expect(String(monitorLine(body, 1_700_000_000_012))).toBe('+1700000000.012000 [3 127.0.0.1:5] "PING"\r\n')
  expect(String(monitorBody(0, '/run/keyward.sock:0', ' "PING"'))).toBe('[0 unix:/run/keyward.sock] "PING"\r\n')
})
