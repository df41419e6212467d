import type { Exchange } from '../../commands/exchange.ts'
import type { PushSink } from '../../session/push-sink.ts'
import type { Session } from '../../session/session.ts'
import type { Notice } from './notice.ts'

/** A client, as its tracking needs it. */
export interface TrackingClient extends PushSink {
  readonly session: Session
  readonly gone: boolean
  readonly transaction: { readonly multi: boolean; read(names: readonly string[]): void } | undefined
}

/** A client that tracks, as those see it who know what it has read. */
export interface Reader {
  /** It has left, or does not track any more: it is told nothing. */
  readonly over: boolean
  /** BCAST: what it has read need not be known. */
  readonly bcast: boolean
  tell(notice: Notice): void
  /** All that it keeps may be wrong. */
  tellEverything(): void
  /** Looks at which of its reads are answered now. */
  settle(): void
}

/** Whoever has read a key. */
export type Readers = Reader | Set<Reader>

/** Some keys that a client has asked for, until it has the reply. */
export interface Read {
  readonly reader: Reader
  /** The request, or the EXEC of a transaction that holds it. */
  readonly x: Exchange
  readonly names: readonly string[]
  /** Of its place, when it was asked; -1: writes were not heard of then. */
  readonly epoch: number
  /** Of them, those that were written meanwhile. */
  written: Set<string> | undefined
}
