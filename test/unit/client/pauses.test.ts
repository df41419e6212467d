import { beforeEach, expect, test } from 'vitest'
import type { DispatchClient } from '../../../src/client/dispatch-client.ts'
import { Gates } from '../../../src/client/gates.ts'
import { Pauses } from '../../../src/client/pauses.ts'
import { Exchange } from '../../../src/commands/exchange.ts'
import type { CommandSpec } from '../../../src/commands/spec.ts'
import { Clock } from '../../../src/lib/clock.ts'
import { theTable } from '../../helpers/local-client.ts'

let gates: Gates
let clock: Clock
let pauses: Pauses

beforeEach(() => {
  gates = new Gates()
  clock = new Clock()
  pauses = new Pauses(gates, clock)
})

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A client of tenant number `tenantIndex` that counts how often it was told to go on. */
function clientOf(tenantIndex: number) {
  const client = { tenantIndex, gone: false, requestBytes: 0, told: 0, reopened: () => void client.told++ }
  const holds = (name: string) => {
    const x = new Exchange(client as unknown as DispatchClient, theTable().byName(name) as CommandSpec, 0)
    return gates.closed && gates.holds(client as unknown as DispatchClient, x)
  }
  return { client, holds }
}

test('WRITE holds writes, what replicas hear of, and EXEC', () => {
  const { holds } = clientOf(1)
  pauses.pause(1, 60_000, true)
  const held = ['set', 'flushdb', 'publish', 'spublish', 'eval', 'pfcount', 'exec'].filter((name) => !holds(name))
  expect(held).toEqual([])
  const free = ['get', 'subscribe', 'eval_ro', 'multi', 'keys', 'wait', 'watch'].filter((name) => holds(name))
  expect(free).toEqual([])
  pauses.unpause(1)
})

test('one tenant does not pause another', async () => {
  const [mine, theirs] = [clientOf(1), clientOf(2)]
  pauses.pause(1, 60_000, false)
  pauses.pause(2, 60_000, true)
  expect([mine.holds('get'), theirs.holds('get'), theirs.holds('set')]).toEqual([true, false, true])
  pauses.unpause(2)
  await turn()
  expect([mine.client.told, theirs.client.told]).toEqual([0, 1])
  pauses.unpause(1)
  await turn()
  expect([mine.client.told, gates.closed]).toEqual([1, false])
})

test('a second pause only adds; what waits at the first goes on waiting', async () => {
  const { client, holds } = clientOf(1)
  pauses.pause(1, 60_000, false)
  expect(holds('get')).toBe(true)
  pauses.pause(1, 1, true)
  await turn()
  // It was told, and asks again.
  expect(client.told).toBe(1)
  clock.now += 1000
  expect(holds('get')).toBe(true)
  pauses.unpause(1)
  await turn()
  expect(gates.closed).toBe(false)
})

test('one that is over does not make the next one stricter or longer', async () => {
  pauses.pause(1, 5, false)
  clock.now += 10
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(gates.closed).toBe(false)
  pauses.pause(1, 60_000, true)
  expect(clientOf(1).holds('get')).toBe(false)
  pauses.unpause(1)
  await turn()
})

test('none at all', () => {
  pauses.pause(1, 0, false)
  expect(gates.closed).toBe(false)
  pauses.unpause(1)
})
