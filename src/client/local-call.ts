import { ArgView } from '../commands/arg-view.ts'
import type { CommandSpec, LocalCall, ServerView } from '../commands/spec.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Session } from '../session/session.ts'

/** The one LocalCall of a process, prepared anew for each local answer. */
export class Call implements LocalCall {
  session!: Session
  spec!: CommandSpec
  args = new ArgView()
  readonly reply: ReplyWriter
  readonly server: ServerView
  inTransaction = false
  db = 0
  prefix!: Buffer
  closing = false

  constructor(reply: ReplyWriter, server: ServerView) {
    this.reply = reply
    this.server = server
  }

  prepare(session: Session, spec: CommandSpec, args: ArgView, inTransaction: boolean): void {
    this.session = session
    this.spec = spec
    this.args = args
    this.inTransaction = inTransaction
    this.see(session.db, session.prefix)
    this.closing = false
  }

  /** The request sees another database than the session's. */
  see(db: number, prefix: Buffer): void {
    this.db = db
    this.prefix = prefix
  }

  close(): void {
    this.closing = true
  }
}
