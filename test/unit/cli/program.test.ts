import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { keyward } from './terminal.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/configs', import.meta.url))
const pkg = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))

describe('help and version', () => {
  it('--version', async () => {
    expect(await keyward(['--version'])).toEqual({ code: 0, out: `${pkg.version}\n`, err: '' })
  })

  it.each([[['--help']], [['serve', '--help']], [['explain', '--help']]])(
    '%s goes to standard output',
    async (args) => {
      const { code, out, err } = await keyward(args)
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(/^Usage: keyward /)
    },
  )

  it('names every command', async () => {
    const { out } = await keyward(['--help'])
    for (const command of [
      'serve',
      'check',
      'explain',
      'audit',
      'health',
      'pause',
      'resume',
      'reconnect',
      'failover',
      'status',
    ])
      expect(out).toMatch(new RegExp(`^  ${command}`, 'm'))
  })
})

describe('wrong use is exit 2, told on standard error', () => {
  it.each([
    ['no command', [], /Usage: keyward/],
    ['an unknown command', ['sevre'], /unknown command 'sevre'/],
    ['an unknown flag', ['serve', '--lisen', 'x'], /unknown option '--lisen'/],
    ['a flag without its value', ['serve', '--listen'], /argument missing/],
    ['check without a file', ['check'], /missing required argument 'file'/],
    ['explain without a command', ['explain'], /missing required argument 'command'/],
    ['audit without an upstream', ['audit'], /which Redis\? give --upstream/],
    ['audit of something else', ['audit', '--upstream', 'localhost:6379'], /write redis:\/\/localhost:6379/],
    ['health of something else', ['health', '--admin', 'nowhere'], /write the port too/],
    ['pause without a socket', ['pause'], /which Keyward\? give -c FILE/],
    ['serve with two files', ['serve', 'a.yaml', '-c', 'b.yaml'], /two configuration files/],
    ['serve with nothing', ['serve'], /give --upstream redis:\/\/host:port/],
    ['serve with a file and a tenant', ['serve', 'a.yaml', '--tenant', 'x'], /--tenant is for running without/],
    ['serve with a bad file', ['serve', `${fixtures}/bad/units.yaml`], /write 64MiB/],
  ])('%s', async (_what, args, told) => {
    const { code, out, err } = await keyward(args)
    expect(err).toMatch(told)
    expect([code, out]).toEqual([2, ''])
  })

  it('serve with a file and a variable that has no meaning there', async () => {
    const { code, err } = await keyward(['serve', 'a.yaml'], { KEYWARD_PREFIX: 'x:' })
    expect(code).toBe(2)
    expect(err).toContain('KEYWARD_PREFIX is for running without a configuration file')
  })
})

describe('check', () => {
  it('says what a good file has', async () => {
    const env = { REDIS_PASSWORD: 'a', ACME_PASSWORD: 'b', REDIS_URL: 'redis://h', SENTINEL_PASSWORD: 's' }
    expect(await keyward(['check', `${fixtures}/good/full.yaml`], env)).toEqual({
      code: 0,
      out: 'ok: 4 listeners, 4 upstreams, 4 tenants, 6 users\n',
      err: '',
    })
  })

  it('tells all problems of a bad one, with line, column and cure', async () => {
    const file = `${fixtures}/bad/everything.yaml`
    const { code, out, err } = await keyward(['check', file])
    expect([code, err]).toEqual([2, ''])
    for (const [place, cure] of [
      ['2:9: memory: "64mb" is not a size', 'write 64MiB'],
      [`10:15: upstreams.main.password: \${REDIS_PASSWORD} is not expanded`, 'write password: {env: REDIS_PASSWORD}'],
      ['11:5: upstreams.main.cluster: is not enforced by this version yet', 'remove it'],
      ['15:13: tenants.acme.prefix: acme: without quotes is a map to YAML', 'quote it: prefix: "acme:"'],
      ['17:27: tenants.acme.users.default.password: is empty', 'give it a value'],
      ['19:1: a tab in the indentation', 'indent with spaces'],
    ]) {
      expect(out).toContain(`${file}:${place}`)
      expect(out).toContain(`\n    ${cure}`)
    }
  })

  it('a file that is not there', async () => {
    expect(await keyward(['check', '/nowhere.yaml'])).toMatchObject({
      code: 2,
      out: '/nowhere.yaml: cannot be read: ENOENT\n    check the path and its permissions\n',
    })
  })
})
