import type { ArgView } from '../../commands/arg-view.ts'
import { isOption } from '../../commands/option-word.ts'
import { AT_MILLISECONDS, AT_SECONDS, MILLISECONDS, SECONDS, type TimeForm } from './times.ts'

/*
 * What the options of a command say about its time to live, read from the left as the server does: SET and GETEX in
 * parseExtendedStringArgumentsOrReply of Redis' t_string.c, RESTORE in cluster.c. `undefined`: they cannot be read to the
 * letter, which is mostly a syntax error, else an option of a server that is newer than this file.
 */

/** The time that a request asks for: argument `at`, in this form; `at` is 0: it asks for none. */
export interface TimeOption {
  readonly at: number
  readonly form: TimeForm
}

const NO_TIME: TimeOption = { at: 0, form: MILLISECONDS }

const FORMS: readonly { readonly word: string; readonly form: TimeForm }[] = [
  { word: 'EX', form: SECONDS },
  { word: 'PX', form: MILLISECONDS },
  { word: 'EXAT', form: AT_SECONDS },
  { word: 'PXAT', form: AT_MILLISECONDS },
]

export interface SetOptions extends TimeOption {
  /** KEEPTTL: the key keeps the expiry it has, or its lack. */
  readonly keeps: boolean
  /** It may leave a key as it is: NX, GET of another type, a value to compare with. */
  readonly mayLeave: boolean
}

/** SET key value: nothing else is said. */
export const PLAIN_SET: SetOptions = { ...NO_TIME, keeps: false, mayLeave: false }

/** Of SET, whose options begin at 3, and of MSETEX. https://redis.io/docs/latest/commands/set/ */
export function readSet(args: ArgView, from = 3): SetOptions | undefined {
  let time = NO_TIME
  let keeps = false
  let mayLeave = false
  let exists: 'NX' | 'XX' | undefined
  for (let i = from; i < args.length; i++) {
    const form = timeForm(args, i)
    if (form !== undefined) {
      if (contradicts(time, form)) return undefined
      time = { at: ++i, form }
      continue
    }
    const existence = isOption(args, i, 'NX') ? 'NX' : isOption(args, i, 'XX') ? 'XX' : undefined
    if (existence !== undefined) {
      if (exists !== undefined && exists !== existence) return undefined
      exists = existence
    } else if (isOption(args, i, 'GET')) mayLeave = true
    else if (isOption(args, i, 'KEEPTTL')) keeps = true
    else if (isComparison(args, i)) {
      mayLeave = true
      i++
    } else return undefined
  }
  if (keeps && time.at > 0) return undefined
  return { at: time.at, form: time.form, keeps, mayLeave: mayLeave || exists === 'NX' }
}

/** Of Valkey 8.1 and Redis 8.4. To servers that do not know them they are a syntax error, whatever follows. */
function isComparison(args: ArgView, i: number): boolean {
  return i + 1 < args.length && COMPARISONS.some((word) => isOption(args, i, word))
}

const COMPARISONS = ['IFEQ', 'IFNE', 'IFDEQ', 'IFDNE'] as const

export interface GetexOptions extends TimeOption {
  readonly persist: boolean
}

/** https://redis.io/docs/latest/commands/getex/ */
export function readGetex(args: ArgView): GetexOptions | undefined {
  let time = NO_TIME
  let persist = false
  for (let i = 2; i < args.length; i++) {
    const form = timeForm(args, i)
    if (form !== undefined) {
      if (contradicts(time, form)) return undefined
      time = { at: ++i, form }
    } else if (isOption(args, i, 'PERSIST')) persist = true
    else return undefined
  }
  return persist && time.at > 0 ? undefined : { at: time.at, form: time.form, persist }
}

/** The form of the time behind option i; undefined: it is no such option, or has nothing behind it. */
function timeForm(args: ArgView, i: number): TimeForm | undefined {
  if (i + 1 === args.length) return undefined
  for (let f = 0; f < FORMS.length; f++) if (isOption(args, i, FORMS[f].word)) return FORMS[f].form
  return undefined
}

/** Of two times in the same form the last counts; two forms are an error. */
function contradicts({ at, form: before }: TimeOption, form: TimeForm): boolean {
  return at > 0 && before !== form
}

/** RESTORE key ttl payload …: how its ttl is meant. https://redis.io/docs/latest/commands/restore/ */
export function readRestore(args: ArgView): TimeForm | undefined {
  let form = MILLISECONDS
  for (let i = 4; i < args.length; i++) {
    if (isOption(args, i, 'ABSTTL')) form = AT_MILLISECONDS
    else if (i + 1 < args.length && (isOption(args, i, 'IDLETIME') || isOption(args, i, 'FREQ'))) i++
    else if (!isOption(args, i, 'REPLACE')) return undefined
  }
  return form
}
