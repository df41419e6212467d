import { expect, test } from 'vitest'
import { Pace } from '../../../src/upstream/pace.ts'

test('tenants take turns, however many calls one of them has waiting', async () => {
  const pace = new Pace(1)
  const order: string[] = []
  const call = (tenant: number, name: string) => pace.run(tenant, async () => void order.push(name))
  const all = [...Array.from({ length: 5 }, (_, i) => call(0, `a${i}`)), call(1, 'b0'), call(1, 'b1'), call(2, 'c0')]
  await Promise.all(all)
  expect(order).toEqual(['a0', 'a1', 'b0', 'c0', 'a2', 'b1', 'a3', 'a4'])
})

test('one call at a time, and a failed one does not stop the next', async () => {
  const pace = new Pace(0.5)
  let running = 0
  const call = async (fails: boolean) => {
    expect(++running).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 2))
    running--
    if (fails) throw new Error('no')
    return 'yes'
  }
  const results = await Promise.allSettled([true, false, true, false].map((fails) => pace.run(0, () => call(fails))))
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled'])
})
