import type { LocalCall, Quirk } from '../spec.ts'
import { DEFAULT_SECTIONS, SECTIONS } from './info-sections.ts'

/** Twice the longest name of a section. */
const NAME_BYTES = 32

/**
 * INFO [section …] as in Redis 7.0: sections in the order of SECTIONS whatever the order asked for, each once,
 * unknown ones left out; `default`, `all` and `everything` anywhere among the arguments. It is made here, as a
 * tenant's view of a server of its own, without a question to the upstream: every client that connects may ask.
 */
function info(call: LocalCall): void {
  const { args, reply } = call
  const wanted = new Set<string>(args.length === 1 ? DEFAULT_SECTIONS : [])
  for (let i = 1; i < args.length; i++) {
    if (args.is(i, 'ALL') || args.is(i, 'EVERYTHING')) for (const name of SECTIONS.keys()) wanted.add(name)
    else if (args.is(i, 'DEFAULT')) for (const name of DEFAULT_SECTIONS) wanted.add(name)
    else {
      // A C string in Redis: it ends at a NUL.
      const [name] = args.text(i, NAME_BYTES).toLowerCase().split('\0', 1)
      if (SECTIONS.has(name)) wanted.add(name)
    }
  }
  const parts: string[] = []
  for (const [name, section] of SECTIONS) {
    if (!wanted.has(name)) continue
    let text = `# ${section.title}\r\n`
    for (const [field, value] of section.fields(call)) text += `${field}:${value}\r\n`
    parts.push(text)
  }
  reply.verbatim('txt', parts.join('\r\n'))
}

export const quirks: Readonly<Record<string, Quirk>> = { info: { answer: info } }
