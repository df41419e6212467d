import { expect, test } from 'vitest'
import { parseEvent } from '../../../../src/upstream/topologies/sentinel-events.ts'

const PRIMARY = 'mymaster 10.0.0.1 6379'
const REPLICA = 'slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379'

const parse = (channel: string, text: string, master = 'mymaster') => parseEvent(channel, text, master)

test.each([
  ['+selected-slave', REPLICA],
  ['+failover-state-send-slaveof-noone', REPLICA],
  ['+failover-state-wait-promotion', REPLICA],
  ['+promoted-slave', REPLICA],
  ['+failover-state-reconf-slaves', `master ${PRIMARY}`],
  // None of today's: better one too many.
  ['+failover-state-of-a-later-redis', `master ${PRIMARY}`],
])('%s is danger for the primary that it names', (channel, text) => {
  expect(parse(channel, text)).toEqual({ kind: 'danger', primary: '10.0.0.1:6379' })
})

test.each(['+try-failover', '+elected-leader', '+failover-state-select-slave', '+failover-state-wait-start', '+odown'])(
  '%s is news, since nothing is decided yet',
  (channel) => {
    expect(parse(channel, `master ${PRIMARY}`)).toEqual({ kind: 'news', now: true })
  },
)

test.each(['+failover-end', '+config-update-from', '+reset-master', '-monitor', '+reboot', '-odown'])(
  '%s is news that is asked about at once',
  (channel) => {
    expect(parse(channel, `master ${PRIMARY}`)).toEqual({ kind: 'news', now: true })
  },
)

test.each(['+sdown', '+slave', '+sentinel', '+role-change'])('%s is news that can wait', (channel) => {
  expect(parse(channel, `${REPLICA} and more words`)).toEqual({ kind: 'news', now: false })
})

test('an abort and a switch name the old primary', () => {
  expect(parse('-failover-abort-slave-timeout', `master ${PRIMARY}`)).toEqual({
    kind: 'aborted',
    primary: '10.0.0.1:6379',
  })
  expect(parse('+switch-master', `${PRIMARY} 10.0.0.2 6379`)).toEqual({ kind: 'switched', from: '10.0.0.1:6379' })
})

test('words behind the address do not matter', () => {
  expect(parse('+monitor', `master ${PRIMARY} quorum 2`)).toEqual({ kind: 'news', now: true })
  expect(parse('+odown', `master ${PRIMARY} #quorum 3/2`)).toEqual({ kind: 'news', now: true })
})

test('an IPv6 address is written as everywhere else', () => {
  expect(parse('+selected-slave', 'slave [::2]:6379 ::2 6379 @ mymaster ::1 6379')).toEqual({
    kind: 'danger',
    primary: '[::1]:6379',
  })
})

test.each([
  ['+selected-slave', 'slave 10.0.0.2:6379 10.0.0.2 6379 @ other 10.0.0.1 6379'],
  ['+failover-state-reconf-slaves', 'master mymaster2 10.0.0.1 6379'],
  ['+failover-state-reconf-slaves', 'master my 10.0.0.1 6379'],
  ['+switch-master', 'mymaster2 10.0.0.1 6379 10.0.0.2 6379'],
  // A name that begins with ours and a blank.
  ['+switch-master', 'mymaster b 10.0.0.1 6379 10.0.0.2 6379'],
  ['+promoted-slave', 'slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster b 10.0.0.1 6379'],
  ['+new-epoch', '7'],
  ['+tilt', '#tilt mode entered'],
  ['+vote-for-leader', 'e5de31768e641ff209ee88939baa21dd5cd88710 1'],
])('%s of another primary, or of none, is nothing: %s', (channel, text) => {
  expect(parse(channel, text)).toBeUndefined()
})

test('a name with blanks in it', () => {
  expect(parse('+switch-master', 'my b 10.0.0.1 6379 10.0.0.2 6379', 'my b')).toEqual({
    kind: 'switched',
    from: '10.0.0.1:6379',
  })
})

test.each(['', 'mymaster', 'mymaster ', 'mymaster 10.0.0.1', 'mymaster 10.0.0.1 x 10.0.0.2 6379', 'mymaster a 1 b'])(
  'a +switch-master that is cut short is nothing: "%s"',
  (text) => {
    expect(parse('+switch-master', text)).toBeUndefined()
  },
)
