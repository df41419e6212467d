import type { ArgView } from '../arg-view.ts'
import type { ClientView } from '../views.ts'

/** Redis' classes of clients; a monitor is a normal one. https://redis.io/docs/latest/commands/client-list/ */
export type ClientKind = 'normal' | 'master' | 'replica' | 'pubsub'

const KINDS: readonly (readonly [keyword: string, kind: ClientKind])[] = [
  ['NORMAL', 'normal'],
  ['SLAVE', 'replica'],
  ['REPLICA', 'replica'],
  ['PUBSUB', 'pubsub'],
  ['MASTER', 'master'],
]

/** Argument i as the name of a class, in any case. */
export function clientKind(args: ArgView, i: number): ClientKind | undefined {
  return KINDS.find(([keyword]) => args.is(i, keyword))?.[1]
}

/** Nobody is a replica or a primary to us. */
export function kindOf(client: ClientView): ClientKind {
  return client.session.subscribed > 0 ? 'pubsub' : 'normal'
}
