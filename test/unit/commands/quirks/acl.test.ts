import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type Offers, readOffers } from '../../../../src/commands/offers.ts'
import { commandReply, MODULE_COMMANDS } from '../../../fixtures/command-replies.ts'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

const digest = createHash('sha256').update('secret').digest()
const users = new Map([
  ['default', { name: 'default', digest: undefined }],
  ['ann', { name: 'ann', digest }],
  ['bob', { name: 'bob', digest }],
])
const acme = tenant('acme', { users })
const login = (user: string) => ({ tenant: acme, user })
const server = new FakeServer()
const enter = () => new LocalClient(server, authenticator({ ann: ['secret', login('ann')] }, login('default')))

test('ACL WHOAMI is the name that the tenant knows', () => {
  const client = enter()
  expect(client.ask('ACL', 'WHOAMI')).toBe('$7\r\ndefault\r\n')
  client.ask('AUTH', 'ann', 'secret')
  expect(client.ask('acl', 'whoami')).toBe('$3\r\nann\r\n')
  expect(client.ask('ACL', 'WHOAMI', 'x')).toBe("-ERR wrong number of arguments for 'acl|whoami' command\r\n")
})

test('ACL GETUSER tells of oneself what Redis 7.0 tells of a user that may do everything', () => {
  const client = enter()
  const rest =
    '$8\r\ncommands\r\n$5\r\n+@all\r\n$4\r\nkeys\r\n$2\r\n~*\r\n$8\r\nchannels\r\n$2\r\n&*\r\n$9\r\nselectors\r\n*0\r\n'
  const noPassword = '$2\r\non\r\n$6\r\nnopass\r\n$9\r\npasswords\r\n*0\r\n'
  expect(client.ask('ACL', 'GETUSER', 'default')).toBe(`*12\r\n$5\r\nflags\r\n*2\r\n${noPassword}${rest}`)
  client.ask('HELLO', '3')
  expect(client.ask('ACL', 'GETUSER', 'default')).toBe(`%6\r\n$5\r\nflags\r\n~2\r\n${noPassword}${rest}`)
  client.ask('AUTH', 'ann', 'secret')
  const hex = digest.toString('hex')
  expect(client.ask('ACL', 'GETUSER', 'ann')).toBe(
    `%6\r\n$5\r\nflags\r\n~1\r\n$2\r\non\r\n$9\r\npasswords\r\n*1\r\n$64\r\n${hex}\r\n${rest}`,
  )
})

test('others do not exist', () => {
  const client = enter()
  for (const user of ['ann', 'bob', 'nobody', 'Default', '', 'keyward:acme'])
    expect(client.ask('ACL', 'GETUSER', user)).toBe('$-1\r\n')
  client.ask('HELLO', '3')
  expect(client.ask('ACL', 'GETUSER', 'ann')).toBe('_\r\n')
})

test('ACL CAT', () => {
  const client = enter()
  expect(client.ask('ACL', 'CAT')).toMatch(/^\*21\r\n\$8\r\nkeyspace\r\n\$4\r\nread\r\n/)
  const listed = client.ask('ACL', 'CAT', 'Transaction')
  for (const name of ['multi', 'exec', 'watch', 'unwatch', 'discard']) expect(listed).toContain(`\r\n${name}\r\n`)
  expect(listed).toMatch(/^\*5\r\n/)
  expect(client.ask('ACL', 'CAT', 'dangerous')).not.toContain('shutdown')
  expect(client.ask('ACL', 'CAT', 'nope')).toBe("-ERR Unknown category 'nope'\r\n")
  expect(client.ask('ACL', 'CAT', 'x'.repeat(200))).toBe(`-ERR Unknown category '${'x'.repeat(128)}'\r\n`)
  expect(client.ask('ACL', 'CAT', 'a', 'b')).toBe(
    "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.\r\n",
  )
})

test('ACL CAT knows the categories of modules that the upstream has', () => {
  const client = enter()
  expect(client.ask('ACL', 'CAT', 'json')).toBe("-ERR Unknown category 'json'\r\n")
  server.facts = { ...server.facts, offers: readOffers(commandReply(MODULE_COMMANDS, 2)) as Offers }
  const other = new LocalClient(server, authenticator({}, { tenant: tenant('beta'), user: 'default' }))
  server.forgetCommands()
  expect(other.ask('ACL', 'CAT')).toContain('\r\njson\r\n')
  expect(other.ask('ACL', 'CAT', 'json')).toBe('*3\r\n$8\r\njson.get\r\n$9\r\njson.mset\r\n$8\r\njson.set\r\n')
})

test('the rest of ACL is closed', () => {
  const client = enter()
  for (const args of [
    ['LIST'],
    ['USERS'],
    ['SETUSER', 'x', 'on'],
    ['DELUSER', 'ann'],
    ['DRYRUN', 'ann', 'GET', 'k'],
    ['LOG'],
  ])
    expect(client.ask('ACL', ...args)).toBe(`-ERR unknown subcommand '${args[0]}'. Try ACL HELP.\r\n`)
})
