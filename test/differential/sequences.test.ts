import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocking } from './cases/blocking.ts'
import { connection } from './cases/connection.ts'
import { data } from './cases/data.ts'
import { protocol } from './cases/protocol.ts'
import type { Sequence } from './cases/sequence.ts'
import { streams } from './cases/streams.ts'
import { transactions } from './cases/transactions.ts'
import { COMPLETE, type Place } from './combinations.ts'
import { runSequence } from './sequence-run.ts'
import { openSides, SELF, type Sides } from './sides.ts'
import { Tally } from './tally.ts'

/** Hand-written sequences of requests: Keyward answers them as a bare server does, and leaves the same data behind. */

const GROUPS = { blocking, connection, data, protocol, streams, transactions }
/** Replies compared byte by byte in the default tier; may only grow. */
const LEAST_EXACT = 5_250

const tally = new Tally()
let sides: Sides
let ran = 0

beforeAll(async () => {
  sides = await openSides()
}, 120_000)

afterAll(() => sides?.stop())

const runs = Object.entries(GROUPS).flatMap(([group, sequences]) =>
  // In one server, two connections that select the same database see each other.
  sequences
    .filter(({ databases }) => !SELF || databases !== true)
    .flatMap((sequence, i) =>
      (sequence.protocols ?? ([2, 3] as const)).map(
        (version) =>
          [`${group}: ${sequence.name}, RESP${version}`, sequence, version, placesFor(sequence, version, i)] as const,
      ),
    ),
)

describe('sequences', () => {
  it.each(runs)('%s', { timeout: 60_000 }, async (_name, sequence, version, places) => {
    const problems: string[] = []
    for (const place of places) {
      const run = { sides, sequence, protocol: version, place, tally }
      problems.push(...(await runSequence({ ...run, stepwise: false })).map((problem) => `${place}: ${problem}`))
      if (sequence.closes === true || sequence.replies !== undefined || place !== 'plain') continue
      problems.push(...(await runSequence({ ...run, stepwise: true })).map((problem) => `step by step: ${problem}`))
    }
    expect(problems).toEqual([])
    ran++
  })
})

it('compares as many replies byte by byte as it did before', () => {
  if (ran < runs.length || SELF) return
  console.log(`differential: ${runs.length} sequences; ${tally.text()}`)
  expect(tally.counts.exact).toBeGreaterThanOrEqual(LEAST_EXACT)
})

/** In a numbered database in one protocol, or, in the longer tiers, in both. */
function placesFor({ login = true, databases = false, closes = false }: Sequence, version: 2 | 3, i: number): Place[] {
  if (!login || databases || closes) return ['plain']
  return COMPLETE ? ['plain', 'db0', 'db3'] : i % 2 === version % 2 ? ['plain', 'db3'] : ['plain']
}
