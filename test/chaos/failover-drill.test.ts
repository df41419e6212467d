import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { Network } from '../helpers/network.ts'
import { beside, lineOf, pictureOf, type Result, summaryOf } from './drill/result.ts'
import { Stage, type Way } from './drill/run.ts'
import { SCENARIOS, type Scenario } from './drill/scenarios.ts'
import { failuresOf, type Measured, type Row, rowOf } from './drill/verdict.ts'

/**
 * Fifty clients that know a host, a port and a password, of ioredis, node-redis and redis-py, work through Keyward while
 * the primary loses its place, politely or not. Nobody is disconnected, no read fails, and every counter is what its
 * client was told. In the drill, the same through ioredis' own Sentinel client, for comparison; nothing is asserted there.
 * The numbers go to .cache/failover.json, from which scripts/failover-picture.ts makes pictures and tables.
 */
const TIER = process.env.KEYWARD_TIER ?? 'default'
const ROUNDS = Number(process.env.KEYWARD_ROUNDS ?? { long: 1, drill: 10 }[TIER] ?? 0)
/** Milliseconds that a round may take on a slow machine. */
const ROUND_TIME = 120_000
const RESULTS = fileURLToPath(new URL('../../.cache/failover.json', import.meta.url))
/** Longest gap beside Sentinel's own switch, median over the rounds; milliseconds. */
const MARGIN = 1000

/** What ioredis is asked to do as well: one partition will do. */
const COMPARED = SCENARIOS.filter(({ past, network }) => past !== true && network !== true)

const results: Result[] = []

describe.runIf(ROUNDS > 0)('drill', () => {
  const libraries = ['ioredis', 'node-redis', ...(hasRedisPy() ? ['redis-py'] : [])]
  if (libraries.length < 3) console.log('redis-py is not here: its clients are of the other libraries')

  for (const scenario of SCENARIOS) {
    test(`through Keyward: ${scenario.name}`, { timeout: (ROUNDS + 1) * ROUND_TIME }, async ({ skip }) => {
      const network = scenario.network === true ? await Network.open() : undefined
      if (typeof network === 'string') return skip(network)
      const failures: string[] = []
      const judge = (measured: Measured) => failures.push(...failuresOf(measured))
      const { rows } = await drill('keyward', scenario, libraries, judge, network)
      expect(failures).toEqual([])
      expect(beside(rows), 'median of the longest gap beside the switch itself, ms').toBeLessThanOrEqual(MARGIN)
    })
  }

  for (const way of ['ioredis', 'ioredis with failoverDetector'] as const) {
    for (const scenario of COMPARED) {
      test.runIf(TIER === 'drill')(`by ${way}: ${scenario.name}`, { timeout: (ROUNDS + 1) * ROUND_TIME }, async () => {
        const { rows } = await drill(way, scenario, libraries, () => {})
        expect(rows).toHaveLength(ROUNDS)
      })
    }
  }

  afterAll(() => {
    if (TIER !== 'drill') return
    mkdirSync(dirname(RESULTS), { recursive: true })
    writeFileSync(RESULTS, JSON.stringify(results))
  })
})

async function drill(
  way: Way,
  scenario: Scenario,
  libraries: readonly string[],
  judge: (measured: Measured) => void,
  network?: Network,
): Promise<Result> {
  const stage = await Stage.start(scenario, way, libraries, network)
  const rows: Row[] = []
  let last: Measured | undefined
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      last = await stage.round(round)
      const row = rowOf(last)
      rows.push(row)
      console.log(`drill ${way}: ${lineOf(row)}`)
      judge(last)
    }
  } catch (error) {
    console.log(stage.log.split('\n').slice(-40).join('\n'))
    throw error
  } finally {
    await stage.stop()
  }
  const result: Result = {
    way,
    scenario: scenario.name,
    file: scenario.file,
    rows,
    picture: pictureOf(last as Measured),
  }
  results.push(result)
  console.log(`drill ${way}: ${summaryOf(rows)}`)
  return result
}

function hasRedisPy(): boolean {
  try {
    execFileSync(process.env.KEYWARD_PYTHON ?? 'python3', ['-c', 'import redis'], { stdio: 'pipe', timeout: 60_000 })
    return true
  } catch {
    return false
  }
}
