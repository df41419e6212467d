import { expect, test } from 'vitest'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

const server = new FakeServer()
const client = new LocalClient(server, authenticator({}, { tenant: tenant('acme'), user: 'default' }))

test('TIME is seconds and microseconds', () => {
  server.time = 1_700_000_000_123.25
  expect(client.ask('TIME')).toBe('*2\r\n$10\r\n1700000000\r\n$6\r\n123250\r\n')
  server.time = 1_700_000_001_000
  expect(client.ask('TIME')).toBe('*2\r\n$10\r\n1700000001\r\n$1\r\n0\r\n')
})

test("LASTSAVE is the upstream's", () => {
  server.facts = { ...server.facts, lastSave: 1_699_999_999 }
  expect(client.ask('LASTSAVE')).toBe(':1699999999\r\n')
})

test('ROLE is a primary without replicas', () => {
  expect(client.ask('ROLE')).toBe('*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n')
})
