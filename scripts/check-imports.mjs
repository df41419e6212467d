/** Ranks, index files and cycles of src; see scripts/lib/imports.mjs. Prints one line a problem, exit code 1. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brokenImportRules } from './lib/imports.mjs'
import { filesUnder, ROOT } from './lib/project.mjs'

const files = new Map()
for (const file of await filesUnder('src')) {
  if (file.endsWith('.ts')) files.set(file.slice('src/'.length), await readFile(join(ROOT, file), 'utf8'))
}
const problems = brokenImportRules(files)
for (const problem of problems) console.log(problem)
process.exitCode = problems.length === 0 ? 0 : 1
