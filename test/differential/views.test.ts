import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clients } from './cases/clients.ts'
import { subscriptions } from './cases/subscriptions.ts'
import { tracking } from './cases/tracking.ts'
import { views } from './cases/views.ts'
import { SCENARIOS } from './elsewhere.ts'
import { openOwnServers } from './own-servers.ts'
import { runScenario, stepOf } from './scenario.ts'
import { SELF, type Sides } from './sides.ts'
import { Tally } from './tally.ts'

/** The tenant's own clients, log and latencies are what those of a server of its own would be. */

/** Frames compared byte by byte; may only grow. */
const LEAST_EXACT = 320

const tally = new Tally()
let sides: Sides
let ran = 0

beforeAll(async () => {
  sides = await openOwnServers({ keys: false })
}, 120_000)

afterAll(() => sides?.stop())

const runs = [...clients, ...views].flatMap((scenario) =>
  (scenario.protocols ?? ([2, 3] as const)).map((protocol) => [scenario.name, protocol, scenario] as const),
)

describe('scenarios', () => {
  it.each(runs)('%s, RESP%i', { timeout: 60_000 }, async (_name, protocol, scenario) => {
    expect(await runScenario({ sides, scenario, protocol, place: 'plain', tally })).toEqual([])
    ran++
  })
})

it('no command is left to scenarios that do not have it', () => {
  const requests = [...clients, ...views, ...subscriptions, ...tracking].flatMap(({ steps }) =>
    steps.map((step) => stepOf(step).args),
  )
  const said = new Set(
    requests.flatMap(([word = '', next = '']) => [word, `${word}|${next}`]).map((name) => name.toLowerCase()),
  )
  expect([...SCENARIOS].filter((name) => !said.has(name))).toEqual([])
})

it('compares as many replies byte by byte as it did before', () => {
  if (ran < runs.length || SELF) return
  console.log(`differential, views: ${runs.length} scenarios; ${tally.text()}; ${tally.inexactText()}`)
  expect(tally.counts.exact).toBeGreaterThanOrEqual(LEAST_EXACT)
})
