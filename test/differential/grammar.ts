import { decode, type Frame, type Value } from '../helpers/differential.ts'

/** One argument of a command, as COMMAND DOCS describes it. https://redis.io/commands/command-docs/ */
export interface Argument {
  readonly name: string
  readonly type: string
  readonly token: string | undefined
  readonly optional: boolean
  readonly multiple: boolean
  /** The token stands in front of each value, not only of the first. */
  readonly tokenEach: boolean
  readonly parts: readonly Argument[]
}

export interface CommandDoc {
  readonly group: string
  readonly args: readonly Argument[]
}

/** By command or "container|subcommand". `frame` is the server's reply to COMMAND DOCS, RESP2 or RESP3. */
export function readDocs(frame: Frame): Map<string, CommandDoc> {
  const docs = new Map<string, CommandDoc>()
  for (const [name, doc] of pairs(decode(frame))) {
    add(docs, name, doc, '')
    for (const [sub, subDoc] of pairs(field(doc, 'subcommands'))) add(docs, sub, subDoc, docs.get(name)?.group ?? '')
  }
  return docs
}

function add(docs: Map<string, CommandDoc>, name: string, doc: Value, group: string): void {
  docs.set(name, {
    group: field(doc, 'group')?.text ?? group,
    args: (field(doc, 'arguments')?.items ?? []).map(argument),
  })
}

function argument(value: Value): Argument {
  const flags = (field(value, 'flags')?.items ?? []).map((flag) => flag.text)
  return {
    name: field(value, 'name')?.text ?? '',
    type: field(value, 'type')?.text ?? 'string',
    token: field(value, 'token')?.text,
    optional: flags.includes('optional'),
    multiple: flags.includes('multiple'),
    tokenEach: flags.includes('multiple_token'),
    parts: (field(value, 'arguments')?.items ?? []).map(argument),
  }
}

function pairs(value: Value | undefined): [string, Value][] {
  const items = value?.items ?? []
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i].text ?? '', items[2 * i + 1]])
}

function field(value: Value, name: string): Value | undefined {
  return pairs(value).find(([key]) => key === name)?.[1]
}
