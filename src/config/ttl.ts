import type { TtlRule } from '../session/tenant.ts'
import { checkFirstMatch } from './first-match.ts'
import type { Path, Report } from './problem.ts'
import type { TtlShape } from './ttl-schema.ts'
import { formatDuration } from './units.ts'

/** Checks the rules of one tenant. */
export function resolveTtl(shapes: readonly TtlShape[], path: Path, report: Report): readonly TtlRule[] {
  shapes.forEach((shape, i) => {
    const at = [...path, i]
    if (report.has(at)) return
    checkMeaning(shape, at, report)
    checkTimes(shape, at, report)
  })
  const patterns = shapes.map(({ keys }) => keys)
  checkFirstMatch(patterns, path, report)
  return shapes.map(({ keys, default: time, max, min, jitter, persist, dryRun }) => ({
    keys,
    default: time,
    max,
    min,
    jitter,
    persist,
    dryRun,
  }))
}

/** Keys that mean nothing without another one. */
function checkMeaning({ default: time, max, min, jitter, persist }: TtlShape, at: Path, report: Report): void {
  /** A key that was reported as wrong is there, and means something. */
  const wrong = (...keys: readonly string[]) => keys.some((key) => report.has([...at, key]))
  const sets = time !== undefined || max !== undefined || wrong('default', 'max')
  if (!sets && min === undefined && persist === 'allow' && !report.hasInside(at)) {
    report.add(at, 'changes nothing', 'add default: 24h, or max, min, or persist: deny')
    return
  }
  if (sets) return
  if (jitter > 0) {
    const cure = 'remove it, or add default: 24h or max: 48h'
    report.add([...at, 'jitter'], 'means nothing without default or max', cure, 'key')
  }
  if (persist === 'clamp') {
    report.add([...at, 'persist'], 'clamp needs a time', 'add default: 24h or max: 48h, or write deny')
  }
}

/** min <= default <= max, of those that are there. */
function checkTimes({ default: time, max, min }: TtlShape, at: Path, report: Report): void {
  if (min !== undefined && max !== undefined && min > max) {
    const [is, most] = [formatDuration(min), formatDuration(max)]
    report.add([...at, 'min'], `${is} is more than max, ${most}`, `write at most ${most}, or a larger max`)
    return
  }
  if (time === undefined) return
  const is = formatDuration(time)
  if (max !== undefined && time > max) {
    const most = formatDuration(max)
    report.add([...at, 'default'], `${is} is more than max, ${most}`, `write at most ${most}, or a larger max`)
  }
  if (min !== undefined && time < min) {
    const least = formatDuration(min)
    report.add([...at, 'default'], `${is} is less than min, ${least}`, `write at least ${least}, or a smaller min`)
  }
}
