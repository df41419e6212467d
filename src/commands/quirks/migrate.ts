import type { ArgView } from '../arg-view.ts'
import { pushRest } from '../keys.ts'
import type { KeyList, Quirk } from '../spec.ts'

/** MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH p] [AUTH2 u p] [KEYS key …]. Refused; the keys are for `explain`. */
function keys(args: ArgView, out: KeyList): void {
  out.push(3)
  for (let i = 6; i < args.length; i++) {
    const more = args.length - i - 1
    if (args.is(i, 'COPY') || args.is(i, 'REPLACE')) continue
    if (more >= 1 && args.is(i, 'AUTH')) i++
    else if (more >= 2 && args.is(i, 'AUTH2')) i += 2
    else {
      const named = args.is(i, 'KEYS') && args.text(3, 1) === ''
      if (named) out.count = 0
      pushRest(out, i + 1, args)
      return
    }
  }
}

export const quirks: Readonly<Record<string, Quirk>> = {
  migrate: { keys },
}
