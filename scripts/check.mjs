/** `npm run check`: everything that needs no server and no test run. One line a step, all failures, exit code 1. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { dependency, ensureInstalled, fail, ROOT } from './lib/project.mjs'
import { run } from './lib/run.mjs'

const own = (name, ...args) => [join(ROOT, 'scripts', name), ...args]
const generator = (name) => [dependency('tsx/dist/cli.mjs'), ...own(name, '--check')]

const steps = [
  ['types', [dependency('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json']],
  ['biome', [dependency('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '--diagnostic-level=warn', '.']],
  ['knip', [dependency('knip/bin/knip.js'), '--no-progress']],
  ['imports', own('check-imports.mjs')],
  ['file length', own('check-length.mjs')],
  ['command table', generator('gen-commands.ts'), 'gen-commands.ts'],
  ['generated docs', generator('gen-docs.ts'), 'gen-docs.ts'],
]

await ensureInstalled().catch((error) => fail(error.message))
const failed = []
for (const [name, args, needs] of steps) {
  if (needs !== undefined && !existsSync(join(ROOT, 'scripts', needs))) continue
  const started = Date.now()
  const { code, output } = await run(process.execPath, args, { cwd: ROOT })
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
  if (code !== 0) failed.push(name)
  // A step that passes may still have something to say: a warning, a server that was not there to compare with.
  if (output.trim() !== '' && (code !== 0 || /warning|going on|without/i.test(output))) {
    console.log(output.trim().replace(/^/gm, '       '))
  }
}
if (failed.length > 0) {
  console.log(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
