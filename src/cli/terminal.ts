import { ConfigError } from '../config/problem.ts'

/** What a command of the command line talks to; tests put their own in its place. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  out(text: string): void
  err(text: string): void
}

/** Exit codes: the thing asked for was done; it failed; it was asked for wrongly. */
export const EXIT = { OK: 0, FAILED: 1, USAGE: 2 } as const

/** Wrong use of the command line: told in one line, exit 2. */
export class UsageError extends Error {}

/** Something outside failed (a port in use, a server away): told with its cure and without a stack, exit 1. */
export class Failure extends Error {
  readonly cure: string

  constructor(message: string, cure: string) {
    super(message)
    this.cure = cure
  }
}

/** Tells an error and says which exit code it means; errors that are bugs are thrown again. */
export function tell(error: unknown, terminal: Terminal): number {
  if (error instanceof ConfigError) {
    terminal.err(`${error.message}\n`)
    return EXIT.USAGE
  }
  if (error instanceof UsageError) {
    terminal.err(`keyward: ${error.message}\n`)
    return EXIT.USAGE
  }
  if (error instanceof Failure) {
    terminal.err(`keyward: ${error.message}\n    ${error.cure}\n`)
    return EXIT.FAILED
  }
  throw error
}
