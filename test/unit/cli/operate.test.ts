import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { OperationFailed } from '../../../src/admin/operations.ts'
import { AdminSocket } from '../../../src/admin/socket.ts'
import { FakeSocketSource } from '../admin/source.ts'
import { keyward } from './terminal.ts'

const dir = mkdtempSync(join(tmpdir(), 'keyward-operate-'))
const path = join(dir, 'admin.sock')
const file = join(dir, 'k.yaml')
const mute = { info: () => undefined, error: () => undefined }
let source: FakeSocketSource
let server: AdminSocket

beforeAll(() => {
  // Nothing else of it has to be right: the variable is not set, and a change is half made.
  writeFileSync(file, `admin: {socket: "unix:${path}"}\nmemory: 64mb\nupstreams: {main: {url: {env: NOT_SET}}}\n`)
})

beforeEach(async () => {
  source = new FakeSocketSource()
  server = new AdminSocket({ path, mode: 0o600 }, source, mute)
  await server.listen()
})

afterEach(() => server.close())
afterAll(() => rmSync(dir, { recursive: true }))

describe('says what the running process says', () => {
  it.each([
    [['pause'], ['pause', 'everything', 10_000]],
    [
      ['pause', 'acme'],
      ['pause', { tenant: 'acme' }, 10_000],
    ],
    [
      ['pause', '--tenant', 'both', '--timeout', '250ms'],
      ['pause', { tenant: 'both' }, 250],
    ],
    [
      ['resume', '--upstream', 'both'],
      ['resume', { upstream: 'both' }],
    ],
    [['resume'], ['resume', 'everything']],
    [['reconnect'], ['reconnect', undefined]],
    [
      ['reconnect', 'main'],
      ['reconnect', 'main'],
    ],
    [
      ['failover', '--upstream', 'main', '--timeout', '2m'],
      ['failover', 'main', 120_000],
    ],
    [['failover'], ['failover', undefined, 60_000]],
  ])('%j', async (args, asked) => {
    const done = { code: 0, out: `done: ${args[0]}\n`, err: '' }
    expect(await keyward([...args, '--socket', path])).toEqual(done)
    expect(source.operations.asked).toEqual([asked])
  })

  it('status', async () => {
    const said = { code: 0, out: 'keyward is well\nso far\n', err: '' }
    expect(await keyward(['status', '--socket', `unix:${path}`])).toEqual(said)
  })

  it('limits', async () => {
    expect(await keyward(['limits', '--socket', path])).toEqual({ code: 0, out: 'limits of all\n', err: '' })
    const acme = { code: 0, out: 'limits of acme\n', err: '' }
    expect(await keyward(['limits', '--tenant', 'acme', '--socket', path])).toEqual(acme)
  })

  it('a status of a megabyte', async () => {
    source.text = 'line of text\n'.repeat(80_000)
    expect(await keyward(['status', '--socket', path])).toEqual({ code: 0, out: source.text, err: '' })
  })

  it('a refusal, with its cure, exit 1', async () => {
    source.operations.failure = new OperationFailed('no replica has everything', 'wait; then try again')
    expect(await keyward(['failover', '--socket', path])).toEqual({
      code: 1,
      out: '',
      err: 'keyward: no replica has everything\n    wait; then try again\n',
    })
  })

  it('a name that nobody has', async () => {
    expect(await keyward(['pause', 'acne', '--socket', path])).toEqual({
      code: 1,
      out: '',
      err: 'keyward: there is no tenant or upstream acne\n    did you mean acme?\n',
    })
  })
})

describe('finds the socket', () => {
  it('in a configuration of which nothing else is right', async () => {
    expect((await keyward(['resume', '-c', file])).out).toBe('done: resume\n')
    expect((await keyward(['resume'], { KEYWARD_CONFIG: file })).out).toBe('done: resume\n')
  })

  it('at --socket before all', async () => {
    expect((await keyward(['resume', '--socket', path], { KEYWARD_CONFIG: '/nowhere' })).out).toBe('done: resume\n')
  })

  it.each([
    ['no configuration', [], /which Keyward\? give -c FILE/],
    ['one that is not there', ['-c', '/nowhere.yaml'], /\/nowhere\.yaml: cannot be read: ENOENT/],
    ['one without a socket', ['-c', join(dir, 'none.yaml')], /has no admin\.socket; add admin: \{socket: unix:/],
    [
      'one whose socket is none',
      ['-c', join(dir, 'odd.yaml')],
      /is not the address of a unix socket; write unix:\/run/,
    ],
    ['one that is not YAML', ['-c', join(dir, 'broken.yaml')], /broken\.yaml: .+; .+/],
  ])('%s is wrong use', async (_what, args, told) => {
    writeFileSync(join(dir, 'none.yaml'), 'admin: {address: 127.0.0.1:9380}\n')
    writeFileSync(join(dir, 'odd.yaml'), 'admin: {socket: /run/admin.sock}\n')
    writeFileSync(join(dir, 'broken.yaml'), 'admin: {socket: [\n')
    const { code, out, err } = await keyward(['status', ...args])
    expect(err).toMatch(told)
    expect([code, out]).toEqual([2, ''])
  })
})

describe('wrong use', () => {
  it.each([
    [['pause', 'a', '--tenant', 'b'], /one thing at a time, not a and b/],
    [['pause', '--timeout', '10'], /--timeout: "10" is not a duration; write a unit with it: 10ms, 10s/],
    [['resume', '--timeout', '10s'], /unknown option '--timeout'/],
    [['failover', '--tenant', 'a'], /unknown option '--tenant'/],
    [['status', 'acme'], /too many arguments/],
  ])('%j', async (args, told) => {
    const { code, out, err } = await keyward([...args, '--socket', path])
    expect(err).toMatch(told)
    expect([code, out]).toEqual([2, ''])
    expect(source.operations.asked).toEqual([])
  })
})

describe('when nobody answers', () => {
  it('no socket', async () => {
    await server.close()
    expect(await keyward(['status', '--socket', path])).toEqual({
      code: 1,
      out: '',
      err: `keyward: unix:${path}: nothing listens there: there is no such socket\n    start Keyward, or give the socket of the one that runs: \`admin.socket\` of its configuration, or --socket\n`,
    })
    await server.listen()
  })

  it('something that is no socket', async () => {
    const { code, err } = await keyward(['status', '--socket', file])
    expect(code).toBe(1)
    expect(err).toMatch(/nothing listens there|it is not a socket/)
  })

  async function stranger(serve: (socket: Socket) => void): Promise<{ code: number; err: string }> {
    const other = join(dir, 'other.sock')
    const sockets: Socket[] = []
    const listening: Server = createServer((socket) => {
      sockets.push(socket)
      serve(socket.on('error', () => undefined))
    })
    await new Promise<void>((resolve) => listening.listen(other, resolve))
    const result = await keyward(['pause', '--timeout', '10ms', '--socket', other])
    for (const socket of sockets) socket.destroy()
    listening.close()
    return result
  }

  it('somebody who hangs up', async () => {
    const { code, err } = await stranger((socket) => void socket.once('data', () => socket.end()))
    expect(code).toBe(1)
    expect(err).toContain('closed without a reply')
  })

  it('somebody who speaks something else', async () => {
    const { code, err } = await stranger((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(code).toBe(1)
    expect(err).toContain('the reply is not one of Keyward')
  })

  it('somebody who says nothing', async () => {
    const { code, err } = await stranger(() => undefined)
    expect(code).toBe(1)
    expect(err).toContain('no reply in time')
  })
})
