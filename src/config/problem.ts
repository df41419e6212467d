/** Where a value sits in the configuration: keys and list positions, from the top. */
export type Path = readonly (string | number)[]

/** One thing that is wrong with a configuration. Lines and columns count from 1; 0 where there is no text (flags, environment). */
export interface Problem {
  readonly file: string
  readonly line: number
  readonly column: number
  /** `tenants.acme.users.default.password`, `listeners[0].address`; '' where the text itself cannot be read. */
  readonly path: string
  readonly message: string
  /** What to write instead. */
  readonly cure: string
}

/** A configuration that must not start. Carries every problem at once, in the order of the file. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(formatProblems(problems))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** `file:line:column: path: message` and the cure, indented, on the next line. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('\n')
}

function formatProblem(problem: Problem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`
  const path = problem.path === '' ? '' : `${problem.path}: `
  return `${place}: ${path}${problem.message}\n    ${problem.cure}`
}

export function formatPath(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}

/** A problem that is not in a file yet. */
export interface Fault {
  readonly line: number
  readonly column: number
  readonly path: Path
  readonly message: string
  readonly cure: string
  readonly mended?: boolean
}

/** Finds the line and column of a path, or of its nearest ancestor that the text has. */
export type Locate = (path: Path, at: 'key' | 'value') => { readonly line: number; readonly column: number }

/**
 * Collects problems. One path has one problem, the first that was found: what is wrong with `prefix` is not told
 * again by every rule that looks at prefixes.
 */
export class Report {
  readonly file: string
  private readonly locate: Locate
  private readonly problems = new Map<string, Problem>()

  constructor(file: string, locate: Locate) {
    this.file = file
    this.locate = locate
  }

  add(path: Path, message: string, cure: string, at: 'key' | 'value' = 'value'): void {
    this.addFault({ ...this.locate(path, at), path, message, cure })
  }

  /**
   * A problem whose place is known already. `mended`: the value could be guessed and is used, so the rules that look at
   * it still apply.
   */
  addFault(fault: Fault): void {
    const { line, column, message, cure } = fault
    const path = formatPath(fault.path)
    const id = path === '' || fault.mended === true ? `${line}:${column}` : path
    if (this.problems.has(id)) return
    this.problems.set(id, { file: this.file, line, column, path, message, cure })
  }

  /** Was a value at this path found wrong? */
  has(path: Path): boolean {
    return this.problems.has(formatPath(path))
  }

  /** Was anything inside the map or list at this path found wrong? */
  hasInside(path: Path): boolean {
    const start = formatPath(path)
    return [...this.problems.keys()].some((one) => one.startsWith(`${start}.`) || one.startsWith(`${start}[`))
  }

  get empty(): boolean {
    return this.problems.size === 0
  }

  /** Everything found, in the order of the text. */
  list(): readonly Problem[] {
    return [...this.problems.values()].sort((a, b) => a.line - b.line || a.column - b.column)
  }
}
