import { decodeReply } from '../resp/reply-decoder.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import type { Reply } from '../resp/types.ts'
import type { ExtensionArgument, ExtensionCommand } from './extensions.ts'
import { parseRow } from './rows.ts'
import type { KeySpec } from './spec.ts'

/*
 * What COMMAND says of Keyward's own commands, in the form in which Redis 7 says it of its own.
 * https://redis.io/docs/latest/commands/command/ and command-docs
 */

/** An element of the reply to COMMAND and COMMAND INFO. */
export function infoOf({ row }: ExtensionCommand, protocol: 2 | 3): Reply {
  const { name, arity, flags, categories, keySpecs } = parseRow(row)
  const writer = new ReplyWriter(protocol)
  writer.array(10)
  writer.bulk(name)
  writer.integer(arity)
  words(writer, flags)
  // The one key in front, if there is one: first, last, step.
  for (let i = 0; i < 3; i++) writer.integer(keySpecs.length)
  words(
    writer,
    categories.map((category) => `@${category}`),
  )
  // Tips, of which there are none.
  writer.set(0)
  writer.set(keySpecs.length)
  for (const spec of keySpecs) keySpec(writer, spec)
  // Nor subcommands.
  writer.set(0)
  return finished(writer)
}

/** Its name and what COMMAND DOCS says of it: a pair of the reply's map. */
export function docsOf(
  { row, summary, complexity, arguments: all }: ExtensionCommand,
  protocol: 2 | 3,
): readonly Reply[] {
  const name = new ReplyWriter(protocol)
  name.bulk(parseRow(row).name)
  const docs = new ReplyWriter(protocol)
  docs.map(all.length === 0 ? 3 : 4)
  pair(docs, 'summary', summary)
  pair(docs, 'group', 'module')
  pair(docs, 'complexity', complexity)
  if (all.length > 0) {
    docs.bulk('arguments')
    docs.array(all.length)
    for (const argument of all) argumentDoc(docs, argument)
  }
  return [finished(name), finished(docs)]
}

function argumentDoc(writer: ReplyWriter, { name, type, token, optional }: ExtensionArgument): void {
  const more = [type === 'key', token !== undefined, optional === true].filter(Boolean)
  writer.map(2 + more.length)
  pair(writer, 'name', name)
  pair(writer, 'type', type)
  if (type === 'key') {
    writer.bulk('key_spec_index')
    writer.integer(0)
  }
  if (token !== undefined) pair(writer, 'token', token)
  if (optional === true) {
    writer.bulk('flags')
    words(writer, ['optional'])
  }
}

/** Has it a key? */
export function hasKey({ row }: ExtensionCommand): boolean {
  return parseRow(row).keySpecs.length > 0
}

/** The answer to COMMAND GETKEYS and, `withFlags`, GETKEYSANDFLAGS of one that has a key, with this key. */
export function writeKeys(writer: ReplyWriter, { row }: ExtensionCommand, key: Buffer, withFlags: boolean): void {
  writer.array(1)
  if (withFlags) writer.array(2)
  writer.bulk(key)
  if (withFlags) words(writer, parseRow(row).keySpecs[0].flags)
}

function keySpec(writer: ReplyWriter, { begin, find, flags }: KeySpec): void {
  if (typeof begin === 'string' || !('index' in begin) || typeof find === 'string' || !('lastKey' in find)) {
    throw new Error('a command of Keyward’s own whose keys are not at fixed positions')
  }
  writer.map(3)
  writer.bulk('flags')
  words(writer, flags)
  writer.bulk('begin_search')
  writer.map(2)
  pair(writer, 'type', 'index')
  writer.bulk('spec')
  writer.map(1)
  writer.bulk('index')
  writer.integer(begin.index)
  writer.bulk('find_keys')
  writer.map(2)
  pair(writer, 'type', 'range')
  writer.bulk('spec')
  writer.map(3)
  for (const [name, value] of [
    ['lastkey', find.lastKey],
    ['keystep', find.step],
    ['limit', find.limit],
  ] as const) {
    writer.bulk(name)
    writer.integer(value)
  }
}

function words(writer: ReplyWriter, all: readonly string[]): void {
  writer.set(all.length)
  for (const word of all) writer.simple(word)
}

function pair(writer: ReplyWriter, name: string, value: string): void {
  writer.bulk(name)
  writer.bulk(value)
}

function finished(writer: ReplyWriter): Reply {
  const bytes = writer.take()
  return decodeReply(bytes, 0, bytes.length)
}
