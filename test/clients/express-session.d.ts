/** What the tests use of express-session 1, which has no types of its own. https://github.com/expressjs/session */
declare module 'express-session' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface SessionData {
    cookie: { maxAge?: number; originalMaxAge?: number | null; expires?: Date | string | null }
    [field: string]: unknown
  }

  export class Store extends EventEmitter {}

  export interface Request extends IncomingMessage {
    session: SessionData & { destroy(done: (error?: unknown) => void): void }
  }

  export default function session(options: {
    readonly secret: string
    readonly store: Store
    readonly resave: boolean
    readonly saveUninitialized: boolean
  }): (request: IncomingMessage, reply: ServerResponse, next: (error?: unknown) => void) => void
}
