import { expect, test } from 'vitest'
import { Broadcasts } from '../../../../src/client/tracking/broadcasts.ts'
import { Notice } from '../../../../src/client/tracking/notice.ts'
import type { Reader } from '../../../../src/client/tracking/reader.ts'

class Listener {
  readonly told: string[] = []
  tell(notice: Notice): void {
    this.told.push(
      notice.push
        .toString('latin1')
        .split('\r\n')
        .slice(4, -1)
        .filter((_, i) => i % 2 === 1)
        .join(),
    )
  }
  get self(): Reader {
    return this as unknown as Reader
  }
}

test('who wants to hear of a prefix is told of the keys that begin with it, in the order of bytes, each once', () => {
  const broadcasts = new Broadcasts()
  const [a, b] = [new Listener(), new Listener()]
  broadcasts.join(a.self, 'u:')
  broadcasts.join(a.self, 'user')
  broadcasts.join(b.self, '')
  broadcasts.join(b.self, 'u:')
  for (const name of ['u:2', 'u:1', 'users', 'user', 'u', 'x', 'u:2', '']) broadcasts.add(name)
  broadcasts.send()
  broadcasts.send()
  expect(a.told).toEqual(['u:1,u:2', 'user,users'])
  expect(b.told).toEqual([',u,u:1,u:2,user,users,x', 'u:1,u:2'])
})

test('nobody is told of what nobody wants to hear of, and who has left is told nothing', () => {
  const broadcasts = new Broadcasts()
  const [a, b] = [new Listener(), new Listener()]
  expect(broadcasts.empty).toBe(true)
  broadcasts.join(a.self, 'u:')
  broadcasts.join(b.self, 'u:')
  broadcasts.join(b.self, 'v:')
  expect(broadcasts.add('w:1')).toBe(false)
  expect(broadcasts.add('u')).toBe(false)
  expect(broadcasts.add('u:1')).toBe(true)
  expect(broadcasts.add('v:1')).toBe(true)
  broadcasts.part(b.self, 'u:')
  broadcasts.part(b.self, 'v:')
  broadcasts.part(b.self, 'never')
  expect(broadcasts.add('v:2')).toBe(false)
  broadcasts.send()
  expect([a.told, b.told]).toEqual([['u:1'], []])
  broadcasts.part(a.self, 'u:')
  expect(broadcasts.empty).toBe(true)
})

test('names that wait are bounded: beyond it they are told at once', () => {
  const broadcasts = new Broadcasts()
  const a = new Listener()
  broadcasts.join(a.self, '')
  for (let i = 0; i < 25_000; i++) broadcasts.add(`k${i}`)
  expect(a.told).toHaveLength(2)
  broadcasts.send()
  expect(a.told).toHaveLength(3)
})

test('a notice is one frame for all: names are bytes', () => {
  const notice = Notice.of([Buffer.from('ä\r\n').toString('latin1'), ''])
  expect(notice.push).toBe(notice.push)
  expect(notice.push.toString()).toBe('>2\r\n$10\r\ninvalidate\r\n*2\r\n$4\r\nä\r\n\r\n$0\r\n\r\n')
  expect(notice.message.toString()).toBe(
    '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*2\r\n$4\r\nä\r\n\r\n$0\r\n\r\n',
  )
})

test('one that leaves while it is told takes nothing away from the others', () => {
  const broadcasts = new Broadcasts()
  const other = new Listener()
  const leaver = {
    tell() {
      for (const prefix of ['a', 'b']) broadcasts.part(leaver as unknown as Reader, prefix)
    },
  }
  for (const prefix of ['a', 'b']) broadcasts.join(leaver as unknown as Reader, prefix)
  broadcasts.join(other.self, 'c')
  for (const name of ['a1', 'b1']) broadcasts.add(name)
  broadcasts.send()
  for (let round = 0; round < 3; round++) {
    broadcasts.add('c1')
    broadcasts.send()
  }
  expect(other.told).toEqual(['c1', 'c1', 'c1'])
})

test('of many prefixes of all lengths, those that a name begins with, as prefixes come and go', () => {
  const broadcasts = new Broadcasts()
  const listeners = Array.from({ length: 60 }, (_, i) => ({
    listener: new Listener(),
    prefixes: [`${'a'.repeat(i)}b`, 'a'.repeat(i), `c${i}`],
  }))
  for (const { listener, prefixes } of listeners) for (const one of prefixes) broadcasts.join(listener.self, one)
  const names = ['', 'a', `${'a'.repeat(30)}b1`, 'a'.repeat(80), 'c1', 'c12', 'd']
  const told = () => {
    for (const name of names) broadcasts.add(name)
    broadcasts.send()
    return listeners.map(({ listener }) =>
      listener.told
        .splice(0)
        .flatMap((one) => one.split(','))
        .sort(),
    )
  }
  const expected = () =>
    listeners.map(({ prefixes }) => prefixes.flatMap((one) => names.filter((name) => name.startsWith(one))).sort())
  expect(told()).toEqual(expected())
  for (const { listener, prefixes } of listeners.filter((_, i) => i % 3 !== 0)) {
    for (const one of prefixes.splice(0, 2)) broadcasts.part(listener.self, one)
  }
  expect(told()).toEqual(expected())
})

test('whose key it is costs the same with a thousand prefixes as with one', () => {
  const broadcasts = new Broadcasts()
  const [a, b] = [new Listener(), new Listener()]
  for (let i = 0; i < 1000; i++) broadcasts.join(a.self, `${'p'.repeat(900)}${i}:`)
  broadcasts.join(b.self, 'q')
  const own = `${'p'.repeat(900)}7:x`
  expect([own, own.slice(0, 901), 'q1'].map((name) => broadcasts.wants(a.self, name))).toEqual([true, false, false])
  expect([own, 'q1'].map((name) => broadcasts.wants(b.self, name))).toEqual([false, true])
  const time = (count: number) => {
    const one = new Broadcasts()
    for (let i = 0; i < count; i++) one.join(a.self, `${'p'.repeat(900)}${i}:`)
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 5; round++) {
      const from = performance.now()
      for (let i = 0; i < 200; i++) one.wants(a.self, `${'p'.repeat(910)}${i}`)
      best = Math.min(best, performance.now() - from)
    }
    return best
  }
  time(10)
  expect(time(1000)).toBeLessThan(20 * time(1) + 1)
})
