import { expect, test } from 'vitest'
import { readAnswer, readLists } from '../../../../src/upstream/topologies/sentinel-answer.ts'

const flat = (fields: Record<string, string>) => Object.entries(fields).flat()
const MASTER = { name: 'mymaster', ip: '10.0.0.1', port: '6379', flags: 'master', 'num-other-sentinels': '2' }

test('what a sentinel says in peace', () => {
  const state = flat({ ...MASTER, 'failover-timeout': '180000' })
  expect(readAnswer(5, ['10.0.0.1', '6379'], state)).toEqual({
    askedAt: 5,
    names: { host: '10.0.0.1', port: 6379 },
    failover: undefined,
    voters: 3,
    failoverTimeout: 180_000,
    problem: undefined,
  })
})

test.each([
  ['select_slave', true],
  ['wait_promotion', true],
  ['reconf_slaves', true],
  // Where none is told, and what a later Redis may say.
  [undefined, true],
  ['wait_something', true],
  ['wait_start', false],
  ['none', false],
])('a failover in the state %s is danger: %s', (state, danger) => {
  const fields = { ...MASTER, flags: 'master,failover_in_progress', ...(state && { 'failover-state': state }) }
  // The leader names the promoted replica already; the failover is that of the old one.
  expect(readAnswer(0, ['10.0.0.2', '6379'], flat(fields)).failover).toEqual(
    danger ? { from: '10.0.0.1:6379', state: state ?? 'unknown' } : undefined,
  )
})

test('errors, nil and nonsense name nobody and say why', () => {
  const error = new Error('ERR No such master with that name')
  expect(readAnswer(0, null, error)).toMatchObject({ names: undefined, problem: error.message, voters: 1 })
  for (const odd of [undefined, 'x', [], ['10.0.0.1'], ['10.0.0.1', '0'], ['10.0.0.1', '99999'], ['', '1'], [1, 2]]) {
    expect(readAnswer(0, odd, odd)).toMatchObject({
      names: undefined,
      failover: undefined,
      problem: expect.any(String),
    })
  }
})

test('peers: who is up, and who has been down for so long that it is forgotten', () => {
  const peer = (id: string, more: Record<string, string>) =>
    flat({ name: id, ip: '10.0.1.1', port: '26379', runid: id, flags: 'sentinel', ...more })
  const down = { flags: 's_down,sentinel,disconnected', 's-down-time': '5000' }
  const { id, peers } = readLists(
    'me',
    [peer('a', {}), peer('b', down), peer('c', { ...down, 's-down-time': '600001' }), peer('d', { port: 'x' })],
    null,
  )
  expect(id).toBe('me')
  expect(peers.map(({ id, up, forgotten }) => [id, up, forgotten])).toEqual([
    ['a', true, false],
    ['b', false, false],
    ['c', false, true],
  ])
})

test('replicas: only those that are up, linked, and replicas', () => {
  const replica = (port: number, more: Record<string, string>) =>
    flat({
      ip: '10.0.0.2',
      port: `${port}`,
      flags: 'slave',
      'master-link-status': 'ok',
      'role-reported': 'slave',
      ...more,
    })
  const { replicas } = readLists(new Error('NOPERM'), new Error('NOPERM'), [
    replica(1, {}),
    replica(2, { flags: 's_down,slave' }),
    replica(3, { flags: 'slave,disconnected' }),
    replica(4, { 'master-link-status': 'err' }),
    // The old primary, before it is told that it is a replica now.
    replica(5, { 'role-reported': 'master' }),
    replica(6, { flags: 'o_down,slave' }),
  ])
  expect(replicas).toEqual([{ host: '10.0.0.2', port: 1 }])
})
