import { describe, expect, test } from 'vitest'
import { type Offers, readOffers } from '../../../src/commands/offers.ts'
import { isOpenTo, isReviewed, refusalOf } from '../../../src/commands/open-to.ts'
import type { CommandSpec } from '../../../src/commands/spec.ts'
import { type CommandRow, commandReply, MODULE_COMMANDS } from '../../fixtures/command-replies.ts'
import { tenant, theTable } from '../../helpers/local-client.ts'

const spec = (name: string) => theTable().byName(name) as CommandSpec
const read = (rows: readonly CommandRow[], protocol: 2 | 3 = 2) => readOffers(commandReply(rows, protocol)) as Offers
const says = (name: string, flags: string, keys: string) => read([{ name, flags, keys }]).has(spec(name))
const acme = tenant('acme')

describe.each([2, 3] as const)('the reply to COMMAND, RESP%i', (protocol) => {
  const offers = read(MODULE_COMMANDS, protocol)

  test('opens what puts its keys where they were reviewed', () => {
    const names = ['json.get', 'json.set', 'json.mset', 'bf.add', 'tdigest.merge', 'ts.add', 'ts.createrule', 'ts.madd']
    for (const name of names) expect([name, isOpenTo(spec(name), acme, offers)]).toEqual([name, true])
    // Under the names that the server gives, in lower case.
    expect([...offers.names()]).toContain('ft.search')
  })

  test('leaves closed what has more keys than it says', () => {
    for (const name of ['json.mget', 'cms.merge'])
      expect([name, isOpenTo(spec(name), acme, offers)]).toEqual([name, false])
    expect(refusalOf(spec('json.mget'), acme)).toMatch(/the upstream does not have it, or not with its keys/)
  })

  test('leaves closed what it does not have', () => {
    expect(isOpenTo(spec('json.del'), acme, offers)).toBe(false)
    expect(isOpenTo(spec('hexpire'), acme, offers)).toBe(false)
    // Whatever it says of what every server has.
    expect(isOpenTo(spec('get'), acme, offers)).toBe(true)
  })
})

test('what finds its keys by itself is not known at all', () => {
  for (const name of [
    'ts.mrange',
    'ts.mget',
    'ts.mrevrange',
    'ts.queryindex',
    'ts.info',
    'ft.search',
    'bf.loadchunk',
    'json.debug',
  ])
    expect([name, theTable().byName(name)]).toEqual([name, undefined])
})

test('a key spec that is not certain, or something else, opens nothing', () => {
  const ONE = '1/0,1,0/RW'
  expect(says('json.set', 'write,module', ONE)).toBe(true)
  expect(says('json.set', 'write,module', '1/0,1,0/RW,incomplete')).toBe(false)
  expect(says('json.set', 'write,module', '1/0,1,0/not_key')).toBe(false)
  expect(says('json.set', 'write,module', '?/0,1,0/RW')).toBe(false)
  expect(says('json.set', 'write,module', '1/?/RW')).toBe(false)
  expect(says('json.set', 'write,module', 'KEYS@1/0,1,0/RW')).toBe(false)
  expect(says('json.set', 'write,module', '2/0,1,0/RW')).toBe(false)
  expect(says('json.set', 'write,module', '1/1,1,0/RW')).toBe(false)
  expect(says('json.set', 'write,module', `${ONE};2/0,1,0/RW`)).toBe(false)
  expect(says('json.set', 'write,module', '')).toBe(false)
  // Reads that write would pass replicas, caches and the rules on times to live.
  expect(says('json.set', 'readonly,module', ONE)).toBe(false)
  expect(says('json.get', 'write,module', ONE)).toBe(false)
  expect(says('json.get', 'readonly,module', ONE)).toBe(true)
  expect(says('json.mget', 'readonly,module', '1/-2,1,0/RO')).toBe(true)
  expect(says('cms.merge', 'write,module', '1/0,1,0/RW;2/#0,1,1/RO')).toBe(true)
  expect(says('cms.merge', 'write,module', '1/0,1,0/RW;2/#0,1,2/RO')).toBe(false)
  expect(says('ts.createrule', 'write,module', '1/1,1,0/RW')).toBe(true)
  expect(says('hexpire', 'write,fast', '1/0,1,0/RW,update')).toBe(true)
})

test('as long as nobody knows, newer commands are sent, and those of modules are not', () => {
  expect(isOpenTo(spec('hexpire'), acme, undefined)).toBe(true)
  expect(isOpenTo(spec('json.get'), acme, undefined)).toBe(false)
})

test('a tenant with a near cache has no fields that expire', () => {
  const cached = tenant('acme', { cache: {} as never })
  const offers = read([{ name: 'hexpire', flags: 'write,fast', keys: '1/0,1,0/RW' }])
  expect(isOpenTo(spec('hexpire'), acme, offers)).toBe(true)
  for (const name of ['hexpire', 'hexpireat', 'hpexpire', 'hpexpireat', 'hsetex', 'hgetex'])
    expect([name, isOpenTo(spec(name), cached, undefined)]).toEqual([name, false])
  for (const name of ['httl', 'hpersist', 'hgetdel', 'hset']) expect(isOpenTo(spec(name), cached, undefined)).toBe(true)
  expect(refusalOf(spec('hexpire'), cached)).toMatch(/near cache/)
})

test.each([
  ['an error', '-NOPERM no\r\n'],
  ['no array', '+OK\r\n'],
  ['a command that is none', '*1\r\n+get\r\n'],
  ['a command without flags', '*1\r\n*2\r\n$3\r\nget\r\n:1\r\n'],
  ['a key spec that is none', '*1\r\n*9\r\n$3\r\nget\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*1\r\n:1\r\n'],
])('%s is no such reply', (_, frame) => {
  expect(readOffers(Buffer.from(frame))).toBeUndefined()
})

test('an older server tells its names only', () => {
  const offers = readOffers(
    Buffer.from('*1\r\n*7\r\n$8\r\njson.get\r\n:-1\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*0\r\n'),
  ) as Offers
  expect([...offers.names()]).toEqual(['json.get'])
  expect(offers.has(spec('json.get'))).toBe(false)
})

test('vector sets of a server without VRANGE are closed: some arguments end it', () => {
  const row = (name: string, flags: string): CommandRow => ({ name, flags, keys: '1/0,1,0/RW,access,update' })
  const early = read([row('VADD', 'module,write'), row('VSIM', 'module,readonly')])
  expect([early.has(spec('vadd')), early.has(spec('vsim'))]).toEqual([false, false])
  const later = read([row('VADD', 'module,write'), row('VRANGE', 'module,readonly')])
  expect([later.has(spec('vadd')), later.has(spec('vsim')), later.has(spec('vrange'))]).toEqual([true, false, true])
  expect(isOpenTo(spec('vadd'), acme, undefined)).toBe(false)
})

test('walls let through what the upstream has as it was reviewed, and no other command of a module', () => {
  const offers = read(MODULE_COMMANDS)
  const reviewed = (name: string) => isReviewed(theTable(), name, offers)
  expect(['get', 'json.get', 'json.mset'].map(reviewed)).toEqual([true, true, true])
  // The server would look at the first key only.
  expect(['json.mget', 'cms.merge', 'ft.search', 'json.del', 'nope'].map(reviewed)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ])
  expect(isReviewed(theTable(), 'json.get', undefined)).toBe(false)
})
