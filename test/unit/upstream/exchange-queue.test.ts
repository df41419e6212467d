import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Exchange } from '../../../src/commands/exchange.ts'
import type { Tenant } from '../../../src/session/tenant.ts'
import { Control } from '../../../src/upstream/control.ts'
import { ExchangeQueue } from '../../../src/upstream/exchange-queue.ts'
import { Sharing } from '../../../src/upstream/sharing.ts'
import { fuzz } from '../../helpers/fuzz.ts'
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

// Several tenants.

const NEAR = 0.1

/** A queue that tenants share, with so many bytes in flight, and clients by name. */
function shared(window: number) {
  const sharing = new Sharing({ mode: 'on', window })
  sharing.answered(NEAR, 0, 0)
  const queue = new ExchangeQueue(sharing)
  const nameOf = new Map<Exchange, string>()
  const client = (tenantIndex: number) => Object.assign(new Control(), { tenantIndex })
  const add = (of: Control, name: string, size = name.length) => {
    const spec = theTable().byName('get')
    if (spec === undefined) throw new Error('no such command')
    const x = new Exchange(of, spec, 0)
    x.setBytes(Buffer.from(name.padEnd(size, '.')))
    nameOf.set(x, name)
    queue.schedule(x)
    return x
  }
  const names = (list: Iterable<Exchange>) => [...list].map((x) => nameOf.get(x)).join(' ')
  /** Answers `count` sent ones: their names. */
  const answer = (count: number) => {
    const out: Exchange[] = []
    for (let i = 0; i < count && queue.next !== undefined; i++) {
      out.push(queue.next)
      queue.shift(queue.next)
    }
    return names(out)
  }
  return { queue, sharing, client, add, names, answer, gather: (now: number) => Buffer.concat(queue.gather(now)) }
}

test('one tenant alone has the whole window, also beside requests of our own', () => {
  const { queue, client, add, gather } = shared(100)
  const a = client(1)
  for (let i = 0; i < 50; i++) {
    add(a, `a${i}`, 100)
    add(client(-1), 'PING')
  }
  expect(gather(0).length).toBe(50 * 104)
  expect(queue.waiting).toBe(0)
})

test('where two share, little is in flight, and who has little waiting passes who has much', () => {
  const { queue, client, add, answer, gather } = shared(2000)
  const [a, b] = [client(1), client(2)]
  for (let i = 0; i < 500; i++) add(a, `a${i}`, 200)
  add(b, 'b0', 200)
  gather(0)
  expect(queue.inFlight).toBe(2000)
  expect([...queue.lengths().values()].map(({ tenant }) => tenant).toSorted()).toEqual([1, 2])
  const order: string[] = []
  const work = (until: string) => {
    while (!order.includes(until)) {
      order.push(...answer(10).split(' '))
      gather(0)
    }
  }
  work('b0')
  // What was in flight, and a turn of a, which is ten of these.
  expect(order.length).toBeLessThanOrEqual(30)
  // Once more, with the queue of a as long as ever.
  order.length = 0
  add(b, 'b1', 200)
  work('b1')
  expect(order.length).toBeLessThanOrEqual(30)
})

test('small requests count as somewhat larger ones', () => {
  const { queue, client, add, gather } = shared(1280)
  add(client(2), 'b0')
  for (let i = 0; i < 100; i++) add(client(1), `${i}`, 2)
  gather(0)
  expect([...queue.all()].filter(({ place }) => place === 'sent')).toHaveLength(10)
  expect(queue.sendable).toBe(false)
})

test('once the other tenant has been quiet for a while, the window is whole again', () => {
  const { queue, client, add, gather } = shared(1000)
  const a = client(1)
  add(client(2), 'b0')
  for (let i = 0; i < 100; i++) add(a, `a${i}`, 100)
  gather(0)
  expect(queue.inFlight).toBeLessThan(1100)
  gather(5000)
  expect(queue.inFlight).toBeLessThan(1100)
  gather(20_000)
  expect(queue.waiting).toBe(0)
})

test('the farther the server is, the more is in flight', () => {
  const { queue, sharing, client, add, gather } = shared(1000)
  sharing.answered(20, 1, 0)
  add(client(2), 'b0')
  for (let i = 0; i < 1000; i++) add(client(1), `a${i}`, 200)
  gather(0)
  // 20 ms are forty times as far as 0.5.
  expect(queue.inFlight).toBeGreaterThan(39_900)
  expect(queue.inFlight).toBeLessThan(40_300)
})

test('a way that became longer is noticed, if not at the first slow answers', () => {
  const { queue, sharing, client, add, gather } = shared(1000)
  expect(sharing.outdated(0)).toBe(false)
  sharing.answered(20, 0, 10_001)
  add(client(2), 'b0')
  for (let i = 0; i < 1000; i++) add(client(1), `a${i}`, 200)
  gather(10_500)
  expect(queue.inFlight).toBeLessThan(1200)
  for (let i = 0; i < 7; i++) {
    expect(sharing.outdated(15_000)).toBe(true)
    sharing.answered(20 + i, 0, 15_000)
  }
  expect(sharing.outdated(15_000)).toBe(false)
  expect(sharing.outdated(20_400)).toBe(true)
  for (let i = 0; i < 8; i++) sharing.answered(20 + i, 0, 20_400)
  expect(sharing.outdated(20_400)).toBe(false)
  gather(20_400)
  expect(queue.inFlight).toBeGreaterThan(39_900)
})

test('with several tenants: what waits is parked with what its client has behind it, and goes later in its order', () => {
  const { queue, client, add, answer, gather, names } = shared(300)
  const [a, b, c] = [client(1), client(1), client(2)]
  for (let i = 0; i < 4; i++) for (const [name, of] of Object.entries({ a, b, c })) add(of, `${name}${i}`, 100)
  gather(0)
  expect(queue.inFlight).toBe(300)
  const sent = answer(3).split(' ')
  for (const [name, of] of Object.entries({ a, b, c })) add(of, `${name}4`, 100)
  // All of client a waits.
  queue.park((x) => x.client === a)
  const passed: string[] = []
  while (queue.head !== undefined) {
    gather(0)
    passed.push(...answer(1).split(' '))
  }
  const of = (list: readonly string[], name: string) => list.filter((one) => one.startsWith(name)).join(' ')
  expect(of(passed, 'a')).toBe('')
  expect(`${of(sent, 'b')} ${of(passed, 'b')}`.trim()).toBe('b0 b1 b2 b3 b4')
  expect(`${of(sent, 'c')} ${of(passed, 'c')}`.trim()).toBe('c0 c1 c2 c3 c4')
  queue.unpark()
  expect(`${of(sent, 'a')} ${names(queue.all())}`.trim()).toBe('a0 a1 a2 a3 a4')
})

test('with several tenants: the late ones of each are taken out, and the rest stays', () => {
  const { queue, client, add, gather, names } = shared(100)
  const [a, b] = [client(1), client(2)]
  for (let i = 0; i < 5; i++) for (const [name, of] of Object.entries({ a, b })) add(of, `${name}${i}`, 100)
  gather(0)
  add(a, 'a5', 100)
  const late = queue.expire((x) => Number(x.bytes.toString('latin1', 1, 2)) < 3)
  expect(late).toHaveLength(5)
  expect(names(queue.all()).split(' ').toSorted()).toEqual(['a0', 'a3', 'a4', 'a5', 'b3', 'b4'])
  expect(queue).toMatchObject({ length: 6, waiting: 500, inFlight: 100 })
})

test('with several tenants: a queue that is cleared gives what is left in the order of turns', () => {
  const { queue, client, add, gather, names } = shared(100)
  const [a, b] = [client(1), client(2)]
  for (let i = 0; i < 60; i++) add(a, `a${i}`, 100)
  add(b, 'b0', 100)
  gather(0)
  add(b, 'b1', 100)
  const list: Exchange[] = []
  for (let x = queue.clear(); x !== undefined; x = x.next) list.push(x)
  const order = names(list).split(' ')
  expect(order).toHaveLength(62)
  expect(order[0]).toBe('a0')
  expect(order.indexOf('b0')).toBeLessThan(25)
  expect(order.filter((name) => name.startsWith('a'))).toEqual(Array.from({ length: 60 }, (_, i) => `a${i}`))
  expect(queue).toMatchObject({ length: 0, waiting: 0, inFlight: 0, head: undefined, sendable: false })
})

test('whatever happens in whatever order: nothing is lost, doubled or overtaken within its client', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('schedule' as const),
      client: fc.nat(7),
      size: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 9000 })),
      script: fc.constantFrom(false, false, false, true),
    }),
    fc.record({ kind: fc.constant('gather' as const), wait: fc.constantFrom(0, 0, 0, 50, 30_000) }),
    fc.record({ kind: fc.constant('answer' as const), count: fc.nat(30) }),
    fc.record({ kind: fc.constantFrom('park' as const, 'expire' as const), of: fc.nat(7) }),
    fc.record({ kind: fc.constantFrom('unpark' as const, 'abandon' as const, 'clear' as const) }),
  )
  const property = fc.property(
    fc.integer({ min: 1, max: 5000 }),
    fc.array(step, { maxLength: 120 }),
    (window, steps) => {
      const { queue, sharing, client, add } = shared(window)
      // Tenants 0 to 2 of two clients each, and Keyward's own.
      const clients = Array.from({ length: 8 }, (_, i) => client(i < 2 ? -1 : (i >> 1) - 1))
      /** What each client has, not sent yet, in its order. */
      const unsent = clients.map(() => [] as Exchange[])
      const inFlight: Exchange[] = []
      const parked = new Set<Control>()
      let now = 0
      let next = 0
      for (const one of steps) {
        switch (one.kind) {
          case 'schedule': {
            if (parked.has(clients[one.client])) break
            const x = add(clients[one.client], `${next++}`.padStart(one.size, '0'))
            if (one.script) x.as = { name: `${clients[one.client].tenantIndex}` } as Tenant
            unsent[one.client].push(x)
            break
          }
          case 'gather': {
            now += one.wait
            const before = queue.inFlight
            const bytes = Buffer.concat(queue.gather(now))
            const sent: Exchange[] = []
            for (let x = queue.next; x !== undefined; x = x.next) sent.push(x)
            expect(sent.slice(0, inFlight.length)).toEqual(inFlight)
            const fresh = sent.slice(inFlight.length)
            expect(bytes.equals(Buffer.concat(fresh.map((x) => x.bytes)))).toBe(true)
            let sum = before
            let count = inFlight.length
            for (const x of fresh) {
              expect(sum).toBeLessThan(sharing.limit)
              expect(count++).toBeLessThan(sharing.most)
              sum += x.size
              const mine = unsent[clients.indexOf(x.client as never)]
              expect(mine.shift()).toBe(x)
              expect(x.place).toBe('sent')
              expect(parked.has(x.client as never)).toBe(false)
              inFlight.push(x)
            }
            const left = unsent.some((list, i) => list.length > 0 && !parked.has(clients[i]))
            // It sent what it could.
            const waits = inFlight.some((x) => x.as) && unsent.some((list) => list.some((x) => x.as))
            if (left && !waits) expect(queue.inFlight >= sharing.limit || inFlight.length >= sharing.most).toBe(true)
            break
          }
          case 'answer':
            for (let i = 0; i < one.count && inFlight.length > 0; i++) {
              const x = inFlight.shift() as Exchange
              expect(queue.next).toBe(x)
              queue.shift(x)
            }
            break
          case 'park':
            queue.park((x) => x.client === clients[one.of])
            parked.clear()
            if (unsent[one.of].length > 0) parked.add(clients[one.of])
            break
          case 'unpark':
            queue.unpark()
            parked.clear()
            break
          case 'expire': {
            // One client's, as far as nothing else of its tenant stands in front of them.
            const out = queue.expire((x) => x.client === clients[one.of])
            expect(out).toEqual(unsent[one.of].slice(0, out.length))
            unsent[one.of].splice(0, out.length)
            break
          }
          case 'abandon':
            if (inFlight.length > 0 && inFlight[0].place === 'sent') queue.abandon(inFlight[0])
            break
          case 'clear': {
            const out: Exchange[] = []
            for (let x = queue.clear(); x !== undefined; x = x.next) out.push(x)
            expect(out.slice(0, inFlight.length)).toEqual(inFlight)
            const rest = out.slice(inFlight.length)
            expect(rest).toHaveLength(unsent.flat().length)
            clients.forEach((of, i) => {
              expect(rest.filter((x) => x.client === of)).toEqual(unsent[i])
            })
            inFlight.length = 0
            for (const list of unsent) list.length = 0
            parked.clear()
            break
          }
        }
        const waiting = unsent.flat().reduce((sum, x) => sum + x.size, 0)
        expect(queue.waiting).toBe(waiting)
        expect(queue.inFlight).toBe(inFlight.reduce((sum, x) => sum + x.size, 0))
        expect(queue.length).toBe(inFlight.length + unsent.flat().length)
        expect(queue.abandoned).toBe(inFlight.filter((x) => x.place === 'abandoned').length)
        expect(new Set(queue.all())).toEqual(new Set([...inFlight, ...unsent.flat()]))
        const visible = unsent.some((list, i) => list.length > 0 && !parked.has(clients[i]))
        expect(queue.head !== undefined).toBe(inFlight.length > 0 || visible)
        expect(queue.sendable).toBe(visible && queue.inFlight < sharing.limit && inFlight.length < sharing.most)
      }
    },
  )
  fc.assert(property, fuzz('exchange queue', 0.25, 50_000))
})
