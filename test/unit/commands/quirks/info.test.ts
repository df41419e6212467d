import { beforeEach, describe, expect, test } from 'vitest'
import { authenticator, FakeServer, LocalClient, tenant } from '../../../helpers/local-client.ts'

const acme = tenant('acme', { databases: 5, maxClients: 200 })
const other = tenant('other')
const alone = tenant('alone', { prefix: '' })

let server: FakeServer
let client: LocalClient
const clientOf = (of: typeof acme) => new LocalClient(server, authenticator({}, { tenant: of, user: 'default' }))

beforeEach(() => {
  server = new FakeServer()
  client = clientOf(acme)
})

const info = (...sections: string[]) => client.ask('INFO', ...sections)
const titles = (text: string) => [...text.matchAll(/^# (\w+)\r$/gm)].map(([, title]) => title)
const fields = (text: string) => new Map([...text.matchAll(/^(\w+):(.*)\r$/gm)].map(([, name, value]) => [name, value]))

const DEFAULT = [
  'Server',
  'Clients',
  'Memory',
  'Persistence',
  'Stats',
  'Replication',
  'CPU',
  'Modules',
  'Errorstats',
  'Cluster',
  'Keyspace',
]
const ALL = [...DEFAULT.slice(0, 8), 'Commandstats', 'Errorstats', 'Latencystats', 'Cluster', 'Keyspace']

describe('sections', () => {
  test('by default, all of them, and some', () => {
    expect(titles(info())).toEqual(DEFAULT)
    expect(titles(info('default'))).toEqual(DEFAULT)
    expect(titles(info('ALL'))).toEqual(ALL)
    expect(titles(info('everything'))).toEqual(ALL)
    expect(titles(info('keyspace', 'Server', 'server', 'nosuch'))).toEqual(['Server', 'Keyspace'])
    expect(titles(info('default', 'commandstats'))).toEqual(ALL.filter((title) => title !== 'Latencystats'))
    expect(titles(info('nosuch', 'all'))).toEqual(ALL)
  })

  test('a blank line between them and none at the end', () => {
    expect(info('keyspace', 'modules')).toBe('$25\r\n# Modules\r\n\r\n# Keyspace\r\n\r\n')
    expect(info('nosuch')).toBe('$0\r\n\r\n')
  })

  test('plain text in RESP3', () => {
    client.ask('HELLO', '3')
    expect(info('modules')).toBe('=15\r\ntxt:# Modules\r\n\r\n')
  })
})

describe('the keyspace', () => {
  test('before it was counted', () => {
    expect(info('keyspace')).toBe('$12\r\n# Keyspace\r\n\r\n')
    expect(fields(info()).get('keyward_keyspace_age_seconds')).toBe('-1')
  })

  test('databases with keys, by the last count', () => {
    server.counts = [
      { db: 0, keys: 7, age: 3 },
      { db: 2, keys: 0, age: 60 },
      { db: 3, keys: 1, age: 5 },
    ]
    const text = '# Keyspace\r\ndb0:keys=7,expires=0,avg_ttl=0\r\ndb3:keys=1,expires=0,avg_ttl=0\r\n'
    expect(info('keyspace')).toBe(`$${text.length}\r\n${text}\r\n`)
    expect(fields(info('server')).get('keyward_keyspace_age_seconds')).toBe('60')
  })
})

describe('the view of a tenant', () => {
  test('what clients look at when they connect', () => {
    const seen = fields(info())
    expect(Object.fromEntries(seen)).toMatchObject({
      redis_version: '7.0.15',
      redis_mode: 'standalone',
      loading: '0',
      role: 'master',
      connected_slaves: '0',
      cluster_enabled: '0',
      aof_enabled: '0',
      maxmemory_policy: 'noeviction',
      tcp_port: '6380',
      uptime_in_seconds: '100',
      keyward_version: '0.1.0',
      maxclients: '200',
      total_commands_processed: '42',
    })
  })

  test('counts its own clients', () => {
    clientOf(other)
    clientOf(acme)
    expect(fields(info('clients')).get('connected_clients')).toBe('2')
  })

  test('ids stay, and differ between tenants', () => {
    const id = fields(info('server')).get('run_id')
    expect(id).toMatch(/^[0-9a-f]{40}$/)
    server.time += 1000
    expect(fields(info('server')).get('run_id')).toBe(id)
    expect(fields(info('replication')).get('master_replid')).not.toBe(id)
    client = clientOf(other)
    expect(fields(info('server')).get('run_id')).not.toBe(id)
  })

  test('nothing in it moves when only other tenants work', () => {
    const before = info('everything')
    server.facts = {
      ...server.facts,
      info: new Map(
        [...fields(before).keys()].filter((name) => name !== 'maxmemory_policy').map((name) => [name, '987654321']),
      ),
    }
    clientOf(other)
    expect(info('everything')).toBe(before)
  })

  test('the tenant without a prefix sees its server', () => {
    server.facts = {
      ...server.facts,
      info: new Map([
        ['used_memory', '123456'],
        ['used_memory_human', '120.56K'],
        ['keyspace_hits', '9'],
      ]),
    }
    client = clientOf(alone)
    expect(Object.fromEntries(fields(info()))).toMatchObject({
      used_memory: '123456',
      used_memory_human: '120.56K',
      keyspace_hits: '9',
      maxmemory: '0',
    })
  })
})
