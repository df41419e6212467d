import { expect, test } from 'vitest'
import { Exchange } from '../../../src/commands/exchange.ts'
import type { Tenant } from '../../../src/session/tenant.ts'
import { Control } from '../../../src/upstream/control.ts'
import { ExchangeQueue } from '../../../src/upstream/exchange-queue.ts'
import { Sharing } from '../../../src/upstream/sharing.ts'
import { theTable } from '../../helpers/local-client.ts'

/** A queue that tenants share, with so many bytes in flight, and clients by name. */
function shared(window: number) {
  const sharing = new Sharing({ mode: 'on', window })
  sharing.answered(0.1, 0, 0)
  const queue = new ExchangeQueue(sharing)
  const client = (tenantIndex: number) => Object.assign(new Control(), { tenantIndex })
  const add = (of: Control, name: string, size = name.length) => {
    const spec = theTable().byName('get')
    if (spec === undefined) throw new Error('no such command')
    const x = new Exchange(of, spec, 0)
    x.setBytes(Buffer.from(name.padEnd(size, '.')))
    queue.schedule(x)
    return x
  }
  /** Answers `count` sent ones: their names. */
  const answer = (count: number) => {
    const out: string[] = []
    for (let i = 0; i < count && queue.next !== undefined; i++) {
      out.push(queue.next.bytes.toString().replaceAll('.', ''))
      queue.shift(queue.next)
    }
    return out.join(' ')
  }
  return { queue, client, add, answer, gather: (now: number) => Buffer.concat(queue.gather(now)) }
}

/** A script of the tenant with this name. */
const as = (name: string) => ({ name }) as Tenant

test('no script is sent behind one of another tenant that has been unanswered for longer than a moment', () => {
  const { queue, client, add, answer, gather } = shared(1_000_000)
  const [a, b] = [client(1), client(2)]
  add(a, 'a0').as = as('a')
  expect(gather(0).toString()).toBe('a0')
  add(a, 'a1').as = as('a')
  add(b, 'b0')
  add(b, 'b1').as = as('b')
  add(a, 'a2')
  expect(gather(100).toString()).toBe('a1b0')
  expect(gather(200).toString()).toBe('')
  answer(1)
  expect(gather(300).toString()).toBe('')
  expect(answer(2)).toBe('a1 b0')
  expect(queue.sendable).toBe(true)
  expect(gather(400).toString()).toBe('b1a2')
})

test('scripts of several tenants go together, and then none until they are answered', () => {
  const { client, add, answer, gather } = shared(1_000_000)
  const [a, b] = [client(1), client(2)]
  for (const [x, name] of [
    [add(a, 'a0'), 'a'],
    [add(b, 'b0'), 'b'],
    [add(a, 'a1'), 'a'],
  ] as const)
    x.as = as(name)
  expect(gather(0).toString()).toBe('a0b0a1')
  add(a, 'a2').as = as('a')
  expect(gather(50).toString()).toBe('')
  answer(3)
  expect(gather(60).toString()).toBe('a2')
})

test('as long as each is answered within a moment, they go on, whosever they are', () => {
  const { client, add, answer, gather } = shared(1_000_000)
  const of = [client(1), client(2)]
  for (let i = 0; i < 500; i++) {
    add(of[i % 2], `s${i}`).as = as(`${i % 2}`)
    expect(gather(i * 4).toString()).toBe(`s${i}`)
    if (i > 0) expect(answer(1)).toBe(`s${i - 1}`)
  }
})

test('what had its turn and was not sent keeps its place among its tenant’s', () => {
  const { queue, client, add, answer, gather } = shared(1000)
  const [a, b] = [client(1), client(2)]
  add(a, 'a0', 100).as = as('a')
  gather(0)
  for (let i = 0; i < 30; i++) {
    const x = add(b, `b${i}`, 100)
    if (i % 3 === 0) x.as = as('b')
    add(a, `A${i}`, 100)
  }
  for (let i = 1; i < 20; i++) gather(i * 100)
  const order = answer(1).split(' ')
  for (let i = 0; queue.length > 0; i++) {
    gather(10_000 + i)
    order.push(...answer(4).split(' '))
  }
  for (const of of ['A', 'b']) {
    const own = order.filter((name) => name.startsWith(of))
    expect(own).toEqual(Array.from({ length: 30 }, (_, i) => `${of}${i}`))
  }
  expect(queue).toMatchObject({ length: 0, waiting: 0, inFlight: 0 })
})
