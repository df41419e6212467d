import { z } from 'zod'
import { count, defaulted, duration } from './leaf.ts'
import type { Report } from './problem.ts'
import { formatDuration } from './units.ts'

/** Upstreams are heard from every 250 ms, so with less, clients could keep nothing half of the time. */
const LEAST_STALENESS = 500

/** `tracking` of the file; Config has it as it is. */
export const tracking = z
  .strictObject({
    maxKeys: defaulted(
      count(1, 1_000_000_000),
      1_000_000,
      'Most keys that are tracked in this process, each counted for each client that has read it, and each 64 bytes of its name as one more; 100 to 200 bytes each. Beyond it, the tenant with most is told to drop those that it read first.',
    ),
    maxStaleness: defaulted(
      duration,
      '1s',
      'When it is not known for so long what was written, clients are told to drop all that they keep, and to keep nothing until it is known again. At least 500ms.',
    ),
  })
  .prefault({})
  .meta({
    description: 'CLIENT TRACKING: caches that clients keep themselves. docs/tracking.md tells what is guaranteed.',
  })

export function resolveTracking(
  shape: z.output<typeof tracking>,
  report: Report,
): { readonly maxKeys: number; readonly maxStaleness: number } {
  if (shape.maxStaleness < LEAST_STALENESS) {
    const message = `${formatDuration(shape.maxStaleness)} is less than can be known of the upstream`
    report.add(['tracking', 'maxStaleness'], message, `write at least ${formatDuration(LEAST_STALENESS)}`)
  }
  return shape
}
