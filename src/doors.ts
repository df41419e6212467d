import type { Socket } from 'node:net'
import { type Bound, Listener } from './client/listener.ts'
import { type AuthScope, buildAuthenticator } from './policies/auth.ts'
import type { Authenticator } from './session/session.ts'
import type { Tenant } from './session/tenant.ts'

export type DoorOptions = ConstructorParameters<typeof Listener>[0] & AuthScope

/** A listener, and who finds the users of those that come through it. */
export interface Door {
  readonly listener: Listener
  authenticator: Authenticator
}

/** All that clients come through. `accept` gets each new socket, with its door. */
export class Doors {
  private doors: readonly Door[] = []
  private readonly accept: (socket: Socket, door: Door) => void

  constructor(accept: (socket: Socket, door: Door) => void) {
    this.accept = accept
  }

  /** Where clients connect, in the order of the configuration. */
  get bound(): readonly Bound[] {
    return this.doors.map((door) => door.listener.bound)
  }

  /** Listens on all of them. Rejects, and listens nowhere, when one address cannot be had. */
  async open(options: readonly DoorOptions[], tenants: Iterable<Tenant>): Promise<void> {
    const all = [...tenants]
    this.doors = options.map((one) => {
      const door: Door = {
        listener: new Listener(one, (socket) => this.accept(socket, door)),
        authenticator: buildAuthenticator(all, one),
      }
      return door
    })
    try {
      await Promise.all(this.doors.map((door) => door.listener.listen()))
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The same addresses, with other users, certificates and limits from now on. */
  renew(options: readonly DoorOptions[], tenants: Iterable<Tenant>): void {
    const all = [...tenants]
    for (const [i, door] of this.doors.entries()) {
      door.listener.renew(options[i])
      door.authenticator = buildAuthenticator(all, options[i])
    }
  }

  /** Nobody new comes in; those who are stay. */
  close(): void {
    for (const door of this.doors) door.listener.close()
  }
}
