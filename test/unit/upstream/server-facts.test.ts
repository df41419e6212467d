import { expect, test } from 'vitest'
import { ServerFacts } from '../../../src/upstream/server-facts.ts'

const LOG = { info() {}, warn() {} }

test.each([
  [{ redis_version: '6.2.14' }, false],
  [{ redis_version: '7.0.15' }, false],
  [{ redis_version: '7.2.7' }, false],
  [{ redis_version: '7.4.1' }, true],
  [{ redis_version: '8.6.3' }, true],
  [{ redis_version: '10.0.0' }, true],
  [{ redis_version: '7.2.4', valkey_version: '9.1.2' }, false],
  [{}, true],
  [{ redis_version: 'unstable' }, true],
])('%j drops scripts that were loaded after an EVAL: %s', (info, drops) => {
  const facts = new ServerFacts('main', LOG)
  facts.learned(new Map(Object.entries(info)), 0)
  expect(facts.dropsLoaded).toBe(drops)
})
