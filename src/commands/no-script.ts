/** What servers say when they do not have the script of a SHA: Redis, and Valkey. */
const LINES: ReadonlySet<string> = new Set([
  '-NOSCRIPT No matching script. Please use EVAL.\r\n',
  '-NOSCRIPT No matching script.\r\n',
])

/** The server's own words for a script that it does not have. A script may say them too: nobody knows before the server was asked. */
export function isNoScript(error: string): boolean {
  return LINES.has(error)
}
