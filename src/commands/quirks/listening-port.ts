import type { Session } from '../../session/session.ts'

/** The port that this client connected to, which is what a server of its own would listen on; 0 for a unix socket. */
export function listeningPort(session: Session): number {
  const digits = /:([0-9]+)$/.exec(session.localAddress)
  return digits === null ? 0 : Number(digits[1])
}
