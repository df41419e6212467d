import { expect, test } from 'vitest'
import { NewTexts } from '../../../../src/client/scripting/new-texts.ts'
import type { Tenant } from '../../../../src/session/tenant.ts'

const tenant = (name: string) => ({ name }) as Tenant

test('so many a minute, for each tenant', () => {
  let most = 2
  const texts = new NewTexts(() => most)
  const acme = tenant('acme')
  expect(texts.take(acme, 1000)).toBe(0)
  expect(texts.take(acme, 2000)).toBe(0)
  expect(texts.take(acme, 3000)).toBe(58_000)
  expect(texts.take(acme, 60_999)).toBe(1)
  expect(texts.take(tenant('beta'), 3000)).toBe(0)
  // A reload.
  most = 3
  expect(texts.take(acme, 60_999)).toBe(0)
  expect(texts.take(acme, 60_999)).toBe(1)
  expect(texts.take(acme, 61_000)).toBe(0)
  texts.forget('acme')
  for (let i = 0; i < 3; i++) expect(texts.take(acme, 61_000)).toBe(0)
  expect(texts.refusal(texts.take(acme, 61_000.5))).toBe('RATELIMITED scripts.newPerMinute: 3/m; retry after 60000 ms')
})
