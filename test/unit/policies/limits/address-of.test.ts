import { expect, test } from 'vitest'
import { bucketName } from '../../../../src/policies/limits/address-of.ts'

const ROWS: [what: string, address: string, name: string][] = [
  ['IPv4: the address', '203.0.113.7:51234', '203.0.113.7'],
  ['IPv4 that came in through IPv6', '[::ffff:203.0.113.7]:51234', '203.0.113.7'],
  ['the same in hexadecimal', '[::ffff:cb00:7107]:51234', '203.0.113.7'],
  ['IPv6: the network', '[2001:db8:1:2:aaaa:bbbb:cccc:dddd]:1', '2001:db8:1:2::/64'],
  ['zeros at its end', '[2001:db8::1]:1', '2001:db8::/64'],
  ['zeros inside', '[2001:0:0:5:1:2:3:4]:1', '2001:0:0:5::/64'],
  ['zeros that :: stands for', '[2001:db8:1:2::9]:1', '2001:db8:1:2::/64'],
  ['no zeros at the end of the address', '[2001:db8:1:2:3:4:5::]:1', '2001:db8:1:2::/64'],
  ['zeros in front', '[::5:6:7:8:9]:1', '0:0:0:5::/64'],
  ['all of it zeros', '[::a]:1', '::/64'],
  ['loopback', '[::1]:1', '::1'],
  ['link-local: the address', '[fe80::1%eth0]:1', 'fe80::1%eth0'],
  ['a host of 2001:db8:0:0 with ffff in it', '[2001:db8::ffff:1.2.3.4]:1', '2001:db8::/64'],
  ['a unix socket: its path', '/run/keyward/acme.sock:0', '/run/keyward/acme.sock'],
  ['a path with a colon', '/run/a:b.sock:0', '/run/a:b.sock'],
  ['a socket that is closed already', '?:0', '?'],
  ['what is no address stays what it is', '[x::y::z]:1', 'x::y::z'],
]

for (const [what, address, name] of ROWS) test(`${what}: ${address}`, () => expect(bucketName(address)).toBe(name))
