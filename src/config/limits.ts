import { type FilterReading, parseCommandFilter } from '../commands/command-filter.ts'
import type { CommandTable } from '../commands/lookup.ts'
import { buildTable } from '../commands/table.ts'
import { hasStar } from '../policies/key-part.ts'
import { NEVER_COUNTED } from '../policies/limits/costs.ts'
import type { LimitRule } from '../session/tenant.ts'
import { IF_ABSENT, type LimitShape } from './limits-schema.ts'
import type { Path, Report } from './problem.ts'
import { formatSize, type Rate } from './units.ts'

/** Which commands count under these ACL rules, 1 at their index in the table; or what is wrong with the rules. */
export type ReadCommands = (text: string) => FilterReading

/** Reads the same text once only, and builds the command table when there is a first one. */
export function commandReader(): ReadCommands {
  const known = new Map<string, FilterReading>()
  let table: CommandTable | undefined
  return (text) => {
    let reading = known.get(text)
    if (reading === undefined) {
      table ??= buildTable()
      reading = parseCommandFilter(text, table)
      for (const name of NEVER_COUNTED) {
        const spec = table.byName(name)
        if (spec !== undefined && 'value' in reading) reading.value[spec.index] = 0
      }
      known.set(text, reading)
    }
    return reading
  }
}

/** Checks the rules of one tenant. Those that lack what was reported as wrong are left out. */
export function resolveLimits(
  shapes: readonly LimitShape[],
  path: Path,
  commands: ReadCommands,
  report: Report,
): readonly LimitRule[] {
  const rules: LimitRule[] = []
  const places = new Map<string, number>()
  shapes.forEach((shape, i) => {
    const at = [...path, i]
    const { name = '' } = shape
    const before = places.get(name)
    if (before !== undefined && name !== '') {
      report.add([...at, 'name'], `limits[${before}] has this name already`, 'give it another name')
    } else places.set(name, i)
    checkMeaning(shape, at, report)
    checkKeys(shape, at, report)
    checkCommands(shape, at, commands, report)
    const rule = ruleOf(shape, at, report)
    if (rule !== undefined) rules.push(rule)
  })
  return rules
}

function ruleOf(shape: LimitShape, at: Path, report: Report): LimitRule | undefined {
  const { name, rate, per, scope, action, commands, keys, replyUnit } = shape
  if (name === undefined || rate === undefined) return undefined
  const costs = (shape.costs ?? []).flatMap(({ commands: these, cost }) =>
    these === undefined || cost === undefined ? [] : [{ commands: these, cost }],
  )
  return {
    name,
    unit: rate.unit,
    rate: rate.perSecond,
    rateText: rate.text,
    burst: burstOf(shape, rate, at, report),
    per,
    scope,
    action,
    maxDelay: shape.maxDelay ?? IF_ABSENT.maxDelay,
    maxDelayed: shape.maxDelayed ?? IF_ABSENT.maxDelayed,
    onError: shape.onError ?? IF_ABSENT.onError,
    commands,
    keys,
    costs,
    replyUnit,
    buckets: shape.buckets ?? IF_ABSENT.buckets,
  }
}

/** In the unit of the rate; a second's worth, in whole tokens, where the file has none. */
function burstOf({ burst }: LimitShape, rate: Rate, at: Path, report: Report): number {
  if (burst === undefined) return Math.max(1, Math.floor(rate.perSecond))
  if (burst.unit !== rate.unit) {
    const [is, counts, cure] =
      burst.unit === 'bytes'
        ? ['a size', 'operations', 'write a number, such as 100']
        : ['a number', 'bytes', `write a size, such as ${formatSize(burst.tokens)}`]
    report.add([...at, 'burst'], `is ${is}, but the rate ${rate.text} counts ${counts}`, cure)
  }
  return burst.tokens
}

/** Keys that would mean nothing beside what the others say. */
function checkMeaning(shape: LimitShape, at: Path, report: Report): void {
  const { rate, per, scope, action } = shape
  /** A key that was reported as wrong may have been meant to say so. */
  const says = (key: 'per' | 'scope' | 'action', holds: boolean) => holds || report.has([...at, key])
  const operations = rate?.unit !== 'bytes'
  const inBytes = `means nothing with a rate in bytes, ${rate?.text}`
  const rules: readonly (readonly [key: keyof LimitShape, fits: boolean, message: string, cure: string])[] = [
    ['maxDelay', says('action', action === 'delay'), `means nothing with action: ${action}`, 'action: delay'],
    [
      'maxDelayed',
      says('action', action === 'delay' || scope === 'global'),
      `means nothing with action: ${action}`,
      'action: delay',
    ],
    ['onError', says('scope', scope === 'global'), `means nothing with scope: ${scope}`, 'scope: global'],
    ['buckets', says('per', per !== 'tenant'), 'means nothing with per: tenant', 'per: user, address or match'],
    ['costs', operations, inBytes, 'a rate in operations, such as 100/s'],
    ['replyUnit', operations, inBytes, 'a rate in operations, such as 100/s'],
  ]
  for (const [key, fits, message, cure] of rules) {
    if (shape[key] !== undefined && !fits) report.add([...at, key], message, `remove it, or write ${cure}`, 'key')
  }
}

function checkKeys({ per, keys }: LimitShape, at: Path, report: Report): void {
  if (per !== 'match') return
  const path = [...at, 'keys']
  if (keys === undefined) {
    report.add(path, 'is missing, and per: match needs it', 'add keys: "api:*", with a * where the names differ')
  } else if (!hasStar(keys)) {
    report.add(path, `${JSON.stringify(keys)} has no * that could be matched`, 'put a * where the names differ')
  }
}

function checkCommands(shape: LimitShape, at: Path, read: ReadCommands, report: Report): void {
  // Of rules that could not be read the default stands here, which is not what was meant.
  const known = !report.has([...at, 'commands'])
  const counted = known ? check(shape.commands, [...at, 'commands'], read, report) : undefined
  shape.costs?.forEach(({ commands }, i) => {
    if (commands === undefined) return
    const path = [...at, 'costs', i, 'commands']
    const costly = check(commands, path, read, report)
    if (costly === undefined || counted === undefined) return
    if (costly.some((bit, index) => bit === 1 && counted[index] === 1)) return
    report.add(path, 'none of them counts here', 'remove this entry, or add its commands to `commands` of the rule')
  })
}

/** Which commands count, unless that was reported as wrong. */
function check(text: string, path: Path, read: ReadCommands, report: Report): Uint8Array | undefined {
  const reading = read(text)
  if (!('value' in reading)) report.add(path, reading.message, reading.cure)
  else if (!reading.value.includes(1)) report.add(path, 'no command that counts', 'add some, such as +@read')
  else return reading.value
  return undefined
}
