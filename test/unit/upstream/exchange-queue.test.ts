import { expect, test } from 'vitest'
import { Exchange } from '../../../src/commands/exchange.ts'
import { Control } from '../../../src/upstream/control.ts'
import { ExchangeQueue } from '../../../src/upstream/exchange-queue.ts'
import { theTable } from '../../helpers/local-client.ts'

/** Exchanges by names like `a1`: the first of client a. Capitals write. */
function filled(...names: string[]) {
  const queue = new ExchangeQueue()
  const clients = new Map<string, Control>()
  const nameOf = new Map<Exchange, string>()
  const add = (name: string) => {
    const key = name[0].toLowerCase()
    const client = clients.get(key) ?? new Control()
    clients.set(key, client)
    const spec = theTable().byName(name[0] === key ? 'get' : 'set')
    if (spec === undefined) throw new Error('no such command')
    const x = new Exchange(client, spec, 0)
    x.setBytes(Buffer.from(name))
    nameOf.set(x, name)
    queue.schedule(x)
  }
  for (const name of names) add(name)
  return {
    queue,
    add,
    sent: () => Buffer.concat(queue.gather(0)).toString(),
    left: () => [...queue.all()].map((x) => nameOf.get(x)).join(' '),
    cleared: () => {
      const list: (string | undefined)[] = []
      for (let x = queue.clear(); x !== undefined; x = x.next) list.push(nameOf.get(x))
      return list.join(' ')
    },
  }
}

const writes = (x: Exchange) => x.spec.name === 'set'

test('what waits, and what its client has behind it, lets the others pass and goes later, in its order', () => {
  const { queue, add, sent, left } = filled('a1', 'B1', 'c1')
  expect(sent()).toBe('a1B1c1')
  for (const name of ['a2', 'A3', 'b2', 'a4', 'C2', 'd1']) add(name)
  queue.park(writes)
  expect(left()).toBe('a1 B1 c1 a2 b2 d1 A3 a4 C2')
  expect(sent()).toBe('a2b2d1')
  expect(queue.sendable).toBe(false)
  add('e1')
  expect(sent()).toBe('e1')
  queue.unpark()
  expect(sent()).toBe('A3a4C2')
  expect(queue.length).toBe(10)
  expect(queue.waiting).toBe(0)
})

test('parked again under another rule', () => {
  const { queue, sent, left } = filled('A1', 'b1', 'C1', 'd1')
  queue.park(() => true)
  expect(sent()).toBe('')
  expect(queue.head).toBe(undefined)
  queue.park(writes)
  expect(sent()).toBe('b1d1')
  expect(left()).toBe('b1 d1 A1 C1')
  queue.park(() => false)
  expect(sent()).toBe('A1C1')
})

test('what is parked is there when the queue is cleared', () => {
  const { queue, cleared } = filled('a1', 'A2', 'a3')
  queue.park(writes)
  expect(cleared()).toBe('a1 A2 a3')
  expect([...queue.all()]).toEqual([])
})

test('the oldest of those that are not sent can be taken out, those that are sent stay', () => {
  const { queue, add, sent, left } = filled('a1', 'b1')
  expect(sent()).toBe('a1b1')
  for (const name of ['a2', 'b2', 'c1']) add(name)
  const late = new Set(['a2', 'b2'])
  const taken = queue.expire((x) => late.has(x.bytes.toString()))
  expect(taken.map(({ bytes }) => bytes.toString())).toEqual(['a2', 'b2'])
  expect(left()).toBe('a1 b1 c1')
  expect(queue).toMatchObject({ length: 3, waiting: 2, inFlight: 4 })
  expect(sent()).toBe('c1')
  expect(queue.expire(() => true)).toEqual([])
})

test('all that is not sent can be taken out, and more scheduled behind it', () => {
  const { queue, add, sent, left } = filled('a1', 'b1')
  expect(queue.expire(() => true)).toHaveLength(2)
  expect(queue).toMatchObject({ length: 0, waiting: 0, head: undefined })
  add('c1')
  expect(left()).toBe('c1')
  expect(sent()).toBe('c1')
})
