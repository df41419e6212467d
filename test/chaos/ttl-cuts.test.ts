import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Direction, FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * The connection to the server is cut at every byte of a batch of writes to keys that have to have a time to live, on the
 * way there and on the way back: no key whose write was acknowledged is left without one.
 */
const CUTS = { default: 180, long: 2400, drill: 9600 }[process.env.KEYWARD_TIER ?? 'default'] ?? 180

let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(async () => {
  await redis?.stop()
})

interface Batch {
  readonly name: string
  /** `$` is a prefix of names that nobody has used. The first has `$a` in it. */
  readonly commands: readonly string[]
  /** The keys that a request leaves behind when it has been executed; by its position. */
  readonly keys: Readonly<Record<number, string>>
}

const BATCHES: readonly Batch[] = [
  {
    name: 'one write each',
    commands: ['INCR $a', 'SET $b v', 'HSET $c f v', 'GET $a', 'RPUSH $d x y', 'LMOVE $d $e LEFT LEFT', 'APPEND $b w'],
    keys: { 0: '$a', 1: '$b', 2: '$c', 4: '$d', 5: '$d $e', 6: '$b' },
  },
  {
    name: 'several keys, and values that are overwritten',
    commands: ['MSET $a 1 $b 2 $c 3', 'GETSET $a 2', 'BITOP NOT $b $c', 'RENAME $c $d', 'SETNX $e v', 'SADD $f x'],
    keys: { 0: '$a $b', 1: '$a', 2: '$b', 3: '$d', 4: '$e', 5: '$f' },
  },
  {
    name: 'in MULTI',
    commands: ['WATCH $a', 'MULTI', 'INCR $a', 'MSET $b 1 $c 2', 'LPUSH $d x', 'EXEC', 'INCR $e'],
    keys: { 5: '$a $b $c $d', 6: '$e' },
  },
]

/** A client, its Keyward and the connection that is cut. */
interface Stage {
  readonly keyward: Keyward
  readonly fault: FaultProxy
  readonly client: RawClient
  /** Past Keyward. */
  readonly bare: RawClient
  readonly batch: Batch
  /** Keys that nobody was told of and that stay. */
  left: number
}

const RUNS = BATCHES.flatMap((batch) =>
  ([2, 3] as const).map((protocol) => ({ batch, protocol, how: protocol === 2 ? ('RST' as const) : ('FIN' as const) })),
)

let cuts = 0
let unconfirmed = 0

for (const { batch, protocol, how } of RUNS) {
  test(`${batch.name}, RESP${protocol}, cut by ${how}`, { timeout: 900_000 }, async () => {
    const stage = await open(batch, protocol)
    const share = Math.ceil(CUTS / RUNS.length)
    // Uncut, to know how long everything is.
    const measured = await run(stage, 'x'.repeat(6))
    expect(measured.map((reply) => reply[0])).not.toContain('-')
    const lengths = { request: lengthSent(batch), reply: measured.join('').length + 4 * batch.commands.length }
    for (let n = 0; n < share; n++) {
      // Both ways in turn, at bytes that lie evenly over the batch.
      const direction: Direction = n % 2 === 0 ? 'request' : 'reply'
      const at = Math.floor((n / share) * lengths[direction])
      await cutAt(stage, String(n).padStart(6, '0'), direction, at, how)
    }
    unconfirmed += stage.left
    stage.client.destroy()
    stage.bare.destroy()
    stage.keyward.stop()
    await stage.fault.stop()
  })
}

test('so many connections were cut', () => {
  if (cuts === 0) return
  console.log(`time to live: ${cuts} cuts; ${unconfirmed} keys of writes that nobody was told of stay without one`)
  // Some bytes lie behind the last one that is sent.
  expect(cuts).toBeGreaterThan(CUTS * 0.85)
})

async function open(batch: Batch, protocol: number): Promise<Stage> {
  const fault = await FaultProxy.start({ port: redis.port })
  const tenants = {
    acme: { upstream: 'main', users: { default: { password: 'acme' } }, ttl: [{ keys: '*', default: '1h' }] },
  }
  // One lane, so that a batch is on one connection.
  const keyward = await startKeyward(configFor(fault, { tenants }, { lanes: 1 }))
  const client = await keyward.connect({ password: 'acme' })
  if (protocol === 3) await client.command('HELLO', 3)
  const bare = await RawClient.connect({ port: redis.port })
  await bare.command('FLUSHALL')
  return { keyward, fault, client, bare, batch, left: 0 }
}

/** Bytes that go upstream, about: what Keyward puts behind a write is as long as the write. */
function lengthSent({ commands }: Batch): number {
  return commands.reduce((sum, command) => sum + 2 * (command.length + 30), 0)
}

async function run({ client, batch }: Stage, name: string): Promise<string[]> {
  const bytes = batch.commands.map((command) => request(...words(command, name)))
  return (await client.exchange(Buffer.concat(bytes), bytes.length)).map(String)
}

function words(command: string, name: string): string[] {
  return command.split(' ').map((word) => word.replace(/^\$/, name))
}

async function cutAt(stage: Stage, name: string, direction: Direction, at: number, how: 'RST' | 'FIN'): Promise<void> {
  const { fault, batch, bare, client } = stage
  const before = fault.cuts
  fault.cutFrom(`\r\nacme:${name}a\r\n`, direction, at, how)
  const replies = await run(stage, name)
  cuts += fault.cuts - before
  // Not reached: it shall not hit what follows.
  fault.cutFrom('never sent', direction, 0)
  const where = `cut after ${at} bytes of the ${direction}: ${JSON.stringify(replies)}`
  // Whatever was on its way was executed before this one, or never will be.
  expect(await client.command('APPEND', `${name}next`, ''), where).toBe(':0\r\n')
  for (const [i, reply] of replies.entries()) {
    for (const key of words(batch.keys[i] ?? '', name).filter((word) => word !== '')) {
      const time = Number((await bare.command('PTTL', `acme:${key}`)).slice(1))
      if (!/^[-_!]|^\*-1/.test(reply)) expect(time, `${key} of ${batch.commands[i]}, ${where}`).not.toBe(-1)
      else if (time === -1) stage.left++
    }
  }
}
