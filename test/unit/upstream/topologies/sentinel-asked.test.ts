import { expect, test } from 'vitest'
import { Stage, staged, X } from './stage.ts'

test(
  'failover() resolves when the node has been moved',
  staged(async (stage) => {
    stage.following()
    const asked: string[] = []
    for (const link of stage.all) link.failover = async () => void asked.push(link.id)
    const done = stage.topology.failover()
    await expect(stage.topology.failover()).rejects.toThrow('INPROG Failover already in progress: wait')
    stage.link('s1').say('+selected-slave')
    for (const link of stage.all) link.switched()
    stage.pass(1000)
    await done
    expect(asked).toEqual(['s1'])
  }),
)

test.each(['-failover-abort-no-good-slave', '-failover-abort-slave-timeout'])(
  'failover() rejects with the words of %s',
  async (channel) => {
    const stage = new Stage().following()
    const done = stage.topology.failover()
    if (channel.includes('timeout')) stage.link('s1').say('+selected-slave')
    stage.link('s1').say(channel, 'master mymaster 10.0.0.1 6379')
    await expect(done).rejects.toThrow(`${channel}: `)
    expect(stage.topology.state).toBe('following')
    stage.end()
  },
)

test(
  'failover() asks nobody whose events are not heard',
  staged(async (stage) => {
    stage.following()
    const asked: string[] = []
    for (const link of stage.all) link.failover = async () => void asked.push(link.id)
    stage.link('s1').host.deaf('connection closed')
    stage.link('s2').names = X
    stage.link('s2').answer()
    stage.topology.failover().catch(() => {})
    expect(asked).toEqual(['s3'])
    stage.link('s3').host.deaf('connection closed')
    await expect(stage.topology.failover()).rejects.toThrow('no sentinel')
  }),
)
