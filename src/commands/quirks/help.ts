import type { Quirk } from '../spec.ts'

/** A container's HELP: Redis writes each line as a simple string. */
export function help(lines: readonly string[]): Quirk {
  return {
    answer({ reply }) {
      reply.array(lines.length)
      for (const line of lines) reply.simple(line)
    },
  }
}
