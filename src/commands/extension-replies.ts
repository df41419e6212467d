import { decodeReply } from '../resp/reply-decoder.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import type { Reply } from '../resp/types.ts'
import type { ExtensionCommand } from './extensions.ts'
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
  // The one key in front: first, last, step.
  for (const place of [1, 1, 1]) writer.integer(place)
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
export function docsOf({ row, summary, arguments: args }: ExtensionCommand, protocol: 2 | 3): readonly Reply[] {
  const name = new ReplyWriter(protocol)
  name.bulk(parseRow(row).name)
  const docs = new ReplyWriter(protocol)
  docs.map(4)
  pair(docs, 'summary', summary)
  pair(docs, 'group', 'module')
  pair(docs, 'complexity', 'O(1)')
  docs.bulk('arguments')
  const all = args.split(' ')
  docs.array(all.length)
  for (const [i, argument] of all.entries()) argumentDoc(docs, argument, i === 0)
  return [finished(name), finished(docs)]
}

function argumentDoc(writer: ReplyWriter, argument: string, isKey: boolean): void {
  const optional = argument.endsWith('?')
  writer.map(isKey || optional ? 3 : 2)
  pair(writer, 'name', argument.replace('?', ''))
  pair(writer, 'type', isKey ? 'key' : 'integer')
  if (isKey) {
    writer.bulk('key_spec_index')
    writer.integer(0)
  } else if (optional) {
    writer.bulk('flags')
    words(writer, ['optional'])
  }
}

/** The answer to COMMAND GETKEYS and, `withFlags`, GETKEYSANDFLAGS of such a command with this key. */
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
