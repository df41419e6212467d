import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig, parseConfig } from '../../../src/config/load.ts'
import { ConfigError, type Problem } from '../../../src/config/problem.ts'

const bad = fileURLToPath(new URL('../../fixtures/configs/bad', import.meta.url))
const ENV = { SET: 'x', SET_AND_EMPTY: '', DATABASE_URL: 'redis://h/5' }

function problemsOf(make: () => Config): readonly Problem[] {
  try {
    make()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

function parse(text: string, env: NodeJS.ProcessEnv = {}): readonly Problem[] {
  return problemsOf(() => parseConfig(text, { source: 'k.yaml', env, baseDir: '/nowhere' }))
}

const REST = `
upstreams: {main: {url: redis://127.0.0.1:6379}}
tenants: {acme: {upstream: main, users: {default: {password: a}}}}
`

describe('every bad configuration, beside it what is told', () => {
  const files = readdirSync(bad).filter((file) => file.endsWith('.yaml'))

  it('has its fixtures', () => expect(files.length).toBeGreaterThanOrEqual(20))

  it.each(files)('%s', (file) => {
    const expected = readFileSync(join(bad, file.replace('.yaml', '.expected')), 'utf8')
    let message = ''
    try {
      loadConfig(join(bad, file), ENV)
    } catch (error) {
      message = (error as ConfigError).message
    }
    const told = `${message}\n`.replaceAll(`${bad}/${file}`, file).replaceAll(`${bad}/`, '<here>/')
    expect(told).toBe(expected)
  })

  it.each(files)('%s: every problem has a place in the text and a cure', (file) => {
    const text = readFileSync(join(bad, file), 'utf8').split('\n')
    for (const problem of problemsOf(() => loadConfig(join(bad, file), ENV))) {
      expect(problem.line).toBeGreaterThanOrEqual(1)
      expect(problem.line).toBeLessThanOrEqual(text.length)
      expect(problem.column).toBeLessThanOrEqual(text[problem.line - 1].length + 1)
      expect(problem.message).not.toBe('')
      expect(problem.cure).not.toBe('')
    }
  })
})

describe('the slips that everybody makes', () => {
  it('unquoted prefix', () => {
    const text = `listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://127.0.0.1:6379}}
tenants:
  acme:
    upstream: main
    prefix: acme:
    users: {default: {password: a}}
`
    expect(parse(text)).toEqual([
      {
        file: 'k.yaml',
        line: 6,
        column: 13,
        path: 'tenants.acme.prefix',
        message: 'acme: without quotes is a map to YAML, not a prefix',
        cure: 'quote it: prefix: "acme:"',
      },
    ])
  })

  it.each([
    ['64mb', '64MiB'],
    ['64MB', '64MiB'],
    ['64M', '64MiB'],
    ['512k', '512KiB'],
    ['1 gb', '1GiB'],
    ['2mib', '2MiB'],
    ['65536', '64KiB'],
    ['1000', '1000B'],
    ['100b', '100B'],
    ['64mq', 'a unit of B, KiB, MiB or GiB'],
    ['lots', 'a whole number and a unit, such as 64KiB or 1MiB'],
  ])('memory: %s -> write %s', (wrong, right) => {
    const [problem] = parse(`listeners: [{address: 127.0.0.1:6380}]\nmemory: ${wrong}${REST}`)
    expect(problem).toMatchObject({ line: 2, column: 9, path: 'memory', cure: `write ${right}` })
  })

  it.each([
    ['5sec', '5s'],
    ['10min', '10m'],
    ['2 hours', '2h'],
    ['1d', '24h'],
    ['250msec', '250ms'],
    ['5', 'a unit with it: 5ms, 5s, 5m or 5h'],
    ['5w', 'a unit of ms, s, m or h'],
  ])('deadline: %s -> write %s', (wrong, right) => {
    const [problem] = parse(`shutdown: {deadline: ${wrong}}\nlisteners: [{address: 127.0.0.1:6380}]${REST}`)
    expect(problem).toMatchObject({ line: 1, column: 22, path: 'shutdown.deadline', cure: `write ${right}` })
  })

  it('a tab in the indentation does not hide what else is wrong', () => {
    const text = `memory: 64mb\nlisteners:\n\t- address: 127.0.0.1:6380\n\t  lgoin: required${REST}`
    expect(parse(text).map(({ line, column, cure }) => [line, column, cure])).toEqual([
      [1, 9, 'write 64MiB'],
      [3, 1, 'indent with spaces'],
      [4, 4, 'did you mean login?'],
    ])
  })

  it('tabs where they do no harm are no problem', () => {
    const text = `# a\tcomment\n\t\nlisteners:\t[{address: 127.0.0.1:6380}]\t${REST}`
    expect(parse(text)).toEqual([])
    const json = parse(`{\n\t"listeners": [{"address": "127.0.0.1:6380"}],\n\t"memory": "1mb"}`)
    expect(json.map(({ line, path }) => [line, path])).toEqual([
      [1, 'upstreams'],
      [1, 'tenants'],
      [3, 'memory'],
    ])
  })

  it('windows line ends and a byte order mark', () => {
    const text = `listeners: [{address: 127.0.0.1:6380}]${REST}`
    expect(parse(`\ufeff${text.replaceAll('\n', '\r\n')}`)).toEqual([])
    expect(parse(`${text}memory: 1mb`.replaceAll('\n', '\r\n'))[0]).toMatchObject({ line: 4, column: 9 })
  })

  it('the same key twice is one problem, of the second', () => {
    const problems = parse(`memory: 1MiB\nmemory: 2MiB\nlisteners: [{address: 127.0.0.1:6380}]${REST}`)
    expect(problems).toMatchObject([{ line: 2, column: 1, message: 'this key is given twice' }])
  })

  it('names that JavaScript has already', () => {
    const text = `listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://127.0.0.1:6379}}
tenants: {__proto__: {upstream: main}, constructor: {upstream: main, users: {default: {password: a}}}}
`
    expect(parse(text)).toMatchObject([{ line: 3, column: 11, message: '__proto__ cannot be a name' }])
  })

  it('an alias that grows without end is refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 8; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      )
    expect(parse(lines.join('\n'))[0].message).toBe('the file repeats itself too often, or without end')
  })

  it('a file that is not there', () => {
    const problems = problemsOf(() => loadConfig('/nowhere/keyward.yaml', {}))
    expect(problems).toMatchObject([{ file: '/nowhere/keyward.yaml', line: 0, message: 'cannot be read: ENOENT' }])
  })
})

describe('secrets stay out of messages', () => {
  it.each([
    'url: redis://user:hunter2@127.0.0.1:6379/3',
    'url: "redis://user:hunter2%@127.0.0.1:6379"',
    'url: {env: URL}',
    'url: redis://127.0.0.1:6379, password: {sha256: hunter2}',
    'url: redis://127.0.0.1:6379, password: {hunter2: x}',
  ])('%s', (upstream) => {
    const text = `listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {${upstream}}}
tenants: {acme: {upstream: main, users: {default: {password: a}}}}
`
    const problems = parse(text, { URL: 'redis://:hunter2@host:port' })
    expect(problems.length).toBeGreaterThan(0)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})

describe('did you mean', () => {
  it.each([
    ['memmory: 1MiB', 'memory'],
    ['Listeners: []', 'listeners'],
    ['tenant: {}', 'tenants'],
    ['up-streams: {}', 'upstreams'],
  ])('%s', (line, meant) => {
    const problem = parse(`${line}\nlisteners: [{address: 127.0.0.1:6380}]${REST}`)[0]
    expect(problem).toMatchObject({ line: 1, column: 1, cure: `did you mean ${meant}?` })
  })

  it('says where a key belongs', () => {
    const problem = parse(`lanes: 4\nlisteners: [{address: 127.0.0.1:6380}]${REST}`)[0]
    expect(problem.cure).toBe('it belongs under upstreams.<name>')
  })
})
