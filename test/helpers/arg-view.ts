import { ArgView } from '../../src/commands/arg-view.ts'
import { findKeys } from '../../src/commands/keys.ts'
import { type CommandSpec, KeyList } from '../../src/commands/spec.ts'

/** The arguments as the request reader would show them; text is taken as latin1. */
export function argsOf(...words: readonly (string | Buffer)[]): ArgView {
  const parts = words.map((word) => (typeof word === 'string' ? Buffer.from(word, 'latin1') : word))
  const offsets = new Int32Array(2 * parts.length)
  let at = 0
  parts.forEach((part, i) => {
    offsets[2 * i] = at
    at += part.length
    offsets[2 * i + 1] = at
  })
  return new ArgView().set(Buffer.concat(parts), parts.length, offsets)
}

/** The indices that findKeys gives for this request. */
export function keyIndices(spec: CommandSpec, ...words: readonly (string | Buffer)[]): number[] {
  const out = new KeyList()
  findKeys(spec, argsOf(...words), out)
  return [...out.at.subarray(0, out.count)]
}
