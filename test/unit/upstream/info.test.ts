import { expect, test } from 'vitest'
import { parseInfo } from '../../../src/upstream/info.ts'

const TEXT =
  '# Server\r\nredis_version:7.0.15\r\nexecutable:/usr/bin:x\r\nconfig_file:\r\n\r\n# Replication\r\nrole:master\r\n'
const FIELDS = [
  ['redis_version', '7.0.15'],
  ['executable', '/usr/bin:x'],
  ['config_file', ''],
  ['role', 'master'],
]

test('a bulk string, as RESP2 has it', () => {
  expect([...parseInfo(Buffer.from(`$${TEXT.length}\r\n${TEXT}\r\n`))]).toEqual(FIELDS)
})

test('a verbatim string, as RESP3 has it: its "txt:" is no field', () => {
  expect([...parseInfo(Buffer.from(`=${TEXT.length + 4}\r\ntxt:${TEXT}\r\n`))]).toEqual(FIELDS)
})

test('an empty section', () => {
  expect(parseInfo(Buffer.from('$0\r\n\r\n')).size).toBe(0)
})
