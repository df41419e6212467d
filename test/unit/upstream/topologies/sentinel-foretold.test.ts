import { expect, test } from 'vitest'
import { A, B, C, type Stage, staged } from './stage.ts'

/** What is said of a failover of B to C. */
const OF_B = 'slave 10.0.0.3:6379 10.0.0.3 6379 @ mymaster 10.0.0.2 6379'
const MASTER_B = 'master mymaster 10.0.0.2 6379'

/** Two of three name B, by answers that say nothing of another failover. */
function moveToB(stage: Stage, askedAt?: number): void {
  for (const name of ['s2', 's3']) {
    stage.link(name).names = B
    stage.link(name).answer({}, askedAt)
  }
}

test(
  'a second failover that is announced before the first has been followed: moved, and suspended in the same step',
  staged((stage) => {
    stage.following()
    stage.link('s1').say('+selected-slave')
    stage.link('s2').say('+selected-slave', OF_B)
    expect(stage.calls).toEqual(['suspend'])
    // Their answers were on the way before the event.
    moveToB(stage, stage.now)
    expect(stage.calls).toEqual(['suspend', 'moveTo 10.0.0.2', 'suspend'])
    expect(stage.topology.state).toBe('suspended')
    for (const link of stage.all) link.switched(B, C)
    stage.pass(1000)
    expect(stage.calls.filter((call) => call !== 'suspend')).toEqual(['moveTo 10.0.0.2', 'moveTo 10.0.0.3'])
    expect(stage.calls.at(-1)).toBe('moveTo 10.0.0.3')
  }),
)

test(
  'a switch away from a primary that we have not moved to yet: suspended there until the others have said which',
  staged((stage) => {
    stage.following()
    stage.link('s2').say('+switch-master', 'mymaster 10.0.0.2 6379 10.0.0.3 6379')
    moveToB(stage, stage.now)
    expect(stage.calls).toEqual(['moveTo 10.0.0.2', 'suspend'])
  }),
)

test(
  'an event of another sentinel, about another primary, does not displace it',
  staged((stage) => {
    stage.following()
    stage.link('s2').say('+selected-slave', OF_B)
    stage.link('s1').say('+promoted-slave', 'slave 10.9.9.9:6379 10.9.9.9 6379 @ mymaster 10.8.8.8 6379')
    moveToB(stage, stage.now)
    expect(stage.calls).toEqual(['moveTo 10.0.0.2', 'suspend'])
  }),
)

test(
  'what its leader has called off, or says nothing of any more, suspends nothing',
  staged((stage) => {
    stage.following()
    stage.link('s2').say('+selected-slave', OF_B)
    stage.link('s1').say('-failover-abort-no-good-slave', MASTER_B)
    stage.link('s2').say('-failover-abort-no-good-slave', MASTER_B)
    moveToB(stage, stage.now)
    expect(stage.calls).toEqual(['moveTo 10.0.0.2'])
  }),
)

test(
  'a leader that names B and leads nothing, asked after its event: writes go on at once',
  staged((stage) => {
    stage.following()
    stage.link('s2').say('+selected-slave', OF_B)
    stage.now += 1
    moveToB(stage)
    expect(stage.calls.at(-1)).not.toBe('suspend')
    expect(stage.topology.state).toBe('following')
  }),
)

test(
  'what was said more than five seconds ago suspends nothing: the answers have told since',
  staged((stage) => {
    stage.following()
    const asked = stage.now
    stage.link('s2').say('+selected-slave', OF_B)
    stage.now += 5001
    moveToB(stage, asked)
    expect(stage.calls).toEqual(['moveTo 10.0.0.2'])
    expect(stage.topology.primary).not.toEqual(A)
  }),
)
