import type { Session } from '../../session/session.ts'

/**
 * One line of CLIENT LIST, without its end: the fields of Redis 7.0 in its order, then lib-name and lib-ver of 7.2.
 * All that is told of is the client's own connection to us; there is no connection to the upstream behind it, so the
 * fields of buffers and memory are 0, and `fd` is the id, which is as unique as a descriptor and tells nothing.
 */
export function clientLine(session: Session, command: string, now: number, clock: number): string {
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
    `flags=${flags(session)}`,
    `db=${session.db}`,
    'sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r',
    `cmd=${command}`,
    `user=${session.user}`,
    'redir=-1',
    `resp=${session.protocol}`,
    `lib-name=${session.libName}`,
    `lib-ver=${session.libVersion}`,
  ].join(' ')
}

function flags(session: Session): string {
  const unix = session.address.startsWith('/')
  const letters = (unix ? 'U' : '') + (session.noEvict ? 'e' : '') + (session.noTouch ? 'T' : '')
  return letters === '' ? 'N' : letters
}
