import type { CommandSpec } from '../../commands/spec.ts'
import type { PolicyRequest, Ruling } from '../policy.ts'
import { withArgument } from './edits.ts'
import type { Rule } from './rule.ts'
import { askedTime, type TimeForm } from './times.ts'

/**
 * Puts the rule's `max` or `min` in place of argument i, a time, where the client asks for more or less. `now`: milliseconds
 * since the epoch. Returns how many milliseconds from now the client asked for, as askedTime() does: a time that Redis refuses
 * stays as it is, so that the error does.
 */
export function clamp(
  rule: Rule,
  spec: CommandSpec,
  request: PolicyRequest,
  i: number,
  form: TimeForm,
  now: number,
  ruling: Ruling,
): number {
  const args = request.view()
  const asked = askedTime(args, i, form, now)
  const time = rule.times.bound(asked)
  if (Object.is(time, asked)) return asked
  const text = `${rule.times.written(time, form, now)}`
  // In whole seconds it may be what the client said.
  if (text === args.text(i, 21)) return asked
  if (time < asked) rule.clampedMax++
  else rule.clampedMin++
  if (!rule.dryRun) ruling.edit = withArgument(spec, request, i, text)
  return asked
}
