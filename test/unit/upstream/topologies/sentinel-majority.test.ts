import { expect, test } from 'vitest'
import type { SentinelAnswer } from '../../../../src/upstream/topologies/sentinel-answer.ts'
import { A, B, C, type ScriptedLink, staged, X } from './stage.ts'

test(
  'a sentinel that names another address alone changes nothing, whatever it says',
  staged(
    (stage) => {
      for (const link of stage.all)
        if (link.id !== 'liar') link.peers = ['s1', 's2', 's3'].filter((id) => id !== link.id)
      const liar = stage.link('liar')
      liar.peers = []
      stage.listen()
      liar.names = X
      liar.answer()
      stage.pass(1000)
      expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
      liar.say('+switch-master', 'mymaster 10.8.8.8 6379 10.9.9.9 6379')
      liar.say('+promoted-slave', 'slave 10.9.9.9:6379 10.9.9.9 6379 @ mymaster 10.8.8.8 6379')
      liar.answer({ voters: 1000, failover: { from: '10.9.9.9:6379', state: 'wait_promotion' } })
      stage.pass(10_000)
      expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
      // It does not keep us from following the others.
      for (const link of stage.all) if (link !== liar) link.names = B
      stage.pass(1000)
      expect(stage.calls).toEqual(['moveTo 10.0.0.1', 'moveTo 10.0.0.2'])
    },
    ['s1', 's2', 's3', 'liar'],
  ),
)

test(
  'a sentinel that says that our primary is deposed, alone: writes wait until the others have had time, no longer',
  staged((stage) => {
    stage.following()
    stage.link('s2').switched(A, X)
    expect(stage.calls).toEqual(['suspend'])
    stage.pass(5000)
    expect(stage.calls).toEqual(['suspend', 'resume'])
    stage.pass(10_000)
    expect(stage.calls).toEqual(['suspend', 'resume'])
    expect(stage.topology.primary).toEqual(A)
  }),
)

test(
  'a sentinel of another set, reached first, brings none of its friends',
  staged((stage) => {
    const wrong = stage.link('s1')
    Object.assign(wrong, { peers: ['t2', 't3'], names: X })
    wrong.answer()
    stage.pass(500)
    expect([...stage.links.keys()]).toEqual(['s1', 's2', 's3'])
    for (const name of ['s2', 's3']) stage.link(name).peers = ['s2', 's3', 's4'].filter((id) => id !== name)
    stage.pass(1000)
    stage.link('s4').peers = ['s2', 's3']
    stage.pass(1000)
    expect([...stage.links.keys()]).toEqual(['s1', 's2', 's3', 's4'])
    expect(stage.calls).toEqual(['moveTo 10.0.0.1'])
  }),
)

test(
  'a sentinel that was found and that nobody knows any more is given up; what a silent one said does not count',
  staged((stage) => {
    for (const link of stage.all) link.peers.push('s4')
    stage.following()
    stage.pass(1000)
    expect(stage.topology.view().sentinels).toHaveLength(4)
    const gone = stage.link('s4')
    for (const link of [stage.link('s1'), gone]) {
      link.mute = true
      link.host.silent('gone')
    }
    for (const name of ['s2', 's3']) stage.link(name).peers = ['s2', 's3'].filter((id) => id !== name)
    stage.pass(4000)
    expect(gone.stopped).toBe(false)
    stage.pass(6000)
    expect(gone.stopped).toBe(true)
    expect(stage.topology.view().sentinels.map(({ address }) => address)).not.toContain('s4:26379')
    expect(stage.link('s1').stopped).toBe(false)
  }),
)

test(
  'without a majority the primary is kept, and a warning says so',
  staged((stage) => {
    stage.following()
    for (const name of ['s2', 's3']) {
      stage.link(name).mute = true
      stage.link(name).host.silent('connect ECONNREFUSED')
    }
    stage.link('s1').names = X
    stage.pass(15_000)
    expect(stage.calls).toEqual([])
    expect(stage.topology.primary).toEqual(A)
    const lines = stage.warnings.filter((line) => line.includes('going on with 10.0.0.1:6379'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('1 of 3 sentinels name 10.9.9.9:6379, 2 are needed')
    expect(lines[0]).toContain('s2:26379: connect ECONNREFUSED')
  }),
)

test(
  'natMap is for primary, replicas and sentinels alike; events and votes are by the names of before',
  staged(
    (stage) => {
      const first = stage.link('s1')
      Object.assign(first, { peers: ['s2'], replicas: [B, C] })
      stage.listen()
      first.answer()
      expect([...stage.links.keys()]).toEqual(['s1', 'nat'])
      Object.assign(stage.link('nat'), { peers: ['s1'], replicas: [B, C] })
      stage.link('nat').listen()
      stage.link('nat').answer()
      expect(stage.calls).toEqual(['moveTo outside'])
      expect(stage.topology.replicas).toEqual([{ host: 'outside', port: 2 }, C])
      first.say('+selected-slave')
      expect(stage.calls).toEqual(['moveTo outside', 'suspend'])
    },
    ['s1'],
    new Map([
      ['10.0.0.1:6379', { host: 'outside', port: 1 }],
      ['10.0.0.2:6379', { host: 'outside', port: 2 }],
      ['s2:26379', { host: 'nat', port: 3 }],
    ]),
  ),
)

test(
  'replicas: those that most sentinels hold for good; none of before a switch',
  staged((stage) => {
    for (const link of stage.all) link.replicas = [B, C]
    stage.following()
    expect(stage.topology.replicas).toEqual([B, C])
    stage.link('s1').replicas = [B, X]
    stage.link('s2').replicas = [B]
    stage.pass(2000)
    expect(stage.topology.replicas).toEqual([B])
    for (const link of stage.all) link.names = C
    // Their answers, without lists.
    for (const link of stage.all) link.host.answered({ ...answerOf(link), names: C }, undefined)
    expect(stage.calls.at(-1)).toBe('moveTo 10.0.0.3')
    expect(stage.topology.replicas).toEqual([])
    for (const link of stage.all) link.replicas = [A, C]
    stage.pass(2000)
    expect(stage.topology.replicas).toEqual([A])
  }),
)

function answerOf(link: ScriptedLink): SentinelAnswer {
  const { names } = link
  return { askedAt: link.host.now(), names, failover: undefined, voters: 3, failoverTimeout: 1, problem: undefined }
}
