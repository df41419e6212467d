import { createHash } from 'node:crypto'
import type { Redis as Server } from '../../scripts/lib/redis.mjs'
import { tenantUser } from '../../src/upstream/walls/wall-users.ts'
import { type ConfigObject, configFor, type Keyward, startKeyward } from './keyward.ts'
import { RawClient } from './raw-client.ts'
import { type RedisServer, startRedis } from './redis.ts'
import type { Escape, Layer, Verdict } from './script-escapes.ts'

/** How a script is sent: by itself, as a member of a transaction, or behind a WATCH. */
export type Manner = 'alone' | 'MULTI' | 'WATCH'

/** What is on the server beside the tenant's own. */
const OTHERS: readonly string[][] = [
  ['SET', 'beta:vault', 'CANARY'],
  ['SADD', 'beta:set', 'CANARY'],
  ['ZADD', 'beta:zset', '1', 'CANARY'],
  ['RPUSH', 'beta:list', 'CANARY'],
  ['XADD', 'beta:stream', '1-1', 'CANARY', 'CANARY'],
  ['XGROUP', 'CREATE', 'beta:stream', 'g', '0'],
  ['PFADD', 'beta:hll', 'CANARY', 'b'],
  ['SET', 'keyward:vault', 'CANARY'],
  ['SET', '7', 'CANARY'],
  ['SET', 'acm', 'CANARY'],
  ['SET', 'vault', 'CANARY'],
  ['SELECT', '1'],
  ['SET', 'acme:own', 'CANARY'],
  ['SELECT', '0'],
]

/** All that is not the tenant's: content and times to live of keys in three databases. */
const DIGEST = `
local rows = {}
for db = 0, 2 do
  redis.call('SELECT', db)
  local keys = redis.call('KEYS', '*')
  table.sort(keys)
  for _, key in ipairs(keys) do
    if not (db == 0 and key:find('^acme:') or key:find('^keyward:scripts?:')) then
      rows[#rows + 1] = db..' '..key..' '..redis.sha1hex(redis.call('DUMP', key))..' '..redis.call('PTTL', key)
    end
  end
end
redis.call('SELECT', 0)
return table.concat(rows, '\\n')`

const RESET = `
for _, key in ipairs(redis.call('KEYS', 'acme:*')) do redis.call('DEL', key) end
redis.call('SET', 'acme:own', 'mine')
redis.call('SELECT', 2)
redis.call('DEL', 'acme:own')
redis.call('SELECT', 0)
return redis.call('SET', 'beta:own', 'the other one')`

/** A server with things of others on it, watched by an operator. */
class Ground {
  readonly redis: RedisServer
  private readonly operator: RawClient
  private readonly listener: RawClient
  private readonly monitor: RawClient
  private marks = 0

  static async open(server: Server): Promise<Ground> {
    const redis = await startRedis({ config: ['maxmemory-samples 5'], redis: server })
    const [operator, listener, monitor] = await Promise.all(
      [1, 2, 3].map(() => RawClient.connect({ port: redis.port })),
    )
    const ground = new Ground(redis, operator, listener, monitor)
    await ground.fill()
    await operator.command(
      'FUNCTION',
      'LOAD',
      "#!lua name=vault\nredis.register_function('vault', function(k) return redis.call('GET', k[1]) end)",
    )
    await listener.command('PSUBSCRIBE', '*')
    await listener.command('SSUBSCRIBE', 'beta:shard')
    await monitor.command('MONITOR')
    return ground
  }

  private constructor(redis: RedisServer, operator: RawClient, listener: RawClient, monitor: RawClient) {
    this.redis = redis
    this.operator = operator
    this.listener = listener
    this.monitor = monitor
  }

  private async fill(): Promise<void> {
    for (const args of OTHERS) await this.operator.command(...args)
  }

  async reset(): Promise<void> {
    await this.operator.command('EVAL', RESET, 0)
  }

  /** A Lua without what scripts have done to it. */
  async newLua(): Promise<void> {
    await this.operator.command('SCRIPT', 'FLUSH')
  }

  /** As it was in the beginning; for the server that Keyward does not use. */
  async restore(): Promise<void> {
    for (const args of [['FLUSHALL'], ['CONFIG', 'SET', 'maxmemory-samples', '5'], ['ACL', 'DELUSER', 'mallory']])
      await this.operator.command(...args)
    await this.newLua()
    await this.fill()
  }

  /** What nobody but its owner may change. */
  async state(): Promise<string> {
    const { operator } = this
    const parts = [await operator.command('EVAL', DIGEST, 0)]
    for (const args of [
      ['CONFIG', 'GET', '*'],
      ['ACL', 'LIST'],
      ['FUNCTION', 'LIST'],
      ['INFO', 'modules'],
    ])
      parts.push(await operator.command(...args))
    return parts.join('\n')
  }

  /** The channels on which something was published since the last call. */
  async channels(): Promise<string[]> {
    const { listener } = this
    listener.send('PING mark\r\n')
    for (const channels: string[] = []; ; ) {
      const words = String(await listener.reply()).split('\r\n')
      if (words[2] === 'pong') return channels
      channels.push(words[2] === 'pmessage' ? words[6] : words[4])
    }
  }

  /** The commands that scripts have called since the last call. */
  async called(): Promise<string[]> {
    const mark = `mark ${++this.marks}`
    await this.operator.command('ECHO', mark)
    for (const lines: string[] = []; ; ) {
      const line = String(await this.monitor.reply()).trimEnd()
      if (line.includes(mark)) return lines
      if (/ \[\d+ lua\] /.test(line) && !KEEPING.test(line)) lines.push(line)
    }
  }

  async stop(): Promise<void> {
    for (const client of [this.operator, this.listener, this.monitor]) client.destroy()
    await this.redis.stop()
  }
}

/** Of Keyward's own script, which keeps the text of what EVAL says again. */
const KEEPING = / lua\] ("SET" "keyward:script:acme:[0-9a-f]{40}" |"(ZADD|ZCARD)" "keyward:scripts:acme")/

export interface Outcome {
  readonly verdict: Verdict
  /** For messages. */
  readonly replies: readonly string[]
  /** Commands of scripts that named what is not the tenant's. */
  readonly foreignCalls: readonly string[]
}

/** Where escapes are tried: a server for itself, and another behind two Keywards, of which one has no walls. */
export class EscapeStage {
  private readonly grounds: Readonly<Record<Layer, Ground>>
  private readonly keywards: readonly Keyward[]
  private readonly ways: Readonly<Record<Layer, readonly [RawClient, RawClient]>>

  static async open(escapes: readonly Escape[], server: Server): Promise<EscapeStage> {
    const [alone, shared] = await Promise.all([Ground.open(server), Ground.open(server)])
    const trustedScripts = escapes.flatMap(({ lua, next = '' }) => [lua, next]).map(sha1)
    const tenants = (more: ConfigObject) =>
      Object.fromEntries(
        ['acme', 'beta'].map((name) => [name, { upstream: 'main', users: { default: { password: name } }, ...more }]),
      )
    const [prologue, both] = await Promise.all([
      startKeyward(configFor(shared.redis, { tenants: tenants({ trustedScripts }) }, { walls: 'off' })),
      startKeyward(configFor(shared.redis, {}, { walls: 'required' })),
    ])
    const pair = async (keyward: Keyward) =>
      [await keyward.connect({ password: 'acme' }), await keyward.connect({ password: 'beta' })] as const
    const ways = { prologue: await pair(prologue), both: await pair(both) }
    // Its user is made when a tenant first runs a script.
    for (const client of ways.both) await client.command('EVAL', 'return 1', 0)
    const raw = async (ground: Ground, tenant?: string) => {
      const client = await RawClient.connect({ port: ground.redis.port })
      if (tenant === undefined) return client
      const { name, password } = tenantUser(tenant, { user: undefined, password: undefined })
      const reply = await client.command('AUTH', name, password)
      if (reply !== '+OK\r\n') throw new Error(reply)
      return client
    }
    const none = [await raw(alone), await raw(alone)] as const
    const wall = [await raw(shared, 'acme'), await raw(shared, 'beta')] as const
    return new EscapeStage(alone, shared, [prologue, both], { ...ways, none, wall })
  }

  private constructor(alone: Ground, shared: Ground, keywards: readonly Keyward[], ways: EscapeStage['ways']) {
    this.grounds = { none: alone, prologue: shared, wall: shared, both: shared }
    this.keywards = keywards
    this.ways = ways
  }

  async try(escape: Escape, layer: Layer, manner: Manner): Promise<Outcome> {
    const ground = this.grounds[layer]
    const [client, other] = this.ways[layer]
    await ground.reset()
    const before = await ground.state()
    await ground.channels()
    await ground.called()
    // Without a prologue, names are as Redis has them.
    const key = layer === 'none' || layer === 'wall' ? (tenant: string) => `${tenant}:own` : () => 'own'
    const reply = await run(client, manner, [escape.lua, '1', key('acme'), ...escape.args])
    const calls = await ground.called()
    const then = escape.next === undefined ? [] : [await run(other, 'alone', [escape.next, '1', key('beta')])]
    const touched =
      (await ground.state()) !== before || (await ground.channels()).some((name) => !name.startsWith('acme:'))
    if (layer === 'none') await ground.restore()
    else if (escape.setting) await ground.newLua()
    const passed =
      touched ||
      (reply.startsWith('-') ? escape.error : escape.foreign).test(reply) ||
      then.some((text) => text.includes('CANARY'))
    return {
      verdict: passed ? 'passed' : reply.startsWith('-') ? 'stopped' : 'own',
      replies: [reply, ...then],
      foreignCalls: calls.filter((line) => /"(beta|keyward):/.test(line.replace(/"acme:[^"]*"( "beta:vault"$)?/g, ''))),
    }
  }

  /** What has become of the Keywards. */
  get faults(): number {
    return this.keywards.reduce((sum, { proxy }) => sum + proxy.faults, 0)
  }

  async stop(): Promise<void> {
    for (const client of Object.values(this.ways).flat()) client.destroy()
    for (const keyward of this.keywards) keyward.stop()
    await Promise.all([this.grounds.none.stop(), this.grounds.both.stop()])
  }
}

/** The script's own reply. */
async function run(client: RawClient, manner: Manner, args: readonly string[]): Promise<string> {
  if (manner === 'alone') return client.command('EVAL', ...args)
  if (manner === 'WATCH') {
    await client.command('WATCH', 'watched')
    const reply = await client.command('EVAL', ...args)
    await client.command('UNWATCH')
    return reply
  }
  await client.command('MULTI')
  const queued = await client.command('EVAL', ...args)
  const exec = await client.command('EXEC')
  return queued === '+QUEUED\r\n' ? exec.slice(exec.indexOf('\r\n') + 2) : queued
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
