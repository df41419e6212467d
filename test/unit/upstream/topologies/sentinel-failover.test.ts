import { expect, test } from 'vitest'
import { B, C, Stage, staged } from './stage.ts'

test(
  'a planned failover: suspended at the first event, moved once when a majority names the new one',
  staged((stage) => {
    stage.following()
    const [leader, second, third] = stage.all
    leader.say('+try-failover', 'master mymaster 10.0.0.1 6379')
    expect(stage.calls).toEqual([])
    leader.say('+selected-slave')
    expect(stage.calls).toEqual(['suspend'])
    expect(stage.topology.state).toBe('suspended')
    leader.leads = 'wait_promotion'
    stage.pass(1000)
    leader.leads = 'reconf_slaves'
    leader.names = B
    leader.say('+promoted-slave')
    leader.answer()
    expect(stage.calls.filter((call) => call !== 'suspend')).toEqual([])
    const asked = stage.all.map(({ questions }) => questions)
    second.switched()
    expect(stage.all.map(({ questions }, i) => questions > asked[i])).toEqual([true, true, true])
    second.answer()
    expect(stage.calls.at(-1)).toBe('moveTo 10.0.0.2')
    third.switched()
    third.answer()
    stage.pass(2000)
    leader.switched()
    stage.pass(5000)
    expect(stage.calls.filter((call) => call !== 'suspend')).toEqual(['moveTo 10.0.0.2'])
    expect(stage.calls.at(-1)).toBe('moveTo 10.0.0.2')
    expect(stage.topology.state).toBe('following')
  }),
)

test.each([
  ['+selected-slave', undefined],
  ['+failover-state-send-slaveof-noone', undefined],
  ['+failover-state-wait-promotion', undefined],
  ['+promoted-slave', undefined],
  ['+switch-master', 'mymaster 10.0.0.1 6379 10.0.0.2 6379'],
])('%s suspends before the call of the event returns', (channel, text) => {
  const stage = new Stage().following()
  stage.link('s3').say(channel, text)
  expect(stage.calls).toEqual(['suspend'])
  stage.end()
})

test.each([
  ['+selected-slave', 'slave 10.0.0.2:6379 10.0.0.2 6379 @ other 10.0.0.1 6379'],
  ['+selected-slave', 'slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.9.9.9 6379'],
  ['+switch-master', 'other 10.0.0.1 6379 10.0.0.2 6379'],
  ['+switch-master', 'mymaster 10.9.9.9 6379 10.0.0.2 6379'],
  ['+try-failover', 'master mymaster 10.0.0.1 6379'],
  ['+odown', 'master mymaster 10.0.0.1 6379 #quorum 2/2'],
])('%s %s suspends nothing', (channel, text) => {
  const stage = new Stage().following()
  stage.link('s1').say(channel, text)
  stage.pass(3000)
  expect(stage.calls).toEqual([])
  stage.end()
})

test(
  'a failover whose events were missed suspends by what SENTINEL MASTER says',
  staged((stage) => {
    stage.following()
    stage.link('s2').leads = 'wait_promotion'
    stage.pass(1000)
    expect(stage.calls).toEqual(['suspend'])
  }),
)

test(
  'an abort resumes, even when the answer of a moment ago says otherwise',
  staged((stage) => {
    stage.following()
    const leader = stage.link('s1')
    leader.say('+selected-slave')
    leader.leads = 'wait_promotion'
    stage.pass(2000)
    expect(stage.calls).toEqual(['suspend'])
    leader.leads = undefined
    leader.say('-failover-abort-slave-timeout', 'master mymaster 10.0.0.1 6379')
    expect(stage.calls).toEqual(['suspend', 'resume'])
    expect(stage.topology.state).toBe('following')
    stage.pass(5000)
    expect(stage.calls).toEqual(['suspend', 'resume'])
  }),
)

test(
  'an abort that was missed is seen in the next answer',
  staged((stage) => {
    stage.following()
    const leader = stage.link('s1')
    leader.say('+selected-slave')
    leader.leads = 'wait_promotion'
    stage.pass(2000)
    leader.leads = undefined
    stage.pass(1000)
    expect(stage.calls).toEqual(['suspend', 'resume'])
  }),
)

test(
  'an answer to a question of before the event proves nothing',
  staged((stage) => {
    stage.following()
    const before = stage.now
    stage.now += 1
    stage.link('s1').say('+selected-slave')
    for (const link of stage.all) link.answer({}, before)
    expect(stage.calls).toEqual(['suspend'])
    stage.now += 1
    for (const link of stage.all) link.answer()
    expect(stage.calls).toEqual(['suspend', 'resume'])
  }),
)

test(
  'the abort of another sentinel does not count: only its leader knows',
  staged((stage) => {
    stage.following()
    stage.link('s1').say('+selected-slave')
    stage.link('s2').say('-failover-abort-not-elected', 'master mymaster 10.0.0.1 6379')
    expect(stage.calls).toEqual(['suspend'])
  }),
)

test(
  'a leader that falls silent: resumed when the others have had time to hear of a switch and know of none',
  staged((stage) => {
    stage.following()
    const leader = stage.link('s1')
    leader.say('+promoted-slave')
    leader.mute = true
    leader.host.silent('gone')
    stage.pass(3000)
    expect(stage.calls).toEqual(['suspend'])
    stage.pass(2000)
    expect(stage.calls).toEqual(['suspend', 'resume'])
  }),
)

test(
  'a leader that falls silent after the promotion: the others hear of it late',
  staged((stage) => {
    stage.following()
    const [leader, second, third] = stage.all
    leader.say('+promoted-slave')
    leader.mute = true
    leader.host.silent('gone')
    stage.pass(2000)
    second.switched()
    third.switched()
    stage.pass(1000)
    expect(stage.calls).toEqual(['suspend', 'suspend', 'suspend', 'moveTo 10.0.0.2'])
  }),
)

test(
  'a leader that falls silent, and no majority: the node itself ends the wait',
  staged((stage) => {
    stage.following()
    stage.link('s1').say('+promoted-slave')
    for (const name of ['s1', 's2']) {
      stage.link(name).mute = true
      stage.link(name).host.silent('gone')
    }
    stage.pass(20_000)
    expect(stage.calls).toEqual(['suspend'])
  }),
)

test(
  'one that was suspended for too long is not suspended again by the same failover, but by its next event',
  staged((stage) => {
    stage.following()
    const leader = stage.link('s1')
    leader.say('+selected-slave')
    leader.leads = 'wait_promotion'
    stage.pass(20_000)
    expect(stage.calls).toEqual(['suspend'])
    leader.say('+promoted-slave')
    expect(stage.calls).toEqual(['suspend', 'suspend'])
  }),
)

test(
  'a second failover right behind the first',
  staged((stage) => {
    stage.following()
    stage.link('s1').say('+selected-slave')
    for (const link of stage.all) link.switched()
    stage.pass(1000)
    expect(stage.calls.at(-1)).toBe('moveTo 10.0.0.2')
    stage.calls.length = 0
    stage.link('s2').say('+selected-slave', 'slave 10.0.0.3:6379 10.0.0.3 6379 @ mymaster 10.0.0.2 6379')
    expect(stage.calls).toEqual(['suspend'])
    for (const link of stage.all) link.switched(B, C)
    stage.pass(1000)
    expect(stage.calls.at(-1)).toBe('moveTo 10.0.0.3')
  }),
)

test(
  'a second failover that is called off does not wait for the leader of the first, which is gone',
  staged((stage) => {
    stage.following()
    const [first, second] = stage.all
    first.say('+selected-slave')
    for (const link of stage.all) link.switched()
    stage.pass(1000)
    first.mute = true
    first.host.silent('gone')
    stage.calls.length = 0
    second.say('+selected-slave', 'slave 10.0.0.3:6379 10.0.0.3 6379 @ mymaster 10.0.0.2 6379')
    second.say('-failover-abort-no-good-slave', 'master mymaster 10.0.0.2 6379')
    expect(stage.calls).toEqual(['suspend', 'resume'])
  }),
)

test(
  'another sentinel that is found in the failover, too, does not suspend again',
  staged((stage) => {
    stage.following()
    stage.link('s1').say('+selected-slave')
    for (const name of ['s1', 's2']) stage.link(name).leads = 'wait_promotion'
    stage.pass(2000)
    expect(stage.calls).toEqual(['suspend'])
    // Both have to take it back.
    stage.link('s1').leads = undefined
    stage.pass(1000)
    expect(stage.calls).toEqual(['suspend'])
    stage.link('s2').leads = undefined
    stage.pass(1000)
    expect(stage.calls).toEqual(['suspend', 'resume'])
  }),
)

test(
  'a second failover that began before the first was noticed: moved, and suspended in the same step',
  staged((stage) => {
    stage.following()
    for (const link of stage.all) link.names = B
    stage.link('s1').answer()
    expect(stage.calls).toEqual([])
    stage.link('s2').answer({ failover: { from: '10.0.0.2:6379', state: 'wait_promotion' } })
    expect(stage.calls).toEqual(['moveTo 10.0.0.2', 'suspend'])
  }),
)

test(
  'an unplanned switch without any event is followed',
  staged((stage) => {
    stage.following()
    for (const link of stage.all) link.names = B
    stage.pass(1000)
    expect(stage.calls).toEqual(['moveTo 10.0.0.2'])
  }),
)
