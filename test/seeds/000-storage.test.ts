import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { JsonArchive } from './000-storage/json-archive.ts'
import { RedisArchive } from './000-storage/redis-archive.ts'
import { collect } from './000-storage/workload.ts'

/**
 * An archive that moved from a JSON file to Redis, for two houses at once that share one server: neither notices, and
 * the archive in Redis says at every point what the document says.
 */
const WORKERS = 4
const HOUSES = ['acme', 'beta'] as const
/** The archive's own; others of the tenant's databases must not show either. */
const DB = 2

let redis: RedisServer
let keyward: Keyward
const clients: Redis[] = []

beforeAll(async () => {
  redis = await startRedis()
  const tenant = (name: string) => ({ upstream: 'main', databases: 5, users: { default: { password: name } } })
  keyward = await startKeyward(configFor(redis, { tenants: { acme: tenant('acme'), beta: tenant('beta') } }))
})

afterAll(async () => {
  for (const client of clients) client.disconnect()
  keyward?.stop()
  await redis?.stop()
})

beforeEach(async () => {
  await redis.cli('FLUSHALL')
})

function connect(house: string, db = DB): Redis {
  const client = new Redis({ host: '127.0.0.1', port: keyward.port, password: house, db })
  clients.push(client)
  return client
}

async function rawKeys(): Promise<string[]> {
  return (await redis.cli('KEYS', '*')).split('\n').filter((key) => key !== '')
}

async function collectBoth() {
  const archives = HOUSES.map((house) => ({
    house,
    inRedis: new RedisArchive(connect(house)),
    inJson: new JsonArchive(),
  }))
  await Promise.all(archives.map(({ inRedis, house }) => collect(inRedis, house, WORKERS)))
  for (const { inJson, house } of archives) await collect(inJson, house, WORKERS)
  return archives
}

test('both archives say what their documents say', async () => {
  const archives = await collectBoth()
  for (const { house, inRedis, inJson } of archives) {
    const document = await inJson.read()
    expect(await inRedis.read(), house).toEqual(document)
    expect(JSON.stringify(document)).not.toContain(HOUSES.find((other) => other !== house))
    expect(await inRedis.seasons()).toEqual(await inJson.seasons())
    for (const season of document.seasons)
      expect(await inRedis.designers(season)).toEqual(await inJson.designers(season))
    expect(await inRedis.progress()).toEqual(await inJson.progress())
    expect(await inRedis.progress()).toEqual({ designers: 24, complete: 22, looks: 92, images: 185, percent: 95 })
  }
})

test('every raw key is behind its house, in the database of the archive', async () => {
  const archives = await collectBoth()
  const keys = await rawKeys()
  const of = (house: string) => keys.filter((key) => key.startsWith(`${house}:${DB}:`))
  expect(of('acme').length + of('beta').length).toBe(keys.length)
  expect(of('acme').map((key) => key.slice(4))).toEqual(expect.arrayContaining(of('beta').map((key) => key.slice(4))))
  for (const { house } of archives) {
    const client = connect(house)
    expect(await client.dbsize()).toBe(of(house).length)
    expect((await client.keys('*')).map((key) => `${house}:${DB}:${key}`).sort()).toEqual(of(house).sort())
    expect(await client.keys(`${house}:*`)).toEqual([])
    expect(await client.keys('images:https://shows.example/2021/\\[fall\\]\\?d=1&x=\\*:*')).toHaveLength(4)
    expect(await connect(house, 0).dbsize()).toBe(0)
  }
})

test('a written document is the one that was read, and replaces what was there', async () => {
  const [acme, beta] = await collectBoth()
  const [ofAcme, ofBeta] = [await acme.inRedis.read(), await beta.inRedis.read()]
  // A backup of one house restored into the other one's, and the old one into another database.
  await beta.inRedis.write(ofAcme)
  await new RedisArchive(connect('beta', 4)).write(ofBeta)
  expect(await beta.inRedis.read()).toEqual(ofAcme)
  expect(await acme.inRedis.read()).toEqual(ofAcme)
  expect(await new RedisArchive(connect('beta', 4)).read()).toEqual(ofBeta)
  await acme.inRedis.write({ seasons: [], note: {} })
  expect(await acme.inRedis.read()).toEqual({ seasons: [], note: {} })
  expect((await rawKeys()).filter((key) => key.startsWith('acme:'))).toEqual([`acme:${DB}:note`])
  expect(await beta.inRedis.read()).toEqual(ofAcme)
})

test('an archive that is emptied leaves the other house alone', async () => {
  const [acme, beta] = await collectBoth()
  const document = await beta.inRedis.read()
  await connect('acme', 1).set('of another application', 'x')
  await connect('acme').flushdb()
  expect(await acme.inRedis.read()).toEqual({ seasons: [], note: {} })
  expect(await beta.inRedis.read()).toEqual(document)
  expect((await rawKeys()).filter((key) => key.startsWith('acme:'))).toEqual(['acme:1:of another application'])
  await connect('acme', 3).flushall()
  expect((await rawKeys()).filter((key) => key.startsWith('acme:'))).toEqual([])
  expect(await beta.inRedis.read()).toEqual(document)
})
