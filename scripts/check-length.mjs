/** No long files: over 300 lines is worth a word, over 450 a failure. Data is excepted, by name. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { filesUnder, ROOT } from './lib/project.mjs'

const WARN = 300
const FAIL = 450
const DATA = [/^src\/commands\/table\.generated\.ts$/, /^test\/differential\/cases\//]

let failed = false
for (const folder of ['src', 'scripts', 'test']) {
  for (const file of await filesUnder(folder)) {
    if (!/\.(ts|mts|mjs)$/.test(file) || DATA.some((pattern) => pattern.test(file))) continue
    const lines = (await readFile(join(ROOT, file), 'utf8')).split('\n').length - 1
    if (lines <= WARN) continue
    if (lines > FAIL) failed = true
    console.log(
      `${file}: ${lines} lines (${lines > FAIL ? `at most ${FAIL}` : `warning from ${WARN}`}); one idea a file: which two are these?`,
    )
  }
}
process.exitCode = failed ? 1 : 0
