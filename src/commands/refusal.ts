import type { ArgView } from './arg-view.ts'
import type { CommandSpec } from './spec.ts'

/*
 * The error texts for a command that is not executed, without the leading `-`, one character per byte and byte-equal
 * to those of Redis 7. Client libraries read them: some fall back to older commands on "unknown command" alone.
 * A CR or LF that came with an argument is still in the text; the reply writer makes blanks of both, as Redis does.
 */

/** How much of the arguments an error repeats. */
const ECHO_BYTES = 128

/** The command does not exist, or does not exist for this client. */
export function unknownCommand(args: ArgView): string {
  let echo = ''
  for (let i = 1; i < args.length && echo.length < ECHO_BYTES; i++) {
    echo += `'${cString(args, i, ECHO_BYTES - echo.length)}' `
  }
  return `ERR unknown command '${cString(args, 0, ECHO_BYTES)}', with args beginning with: ${echo}`
}

/** The container exists, the subcommand does not, or does not for this client. Needs at least two arguments. */
export function unknownSubcommand(args: ArgView, container: CommandSpec): string {
  return `ERR unknown subcommand '${cString(args, 1, ECHO_BYTES)}'. Try ${container.name.toUpperCase()} HELP.`
}

/** An EXEC that is refused is another error, with which Redis also discards the transaction. */
function codeFor(spec: CommandSpec): string {
  return spec.name === 'exec' ? 'EXECABORT Transaction discarded because of:' : 'ERR'
}

export function wrongArity(spec: CommandSpec): string {
  return `${codeFor(spec)} wrong number of arguments for '${spec.name}' command`
}

/** A RESP2 client that is subscribed may do little else. */
export function notWhileSubscribed(spec: CommandSpec): string {
  return `${codeFor(spec)} Can't execute '${spec.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`
}

/** Redis prints arguments with C's %.*s, which ends at a NUL. */
function cString(args: ArgView, i: number, most: number): string {
  const text = args.text(i, most)
  const nul = text.indexOf('\0')
  return nul === -1 ? text : text.slice(0, nul)
}
