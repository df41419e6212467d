import { readFileSync } from 'node:fs'
import { dirname, resolve as resolvePath } from 'node:path'
import type { Config } from './config.ts'
import { type Overrides, override } from './overrides.ts'
import { ConfigError, Report } from './problem.ts'
import { resolve } from './resolve.ts'
import { readSource } from './source.ts'
import { validate } from './validate.ts'

export interface ParseOptions {
  /** The name that problems carry. */
  readonly source: string
  readonly env: NodeJS.ProcessEnv
  /** Relative file names in the configuration start here. */
  readonly baseDir: string
  /** What flags or the environment put in place of the file's own values. */
  readonly overrides?: Overrides
}

/** Reads, checks and resolves a configuration file. Throws ConfigError with every problem of it. */
export function loadConfig(file: string, env: NodeJS.ProcessEnv, overrides?: Overrides): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const message = `cannot be read: ${(error as NodeJS.ErrnoException).code ?? error}`
    const cure = 'check the path and its permissions'
    throw new ConfigError([{ file, line: 0, column: 0, path: '', message, cure }])
  }
  return parseConfig(text, { source: file, env, baseDir: dirname(resolvePath(file)), overrides })
}

/** The same for a text. */
export function parseConfig(text: string, options: ParseOptions): Config {
  const source = readSource(text)
  const report = new Report(options.source, source.locate)
  for (const fault of source.faults) report.addFault(fault)
  if (source.value === undefined) throw new ConfigError(report.list())
  const value = override(source.value ?? {}, options.overrides ?? {}, report)
  const shape = validate(value, report)
  const config = shape && resolve(shape, value, { env: options.env, baseDir: options.baseDir, report }, options.source)
  if (config === undefined || !report.empty) throw new ConfigError(report.list())
  return config
}
