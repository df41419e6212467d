import type { ArgView } from '../arg-view.ts'
import type { Quirk } from '../spec.ts'

/**
 * COPY … DB n would write into another database of the shared server, where no prefix of this tenant rules.
 * Words are C strings to the server: what stands behind a NUL does not count.
 */
function refuses(args: ArgView): string | undefined {
  for (let i = 3; i < args.length; i++) {
    const word = args.text(i, 8)
    if (/^replace(\0|$)/i.test(word)) continue
    return i + 1 < args.length && /^db(\0|$)/i.test(word)
      ? 'DB leaves the database in which the tenant lives'
      : undefined
  }
  return undefined
}

export const quirks: Readonly<Record<string, Quirk>> = {
  copy: { refuses },
}
