import { expect, test } from 'vitest'
import { A, B, staged, X } from './stage.ts'

test(
  'start: one of three is not believed, two are',
  staged((stage) => {
    stage.listen()
    stage.link('s3').refuse()
    stage.link('s1').answer()
    expect(stage.calls).toEqual([])
    expect(stage.topology.primary).toBeUndefined()
    stage.link('s2').answer()
    expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
    stage.link('s3').answer()
    expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
    expect(stage.topology.primary).toEqual(A)
  }),
)

test(
  'start: a single sentinel that knows no others is its own majority',
  staged(
    (stage) => {
      stage.listen()
      stage.link('s1').answer()
      expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
    },
    ['s1'],
  ),
)

test(
  'start: a single one that is configured names the others, and one of those has to agree',
  staged(
    (stage) => {
      stage.listen()
      const first = stage.link('s1')
      first.peers = ['s2', 's3']
      first.answer()
      expect(stage.calls).toEqual([])
      expect([...stage.links.keys()]).toEqual(['s1', 's2', 's3'])
      stage.link('s2').refuse()
      stage.link('s3').listen()
      stage.link('s3').peers = ['s1', 's2']
      stage.link('s3').answer()
      expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
    },
    ['s1'],
  ),
)

test(
  'start during a failover: moved to the old primary and suspended in one step',
  staged((stage) => {
    stage.listen()
    stage.link('s1').leads = 'wait_promotion'
    for (const link of stage.all) link.answer()
    expect(stage.calls).toEqual(['moveTo 10.0.0.1', 'suspend'])
    for (const link of stage.all) link.switched()
    stage.pass(1000)
    expect(stage.calls.at(-1)).toBe('moveTo 10.0.0.2')
    expect(stage.topology.state).toBe('following')
  }),
)

test(
  'start at its end: the leader is not done, but the majority names the new one',
  staged((stage) => {
    stage.listen()
    Object.assign(stage.link('s1'), { leads: 'reconf_slaves', names: B })
    stage.link('s2').names = B
    stage.link('s1').answer()
    stage.link('s2').answer()
    stage.pass(3000)
    expect(stage.calls).toEqual(['moveTo 10.0.0.2'])
  }),
)

test(
  'no majority at the start: every ten seconds a line says who names what, with a cure',
  staged((stage) => {
    stage.link('s2').names = X
    stage.link('s3').mute = true
    stage.pass(25_000)
    expect(stage.calls).toEqual([])
    const lines = stage.warnings.filter((line) => line.includes('are needed'))
    expect(lines).toHaveLength(3)
    expect(lines[0]).toContain('1 of 3 sentinels name 10.0.0.1:6379, 1 of 3 sentinels name 10.9.9.9:6379, 2 are needed')
    expect(lines[0]).toContain('SENTINEL GET-MASTER-ADDR-BY-NAME mymaster')
  }),
)

test(
  'a name that no sentinel knows is told with its cure',
  staged((stage) => {
    for (const link of stage.all) link.answer({ names: undefined, problem: 'ERR No such master with that name' })
    stage.now += 2000
    stage.topology.tick()
    expect(stage.warnings.at(-1)).toContain('none of 3 sentinels names a primary')
    expect(stage.warnings.at(-1)).toContain('SENTINEL MASTERS')
  }),
)
