import fc from 'fast-check'
import { expect, test } from 'vitest'
import { A, B, Stage, X } from './stage.ts'

test('property: moves are to whom most of three name; and a danger, of before the move too, is followed by a move, a resume, or an open end', () => {
  const names = fc.constantFrom(A, B, X)
  const who = fc.constantFrom('s1', 's2', 's3')
  const step = fc.oneof(
    fc.record({ do: fc.constant('answer' as const), who, names, leads: fc.boolean() }),
    fc.record({ do: fc.constant('silent' as const), who }),
    fc.record({
      do: fc.constant('say' as const),
      who,
      about: fc.option(names, { nil: undefined }),
      channel: fc.constantFrom('+selected-slave', '+promoted-slave', '-failover-abort-slave-timeout', '+try-failover'),
    }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 4000 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const stage = new Stage().listen()
      /** What each said last of a primary that was not ours. */
      const foretold = new Map<string, { host: string; at: number }>()
      const named = new Map<string, string>()
      let primary: string | undefined
      let waiting = false
      for (const one of steps) {
        stage.calls.length = 0
        if (one.do === 'wait') {
          stage.now += one.ms
          stage.topology.tick()
        } else if (one.do === 'silent') {
          stage.link(one.who).host.silent('gone')
          named.delete(one.who)
        } else if (one.do === 'say') {
          const host = one.about?.host ?? primary ?? A.host
          stage.link(one.who).say(one.channel, `master mymaster ${host} 6379`)
          if (/selected|promoted/.test(one.channel) && host !== primary) foretold.set(one.who, { host, at: stage.now })
          else if (one.channel.startsWith('-') && foretold.get(one.who)?.host === host) foretold.delete(one.who)
        } else {
          named.set(one.who, one.names.host)
          stage.link(one.who).names = one.names
          const from = `${primary ?? one.names.host}:6379`
          stage.link(one.who).answer({ failover: one.leads ? { from, state: 'wait_promotion' } : undefined })
        }
        for (const [i, call] of stage.calls.entries()) {
          if (call.startsWith('moveTo ')) {
            primary = call.slice('moveTo '.length)
            expect([...named.values()].filter((name) => name === primary).length).toBeGreaterThanOrEqual(2)
            waiting = false
            for (const [who, { host, at }] of foretold) {
              if (host !== primary) continue
              if (stage.now - at <= 5000) expect(stage.calls[i + 1]).toBe('suspend')
              foretold.delete(who)
            }
          } else if (call === 'suspend') {
            expect(primary).toBeDefined()
            waiting = true
          } else {
            expect(waiting).toBe(true)
            waiting = false
          }
        }
        if (one.do === 'say' && /selected|promoted/.test(one.channel) && primary === (one.about?.host ?? primary ?? ''))
          expect(waiting).toBe(true)
        expect(stage.topology.state === 'suspended').toBe(waiting)
        expect(stage.topology.primary?.host).toBe(primary)
      }
      stage.end()
    }),
    { numRuns: 500 },
  )
})
