import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AdminServer } from '../../../src/admin/server.ts'
import { freePort } from '../../helpers/free-port.ts'
import { FakeSource } from '../admin/source.ts'
import { keyward } from './terminal.ts'

const source = new FakeSource()
const server = new AdminServer(
  { address: { host: '127.0.0.1', port: 0 }, version: '1', log: { error: () => undefined } },
  source,
)
let admin = ''

beforeAll(async () => {
  await server.listen()
  admin = `127.0.0.1:${server.bound.port}`
})

afterAll(() => server.close())

describe('health', () => {
  it('0 when alive, ready or not', async () => {
    source.readiness = { ready: false, reason: 'draining' }
    expect(await keyward(['health', '--admin', admin])).toEqual({ code: 0, out: 'ok\n', err: '' })
  })

  it('--ready: 0 or 1 with the reason', async () => {
    expect(await keyward(['health', '--ready', '--admin', admin])).toEqual({
      code: 1,
      out: '',
      err: 'keyward: not ready: draining\n',
    })
    source.readiness = { ready: true, reason: 'ready' }
    expect(await keyward(['health', '--ready', '--admin', admin])).toEqual({ code: 0, out: 'ready\n', err: '' })
  })

  it('1 when nobody answers', async () => {
    const port = await freePort()
    expect(await keyward(['health', '--admin', `127.0.0.1:${port}`])).toMatchObject({
      code: 1,
      err: `keyward: no answer from http://127.0.0.1:${port}/healthz: ECONNREFUSED\n`,
    })
  })

  it('1 when somebody accepts and says nothing', async () => {
    const mute = createServer()
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const { port } = mute.address() as { port: number }
    expect((await keyward(['health', '--admin', `127.0.0.1:${port}`])).code).toBe(1)
    mute.close()
  })

  it('finds the address in the environment, one for every interface on loopback', async () => {
    const any = admin.replace('127.0.0.1', '0.0.0.0')
    expect((await keyward(['health'], { KEYWARD_ADMIN: any })).code).toBe(0)
  })

  it('finds the address in the configuration', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'keyward-health-'))
    const file = join(dir, 'k.yaml')
    writeFileSync(
      file,
      `listeners: [{address: 127.0.0.1:6380, tenant: a, login: optional}]
admin: {address: ${admin}}
upstreams: {main: {url: redis://h}}
tenants: {a: {upstream: main}}
`,
    )
    expect((await keyward(['health'], { KEYWARD_CONFIG: file })).code).toBe(0)
    rmSync(dir, { recursive: true })
  })
})
