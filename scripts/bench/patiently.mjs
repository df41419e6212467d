import { setTimeout as sleep } from 'node:timers/promises'
import { assertRunning } from './children.mjs'

/**
 * Tries `attempt` until it succeeds, while `entry` runs, for at most 15 seconds.
 *
 * @throws Error of the last attempt, or with the process's last words
 */
export async function patiently(entry, attempt) {
  const until = Date.now() + 15_000
  for (;;) {
    assertRunning(entry)
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > until) throw new Error(`${entry.name} does not answer: ${error.message}\n${entry.output.trim()}`)
    }
    await sleep(50)
  }
}
