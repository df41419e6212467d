import { describe, expect, test } from 'vitest'
import { brokenImportRules } from '../../../scripts/lib/imports.mjs'

function check(files: Record<string, string>): string[] {
  return brokenImportRules(new Map(Object.entries(files)))
}

describe('the rank check', () => {
  test('lets imports point down and stay inside a folder', () => {
    const files = {
      'client/connection.ts':
        "import { a } from '../commands/spec.ts'\nimport { b } from './queue.ts'\nimport net from 'node:net'",
      'client/queue.ts': "import type { c } from '../lib/clock.ts'",
      'commands/spec.ts': "export type { d } from '../errors.ts'",
      'errors.ts': '',
      'lib/clock.ts': '',
    }
    expect(check(files)).toEqual([])
  })

  test('refuses an upward import, also of a type, and says where and what to do', () => {
    const found = check({
      'session/session.ts': "\n\nimport type { Auth } from '../policies/auth.ts'",
      'policies/auth.ts': '',
    })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(
      /^src\/session\/session\.ts:3 may not import src\/policies\/auth\.ts: .*rank 2.*rank 4.*interface/,
    )
  })

  test('refuses a sibling, over several lines too', () => {
    const found = check({
      'policies/cache.ts': "import {\n  a,\n  b,\n} from '../upstream/node.ts'",
      'upstream/node.ts': '',
    })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^src\/policies\/cache\.ts:1 .*siblings of rank 4.*proxy\.ts fill it/)
  })

  test.each([
    ['a re-export', "export { a } from '../proxy.ts'"],
    ['a star export', "export * from '../proxy.ts'"],
    ['an import for its effect', "import '../proxy.ts'"],
    ['a dynamic import', "const a = await import('../proxy.ts')"],
    ['a type inside an expression', "let a: import('../proxy.ts').Proxy"],
  ])('sees %s', (_name, text) => {
    expect(check({ 'lib/x.ts': text, 'proxy.ts': '' })).toHaveLength(1)
  })

  test('refuses a folder reading its own index, lets others read it', () => {
    const files = {
      'commands/table.ts': "import { quirks } from './quirks/index.ts'",
      'commands/quirks/index.ts': "import { sort } from './sort.ts'",
      'commands/quirks/sort.ts': '',
    }
    expect(check(files)).toEqual([])
    const found = check({ ...files, 'commands/quirks/sort.ts': "import { quirks } from './index.ts'" })
    expect(found).toHaveLength(2)
    expect(found[0]).toMatch(/sort\.ts:1 may not import src\/commands\/quirks\/index\.ts/)
    expect(found[1]).toMatch(/cycle/)
  })

  test('finds a cycle of files of one folder', () => {
    const found = check({
      'lib/a.ts': "import './b.ts'",
      'lib/b.ts': "import './c.ts'",
      'lib/c.ts': "import type { A } from './a.ts'",
      'lib/d.ts': "import './a.ts'",
    })
    expect(found).toHaveLength(1)
    expect(found[0]).toContain('src/lib/a.ts -> src/lib/b.ts -> src/lib/c.ts')
  })

  test('refuses a new stage without a rank, and leaving src', () => {
    const found = check({ 'utils/x.ts': '', 'lib/y.ts': "import '../../test/helpers/redis.ts'" })
    expect(found.map((line) => line.split(':')[0])).toEqual(['src/utils/x.ts', 'src/lib/y.ts'])
  })
})
