import { expect, test } from 'vitest'
import { Exchange } from '../../../src/commands/exchange.ts'
import { Control } from '../../../src/upstream/control.ts'
import { FairQueue } from '../../../src/upstream/fair-queue.ts'
import { theTable } from '../../helpers/local-client.ts'

function tenant(tenantIndex: number, weight = 1): Control & { weight: number } {
  return Object.assign(new Control(), { tenantIndex, weight })
}

function exchange(client: Control, size: number): Exchange {
  const spec = theTable().byName('set')
  if (spec === undefined) throw new Error('no such command')
  const x = new Exchange(client, spec, 0)
  x.setBytes(Buffer.alloc(size))
  return x
}

/** Takes out until `bytes` are out: those of each client. */
function served(queue: FairQueue, bytes: number): Map<Control, number> {
  const out = new Map<Control, number>()
  for (let sum = 0; sum < bytes; ) {
    const x = queue.take()
    if (x === undefined) throw new Error('the queue is empty')
    sum += x.size
    out.set(x.client as Control, (out.get(x.client as Control) ?? 0) + x.size)
  }
  return out
}

function fill(queue: FairQueue, client: Control, size: number, bytes: number): void {
  for (let sum = 0; sum < bytes; sum += size) queue.add(exchange(client, size))
}

test.each([
  ['of equal weight, small and middling requests', [1, 1, 1], [40, 1000, 5000]],
  ['of different weights', [1, 2, 5], [100, 100, 100]],
  ['of different weights, big requests', [3, 1, 1], [50, 20_000, 300_000]],
  ['of very different weights', [1000, 10, 1], [64, 64, 64]],
])('tenants that always have something waiting share by weight: %s', (_, weights, sizes) => {
  const queue = new FairQueue()
  const clients = weights.map((weight, i) => tenant(i, weight))
  const total = 8_000_000
  const sum = weights.reduce((a, b) => a + b)
  clients.forEach((client, i) => {
    fill(queue, client, sizes[i], total)
  })
  const out = served(queue, total)
  clients.forEach((client, i) => {
    const due = (total * weights[i]) / sum
    // A turn and a request more or less.
    expect(Math.abs((out.get(client) ?? 0) - due)).toBeLessThan(2 * (2048 + Math.max(...sizes)))
  })
})

test('whoever has little waiting waits for one turn of each other tenant, however much those have', () => {
  const queue = new FairQueue()
  for (let i = 0; i < 20; i++) fill(queue, tenant(i, i === 0 ? 1000 : 1), 100, 200_000)
  served(queue, 100_000)
  const late = exchange(tenant(99), 100)
  queue.add(late)
  let before = 0
  for (let x = queue.take(); x !== late; x = queue.take()) before += x?.size ?? 0
  // Of the heavy one a whole turn, of the others what one of a thousandth is worth: a request now and then.
  expect(before).toBeLessThan(60 * 2048)
})

test('a tenant that was alone owes nothing for that time, and big requests are paid for', () => {
  const queue = new FairQueue()
  const [a, b] = [tenant(1), tenant(2)]
  fill(queue, a, 100, 1_000_000)
  served(queue, 500_000)
  fill(queue, b, 100, 1_000_000)
  const out = served(queue, 100_000)
  expect(Math.abs((out.get(a) ?? 0) - (out.get(b) ?? 0))).toBeLessThan(3 * 2048)
  // One at a time, each as soon as the one before is gone: no way to get more than others by size.
  const c = tenant(3)
  queue.add(exchange(c, 50_000))
  let others = 0
  for (let i = 0; i < 4; ) {
    const x = queue.take()
    if (x?.client !== c) others += x?.size ?? 0
    else if (++i < 4) queue.add(exchange(c, 50_000))
  }
  expect(others).toBeGreaterThan(4 * 2 * 45_000)
})

test('order within a tenant stays, whatever the sizes', () => {
  const queue = new FairQueue()
  const clients = [tenant(1, 3), tenant(2)]
  const added = clients.map(() => [] as Exchange[])
  for (let i = 0; i < 500; i++) {
    const at = i % 7 < 3 ? 0 : 1
    const x = exchange(clients[at], 1 + ((i * 7919) % 6000))
    added[at].push(x)
    queue.add(x)
  }
  expect([...queue.lengths()].map(({ requests }) => requests)).toEqual(added.map(({ length }) => length))
  const taken = clients.map(() => [] as Exchange[])
  for (let x = queue.take(); x !== undefined; x = queue.take()) taken[clients.indexOf(x.client as never)].push(x)
  expect(taken[0]).toEqual(added[0])
  expect(taken[1]).toEqual(added[1])
  expect(queue.empty).toBe(true)
  expect([...queue.lengths()]).toEqual([])
})

test('a request of half a gigabyte does not cost a quarter of a million rounds', () => {
  const queue = new FairQueue()
  const huge = Buffer.allocUnsafe(1)
  for (let i = 0; i < 100; i++) {
    const x = exchange(tenant(i), 0)
    // Only its size counts here.
    x.bytes = huge
    x.end = 512 * 1024 * 1024 + i
    queue.add(x)
  }
  const begun = performance.now()
  for (let i = 0; i < 100; i++) expect(queue.take()?.client.tenantIndex).toBe(i)
  // Round by round it would be 26 million steps for the first of them alone.
  expect(performance.now() - begun).toBeLessThan(5000)
})

test('the weight of the day counts', () => {
  const queue = new FairQueue()
  const [a, b] = [tenant(1), tenant(2)]
  fill(queue, a, 100, 1_000_000)
  fill(queue, b, 100, 1_000_000)
  served(queue, 100_000)
  a.weight = 4
  const out = served(queue, 100_000)
  expect((out.get(a) ?? 0) / (out.get(b) ?? 1)).toBeGreaterThan(3)
})
