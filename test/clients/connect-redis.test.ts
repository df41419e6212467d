import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore } from 'connect-redis'
import session, { type Request, type SessionData } from 'express-session'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** Sessions of express-session kept in Redis by connect-redis: two tenants with the same session ids and the same secret. */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(async () => {
  const warnings = stage.warnings()
  await stage.stop()
  expect(warnings).toEqual([])
})

skip('connect-redis', undefined)

const COUNT = 250

const open = async (password: string, RESP: 2 | 3) => {
  const client = createClient({ url: `redis://:${password}@127.0.0.1:${stage.keyward.port}`, RESP })
  client.on('error', () => {})
  await client.connect()
  return client
}
type Client = Awaited<ReturnType<typeof open>>

const aSession = (more: Record<string, unknown>): SessionData => ({ cookie: { originalMaxAge: null }, ...more })
const ids = Array.from({ length: COUNT }, (_, i) => `id${i}`).sort()

describe.each([2, 3] as const)('connect-redis, RESP%i', (RESP) => {
  let clients: Client[]
  let acme: RedisStore
  let beta: RedisStore

  beforeAll(async () => {
    clients = [await open('acme', RESP), await open('beta', RESP)]
    ;[acme, beta] = clients.map((client) => new RedisStore({ client }))
  })

  beforeEach(async () => {
    await stage.redis.cli('FLUSHALL')
  })

  afterAll(async () => {
    for (const client of clients) await client.close()
  })

  test('set, get, touch, destroy', async () => {
    const ttl = () => clients[0].ttl('sess:one')
    await acme.set('one', aSession({ user: 'ann' }))
    expect(await acme.get('one')).toEqual(aSession({ user: 'ann' }))
    expect(await ttl()).toBeGreaterThan(86_000)
    const expires = new Date(Date.now() + 2_000_000)
    await acme.touch('one', { cookie: { expires } })
    expect(await ttl()).toBeLessThanOrEqual(2_000)
    expect(await ttl()).toBeGreaterThan(1_000)
    expect(await beta.get('one')).toBeNull()
    await beta.destroy('one')
    expect(await acme.get('one')).toEqual(aSession({ user: 'ann' }))
    expect(await stage.rawKeys()).toEqual(['acme:sess:one'])
    await acme.destroy('one')
    expect(await acme.get('one')).toBeNull()
    expect(await stage.rawKeys()).toEqual([])
  })

  test('length, ids, all and clear see the sessions of one tenant, and nothing else of it', async () => {
    await clients[0].set('other:id0', 'no session')
    for (const id of ids) {
      await acme.set(id, aSession({ user: `acme ${id}` }))
      await beta.set(id, aSession({ user: `beta ${id}` }))
    }
    await beta.set('only', aSession({ user: 'beta only' }))
    expect([await acme.length(), await beta.length()]).toEqual([COUNT, COUNT + 1])
    expect((await acme.ids()).sort()).toEqual(ids)
    const all: SessionData[] = await acme.all()
    expect(all.map(({ id, user }) => `${id} ${user}`).sort()).toEqual(ids.map((id) => `${id} acme ${id}`))
    await acme.clear()
    expect([await acme.length(), await acme.all(), await beta.length()]).toEqual([0, [], COUNT + 1])
    expect((await stage.rawKeys()).filter((key) => !key.startsWith('beta:sess:'))).toEqual(['acme:other:id0'])
    expect((await beta.get('id7'))?.user).toBe('beta id7')
  })

  test('over HTTP: a cookie is worth a session at the tenant that gave it', async () => {
    const sites = await Promise.all([acme, beta].map(site))
    const [acmeSite, betaSite] = sites
    const first = await acmeSite.visit()
    expect(first.text).toBe('1')
    expect(await acmeSite.visit(first.cookie)).toMatchObject({ text: '2' })
    expect(await betaSite.visit(first.cookie)).toMatchObject({ text: '1' })
    expect(await acmeSite.visit(first.cookie)).toMatchObject({ text: '3' })
    expect(await acmeSite.visit(first.cookie, '/logout')).toMatchObject({ text: 'bye' })
    expect(await acmeSite.visit(first.cookie)).toMatchObject({ text: '1' })
    expect((await stage.rawKeys()).filter((key) => !/^(acme|beta):sess:[\w-]+$/.test(key))).toEqual([])
    for (const { close } of sites) close()
  })
})

/** A web server that counts a visitor's requests in the session. */
async function site(store: RedisStore) {
  const withSession = session({ secret: 'the same everywhere', store, resave: false, saveUninitialized: false })
  const server = createServer((request: IncomingMessage, reply: ServerResponse) => {
    withSession(request, reply, (error) => {
      if (error !== undefined) {
        reply.statusCode = 500
        reply.end(String(error))
        return
      }
      const { session: visitor } = request as Request
      if (request.url === '/logout') {
        visitor.destroy((failure) => reply.end(failure ? String(failure) : 'bye'))
        return
      }
      visitor.visits = Number(visitor.visits ?? 0) + 1
      reply.end(String(visitor.visits))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    async visit(cookie?: string, path = '/') {
      const reply = await fetch(`http://127.0.0.1:${port}${path}`, { headers: cookie === undefined ? {} : { cookie } })
      return { text: await reply.text(), cookie: reply.headers.get('set-cookie')?.split(';')[0] }
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
