import type { Delay } from '../commands/delay.ts'
import type { Exchange, ExchangeClient } from '../commands/exchange.ts'

/** The client, as its router needs it. */
export interface RouterClient extends ExchangeClient {
  readonly protocol: 2 | 3
  /** Between MULTI or WATCH and their end, as requests are read. */
  readonly transactional: boolean
  /** The last reply on the transaction's pin proved that the connection has no state left. */
  readonly pinClean: boolean
  /** Milliseconds by which a replica may lag for its reads. */
  readonly maxLag: number
  /** A gate is closed to x: it has to wait, and reopened() is called later. */
  heldBack(x: Exchange): boolean
  /** x, the first that waits, has to wait on for its delay; it is resumed when that is over. */
  delayed(x: Exchange, delay: Delay): boolean
  /** x, which may be delayed, will not be sent. */
  undelay(x: Exchange): void
  /** Answers x, whose delay ended with this error. */
  refuseDelayed(x: Exchange, refusal: string): void
  /** x stands in the queue for its delay. */
  enterDelayed(x: Exchange): void
  /** x, which blocks, is about to go to its pin. */
  blocking(x: Exchange): void
  /** Gives up the pin and what was watched on it: EXEC will abort. */
  forsakeTransaction(): void
  /** Answers x, which was not sent. */
  finish(x: Exchange, bytes: Buffer): void
}
