import type { ArgView } from './arg-view.ts'

/**
 * Is argument i this option (given in upper case ASCII letters), in any case, as the server compares words: as C strings,
 * so that what stands behind a NUL does not count?
 */
export function isOption(args: ArgView, i: number, word: string): boolean {
  if (args.is(i, word)) return true
  // No NUL can stand behind it.
  if (args.size(i) <= word.length) return false
  const text = args.text(i, word.length + 1)
  return text.charCodeAt(word.length) === 0 && text.slice(0, word.length).toUpperCase() === word
}
