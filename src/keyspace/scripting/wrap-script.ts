import { createHash } from 'node:crypto'
import type { CommandTable } from '../../commands/lookup.ts'
import { commandCodes } from './command-codes.ts'
import { PrologueParts, prologueOf, type Vocabulary, vocabulary } from './prologue.ts'
import { readScript } from './script-facts.ts'

/** A text, and the SHA-1 in lower-case hex by which the upstream knows it. */
export interface ScriptForm {
  readonly text: Buffer
  readonly sha: string
}

/** A tenant's script as it goes upstream. The same for all tenants: what differs comes as a last argument, of scopeArgument(). */
export interface WrappedScript extends ScriptForm {
  /** SHA-1 of the client's text, by which the client knows it. */
  readonly original: string
  /** It begins with a `#!` line, so Redis goes by the flags in that. */
  readonly flagged: boolean
}

export interface WrapOptions {
  /** What it writes obeys the rules on times to live of its tenant, which then come with the scope argument. */
  readonly ttl: boolean
}

/**
 * The script with a prologue in its first line, which makes it see its tenant's keys without their prefix. Lines keep their
 * numbers. Takes time and memory in proportion to the text: the caller limits its length.
 */
export function wrapScript(text: Buffer, table: CommandTable, options: WrapOptions): WrappedScript {
  const original = sha1(text)
  const flagged = isFlagged(text)
  const body = bodyStart(text)
  if (body < 0) return { text, sha: original, original, flagged }
  const facts = readScript(text.subarray(body))
  const { parts, plain, timed } = sourceFor(table)
  const lua = prologueOf(facts, options.ttl ? timed : plain, parts)
  const pieces = [text.subarray(0, body), Buffer.from(lua, 'latin1')]
  let from = body
  for (const [start, end] of facts.tailCalls) {
    pieces.push(text.subarray(from, body + start), OPEN, text.subarray(body + start, body + end), CLOSE)
    from = body + end
  }
  pieces.push(text.subarray(from))
  const wrapped = Buffer.concat(pieces)
  return { text: wrapped, sha: sha1(wrapped), original, flagged }
}

/**
 * The same script as another one, with the same lines, which no EVAL has brought: servers that drop what came by EVAL keep this for good
 * when SCRIPT LOAD brings it.
 */
export function keptForm({ text }: ScriptForm): ScriptForm {
  const kept = Buffer.concat([text, BLANK])
  return { text: kept, sha: sha1(kept) }
}

/** What prologues are made from: one for each table, made when it is first asked for. */
const sources = new WeakMap<CommandTable, Source>()

interface Source {
  readonly parts: PrologueParts
  readonly plain: Vocabulary
  readonly timed: Vocabulary
}

function sourceFor(table: CommandTable): Source {
  let source = sources.get(table)
  if (source === undefined) {
    source = {
      parts: new PrologueParts(),
      plain: vocabulary(commandCodes(table, false), false),
      timed: vocabulary(commandCodes(table, true), true),
    }
    sources.set(table, source)
  }
  return source
}

/** Behind the line end of a `#!` line, which Redis takes off but for that; -1: there is none, so no script, and Redis says so. */
function bodyStart(text: Buffer): number {
  if (!isFlagged(text)) return 0
  const end = text.indexOf('\n')
  return end < 0 ? -1 : end + 1
}

function isFlagged(text: Buffer): boolean {
  return text[0] === 0x23 && text[1] === 0x21
}

function sha1(text: Buffer): string {
  return createHash('sha1').update(text).digest('hex')
}

/**
 * An error reply with the client's SHA in place of the upstream's. `line`: the whole frame or the text in it. The same object
 * when there is none in it.
 */
export function originalError(line: Buffer, { sha, original }: Pick<WrappedScript, 'sha' | 'original'>): Buffer {
  let at = line.indexOf(sha, 0, 'latin1')
  if (at < 0) return line
  const out = Buffer.from(line)
  for (; at >= 0; at = line.indexOf(sha, at + sha.length, 'latin1')) out.write(original, at, 'latin1')
  return out
}

const BLANK = Buffer.from(' ')
const OPEN = Buffer.from('(')
const CLOSE = Buffer.from(')')
