import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AdminServers } from '../../../src/cli/admin-servers.ts'
import { freePort } from '../../helpers/free-port.ts'
import { RawClient } from '../../helpers/raw-client.ts'
import { FakeSocketSource } from '../admin/source.ts'

let dir = ''
let servers: AdminServers
const socket = (name: string, mode = 0o600) => ({ path: join(dir, name), mode })
const anyPort = { host: '127.0.0.1', port: 0 }

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keyward-servers-'))
  servers = new AdminServers(new FakeSocketSource(), pino({ level: 'silent' }))
})

afterEach(async () => {
  await servers.close()
  rmSync(dir, { recursive: true })
})

async function ping(path: string): Promise<string> {
  const client = await RawClient.connect({ path })
  const reply = await client.command('PING')
  client.destroy()
  return reply
}

const healthy = async () => (await fetch(`http://${servers.address}/healthz`)).status

describe('open', () => {
  it('both, one, none', async () => {
    await servers.open({ address: anyPort, socket: socket('a') })
    expect(servers.address).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(servers.socket).toBe(`unix:${dir}/a`)
    expect(await healthy()).toBe(200)
    expect(await ping(join(dir, 'a'))).toBe('+PONG\r\n')
    const none = new AdminServers(new FakeSocketSource(), pino({ level: 'silent' }))
    await none.open(undefined)
    expect([none.address, none.socket]).toEqual([undefined, undefined])
    await none.open({ address: undefined, socket: socket('b') })
    expect([none.address, none.socket]).toEqual([undefined, `unix:${dir}/b`])
    await none.close()
  })

  it('tells what cannot be had, and leaves nothing open', async () => {
    const port = await freePort()
    const address = { host: '127.0.0.1', port }
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(join(dir, 'taken'), resolve))
    await expect(servers.open({ address, socket: socket('taken') })).rejects.toMatchObject({
      message: `cannot listen on unix:${dir}/taken: it is in use`,
      cure: 'stop what listens there, or change admin.socket',
    })
    await servers.open({ address, socket: undefined })
    expect(servers.address).toBe(`127.0.0.1:${port}`)
    other.close()
  })
})

describe('a change', () => {
  beforeEach(() => servers.open({ address: anyPort, socket: socket('a') }))

  it('of nothing leaves everything', async () => {
    const { address } = servers
    const client = await RawClient.connect({ path: join(dir, 'a') })
    await (await servers.prepare({ address: anyPort, socket: socket('a') })).commit()
    expect(servers.address).toBe(address)
    expect(await client.command('PING')).toBe('+PONG\r\n')
    client.destroy()
  })

  it('of the socket moves only that', async () => {
    const { address } = servers
    const change = await servers.prepare({ address: anyPort, socket: socket('b') })
    expect(await ping(join(dir, 'a'))).toBe('+PONG\r\n')
    await change.commit()
    expect(existsSync(join(dir, 'a'))).toBe(false)
    expect(await ping(join(dir, 'b'))).toBe('+PONG\r\n')
    expect(servers.address).toBe(address)
  })

  it('of the mode changes the file that is there', async () => {
    await (await servers.prepare({ address: anyPort, socket: socket('a', 0o660) })).commit()
    expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o660)
    expect(await ping(join(dir, 'a'))).toBe('+PONG\r\n')
  })

  it('that takes away both', async () => {
    const { address } = servers
    await (await servers.prepare(undefined)).commit()
    expect(existsSync(join(dir, 'a'))).toBe(false)
    await expect(fetch(`http://${address}/healthz`)).rejects.toThrow()
    await (await servers.prepare({ address: undefined, socket: socket('a') })).commit()
    expect(await ping(join(dir, 'a'))).toBe('+PONG\r\n')
  })

  it('can be taken back', async () => {
    const change = await servers.prepare({ address: undefined, socket: socket('b') })
    await change.revert()
    expect(existsSync(join(dir, 'b'))).toBe(false)
    expect(await healthy()).toBe(200)
    expect(await ping(join(dir, 'a'))).toBe('+PONG\r\n')
  })

  it('that cannot be had leaves everything', async () => {
    const next = { address: { host: '127.0.0.1', port: await freePort() }, socket: socket('none/b') }
    await expect(servers.prepare(next)).rejects.toMatchObject({ message: expect.stringContaining('cannot listen on') })
    expect(await healthy()).toBe(200)
    expect(await ping(join(dir, 'a'))).toBe('+PONG\r\n')
    await expect(fetch(`http://127.0.0.1:${next.address.port}/healthz`)).rejects.toThrow()
  })
})
