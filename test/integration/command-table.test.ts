import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

/** Fails with what the generator printed when a row of the committed table is not what its server says. */
test('the committed command table is what the servers say', async () => {
  const args = [path('node_modules/tsx/dist/cli.mjs'), path('scripts/gen-commands.ts'), '--check']
  const { stderr } = await promisify(execFile)(process.execPath, args, { cwd: path('.') })
  expect(stderr).toMatch(/the command table is current|was not checked/)
})
