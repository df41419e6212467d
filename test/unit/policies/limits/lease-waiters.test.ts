import { expect, test } from 'vitest'
import { Delay } from '../../../../src/commands/delay.ts'
import { LeaseWaiters } from '../../../../src/policies/limits/lease-waiters.ts'

const heard: string[] = []

function push(waiters: LeaseWaiters, name: string, cost: number, then = () => {}): Delay {
  const delay = new Delay(0, () => {})
  const decide = (wait: number) => {
    heard.push(`${name} ${wait}`)
    then()
  }
  waiters.push({ cost, needed: cost, since: 0, until: 0, delay, decide })
  return delay
}

test('requests that come while others are decided find everything in its place', () => {
  const waiters = new LeaseWaiters()
  push(waiters, 'a', 1, () => push(waiters, 'late', 8))
  push(waiters, 'b', 2)
  push(waiters, 'c', 4).end(true)
  expect([waiters.size, waiters.cost]).toEqual([3, 7])
  waiters.refuse(({ cost }, before) => (cost === 1 ? 50 + before : undefined))
  expect([waiters.size, waiters.cost]).toEqual([3, 14])
  waiters.dropOver()
  expect([waiters.size, waiters.cost]).toEqual([2, 10])
  expect(waiters.next(1)).toBe(undefined)
  waiters.next(2)?.decide(0)
  expect(waiters.next(7)).toBe(undefined)
  waiters.next(8)?.decide(0)
  expect([waiters.size, waiters.cost, waiters.since]).toEqual([0, 0, Number.POSITIVE_INFINITY])
  expect(heard).toEqual(['a 50', 'c 1', 'b 0', 'late 0'])
})
