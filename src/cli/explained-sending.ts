import { readScanOptions, validCursor } from '../client/jobs/scan-options.ts'
import { WALK_COUNT } from '../client/jobs/walk.ts'
import type { ArgView } from '../commands/arg-view.ts'
import type { CommandTable } from '../commands/lookup.ts'
import type { CommandSpec, ServerView } from '../commands/spec.ts'
import { FEED, isNotification, mayMatchNotification } from '../keyspace/notifications.ts'
import { isLiteral, rawPattern } from '../keyspace/pattern.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import { Session } from '../session/session.ts'
import type { Tenant } from '../session/tenant.ts'
import { explainFunctions } from './explained-function.ts'

/*
 * What goes upstream for requests that are not simply sent with the prefix in front of their keys: jobs, subscriptions,
 * and what a quirk sends in their place.
 */

/** Arguments as they are sent, or the reply that Keyward gives itself; what else there is to say, in words. */
export type Sending = { readonly sent: readonly Buffer[]; readonly after?: string } | { readonly reply: string }

/** A job of a tenant with a prefix; `prefix` is that of the database. */
export function explainJob(spec: CommandSpec, view: ArgView, tenant: Tenant, prefix: Buffer): Sending {
  const scan = (pattern: Buffer, more: string): Sending => ({
    sent: words('SCAN', '0', 'MATCH', pattern, 'COUNT', String(WALK_COUNT)),
    after: `again from where it came to, until the end${more}`,
  })
  const everything = rawPattern(prefix, STAR)
  switch (spec.name) {
    case 'scan':
      return explainScan(view.all(), prefix)
    case 'keys': {
      const pattern = view.bytes(1)
      if (isLiteral(pattern)) return { sent: words('EXISTS', Buffer.concat([prefix, pattern])) }
      return scan(rawPattern(prefix, pattern), '')
    }
    case 'flushdb':
      return scan(everything, ', and UNLINK of what it finds; other requests for this database wait')
    case 'flushall': {
      const whole = rawPattern(Buffer.from(tenant.prefix, 'latin1'), STAR)
      return scan(whole, ', and UNLINK of what it finds; other requests of the tenant wait')
    }
    case 'randomkey':
      return {
        sent: words('RANDOMKEY'),
        after: `several times; without luck, SCAN … MATCH ${everything} from a random place`,
      }
    case 'client|unblock':
      return {
        sent: words(...view.all().slice(0, 2), '<id>', ...view.all().slice(3)),
        after: 'with the id of the upstream connection on which a command of that client blocks; if none does, nothing',
      }
    case 'script|exists':
      return {
        sent: words('EXISTS', `keyward:script:${tenant.name}:<sha>`),
        after: 'for each that this process does not know of',
      }
    case 'script|flush':
      return {
        sent: words(
          'EVAL',
          "<Keyward's own script>",
          '1',
          `keyward:scripts:${tenant.name}`,
          `keyward:script:${tenant.name}:`,
        ),
        after: 'which drops the texts of the tenant, some hundred at a time; what the server has compiled stays',
      }
    case 'script|kill':
      return { sent: words('SCRIPT', 'KILL'), after: 'if the scripts under way are all of this tenant; else NOTBUSY' }
    case 'script|load':
      return {
        sent: words('SCRIPT', 'LOAD', '<the script behind the prologue>'),
        after: `and EVAL of a script of Keyward's own, which sets keyward:script:${tenant.name}:<sha> to the script`,
      }
    default:
      if (spec.open === 'function') return explainFunctions(spec, view, tenant)
      return scan(everything, '; one walk for all who ask')
  }
}

function explainScan(args: readonly Buffer[], prefix: Buffer): Sending {
  const cursor = args[1].toString('latin1')
  if (!validCursor(cursor)) return { reply: '-ERR invalid cursor' }
  const options = readScanOptions(args)
  if ('error' in options) return { reply: `-${options.error}` }
  const { match, count, type } = options
  const sent = words('SCAN', cursor, 'MATCH', rawPattern(prefix, match), 'COUNT', String(Math.min(count, WALK_COUNT)))
  return {
    sent: type === undefined ? sent : [...sent, ...words('TYPE', type)],
    after: 'again from where it came to, until there are as many keys as asked for or scan.fillTime is over',
  }
}

/** SUBSCRIBE and its like. Channels are the same in all databases. */
export function explainSubscription(spec: CommandSpec, view: ArgView, tenant: Tenant): Sending {
  const prefix = Buffer.from(tenant.prefix, 'latin1')
  const names = view.all().slice(1)
  const pattern = spec.name.startsWith('p')
  const raw = names.map((name) => (pattern ? rawPattern(prefix, name) : Buffer.concat([prefix, name])))
  const notified = prefix.length > 0 && names.some(pattern ? mayMatchNotification : isNotification)
  if (spec.name.includes('unsub')) {
    const after = names.length === 0 ? 'every name that this client is subscribed to' : undefined
    const last = 'if no other client of this process is subscribed to it'
    return { sent: words(spec.name.toUpperCase(), ...raw), after: after === undefined ? last : `${after}, ${last}` }
  }
  return {
    sent: words(spec.name.toUpperCase(), ...raw),
    after: [
      'once for all clients of this process that share a name',
      ...(notified
        ? [`notifications come by PSUBSCRIBE ${rawPattern(Buffer.concat([Buffer.from(FEED), prefix]), STAR)}`]
        : []),
    ].join('; '),
  }
}

/** What a quirk sends in place of the request. `prefix`: that of database 0. */
export function explainForward(
  table: CommandTable,
  open: (spec: CommandSpec) => boolean,
  spec: CommandSpec,
  view: ArgView,
  tenant: Tenant,
): Sending {
  const nowhere = { address: '', localAddress: '' }
  const session = new Session(0, 0, nowhere, { anonymous: { tenant, user: 'default' }, login: () => undefined })
  const reply = new ReplyWriter()
  // All that is asked without a process is which commands are open; how many subscribe, nobody knows.
  const known = { commands: () => table.all().filter(open), topics: () => session.topics }
  const sent = spec.quirk.forward?.({
    session,
    spec,
    args: view,
    reply,
    server: known as Partial<ServerView> as ServerView,
    db: 0,
    prefix: session.prefix,
    inTransaction: false,
    close: () => undefined,
  })
  if (sent === undefined) return { reply: reply.take().toString('latin1').trimEnd() }
  if (spec.extension === undefined) return { sent }
  const [evaluate, script, ...rest] = sent
  return { sent: words(evaluate, `<script, ${script.length} bytes>`, ...rest) }
}

function words(...all: (string | Buffer)[]): Buffer[] {
  return all.map((word) => (typeof word === 'string' ? Buffer.from(word) : word))
}

const STAR = Buffer.from('*')
