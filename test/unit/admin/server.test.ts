import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AdminServer } from '../../../src/admin/server.ts'
import { FakeSource, report, upstream } from './source.ts'

const source = new FakeSource()
const errors: string[] = []
const log = { error: (_fields: object, text: string) => void errors.push(text) }
const server = new AdminServer({ address: { host: '127.0.0.1', port: 0 }, version: '1', log }, source)
let base = ''

beforeAll(async () => {
  await server.listen()
  base = `http://127.0.0.1:${server.bound.port}`
})

afterAll(() => server.close())

async function ask(path: string, init?: RequestInit): Promise<[status: number, body: string, headers: Headers]> {
  const response = await fetch(base + path, init)
  return [response.status, await response.text(), response.headers]
}

/** Writes bytes and reads until the server closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(server.bound.port, '127.0.0.1', () => socket.write(text))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

describe('pages', () => {
  it('/healthz says that the process lives, ready or not', async () => {
    source.readiness = { ready: false, reason: 'draining' }
    expect((await ask('/healthz')).slice(0, 2)).toEqual([200, 'ok\n'])
  })

  it('/readyz says whether to send traffic, and why not', async () => {
    source.readiness = { ready: true, reason: 'ready' }
    expect((await ask('/readyz')).slice(0, 2)).toEqual([200, 'ready\n'])
    source.readiness = { ready: false, reason: 'upstream main has not been reached yet' }
    const [status, body] = await ask('/readyz')
    expect(status).toBe(503)
    expect(JSON.parse(body)).toEqual({
      error: 'not ready: upstream main has not been reached yet',
      cure: 'wait, or see the log',
    })
  })

  it('/metrics is Prometheus text', async () => {
    const [status, body, headers] = await ask('/metrics?name=x')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(body).toMatch(/^# HELP keyward_ready /m)
  })

  it('/upstreams is all that is known of them, and of the process whether it is ready', async () => {
    source.readiness = { ready: false, reason: 'upstream main is unusable' }
    const plain = upstream()
    const replica = { address: '10.0.0.8:6379', usable: false, lag: Number.POSITIVE_INFINITY, reads: 7 }
    const other = upstream({ name: 'other', health: { ...plain.health, age: undefined, report: undefined } })
    source.process = { ...source.process, upstreams: [{ ...plain, replicas: [replica] }, other] }
    const [status, body, headers] = await ask('/upstreams')
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json'])
    const { at: _, ...found } = report()
    const { why: _why, ...rest } = plain
    expect(JSON.parse(body)).toEqual({
      ready: false,
      reason: 'upstream main is unusable',
      upstreams: [
        {
          ...rest,
          health: { ok: true, reason: '', age: 250, failures: 0, report: found, concerns: [] },
          replicas: [{ ...replica, lag: null }],
        },
        { ...rest, name: 'other', health: { ok: true, reason: '', failures: 0, concerns: [] } },
      ],
    })
  })

  it('HEAD has the headers without the body', async () => {
    const [status, body, headers] = await ask('/healthz', { method: 'HEAD' })
    expect([status, body, headers.get('content-length')]).toEqual([200, '', '3'])
  })
})

describe('everything else is refused in one shape', () => {
  it.each(['/', '/metrics/', '/healthz/x', '/../healthz%00', '/toString', '/__proto__', '/constructor'])(
    '404 for %s',
    async (path) => {
      const [status, body, headers] = await ask(path)
      expect(status).toBe(404)
      expect(headers.get('content-type')).toBe('application/json')
      expect(JSON.parse(body)).toEqual({
        error: 'no such page',
        cure: 'there are /healthz, /readyz, /metrics, /upstreams, /limits, /cache, /ttl',
      })
    },
  )

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('405 for %s', async (method) => {
    const [status, body, headers] = await ask('/metrics', { method })
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe('GET, HEAD')
    expect(JSON.parse(body).error).toBe('only GET and HEAD are answered')
  })

  it('headers over 8 KiB', async () => {
    expect(await raw(`GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /)
  })

  it('what is not HTTP', async () => {
    expect(await raw('*1\r\n$4\r\nPING\r\n')).toMatch(/^HTTP\/1.1 400 /)
  })

  it('500 when the process cannot be read, and the log has why', async () => {
    const broken = new AdminServer(
      { address: { host: '127.0.0.1', port: 0 }, version: '1', log },
      { ready: () => source.ready(), view: () => JSON.parse('x'), tenantLabels: () => 1 },
    )
    await broken.listen()
    const response = await fetch(`http://127.0.0.1:${broken.bound.port}/metrics`)
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({ error: 'internal error', cure: 'see the log' })
    expect(errors).toContain('admin request failed')
    await broken.close()
  })
})

describe('its port', () => {
  it('in use is an error of listen()', async () => {
    const second = new AdminServer({ address: server.bound, version: '1', log }, source)
    await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it('is free after close(), whoever is connected', async () => {
    const first = new AdminServer({ address: { host: '127.0.0.1', port: 0 }, version: '1', log }, source)
    await first.listen()
    const address = first.bound
    const lingering = connect(address.port, address.host)
    await new Promise((resolve) => lingering.once('connect', resolve))
    lingering.on('error', () => undefined)
    await first.close()
    const second = new AdminServer({ address, version: '1', log }, source)
    await second.listen()
    expect(second.bound).toEqual(address)
    await second.close()
  })
})
