/**
 * Writes the documentation that is generated from the code. `--check`: writes nothing; exit 1 when a file is not what
 * it would write.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { configurationJsonSchema, configurationMarkdown } from '../src/config/docs.ts'
import { commandsMarkdown } from './lib/commands-markdown.ts'
import { errorsMarkdown } from './lib/errors-markdown.ts'

const FILES: Readonly<Record<string, string>> = {
  'docs/commands.md': commandsMarkdown(),
  'docs/configuration.md': configurationMarkdown(),
  'docs/errors.md': errorsMarkdown(),
  'docs/keyward.schema.json': `${JSON.stringify(configurationJsonSchema(), undefined, 2)}\n`,
}

const check = process.argv.includes('--check')
for (const [name, text] of Object.entries(FILES)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const old = await readFile(path, 'utf8').catch(() => undefined)
  if (old === text) continue
  if (check) {
    console.error(`${name} is ${old === undefined ? 'missing' : 'old'}: npm run gen:docs`)
    process.exitCode = 1
  } else {
    await writeFile(path, text)
    console.error(`wrote ${name}`)
  }
}
