/**
 * What a message of a sentinel says about our primary. `primary`, `from`: the address that it speaks of, as `host:port`.
 *   danger    a replica was chosen and is being promoted, or has been: writes to `primary` may be thrown away
 *   switched  this sentinel has changed its mind about who is the primary
 *   aborted   this sentinel has called its failover off
 *   news      `now`: the answers to our questions may be others than a moment ago; else: its lists may have changed
 */
export type SentinelEvent =
  | { readonly kind: 'danger' | 'aborted'; readonly primary: string }
  | { readonly kind: 'switched'; readonly from: string }
  | { readonly kind: 'news'; readonly now: boolean }

/**
 * All states of a failover but the two in which nothing has been decided: a state that a later Redis adds is one too many
 * rather than one too few.
 */
const DANGER = /^\+(selected-slave|promoted-slave|failover-state-(?!wait-start$|select-slave$).+)$/
const NEWS_NOW =
  /^([+-]failover-|\+try-failover|\+elected-leader|\+config-update-from|\+reset-master|[+-]monitor|\+reboot|[+-]odown)/

/**
 * Reads a message; undefined: it is not about the primary `master`, or not understood. The texts, by sentinelEvent() of
 * Redis: `<name> <old host> <old port> <new host> <new port>` for +switch-master; `master <name> <host> <port>` for what
 * happens to the primary; `<kind> <name> <host> <port> @ <name of the primary> <host> <port>` for what happens to a replica or
 * a sentinel of it. More words may follow. https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#pubsub-messages
 */
export function parseEvent(channel: string, message: string, master: string): SentinelEvent | undefined {
  if (channel === '+switch-master') {
    if (!message.startsWith(`${master} `)) return undefined
    const words = message.slice(master.length + 1).split(' ')
    const from = addressOf(words[0], words[1])
    return from === undefined || addressOf(words[2], words[3]) === undefined ? undefined : { kind: 'switched', from }
  }
  const primary = primaryOf(message, master)
  if (primary === undefined) return undefined
  if (DANGER.test(channel)) return { kind: 'danger', primary }
  if (channel.startsWith('-failover-abort-')) return { kind: 'aborted', primary }
  return { kind: 'news', now: NEWS_NOW.test(channel) }
}

function primaryOf(message: string, master: string): string | undefined {
  const own = `master ${master} `
  const of = ` @ ${master} `
  const at = message.indexOf(of)
  let rest: string
  if (message.startsWith(own)) rest = message.slice(own.length)
  else if (at !== -1) rest = message.slice(at + of.length)
  else return undefined
  const [host, port] = rest.split(' ', 2)
  return addressOf(host, port)
}

/** `host:port` or `[::1]:port`; undefined: that is no address, so the name before it was another's, which begins like ours. */
function addressOf(host: string | undefined, port: string | undefined): string | undefined {
  if (!host || port === undefined || !/^\d{1,5}$/.test(port)) return undefined
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
