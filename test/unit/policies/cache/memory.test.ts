import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const LONG = (process.env.KEYWARD_TIER ?? 'default') !== 'default'
const KEYS = LONG ? 1_000_000 : 500_000
const MEMORY = 64 * 2 ** 20
const PROGRAM = fileURLToPath(new URL('./memory-run.ts', import.meta.url))

interface Taken {
  readonly count: number
  readonly stored: number
  /** Bytes that the cache said it takes, at most. */
  readonly most: number
  /** Resident, more than with a cache of 1 MiB. */
  readonly bytes: number
}

/** In a process of its own: what another one had taken and given back would hide it. */
async function measure(length: string, why: string): Promise<Taken> {
  const args = ['--expose-gc', '--import', 'tsx', PROGRAM, `${KEYS}`, `${MEMORY}`, length, why]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout)
}

test.each([
  ['of 64 bytes', '64', 'dead'],
  ['of 1,000 bytes', '1000', 'dead'],
  ['of 20 bytes to 20 KB', 'mixed', 'dead'],
  ['of 20 bytes to 20 KB, all of which are in use', 'mixed', 'asked'],
])('replies %s: never more than the memory, and resident at most 1.5 times that', async (_, length, why) => {
  const { count, stored, most, bytes } = await measure(length, why)
  const share = (bytes / MEMORY).toFixed(2)
  console.log(`${KEYS} keys, ${stored} stored, ${count} left: accounted ${most}, resident ${bytes} (${share})`)
  expect(most).toBeLessThanOrEqual(MEMORY)
  expect(most).toBeGreaterThan(0.9 * MEMORY)
  expect(stored - count).toBeGreaterThan(KEYS / 10)
  expect(bytes).toBeLessThan(1.5 * MEMORY)
})
