import type { ClientView } from '../commands/views.ts'
import type { Session } from '../session/session.ts'
import type { ClientConnection } from './connection.ts'

/** A client as others of its tenant may see it. Made anew for each look. */
export class ViewOfClient implements ClientView {
  private readonly client: ClientConnection

  constructor(client: ClientConnection) {
    this.client = client
  }

  get session(): Session {
    return this.client.session
  }

  get queued(): number {
    const { transaction } = this.client
    return transaction?.multi ? transaction.count : -1
  }

  get queuedBytes(): number {
    return this.client.transaction?.bytes ?? 0
  }

  get blocked(): boolean {
    return this.client.router.blocked
  }

  get inputBytes(): number {
    return this.client.inputBytes
  }

  get outputBytes(): number {
    return this.client.outputBytes
  }

  get heldBytes(): number {
    return this.client.charged
  }

  kill(): void {
    this.client.kill()
  }
}
