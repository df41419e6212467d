import type { ArgView } from '../arg-view.ts'
import { pushRest } from '../keys.ts'
import type { KeyList, Quirk } from '../spec.ts'
import { timeoutMilliseconds } from '../timeout.ts'
import { stripPairs } from './keys-in-reply.ts'

/**
 * XREAD and XREADGROUP. Their keys are the first half of what follows STREAMS, and BLOCK decides the route. Both
 * words may also be a group's, a consumer's or a key's name, so the options are read from the left as the server
 * does; the server ends at the first STREAMS that stands where an option may stand.
 */
const found = {
  /** First argument after STREAMS, 0: there is none. */
  streams: 0,
  /** The argument after the last BLOCK, 0: there is none. */
  block: 0,
  /** The first argument that is no option, where the server stops with a syntax error; 0: there is none. */
  stop: 0,
}

function readOptions(args: ArgView, withGroup: boolean): void {
  found.streams = 0
  found.block = 0
  found.stop = 0
  for (let i = 1; i < args.length; i++) {
    const more = args.length - i - 1
    if (more > 0 && args.is(i, 'BLOCK')) found.block = ++i
    else if (more > 0 && args.is(i, 'COUNT')) i++
    else if (more > 0 && args.is(i, 'STREAMS')) {
      found.streams = i + 1
      return
    } else if (withGroup && more >= 2 && args.is(i, 'GROUP')) i += 2
    // Of Redis 8.4; to older ones a syntax error, whatever follows.
    else if (withGroup && more > 0 && args.is(i, 'CLAIM')) i++
    else if (withGroup && args.is(i, 'NOACK')) continue
    else {
      found.stop = i
      return
    }
  }
}

function keys(args: ArgView, out: KeyList, withGroup: boolean): void {
  readOptions(args, withGroup)
  if (found.streams === 0) {
    if (found.stop > 0) pushRest(out, found.stop + 1, args)
    return
  }
  const rest = args.length - found.streams
  if (rest % 2 !== 0) pushRest(out, found.streams, args)
  else for (let i = 0; i < rest / 2; i++) out.push(found.streams + i)
}

function blocks(args: ArgView, withGroup: boolean): number | undefined {
  readOptions(args, withGroup)
  // A server that is newer than this file may understand what we do not, and find a BLOCK behind it.
  if (found.stop > 0) for (let i = found.stop; i < args.length; i++) if (looksLikeBlock(args, i)) return 0
  return found.block === 0 ? undefined : timeoutMilliseconds(args, found.block)
}

function timeout(args: ArgView, withGroup: boolean): { at: number; perSecond: 1000 } {
  readOptions(args, withGroup)
  return { at: found.block, perSecond: 1000 }
}

/** Also "block" and a NUL: the server compares words as C strings. */
function looksLikeBlock(args: ArgView, i: number): boolean {
  return /^block(\0|$)/i.test(args.text(i, 6))
}

/** "NOGROUP No such key 'KEY' or consumer group …" */
const NO_SUCH_KEY = Buffer.from("NOGROUP No such key '")

function keyAfterStart(text: Buffer): number {
  return text.subarray(0, NO_SUCH_KEY.length).equals(NO_SUCH_KEY) ? NO_SUCH_KEY.length : -1
}

/** "NOGROUP No such consumer group 'GROUP' for key name 'KEY'" */
const NO_SUCH_GROUP = Buffer.from("NOGROUP No such consumer group '")

function keyAtEnd(text: Buffer, prefix: Buffer): number {
  if (!text.subarray(0, NO_SUCH_GROUP.length).equals(NO_SUCH_GROUP)) return -1
  const lead = Buffer.from("' for key name '")
  // The last one: a group's name may look like the rest of the text.
  const at = text.lastIndexOf(Buffer.concat([lead, prefix]))
  return at === -1 ? -1 : at + lead.length
}

const groupError: Quirk = { errorKey: keyAtEnd }

export const quirks: Readonly<Record<string, Quirk>> = {
  xread: {
    route: 'blocking',
    keys: (args, out) => keys(args, out, false),
    blocks: (args) => blocks(args, false),
    timeout: (args) => timeout(args, false),
    fromNewest: true,
    reply: stripPairs,
  },
  xreadgroup: {
    route: 'blocking',
    keys: (args, out) => keys(args, out, true),
    blocks: (args) => blocks(args, true),
    timeout: (args) => timeout(args, true),
    reply: stripPairs,
    errorKey: keyAfterStart,
  },
  xpending: { errorKey: keyAfterStart },
  xclaim: { errorKey: keyAfterStart },
  xautoclaim: { errorKey: keyAfterStart },
  'xinfo|consumers': groupError,
  'xgroup|setid': groupError,
  'xgroup|createconsumer': groupError,
  'xgroup|delconsumer': groupError,
}
