import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { tenantUser, wallUser } from '../../src/upstream/walls/wall-users.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** The ACL users behind which scripts run: what they may do, and that they are there when they are needed. */

const OPEN = { user: undefined, password: undefined }
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')

let redis: RedisServer
let keyward: Keyward
let acme: RawClient
let beta: RawClient

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis))
  acme = await keyward.connect({ password: 'acme' })
  beta = await keyward.connect({ password: 'beta' })
})

afterAll(async () => {
  acme?.destroy()
  beta?.destroy()
  keyward?.stop()
  await redis?.stop()
})

const GET = "return redis.call('GET', KEYS[1])"
const run = (client: RawClient, lua: string, ...keys: string[]) => client.command('EVAL', lua, keys.length, ...keys)
/** By the SHA, as a member of a transaction. */
async function inMulti(client: RawClient, lua: string, ...keys: string[]): Promise<string> {
  await client.command('MULTI')
  await client.command('EVALSHA', sha1(lua), keys.length, ...keys)
  return client.command('EXEC')
}
const users = async () => (await redis.cli('ACL', 'USERS')).split('\n').sort()
/** What Redis says that this user may do. */
const may = async (user: string, ...args: string[]) => (await redis.cli('ACL', 'DRYRUN', user, ...args)) === 'OK'

describe('users', () => {
  it('are made when they are first needed', async () => {
    expect(await acme.command('SET', 'a', '1')).toBe('+OK\r\n')
    expect(await users()).toEqual(['default', 'keyward:'])
    expect(await run(acme, GET, 'a')).toBe('$1\r\n1\r\n')
    expect(await users()).toEqual(['default', 'keyward:', 'keyward:acme'])
    // The very first script of a tenant, if it comes in a transaction, finds one that was not begun as its user.
    const transaction = async () => {
      await beta.command('MULTI')
      await run(beta, GET, 'a')
      return beta.command('EXEC')
    }
    expect(await transaction()).toMatch(/^(-EXECABORT |\*1\r\n\$-1\r\n)/)
    expect(await transaction()).toBe('*1\r\n$-1\r\n')
    expect(await users()).toEqual(['default', 'keyward:', 'keyward:acme', 'keyward:beta'])
  })

  it('have their own keys and channels, one derived password, and no other way in', async () => {
    const list = (await redis.cli('ACL', 'LIST')).split('\n')
    const rules = (name: string) => list.find((line) => line.startsWith(`user ${name} `)) ?? ''
    const digest = (name: string) => sha256(wallUser(name, OPEN).password)
    expect(rules('keyward:acme')).toContain(
      `user keyward:acme on sanitize-payload #${digest('keyward:acme')} ~acme:* resetchannels &acme:* `,
    )
    expect(rules('keyward:beta')).toContain(`#${digest('keyward:beta')} ~beta:* resetchannels &beta:* `)
    expect(rules('keyward:')).toContain(`user keyward: on sanitize-payload #${digest('keyward:')} ~* &* `)
    expect(new Set(['keyward:', 'keyward:acme', 'keyward:beta'].map(digest)).size).toBe(3)
    for (const line of list.filter((line) => line.includes('keyward:'))) expect(line).not.toContain('nopass')
  })

  it('may do what scripts of a tenant need, and nothing else', async () => {
    const user = 'keyward:acme'
    const allowed = `GET acme:a|SET acme:a b|EVAL x 0|EVALSHA x 0|EVAL_RO x 0|EVALSHA_RO x 0|SORT acme:a|SORT_RO acme:a|RESTORE acme:a 0 x
      |PING|ECHO x|SELECT 0|TIME|MULTI|EXEC|WATCH acme:a|UNWATCH|DISCARD|PUBLISH acme:c x|SPUBLISH acme:c x|MEMORY USAGE acme:a
      |OBJECT ENCODING acme:a|XINFO STREAM acme:a|BLPOP acme:a 0|COPY acme:a acme:b|LMPOP 1 acme:a LEFT`
    const denied = `GET beta:a|GET acme|GET keyward:script:acme:x|MGET acme:a beta:a|COPY acme:a beta:b|PUBLISH beta:c x|SPUBLISH c x|PUBLISH * x
      |KEYS *|SCAN 0|RANDOMKEY|DBSIZE|FLUSHALL|FLUSHDB|SWAPDB 0 1|SELECT 1|MOVE acme:a 1|INFO|CONFIG GET x|CONFIG SET x y
      |ACL LIST|ACL WHOAMI|ACL SETUSER x|CLIENT LIST|CLIENT KILL ID 1|CLIENT ID|CLIENT TRACKING ON|PUBSUB CHANNELS|MEMORY STATS
      |SLOWLOG GET|LATENCY RESET|MIGRATE h 1 acme:a 0 1|DEBUG OBJECT acme:a|SCRIPT FLUSH|SCRIPT LOAD x|SCRIPT KILL
      |FUNCTION LIST|FUNCTION LOAD x|FCALL f 0|FCALL_RO f 0|SHUTDOWN|REPLICAOF NO ONE|SAVE|BGSAVE|MODULE LIST|MONITOR|ROLE
      |LASTSAVE|WAIT 0 0|COMMAND|COMMAND COUNT|CLUSTER INFO|SUBSCRIBE beta:c|PSYNC x 1|FAILOVER|RESET|HELLO|AUTH x y|LOLWUT`
    const list = (text: string) => text.split('|').map((words) => words.trim().split(' '))
    const wrong: string[] = []
    for (const args of list(allowed)) if (!(await may(user, ...args))) wrong.push(`denied: ${args.join(' ')}`)
    for (const args of list(denied)) {
      // Redis lets everybody try these; Keyward never forwards them.
      if (/^(AUTH|HELLO|RESET)$/.test(args[0])) continue
      if (await may(user, ...args)) wrong.push(`allowed: ${args.join(' ')}`)
    }
    expect(wrong).toEqual([])
  })

  it('lanes may run no script and change nothing of the server', async () => {
    for (const args of [
      'EVAL x 0',
      'EVALSHA x 0',
      'FCALL f 0',
      'SCRIPT LOAD x',
      'FUNCTION LOAD x',
      'CONFIG SET a b',
      'ACL SETUSER x',
      'SHUTDOWN',
      'DEBUG SLEEP 1',
    ])
      expect([args, await may('keyward:', ...args.split(' '))]).toEqual([args, false])
    for (const args of ['GET acme:a', 'SET beta:a x', 'CLIENT KILL ID 1', 'SCAN 0', 'DBSIZE'])
      expect([args, await may('keyward:', ...args.split(' '))]).toEqual([args, true])
  })

  it('no connection of a tenant stays logged in as one', async () => {
    for (let i = 0; i < 10; i++) await run(acme, GET, 'a')
    const clients = (await redis.cli('CLIENT', 'LIST', 'TYPE', 'normal')).split('\n')
    expect(clients.filter((line) => / user=keyward:acme /.test(line)).length).toBe(0)
    expect(clients.some((line) => / user=keyward: /.test(line))).toBe(true)
  })
})

describe('heals', () => {
  const works = async () => {
    expect(await acme.command('SET', 'a', 'new')).toBe('+OK\r\n')
    expect(await run(acme, GET, 'a')).toBe('$3\r\nnew\r\n')
    expect(await acme.command('EVALSHA', sha1(GET), 1, 'a')).toBe('$3\r\nnew\r\n')
    expect(await inMulti(acme, GET, 'a')).toBe('*1\r\n$3\r\nnew\r\n')
  }

  it.each([
    ['a tenant user with another password', ['ACL', 'SETUSER', 'keyward:acme', 'resetpass', '>other']],
    ['a tenant user that was switched off', ['ACL', 'SETUSER', 'keyward:acme', 'off']],
    ['a tenant user that is gone', ['ACL', 'DELUSER', 'keyward:acme']],
    ['a server that has forgotten all scripts', ['SCRIPT', 'FLUSH']],
    ['both at once', []],
  ])('%s', async (name, args) => {
    await works()
    if (name === 'both at once') {
      await redis.cli('SCRIPT', 'FLUSH')
      await redis.cli('ACL', 'DELUSER', 'keyward:acme')
    } else expect(await redis.cli(...args)).toMatch(/^(OK|1)$/)
    await works()
  })

  it('a service user that is gone: its lanes were closed with it', async () => {
    await works()
    expect(await redis.cli('ACL', 'DELUSER', 'keyward:')).toBe('1')
    expect(await eventually(async () => (await acme.command('SET', 'a', 'x')) === '+OK\r\n')).toBe(true)
    await works()
    expect(await users()).toContain('keyward:')
  })

  it('a service user with another password, also between the two logins of a script', async () => {
    await works()
    await redis.cli('ACL', 'SETUSER', 'keyward:', 'resetpass', '>other')
    // The way back is closed, so the connection is; whether the script ran is known or said to be unknown.
    expect(await run(acme, GET, 'a')).toMatch(/^(\$3\r\nnew|-OUTCOMEUNKNOWN |-UPSTREAMDOWN )/)
    expect(await eventually(async () => (await run(acme, GET, 'a')) === '$3\r\nnew\r\n')).toBe(true)
    await works()
  })

  it('a restart of the server', async () => {
    await works()
    await redis.restart()
    expect(await eventually(async () => (await acme.command('SET', 'a', 'x')) === '+OK\r\n')).toBe(true)
    // Its texts are not lost with it: this process knows them.
    expect(await acme.command('EVALSHA', sha1(GET), 1, 'a')).toBe('$1\r\nx\r\n')
    await works()
  })

  it('a restart, at first in a transaction', async () => {
    await redis.restart()
    expect(await eventually(async () => (await acme.command('SET', 'a', 'y')) === '+OK\r\n')).toBe(true)
    expect(await inMulti(acme, GET, 'a')).toBe('*1\r\n$1\r\ny\r\n')
  })
})

describe('a tenant that goes', () => {
  const reload = (config: ConfigObject) =>
    keyward.proxy.reload(parseConfig(stringify(config), { source: 'test.yaml', env: {}, baseDir: '.' }))

  it('takes its user along, and finds a new one when it comes back', async () => {
    await run(beta, GET, 'a')
    expect(await users()).toContain('keyward:beta')
    const { acme: only } = configFor(redis).tenants as Record<string, unknown>
    await reload(configFor(redis, { tenants: { acme: only } }))
    expect(await eventually(async () => !(await users()).includes('keyward:beta'))).toBe(true)
    expect(await users()).toContain('keyward:acme')
    await acme.command('SET', 'a', 'z')
    expect(await run(acme, GET, 'a')).toBe('$1\r\nz\r\n')
    await reload(configFor(redis))
    const again = await keyward.connect({ password: 'beta' })
    expect(await run(again, GET, 'a')).toBe('$-1\r\n')
    expect(await users()).toContain('keyward:beta')
    again.destroy()
  })
})

describe('passwords', () => {
  it('differ with those of the upstream, and agree between processes', () => {
    const one = tenantUser('acme', { user: 'keyward', password: 'secret' })
    expect(one).toEqual(tenantUser('acme', { user: 'keyward', password: 'secret' }))
    for (const other of [OPEN, { user: 'keyward', password: 'other' }, { user: undefined, password: 'secret' }])
      expect(tenantUser('acme', other).password).not.toBe(one.password)
    expect(one.password).not.toContain('secret')
  })
})
