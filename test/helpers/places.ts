import type { Tenant } from '../../src/session/tenant.ts'
import type { Keyward } from './keyward.ts'

/** How many things of each kind a Keyward holds, as text, for comparing before and after. */
export interface Places {
  readonly clients: number
  readonly barrier: number
  readonly running: number
  readonly gates: number
  readonly unanswered: number
  readonly held: number
  readonly scheduled: number
  readonly sent: number
  readonly abandoned: number
  readonly pinsBlocked: number
  readonly pinsTransaction: number
  readonly pinsWaiting: number
  readonly lanes: number
  readonly bulk: number
  readonly pins: number
  readonly connecting: number
  readonly heldBytes: number
  readonly sentBytes: number
  readonly memory: number
  readonly faults: number
}

export function places({ proxy }: Keyward): Places {
  const node = proxy.node({ upstream: 'main' } as Tenant).view()
  let barrier = 0
  let running = 0
  let unanswered = 0
  for (const client of proxy.clients.keys()) {
    barrier += client.router.waiting
    if (client.router.running) running++
    for (let x = client.replies.first; x !== undefined; x = x.later) unanswered++
  }
  return {
    clients: proxy.clients.size,
    barrier,
    running,
    gates: proxy.gates.count,
    unanswered,
    held: node.places.held,
    scheduled: node.places.scheduled,
    sent: node.places.sent,
    abandoned: node.places.abandoned,
    pinsBlocked: node.pins.blocked,
    pinsTransaction: node.pins.transaction,
    pinsWaiting: node.pins.waiting,
    lanes: node.connections.lane,
    bulk: node.connections.bulk,
    pins: node.connections.pin,
    connecting: node.connections.connecting,
    heldBytes: node.bytes.held,
    sentBytes: node.bytes.sent,
    memory: proxy.memory.total,
    faults: proxy.faults,
  }
}

/** Nothing of any client is anywhere any more, and nothing went wrong inside. */
export const NOTHING_LEFT = {
  clients: 0,
  barrier: 0,
  running: 0,
  gates: 0,
  unanswered: 0,
  held: 0,
  scheduled: 0,
  sent: 0,
  abandoned: 0,
  pinsBlocked: 0,
  pinsTransaction: 0,
  pinsWaiting: 0,
  heldBytes: 0,
  sentBytes: 0,
  memory: 0,
  faults: 0,
}

/** Waits until `check` holds; returns whether it did within `patience` milliseconds. */
export async function eventually(check: () => boolean | Promise<boolean>, patience = 15_000): Promise<boolean> {
  const until = Date.now() + patience
  while (!(await check())) {
    if (Date.now() >= until) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

/**
 * Waits until the places hold what `expected` says, for 15 seconds at most: what Keyward does of its own (probes, times to live it asks
 * for) may be under way when the last client leaves. Returns the places that differ then: {}.
 */
export async function leftovers(
  keyward: Keyward,
  expected: Partial<Places> = NOTHING_LEFT,
): Promise<Partial<Record<keyof Places, number>>> {
  let left: [string, number][] = []
  await eventually(() => {
    left = Object.entries(places(keyward)).filter(
      ([name, count]) => count !== (expected[name as keyof Places] ?? count),
    )
    return left.length === 0
  })
  return Object.fromEntries(left)
}
