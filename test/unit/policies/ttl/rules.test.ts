import { beforeEach, describe, expect, test } from 'vitest'
import type { TtlRule } from '../../../../src/session/tenant.ts'
import { tenant } from '../../../helpers/local-client.ts'
import { TtlWorld, ttlRule } from './ttl-world.ts'

// Which rule a key has, in which database it is, and what becomes of rules when the configuration is loaded again.

let world: TtlWorld
beforeEach(() => {
  world = new TtlWorld()
})

describe('several rules', () => {
  const rules = [ttlRule({ keys: 'a:*', default: 1000 }), ttlRule({ keys: '*', default: 2000 })]

  test('the first that matches a key counts, for each key of a request', () => {
    expect(world.ask(rules, 'MSET a:1 v b v a:2 v').behind).toEqual(['a:1 1000', 'b 2000', 'a:2 1000'])
    expect(world.ask(rules, 'SET a:1 v').sent).toContain('1000')
    expect(world.ask(rules, 'RENAME a:1 b').behind).toEqual(['b 2000'])
    expect(world.ttl.view().map(({ keys, defaulted }) => [keys, defaulted])).toEqual([
      ['a:*', 3],
      ['*', 2],
    ])
  })

  test('one that only counts hides those behind it', () => {
    const dry = [ttlRule({ keys: 'a:*', default: 1000, dryRun: true }), ttlRule({ default: 2000 })]
    expect(world.ask(dry, 'MSET a:1 v b v').behind).toEqual(['b 2000'])
    expect(world.ask(dry, 'SET a:1 v').sent).toBeUndefined()
  })

  test('keys that no rule names are left alone', () => {
    for (const words of [
      'SET b v',
      'INCR b',
      'PERSIST b',
      'EXPIRE b 99999999',
      'RESTORE b 0 x',
      'GETEX b',
      'SETEX b 5 v',
    ])
      expect(world.ask([ttlRule({ keys: 'a:*', default: 5, max: 5, persist: 'deny' })], words)).toMatchObject({
        verdict: 'go',
        sent: undefined,
        behind: [],
      })
  })

  test('an error behind a request is counted by the rule of its first key', () => {
    const { ruling } = world.ask(rules, 'MSET b v a:1 v')
    ruling.effects?.expiryFailed?.()
    expect(world.ttl.view().map(({ failed }) => failed)).toEqual([0, 1])
  })
})

describe('other databases', () => {
  const rule = ttlRule({ default: 1000 })
  const many = { databases: 4 }
  test.each([
    ['COPY a k', ['k 1000']],
    ['COPY a k REPLACE', ['k 1000']],
    ['COPY a k DB 2', ['k 1000 in acme:2:']],
    ['COPY a k db 1 REPLACE DB 3', ['k 1000 in acme:3:']],
    ['COPY a k DB 4', []],
    ['COPY a k DB -1', []],
    ['COPY a k DB x', []],
    ['COPY a k DB', []],
    ['COPY a k NOPE', []],
    ['MOVE k 2', ['k 1000', 'k 1000 in acme:2:']],
    ['MOVE k 9', ['k 1000']],
    ['MOVE k x', ['k 1000']],
  ])('%s', (words, behind) => {
    expect(world.ask([rule], words, many).behind).toEqual(behind)
  })

  test('of a tenant that has one', () => {
    expect(world.ask([rule], 'COPY a k DB 0').behind).toEqual(['k 1000 in acme:'])
    expect(world.ask([rule], 'COPY a k DB 1').behind).toEqual([])
  })
})

describe('configurations', () => {
  const byDefault = ttlRule({ default: 1000 })
  const acme = (...ttl: readonly TtlRule[]) => tenant('acme', { ttl })
  const beta = (...ttl: readonly TtlRule[]) => tenant('beta', { ttl })

  test('a tenant without rules has no chain', () => {
    expect(world.load([])).toBeUndefined()
  })

  test('a rule that stays goes on counting, one that changes begins anew', () => {
    const kept = ttlRule({ keys: 'a:*', default: 1000 })
    const other = ttlRule({ default: 2000 })
    world.ask([kept, other], 'MSET a:1 v b v')
    world.ask([{ ...other, max: 5000 }, { ...kept }], 'SET b v')
    expect(world.ttl.view().map(({ keys, defaulted }) => [keys, defaulted])).toEqual([
      ['*', 1],
      ['a:*', 1],
    ])
  })

  test('of two equal rules each keeps its own counters', () => {
    const twice = [ttlRule({ default: 1000 }), ttlRule({ default: 1000 })]
    world.ask(twice, 'SET a v')
    world.ask(twice, 'SET a v')
    expect(world.ttl.view().map(({ defaulted }) => defaulted)).toEqual([2, 0])
  })

  test('the view is in the order of the configuration of the day', () => {
    const names = () => world.ttl.view().map(({ tenant: name }) => name)
    world.chains.renew([acme(byDefault), beta(byDefault)])
    expect(names()).toEqual(['acme', 'beta'])
    world.chains.renew([beta(byDefault), acme(byDefault)])
    expect(names()).toEqual(['beta', 'acme'])
    world.chains.renew([beta(byDefault), acme()])
    expect(names()).toEqual(['beta'])
    world.chains.renew([])
    expect(names()).toEqual([])
  })
})
