import { commandsMarkdown } from '../../scripts/lib/commands-markdown.ts'

/** docs/commands.md as it is generated, by its sections: which command stands where. */
export interface CommandsDocument {
  readonly text: string
  /** In order, also those that stand in a section twice; as in the table: "client|setname". */
  readonly open: readonly string[]
  /** With the configuration's leave. */
  readonly scripts: readonly string[]
  /** Where the upstream has the module. */
  readonly modules: readonly string[]
  readonly passthrough: readonly string[]
  /** Keyward's own. */
  readonly extensions: readonly string[]
  readonly containers: readonly string[]
  readonly refused: readonly string[]
  readonly notInMulti: readonly string[]
}

export function commandsDocument(): CommandsDocument {
  const text = commandsMarkdown()
  const sections = new Map(
    text.split(/^## /m).map((section) => [section.slice(0, section.indexOf('\n')), section] as const),
  )
  const cells = (title: string, column: number) => {
    const rows = [...(sections.get(title) ?? '').matchAll(/^\| .* \|$/gm)].map(([row]) => row.split(' | '))
    return rows.map((row) => row[column].replace(/^\| | \|$/g, '')).filter((cell) => !/^(command|why)/.test(cell))
  }
  const names = (title: string) => cells(title, 0).map(tableName)
  const lists = (title: string) => cells(title, 1).flatMap((cell) => cell.split(', ').map(tableName))
  return {
    text,
    open: names('Open for every tenant'),
    scripts: names('Scripts and functions'),
    modules: names('Open where the upstream has the module'),
    passthrough: names('Open for the tenant with the empty prefix only'),
    extensions: names("Keyward's own"),
    containers: names('Commands with subcommands'),
    refused: lists('Refused'),
    notInMulti: lists('Not inside MULTI'),
  }
}

/** "CONFIG SET (only …)" is config|set. */
function tableName(cell: string): string {
  return cell
    .replace(/ \(.*$/, '')
    .toLowerCase()
    .replace(' ', '|')
}
