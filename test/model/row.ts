import { MODES, type Mode } from './agree.ts'

/**
 * Requests as templates: a word in braces is filled in (fill.ts), what stands behind a semicolon is how their replies
 * are compared, a number in front is how many times as often as others a row is drawn.
 *
 * None of them makes the worlds differ: stream ids are given, what the server would choose at random is either read
 * only or taken whole, and keys expire in years or at once. What depends on the order of a set, which is another in
 * each process, asks for keys that never hold one: `!` means no other kind, and no set gets under another kind's name.
 */
export interface Row {
  readonly words: readonly string[]
  readonly mode: Mode
}

export function rows(lines: string): Row[] {
  return lines
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [, times = '1', words, mode = 'exact'] = /^\s*(?:(\d+) )?([^;]*?)(?: ; (\w+))?$/.exec(line) ?? []
      if (!MODES.includes(mode as Mode)) throw new Error(`no mode: ${line}`)
      return Array<Row>(Number(times)).fill({ words: words.split(' '), mode: mode as Mode })
    })
}
