import { expect, test } from 'vitest'
import { NewTexts } from '../../../../src/client/scripting/new-texts.ts'
import type { Tenant } from '../../../../src/session/tenant.ts'

const tenant = (name: string) => ({ name }) as Tenant

test('so many a minute, for each tenant', () => {
  let most = 2
  const texts = new NewTexts(() => most)
  const acme = tenant('acme')
  expect(texts.take(acme, 100, 1000)).toBe(0)
  expect(texts.take(acme, 100, 2000)).toBe(0)
  expect(texts.take(acme, 100, 3000)).toBe(58_000)
  expect(texts.take(acme, 100, 60_999)).toBe(1)
  expect(texts.take(tenant('beta'), 100, 3000)).toBe(0)
  // A reload.
  most = 3
  expect(texts.take(acme, 100, 60_999)).toBe(0)
  expect(texts.take(acme, 100, 60_999)).toBe(1)
  expect(texts.take(acme, 100, 61_000)).toBe(0)
  texts.forget('acme')
  for (let i = 0; i < 3; i++) expect(texts.take(acme, 100, 61_000)).toBe(0)
  expect(texts.refusal(texts.take(acme, 100, 61_000.5))).toBe(
    'RATELIMITED scripts.newPerMinute: 3/m; retry after 60000 ms',
  )
})

test('a large one counts as many, and may be the first of its minute', () => {
  const texts = new NewTexts(() => 20)
  const acme = tenant('acme')
  expect(texts.take(acme, 100 * 1024, 0)).toBe(0)
  expect(texts.take(acme, 16 * 1024, 1)).toBe(0)
  expect(texts.take(acme, 250 * 1024, 2)).toBe(59_998)
  for (let i = 0; i < 12; i++) expect(texts.take(acme, 0, 2)).toBe(0)
  expect(texts.take(acme, 0, 2)).toBe(59_998)
  expect(texts.take(acme, 1024 * 1024, 60_000)).toBe(0)
  expect(texts.take(acme, 0, 60_001)).toBe(59_999)
})
