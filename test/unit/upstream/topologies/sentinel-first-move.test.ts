import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { B, type Stage, staged } from './stage.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Timers and the clock of the topology go on together. */
function wait(stage: Stage, ms: number): void {
  stage.now += ms
  vi.advanceTimersByTime(ms)
}

/** s2 and s3 are a majority; the leader of a failover is farther away. */
function majority(stage: Stage): void {
  for (const name of ['s2', 's3']) {
    stage.link(name).listen()
    stage.link(name).answer()
  }
}

test(
  'start during a failover whose leader is the last to answer: nothing is opened before it has said so',
  staged((stage) => {
    majority(stage)
    expect(stage.calls).toEqual([])
    expect(stage.topology.state).toBe('seeking')
    wait(stage, 80)
    const leader = stage.link('s1')
    leader.leads = 'wait_promotion'
    leader.listen()
    leader.answer()
    expect(stage.calls).toEqual(['moveTo 10.0.0.1', 'suspend'])
  }),
)

test(
  'start just before a failover whose leader answered but is not heard yet: its answer of before proves nothing',
  staged((stage) => {
    const leader = stage.link('s1')
    leader.answer()
    const { now } = stage
    wait(stage, 80)
    majority(stage)
    expect(stage.calls).toEqual([])
    wait(stage, 80)
    leader.listen()
    leader.answer({}, now)
    expect(stage.calls).toEqual([])
    leader.leads = 'wait_promotion'
    leader.answer()
    expect(stage.calls).toEqual(['moveTo 10.0.0.1', 'suspend'])
  }),
)

test(
  'start when an event tells of the failover before there is a majority: moved and suspended in one step',
  staged((stage) => {
    const leader = stage.link('s1')
    leader.listen()
    leader.answer()
    wait(stage, 10)
    leader.say('+selected-slave')
    majority(stage)
    expect(stage.calls).toEqual(['moveTo 10.0.0.1', 'suspend'])
  }),
)

test(
  'start with a sentinel that was found by the others: it may be the leader, too',
  staged(
    (stage) => {
      for (const name of ['s1', 's2']) stage.link(name).peers.push('s3')
      stage.listen()
      for (const name of ['s1', 's2']) stage.link(name).answer()
      expect(stage.calls).toEqual([])
      stage.link('s3').leads = 'wait_promotion'
      stage.link('s3').listen()
      stage.link('s3').answer()
      expect(stage.calls).toEqual(['moveTo 10.0.0.1', 'suspend'])
    },
    ['s1', 's2'],
  ),
)

test(
  'start with a sentinel that is down: it is not waited for, neither before nor after it is known',
  staged((stage) => {
    majority(stage)
    stage.link('s1').host.silent('connect ECONNREFUSED')
    expect(stage.calls).toEqual([])
    stage.link('s1').host.deaf('connect ECONNREFUSED')
    expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
  }),
)

test(
  'start with a sentinel that refuses its events: its answer is enough',
  staged((stage) => {
    majority(stage)
    stage.link('s1').host.deaf('NOPERM')
    expect(stage.calls).toEqual([])
    stage.link('s1').answer()
    expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
  }),
)

test(
  'start with a sentinel that neither answers nor refuses: a second after the first majority it is not waited for any more',
  staged((stage) => {
    wait(stage, 500)
    majority(stage)
    wait(stage, 990)
    // In between the majority may be lost, and change its mind.
    stage.link('s2').names = B
    stage.link('s2').answer()
    stage.link('s3').names = B
    stage.link('s3').answer()
    expect(stage.calls).toEqual([])
    wait(stage, 10)
    expect(stage.calls).toEqual(['moveTo 10.0.0.2'])
    // Nothing but the poll is left.
    expect(vi.getTimerCount()).toBe(1)
  }),
)

test('stop() while the last sentinel is waited for leaves no timer', () =>
  staged((stage) => {
    majority(stage)
    expect(vi.getTimerCount()).toBe(2)
    stage.topology.stop()
    expect(vi.getTimerCount()).toBe(0)
    wait(stage, 2000)
    expect(stage.calls).toEqual([])
  })())

test(
  'later moves wait for nobody',
  staged((stage) => {
    stage.following()
    stage.link('s1').refuse()
    for (const name of ['s2', 's3']) stage.link(name).names = B
    stage.link('s2').host.deaf('connection closed')
    stage.link('s2').answer()
    stage.link('s3').answer()
    expect(stage.calls).toEqual(['moveTo 10.0.0.2'])
  }),
)
