import type { CommandSpec } from '../../commands/spec.ts'
import type { Answers } from '../answers.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import type { ClientEnv } from '../env.ts'
import type { Incoming } from '../incoming.ts'
import type { Outgoing } from '../outgoing.ts'

export class PubSubDispatcher {
  constructor(_env: ClientEnv, _outgoing: Outgoing, _answers: Answers) {}

  forbids(_client: DispatchClient, _spec: CommandSpec): boolean {
    return false
  }

  take(_client: DispatchClient, _spec: CommandSpec, _request: Incoming): void {}
}
