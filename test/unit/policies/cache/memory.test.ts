import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const LONG = (process.env.KEYWARD_TIER ?? 'default') !== 'default'
const KEYS = LONG ? 1_000_000 : 250_000
const MEMORY = 64 * 2 ** 20
const PROGRAM = fileURLToPath(new URL('./memory-run.ts', import.meta.url))

interface Taken {
  readonly count: number
  readonly evictions: number
  /** Bytes that the cache said it takes, at most. */
  readonly most: number
  /** Resident, more than with a cache of 1 MiB. */
  readonly bytes: number
}

/** In a process of its own: what another one had taken and given back would hide it. */
async function measure(length: string): Promise<Taken> {
  const args = ['--expose-gc', '--import', 'tsx', PROGRAM, `${KEYS}`, `${MEMORY}`, length]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout)
}

test.each([
  ['of 64 bytes', '64'],
  ['of 1,000 bytes', '1000'],
  ['of 20 bytes to 20 KB', 'mixed'],
])('replies %s: never more than the memory, and resident at most 1.5 times that', async (_, length) => {
  const { count, evictions, most, bytes } = await measure(length)
  const share = (bytes / MEMORY).toFixed(2)
  console.log(`${KEYS} keys, ${count} entries, ${evictions} evicted: accounted ${most}, resident ${bytes} (${share})`)
  expect(most).toBeLessThanOrEqual(MEMORY)
  expect(most).toBeGreaterThan(0.9 * MEMORY)
  expect(evictions).toBeGreaterThan(KEYS / 4)
  expect(bytes).toBeLessThan(1.5 * MEMORY)
})
