import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { freePort } from '../../helpers/free-port.ts'
import { type KeywardProcess, spawnKeyward } from '../../helpers/keyward.ts'
import { RawClient } from '../../helpers/raw-client.ts'

// Nothing here needs a Redis: Keyward starts without its upstream.

const PATIENCE = { timeout: 20_000, interval: 100 }

const dir = mkdtempSync(join(tmpdir(), 'keyward-serve-'))
const file = join(dir, 'k.yaml')
const running: KeywardProcess[] = []
let away = 0

beforeAll(async () => {
  away = await freePort()
})

afterEach(async () => {
  for (const keyward of running.splice(0)) await keyward.stop()
})
afterAll(() => rmSync(dir, { recursive: true }))

function start(args: readonly string[], env: Record<string, string> = {}): KeywardProcess {
  const keyward = spawnKeyward(['serve', ...args], env)
  running.push(keyward)
  return keyward
}

/** A configuration whose upstream is away, one line a top-level key. */
function write(changes: Record<string, string> = {}): void {
  const keys = {
    listeners: '[{address: 127.0.0.1:0, tenant: acme, login: optional}]',
    admin: '{address: 127.0.0.1:0}',
    shutdown: '{deadline: 500ms}',
    upstreams: `{main: {url: redis://127.0.0.1:${away}, hold: {time: 10m}}}`,
    tenants: '{acme: {upstream: main}}',
    ...changes,
  }
  writeFileSync(
    file,
    Object.entries(keys)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(''),
  )
}

async function ports(keyward: KeywardProcess): Promise<{ port: number; admin: string }> {
  const [, port] = await keyward.printed(/"listening":\["127\.0\.0\.1:(\d+)"\]/)
  const [, admin] = await keyward.printed(/"admin":"(127\.0\.0\.1:\d+)"/)
  return { port: Number(port), admin: `http://${admin}` }
}

/** One value of /metrics. */
async function metric(admin: string, series: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${series} `)) ?? ''
  return Number(line.slice(series.length))
}

/** Somebody else's listener on a port. */
async function occupy(): Promise<{ port: number; close(): void }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as { port: number }).port, close: () => void server.close() }
}

describe('a life', () => {
  it('from a file: up without its upstream, not ready, drained by SIGTERM, exit 0', async () => {
    write()
    const keyward = start([file])
    const { port, admin } = await ports(keyward)
    expect((await fetch(`${admin}/healthz`)).status).toBe(200)
    const ready = await fetch(`${admin}/readyz`)
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ error: 'not ready: upstream main has not been reached yet' })
    expect(await (await fetch(`${admin}/metrics`)).text()).toContain('keyward_upstream_up{upstream="main"} 0\n')
    const client = await RawClient.connect({ port })
    expect(await client.command('PING')).toBe('+PONG\r\n')
    client.destroy()
    keyward.child.kill('SIGTERM')
    expect(await keyward.exit).toEqual({ code: 0, signal: null })
    expect(keyward.output).toMatch(/"signal":"SIGTERM","msg":"draining"/)
  })

  it('from flags alone, ended by SIGINT', async () => {
    const port = await freePort()
    const keyward = start(['--listen', `127.0.0.1:${port}`, '--upstream', `redis://127.0.0.1:${await freePort()}`], {
      KEYWARD_TENANT: 'acme',
      KEYWARD_PASSWORD: 'pw',
    })
    await keyward.printed(/keyward is up: 1 listener, 1 upstream, 1 tenant, 1 user/)
    const client = await RawClient.connect({ port })
    expect(await client.command('PING')).toBe('-NOAUTH Authentication required.\r\n')
    expect(await client.command('AUTH', 'pw')).toBe('+OK\r\n')
    client.destroy()
    keyward.child.kill('SIGINT')
    expect(await keyward.exit).toEqual({ code: 0, signal: null })
    expect(keyward.output).not.toContain('"pw"')
  })

  it('takes orders at its admin socket until it ends', async () => {
    const path = join(dir, 'admin.sock')
    write({ admin: `{socket: "unix:${path}"}` })
    const keyward = start([file])
    await keyward.printed(/"socket":"unix:[^"]*admin\.sock".*keyward is up/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const order = async (...args: string[]) => {
      const cli = spawnKeyward([...args, '-c', file])
      const { code } = await cli.exit
      return `${code} ${cli.output}`
    }
    expect(await order('status')).toMatch(
      /^0 keyward \d+\.\d+\.\d+: not ready, upstream main has not been reached yet\n/,
    )
    expect(await order('pause', 'acme')).toMatch(/^0 .*acme/)
    expect(await order('resume', 'acme')).toMatch(/^0 .*acme/)
    expect(await order('pause', 'nobody')).toBe(
      '1 keyward: there is no tenant or upstream nobody\n    there are main, acme\n',
    )
    expect(await order('failover')).toMatch(/^1 keyward: .+\n {4}.+\n$/)
    expect(keyward.output).toContain('"request":"PROXY PAUSE acme"')

    write({ admin: `{socket: "unix:${path}", mode: "0660"}` })
    keyward.child.kill('SIGHUP')
    await keyward.printed(/configuration reloaded/)
    expect(statSync(path).mode & 0o777).toBe(0o660)
    keyward.child.kill('SIGTERM')
    expect((await keyward.exit).code).toBe(0)
    expect(await order('status')).toMatch(/^1 keyward: unix:.*: nothing listens there: there is no such socket\n/)
  })

  it('a second signal ends it at once, exit 1', async () => {
    write({ shutdown: '{deadline: 10m}' })
    const keyward = start([file])
    const { port, admin } = await ports(keyward)
    const client = await RawClient.connect({ port })
    client.send('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n')
    // Held for its upstream, the request holds up draining.
    await vi.waitFor(
      async () => expect(await metric(admin, 'keyward_queue_length{place="held",upstream="main"}')).toBe(1),
      PATIENCE,
    )
    keyward.child.kill('SIGTERM')
    await keyward.printed(/"msg":"draining"/)
    expect((await fetch(`${admin}/readyz`)).status).toBe(503)
    keyward.child.kill('SIGTERM')
    expect((await keyward.exit).code).toBe(1)
    client.destroy()
  })
})

describe('SIGHUP', () => {
  it('takes a good file, keeps the old one for a bad one, and says which', async () => {
    write()
    const keyward = start([file])
    const { admin } = await ports(keyward)
    const generation = () => metric(admin, 'keyward_config_generation')
    expect(await generation()).toBe(1)

    write({ tenants: '{acme: {upstream: main}, beta: {upstream: main, users: {default: {password: b}}}}' })
    keyward.child.kill('SIGHUP')
    await keyward.printed(/configuration reloaded: 1 listener, 1 upstream, 2 tenants, 2 users/)
    expect(await generation()).toBe(2)

    write({ memory: '64mb' })
    keyward.child.kill('SIGHUP')
    await keyward.printed(/configuration not reloaded, the old one stays: 1 problem/)
    expect(keyward.output).toContain('write 64MiB')
    expect(await generation()).toBe(2)

    write({ tenants: '{acme: {upstream: main, prefix: "other:"}}' })
    keyward.child.kill('SIGHUP')
    await keyward.printed(/the old one stays: .*prefix changes from \\"acme:\\" to \\"other:\\"/)
    expect(await generation()).toBe(2)
    keyward.child.kill('SIGTERM')
    expect((await keyward.exit).code).toBe(0)
  })

  it('moves the admin server, or keeps everything when its new address cannot be had', async () => {
    write()
    const keyward = start([file])
    const { admin } = await ports(keyward)
    const taken = await occupy()
    write({ admin: `{address: 127.0.0.1:${taken.port}}` })
    keyward.child.kill('SIGHUP')
    await keyward.printed(/the old one stays: cannot listen on/)
    expect(await metric(admin, 'keyward_config_generation')).toBe(1)

    const next = await freePort()
    write({ admin: `{address: 127.0.0.1:${next}}` })
    keyward.child.kill('SIGHUP')
    await keyward.printed(/configuration reloaded/)
    expect((await fetch(`http://127.0.0.1:${next}/healthz`)).status).toBe(200)
    await expect(fetch(`${admin}/healthz`)).rejects.toThrow()
    taken.close()
  })

  it('has nothing to read again where there is no file', async () => {
    const keyward = start(['--listen', '127.0.0.1:0', '--upstream', `redis://127.0.0.1:${away}`, '--tenant', 'acme'])
    await keyward.printed(/keyward is up/)
    keyward.child.kill('SIGHUP')
    await keyward.printed(/SIGHUP ignored/)
  })
})

describe('an address that cannot be had is one line with its cure, exit 1', () => {
  it.each(['--listen', '--admin'])('%s in use', async (flag) => {
    const taken = await occupy()
    const { port } = taken
    const listen = flag === '--listen' ? [] : ['--listen', `127.0.0.1:${await freePort()}`]
    const args = [...listen, flag, `127.0.0.1:${port}`, '--upstream', 'redis://127.0.0.1:1', '--tenant', 'acme']
    const keyward = start(args)
    expect((await keyward.exit).code).toBe(1)
    expect(keyward.output).toBe(
      `keyward: cannot listen on 127.0.0.1:${port}: it is in use\n    stop what listens there, or change ${flag === '--listen' ? 'listeners[].address' : 'admin.address'}\n`,
    )
    taken.close()
  })

  it('a socket in a folder that is not there', async () => {
    const keyward = start([
      '--listen',
      `unix:${dir}/none/k.sock`,
      '--upstream',
      'redis://127.0.0.1:1',
      '--tenant',
      'acme',
    ])
    expect((await keyward.exit).code).toBe(1)
    expect(keyward.output).toMatch(/^keyward: cannot listen on unix:.*\/none\/k\.sock: .*\n {4}.*\n$/)
  })
})
