import { run } from '../../../src/cli/program.ts'

export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command of the command line inside the test's process. */
export async function keyward(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  let out = ''
  let err = ''
  const code = await run(args, {
    env,
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { code, out, err }
}
