import { decodeReply } from '../../resp/reply-decoder.ts'
import type { Reply } from '../../resp/types.ts'
import { SERVICE_COMMANDS } from './wall-users.ts'

/**
 * The rules of a user of the upstream, from the reply to ACL GETUSER: keys, channels, commands and selectors, in the words that
 * ACL SETUSER takes. undefined: it is no such reply, or the user is none.
 * https://redis.io/docs/latest/commands/acl-getuser/
 */
export function readRules(frame: Buffer): readonly string[] | undefined {
  const user = fieldsOf(decodeReply(frame, 0, frame.length))
  const { commands, keys, channels } = user
  if (commands === undefined || keys === undefined || channels === undefined) return undefined
  const selectors = (user.selectors?.items ?? []).map((selector) => `(${rulesOf(fieldsOf(selector)).join(' ')})`)
  return [...rulesOf(user), ...selectors]
}

function rulesOf(fields: Fields): string[] {
  return [fields.keys, fields.channels, fields.commands].flatMap((one) =>
    String(one?.text ?? '')
      .split(' ')
      .filter(Boolean),
  )
}

type Fields = Readonly<Record<string, Reply | undefined>>

/** Names and values in turn: an array of RESP2, a map of RESP3. */
function fieldsOf({ items = [] }: Reply): Fields {
  const fields: Record<string, Reply> = {}
  for (let i = 0; i + 1 < items.length; i += 2) fields[String(items[i].text)] = items[i + 1]
  return fields
}

/** All keys, all channels, and all commands but some. */
export function allowsAlmostAll(own: readonly string[]): boolean {
  const others = own.filter((rule) => !/^[-+]/.test(rule))
  return own.includes('+@all') && others.length === 2 && others.includes('~*') && others.includes('&*')
}

/**
 * What the service user may do: what the upstream's own user may, so that nothing opens that its operator has closed, but for
 * scripts. Of one who may do everything, it keeps of an administrator's commands only what lanes need.
 */
export function serviceRules(own: readonly string[]): readonly string[] {
  const all = own.filter((rule) => /^[-+]/.test(rule)).length === 1
  return [...own, ...(all ? SERVICE_COMMANDS : ['-@scripting'])]
}
