import type { ClientView } from '../views.ts'

/**
 * One line of CLIENT LIST, without its end: the fields of Redis 7.0 in its order, then lib-name and lib-ver of 7.2.
 * All that is told of is the client's own connection to us; there is no connection to the upstream behind it. Sizes
 * that only Redis' allocator knows are 0, and `fd` is the id, which is as unique as a descriptor and tells nothing.
 */
export function clientLine(client: ClientView, command: string, now: number, clock: number): string {
  const { session } = client
  const age = Math.max(0, now - session.since)
  // A client that has not sent anything yet has been idle since it came.
  const idle = Math.max(0, Math.min(age, clock - session.lastActive))
  return [
    `id=${session.id}`,
    `addr=${session.address}`,
    `laddr=${session.localAddress}`,
    `fd=${session.id}`,
    `name=${session.name}`,
    `age=${Math.floor(age / 1000)}`,
    `idle=${Math.floor(idle / 1000)}`,
    `flags=${flags(client)}`,
    `db=${session.db}`,
    `sub=${session.topics.channels} psub=${session.topics.patterns} ssub=${session.topics.shards}`,
    `multi=${client.queued}`,
    `qbuf=${client.inputBytes}`,
    `qbuf-free=0 argv-mem=0 multi-mem=${client.queuedBytes} rbs=0 rbp=0 obl=0`,
    `oll=${client.outputBytes > 0 ? 1 : 0}`,
    `omem=${client.outputBytes}`,
    `tot-mem=${client.heldBytes}`,
    `events=${client.outputBytes > 0 ? 'rw' : 'r'}`,
    `cmd=${command}`,
    `user=${session.user}`,
    `redir=${session.tracking?.redirect ?? -1}`,
    `resp=${session.protocol}`,
    `lib-name=${session.libName}`,
    `lib-ver=${session.libVersion}`,
  ].join(' ')
}

/** In the order of Redis' catClientInfoString. */
function flags(client: ClientView): string {
  const { session } = client
  const letters =
    (session.monitoring ? 'O' : '') +
    (session.subscribed > 0 ? 'P' : '') +
    (client.queued >= 0 ? 'x' : '') +
    (client.blocked ? 'b' : '') +
    (session.tracking !== undefined ? 't' : '') +
    (session.tracking?.broken ? 'R' : '') +
    (session.tracking?.bcast ? 'B' : '') +
    (session.address.startsWith('/') ? 'U' : '') +
    (session.noEvict ? 'e' : '') +
    (session.noTouch ? 'T' : '')
  return letters === '' ? 'N' : letters
}
