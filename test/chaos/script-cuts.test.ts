import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { tenantUser, wallUser } from '../../src/upstream/walls/wall-users.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A script travels between two logins. Wherever the connection is cut, and whichever login is refused, nothing runs as somebody
 * else: Redis, which logs whatever it denies, has nothing to log, and nobody sees what is not theirs.
 */

const CUTS = { default: 160, long: 1200, drill: 4000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 160
const ADD = "return {redis.call('INCR', KEYS[1]), redis.call('GET', 'own')}"
const SHA = createHash('sha1').update(ADD).digest('hex')
const OPEN = { user: undefined, password: undefined }

let redis: RedisServer
let fault: FaultProxy
let keyward: Keyward
let clients: Record<'acme' | 'beta', RawClient>

beforeAll(async () => {
  redis = await startRedis()
  fault = await FaultProxy.start({ port: redis.port })
  // One lane: everybody's requests stand before, between and behind.
  keyward = await startKeyward(configFor({ url: fault.url }, {}, { lanes: 1 }))
  clients = { acme: await keyward.connect({ password: 'acme' }), beta: await keyward.connect({ password: 'beta' }) }
  for (const [name, client] of Object.entries(clients)) {
    await client.command('SET', 'own', `of ${name}`)
    await client.command('SCRIPT', 'LOAD', ADD)
    await client.command('EVALSHA', SHA, 1, 'n')
  }
  await redis.cli('ACL', 'LOG', 'RESET')
})

afterAll(async () => {
  for (const client of Object.values(clients ?? {})) client.destroy()
  keyward?.stop()
  await fault?.stop()
  await redis?.stop()
})

/** A pipeline of both at the same time; what each of them got. */
async function burst(): Promise<Record<'acme' | 'beta', string[]>> {
  const pipeline = Buffer.concat([
    request('GET', 'own'),
    request('EVALSHA', SHA, 1, 'n'),
    request('SET', 'x', '1'),
    request('EVALSHA', SHA, 1, 'n'),
    request('GET', 'own'),
  ])
  const [acme, beta] = await Promise.all([clients.acme.exchange(pipeline, 5), clients.beta.exchange(pipeline, 5)])
  return { acme: acme.map(String), beta: beta.map(String) }
}

/** What a lost connection may be answered with. */
const LOST = /^-(OUTCOMEUNKNOWN|UPSTREAMDOWN|UPSTREAMTIMEOUT) /

function check(name: string, replies: readonly string[]): number {
  const own = `$7\r\nof ${name}\r\n`
  let lost = 0
  for (const [i, reply] of replies.entries()) {
    if (LOST.test(reply)) {
      lost++
      continue
    }
    if (i === 2) expect(reply).toBe('+OK\r\n')
    else if (i % 2 === 0) expect(reply).toBe(own)
    else expect(reply).toMatch(new RegExp(`^\\*2\r\n:\\d+\r\n\\$7\r\nof ${name}\r\n$`))
  }
  return lost
}

/** Denials, but of wrong passwords. */
const denied = async () =>
  (await redis.cli('ACL', 'LOG')).split('\n').filter((line) => /^(command|key|channel)$/.test(line.trim()))

/** How long the piece of one script is: two logins and EVALSHA. */
const PIECE = 260

it('cut after any byte of the piece, on the way there or back', { timeout: 60_000 + CUTS * 150 }, async () => {
  let lost = 0
  let cuts = 0
  const count = async (name: string) => Number(await redis.cli('GET', `${name}:n`))
  for (let i = 0; i < CUTS; i++) {
    const direction = i % 4 === 3 ? 'reply' : 'request'
    const before = [await count('acme'), await count('beta')]
    const seen = fault.cuts
    const bytes = direction === 'reply' ? (i * 7) % 160 : (i * 5) % (PIECE * 3)
    // The login of either; replies have nothing that tells one from another but their text.
    fault.cutFrom(
      direction === 'reply' ? 'of ' : i % 2 === 0 ? 'keyward:acme' : 'keyward:beta',
      direction,
      bytes,
      i % 3 === 0 ? 'FIN' : 'RST',
    )
    const { acme, beta } = await burst()
    const gone = check('acme', acme) + check('beta', beta)
    if (fault.cuts > seen) cuts++
    lost += gone
    // Each ran as often as it was acknowledged, and at most as often as it may have run.
    for (const [at, [name, replies]] of (
      [
        ['acme', acme],
        ['beta', beta],
      ] as const
    ).entries()) {
      expect(await eventually(async () => (await clients[name].command('GET', 'own')).startsWith('$7'))).toBe(true)
      const runs = (await count(name)) - before[at]
      const acknowledged = [replies[1], replies[3]].filter((reply) => reply.startsWith('*')).length
      const possible = [replies[1], replies[3]].filter((reply) => !reply.startsWith('-UPSTREAMDOWN')).length
      expect(runs).toBeGreaterThanOrEqual(acknowledged)
      expect(runs).toBeLessThanOrEqual(possible)
    }
    expect(await denied()).toEqual([])
  }
  console.log(`script cuts: ${CUTS} tried, ${cuts} cut, ${lost} requests without an answer of Redis`)
  expect(cuts).toBeGreaterThan(CUTS / 2)
  expect(lost).toBeGreaterThan(0)
  expect((await redis.cli('KEYS', '*')).split('\n').filter((key) => !/^(acme|beta|keyward):/.test(key))).toEqual([])
})

it('a login that is refused in the middle of a pipeline: the script does not run as anybody else', {
  timeout: 60_000,
}, async () => {
  for (let i = 0; i < 20; i++) {
    await redis.cli('ACL', 'SETUSER', 'keyward:acme', 'resetpass', `>wrong ${i}`)
    const { acme, beta } = await burst()
    // The other's script, in the same piece of bytes, is not concerned.
    expect(check('beta', beta)).toBe(0)
    check('acme', acme)
    expect(await eventually(async () => (await clients.acme.command('EVALSHA', SHA, 1, 'n')).startsWith('*2'))).toBe(
      true,
    )
  }
  // What ran between a refused login and the next was refused for what it is: a script of the service user.
  const log = (await redis.cli('ACL', 'LOG', '100')).split('\n')
  const users = log.flatMap((line, at) => (line === 'username' ? [log[at + 1]] : []))
  expect(users.filter((user) => user !== 'keyward:' && user !== 'keyward:acme')).toEqual([])
  expect(await redis.cli('GET', 'acme:own')).toBe('of acme')
})

it('a way back that is refused: nothing of others runs as the tenant', { timeout: 60_000 }, async () => {
  await redis.cli('ACL', 'LOG', 'RESET')
  for (let i = 0; i < 20; i++) {
    await redis.cli('ACL', 'SETUSER', 'keyward:', 'resetpass', `>wrong ${i}`)
    const { acme, beta } = await burst()
    check('acme', acme)
    check('beta', beta)
    for (const client of Object.values(clients))
      expect(await eventually(async () => (await client.command('GET', 'own')).startsWith('$7'))).toBe(true)
  }
  for (const name of ['acme', 'beta']) expect(await redis.cli('GET', `${name}:own`)).toBe(`of ${name}`)
})

it('somebody who says that he is the wall, with a wrong password, is nobody', async () => {
  const raw = await RawClient.connect({ port: redis.port })
  for (const { name, password } of [tenantUser('acme', OPEN), wallUser('keyward:', OPEN)]) {
    expect(await raw.command('AUTH', name, 'acme')).toMatch(/^-WRONGPASS/)
    expect(await raw.command('AUTH', name, password)).toBe('+OK\r\n')
  }
  raw.destroy()
})

it('leaves nothing behind', async () => {
  for (const client of Object.values(clients)) client.destroy()
  expect(await leftovers(keyward)).toEqual({})
})
