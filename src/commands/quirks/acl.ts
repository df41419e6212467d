import type { LocalCall, Quirk } from '../spec.ts'
import { help } from './help.ts'
import { quoted } from './quoted.ts'
import { tenantOf } from './tenant-of.ts'

/** In the server's order (ACLCommandCategories in acl.c). */
const CATEGORIES =
  `keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow blocking
  dangerous connection transaction scripting`.split(/\s+/)

/** The longest name is a fraction of it. */
const NAME_BYTES = 256

/** How much of an argument an error repeats. */
const ECHO_BYTES = 128

const HELP = [
  'ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'GETUSER <username>',
  "    Get the user's details.",
  'WHOAMI',
  '    Return the current connection username.',
  'HELP',
  '    Prints this help.',
]

/** ACL CAT [category]: all categories that Redis has, and those of its modules; of one, the commands that are open to the tenant. */
function cat(call: LocalCall): void {
  const { args, reply } = call
  if (args.length > 3) {
    reply.error(`ERR unknown subcommand or wrong number of arguments for '${quoted(args, 1)}'. Try ACL HELP.`)
    return
  }
  const open = call.server.commands(tenantOf(call.session))
  const known = new Set(CATEGORIES)
  // Of modules that the upstream has.
  for (const { presence, categories } of open) if (presence === 'module') for (const name of categories) known.add(name)
  if (args.length === 2) {
    bulks(call, [...known])
    return
  }
  const category = args.text(2, NAME_BYTES).toLowerCase()
  if (!known.has(category)) {
    reply.error(`ERR Unknown category '${quoted(args, 2).slice(0, ECHO_BYTES)}'`)
    return
  }
  const names = open.filter(({ categories }) => categories.includes(category)).map(({ name }) => name)
  bulks(call, names)
}

/**
 * ACL GETUSER: of the user that asks, as Redis 7.0 writes one that may do everything, which is what Keyward's users may, within what
 * is open to their tenant. All others do not exist: their digests and rules are their own.
 */
function getUser(call: LocalCall): void {
  const { args, reply, session } = call
  if (args.text(2, NAME_BYTES) !== session.user) {
    reply.null()
    return
  }
  const digest = tenantOf(session).users.get(session.user)?.digest
  reply.map(6)
  reply.bulk('flags')
  reply.set(digest === undefined ? 2 : 1)
  reply.bulk('on')
  if (digest === undefined) reply.bulk('nopass')
  reply.bulk('passwords')
  bulks(call, digest === undefined ? [] : [digest.toString('hex')])
  reply.bulk('commands')
  reply.bulk('+@all')
  reply.bulk('keys')
  reply.bulk('~*')
  reply.bulk('channels')
  reply.bulk('&*')
  reply.bulk('selectors')
  reply.array(0)
}

function bulks({ reply }: LocalCall, texts: readonly string[]): void {
  reply.array(texts.length)
  for (const text of texts) reply.bulk(text)
}

/** What a user may know of the ACL of a server of the tenant's own: itself. */
export const quirks: Readonly<Record<string, Quirk>> = {
  'acl|cat': { answer: cat },
  'acl|getuser': { answer: getUser },
  'acl|help': help(HELP),
  'acl|whoami': { answer: ({ reply, session }) => reply.bulk(session.user) },
}
