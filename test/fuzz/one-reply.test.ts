import { describe, expect, test } from 'vitest'
import { findServers, type Redis as Server } from '../../scripts/lib/redis.mjs'
import { buildTable } from '../../src/commands/table.ts'
import { readDocs } from '../differential/grammar.ts'
import { listsFor } from '../differential/lists.ts'
import { poolCommands } from '../differential/pool.ts'
import { Random } from '../differential/random.ts'
import { argsOf } from '../helpers/arg-view.ts'
import { type Args, encode, showArgs, takeFrames } from '../helpers/differential.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'

/*
 * Every request has one reply: a server that sends two, or none, breaks the connection, and on one that clients share, replies
 * would go to others from there on. (Redis 8.6 does it to SET; src/commands/quirks/set.ts.) What goes the shared way is asked
 * of each real server: lists made from its own documentation, and random ones.
 */

const ROUNDS = { default: 60, long: 600, drill: 3000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 60
const SEED = process.env.KEYWARD_FUZZ_SEED ?? String(Date.now() % 1e9)

/** Those of Redis 8.0, which had no VRANGE, are not open: they end the server. */
const VECTOR = /^v[a-z]+$/

const specs = buildTable()
  .all()
  .filter(({ open, route, subcommands }) => open === 'tenant' && route === 'shared' && subcommands === undefined)
  .filter(
    ({ presence, name }) => (presence !== 'module' || VECTOR.test(name)) && !/^(command|pubsub|latency)/.test(name),
  )

const KEYS =
  'str str:int str:float str:empty list list:one hash hash:ints set:a set:ints zset:a zset:lex geo stream bits hll:a missing v'.split(
    ' ',
  )
const WORDS =
  `GET NX XX EX PX EXAT PXAT KEEPTTL IFEQ IFNE IFDEQ IFDNE PERSIST FIELDS FNX FXX IDS KEEPREF DELREF ACKED COUNT MATCH LIMIT WITHSCORES
   WEIGHTS AGGREGATE MIN MAX LEFT RIGHT BEFORE AFTER STORE STOREDIST BY ASC ALPHA REPLACE DB ABSTTL MAXLEN MINID NOMKSTREAM IDMP VALUES ELE FP32
   REDUCE CAS SETATTR FILTER WITHATTRIBS TRUTH RAW CH INCR GT LT REV BYSCORE BYLEX FROMMEMBER FROMLONLAT BYRADIUS BYBOX km LEN IDX RANK
   OVERFLOW FAIL u8 AND NOT BIT BYTE IDLE TIME RETRYCOUNT JUSTID CREATE MKSTREAM ENTRIESREAD FULL LASTID`.split(/\s+/)
const VALUES = '0 1 2 3 -1 10 1.5 0-0 1-1 * - + ( [a (b $ > x a f1 0123456789abcdef 9223372036854775807 nope'.split(' ')

function randomRequest(random: Random, name: string, arity: number): Args {
  const own = name.split('|')
  const count = Math.max(Math.abs(arity) - own.length, 0) + (arity < 0 || random.chance(0.1) ? random.below(7) : 0)
  const words = Array.from({ length: count }, (_, i) => {
    if (i === 0 || random.chance(0.2)) return random.pick(KEYS)
    return random.pick(random.chance(0.5) ? WORDS : VALUES)
  })
  // Much of the time is spent on what the first option decides.
  return [...own, ...words]
}

describe.each(await findServers({ log: console.log }))('$kind $version', (server: Server) => {
  test.each([2, 3] as const)('RESP%i', { timeout: 180_000 }, async (protocol) => {
    const redis = await startRedis({ redis: server })
    const client = await RawClient.connect({ port: redis.port })
    try {
      const random = new Random(`one reply, ${SEED}, ${protocol}`)
      if (protocol === 3 && (await client.command('HELLO', '3')).startsWith('-')) return
      client.send(encode(['COMMAND', 'DOCS']))
      const docs = readDocs((await takeFrames(client, 1))[0])
      for (const { name, arity, quirk } of specs) {
        if (VECTOR.test(name) && !docs.has('vrange')) continue
        const before: Args[] = [['FLUSHALL'], ...poolCommands()]
        if (docs.has('vrange')) before.push(['VADD', 'v', 'VALUES', '1', '1', 'x'])
        client.send(before.map(encode).join(''))
        await takeFrames(client, before.length)
        const documented = docs.has(name) ? listsFor(name, docs.get(name), ['payload']).map(({ args }) => args) : []
        const requests = [...documented, ...Array.from({ length: ROUNDS }, () => randomRequest(random, name, arity))]
        // Those that Keyward answers itself, because of this.
        const sent = requests.filter((args) => quirk.rejects?.(argsOf(...args), undefined) === undefined)
        client.send(sent.map((args, i) => encode(args) + encode(['ECHO', `mark ${i}`])).join(''))
        const frames = await takeFrames(client, 2 * sent.length)
        for (const [i, args] of sent.entries()) {
          const mark = `mark ${i}`
          const text = `$${mark.length}\r\n${mark}\r\n`
          expect(frames[2 * i + 1], `seed ${SEED}: ${showArgs(args)} answered ${frames[2 * i]}`).toBe(text)
        }
      }
    } finally {
      client.destroy()
      await redis.stop()
    }
  })
})
