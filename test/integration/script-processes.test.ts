import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** Two Keywards in front of one server: what is loaded through one runs through the other, and order is kept in each. */

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
let redis: RedisServer
let keywards: Keyward[]
let one: RawClient
let two: RawClient
let texts = 0
/** A script that nobody has seen yet. */
const fresh = () => `redis.call('INCR', KEYS[1]) return ${++texts}`

beforeAll(async () => {
  redis = await startRedis({ config: ['lua-time-limit 50'] })
  keywards = [await startKeyward(configFor(redis)), await startKeyward(configFor(redis))]
})

beforeEach(async () => {
  one?.destroy()
  two?.destroy()
  one = await keywards[0].connect({ password: 'acme' })
  two = await keywards[1].connect({ password: 'acme' })
})

afterAll(async () => {
  one?.destroy()
  two?.destroy()
  for (const keyward of keywards ?? []) keyward.stop()
  await redis?.stop()
})

const NO_SCRIPT = '-NOSCRIPT No matching script. Please use EVAL.\r\n'

describe('a script of one process', () => {
  it('that was loaded runs through the other', async () => {
    const lua = fresh()
    expect(await two.command('EVALSHA', sha1(lua), 1, 'n')).toBe(NO_SCRIPT)
    expect(await one.command('SCRIPT', 'LOAD', lua)).toBe(`$40\r\n${sha1(lua)}\r\n`)
    expect(await two.command('SCRIPT', 'EXISTS', sha1(lua))).toBe('*1\r\n:1\r\n')
    expect(await two.command('EVALSHA', sha1(lua), 1, 'n')).toBe(`:${texts}\r\n`)
  })

  // The text is not looked up for a member of a transaction: NOSCRIPT, until something else has fetched it.
  it('that was loaded runs through the other in MULTI, at once', async () => {
    const lua = fresh()
    await one.command('SCRIPT', 'LOAD', lua)
    await two.command('MULTI')
    expect(await two.command('EVALSHA', sha1(lua), 1, 'n')).toBe('+QUEUED\r\n')
    expect(await two.command('EXEC')).toBe(`*1\r\n:${texts}\r\n`)
  })

  it('that was loaded runs through the other behind WATCH', async () => {
    const lua = fresh()
    await one.command('SCRIPT', 'LOAD', lua)
    await two.command('WATCH', 'w')
    expect(await two.command('EVALSHA', sha1(lua), 1, 'n')).toBe(`:${texts}\r\n`)
    await two.command('UNWATCH')
  })

  it('that EVAL says again and again runs through the other', async () => {
    const lua = fresh()
    for (let i = 0; i < 3; i++) await one.command('EVAL', lua, 1, 'n')
    expect(await eventually(async () => (await two.command('EVALSHA', sha1(lua), 1, 'n')) === `:${texts}\r\n`)).toBe(
      true,
    )
  })

  it('is nothing to another tenant, though the server has it', async () => {
    const lua = fresh()
    await one.command('SCRIPT', 'LOAD', lua)
    await one.command('EVALSHA', sha1(lua), 1, 'n')
    for (const keyward of keywards) {
      const beta = await keyward.connect({ password: 'beta' })
      expect(await beta.command('SCRIPT', 'EXISTS', sha1(lua))).toBe('*1\r\n:0\r\n')
      expect(await beta.command('EVALSHA', sha1(lua), 1, 'n')).toBe(NO_SCRIPT)
      await beta.command('MULTI')
      await beta.command('EVALSHA', sha1(lua), 1, 'n')
      expect(await beta.command('EXEC')).toBe(`*1\r\n${NO_SCRIPT}`)
      beta.destroy()
    }
  })

  it("that the tenant has flushed is gone; another tenant's is not", async () => {
    const lua = fresh()
    const beta = await keywards[0].connect({ password: 'beta' })
    await beta.command('SCRIPT', 'LOAD', lua)
    await one.command('SCRIPT', 'LOAD', lua)
    expect(await one.command('SCRIPT', 'FLUSH')).toBe('+OK\r\n')
    expect(await one.command('SCRIPT', 'EXISTS', sha1(lua))).toBe('*1\r\n:0\r\n')
    expect(await one.command('EVALSHA', sha1(lua), 1, 'n')).toBe(NO_SCRIPT)
    expect(await two.command('EVALSHA', sha1(lua), 1, 'n')).toBe(NO_SCRIPT)
    expect(await beta.command('EVALSHA', sha1(lua), 1, 'n')).toBe(`:${texts}\r\n`)
    beta.destroy()
  })

  it('whose text somebody has changed in the store is not run', async () => {
    const lua = fresh()
    await redis.cli('SET', `keyward:script:acme:${sha1(lua)}`, "return 'something else'")
    expect(await two.command('EVALSHA', sha1(lua), 1, 'n')).toBe(NO_SCRIPT)
  })

  it('runs though both make the user at the same time', async () => {
    await redis.cli('ACL', 'DELUSER', 'keyward:acme')
    const lua = fresh()
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, i) => keywards[i % 2].connect({ password: 'acme' })),
    )
    const replies = await Promise.all(clients.map((client) => client.command('EVAL', lua, 1, 'together')))
    expect(new Set(replies)).toEqual(new Set([`:${texts}\r\n`]))
    expect(await one.command('GET', 'together')).toBe('$2\r\n20\r\n')
    for (const client of clients) client.destroy()
  })
})

describe('a transaction whose connection is lost while a text is fetched', () => {
  // The member goes out on a new connection, outside of any transaction.
  it('runs nothing of it', async () => {
    const lua = fresh()
    await one.command('SCRIPT', 'LOAD', lua)
    await one.command('SET', 'n', '0')
    await two.command('EVAL', 'return 0', 0)
    expect(await two.command('MULTI')).toBe('+OK\r\n')
    expect(await two.command('SET', 'x', 'changed')).toBe('+QUEUED\r\n')
    // While the server sleeps, the end of the connection and the text are both on their way.
    const [sleeper, killer] = [
      await RawClient.connect({ port: redis.port }),
      await RawClient.connect({ port: redis.port }),
    ]
    sleeper.send(request('DEBUG', 'SLEEP', '0.5'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    killer.send(request('CLIENT', 'KILL', 'USER', 'keyward:acme'))
    const replies = await two.exchange(Buffer.concat([request('EVALSHA', sha1(lua), 1, 'n'), request('EXEC')]), 2)
    expect(String(await killer.reply())).toMatch(/^:[1-9]/)
    sleeper.destroy()
    killer.destroy()
    expect(String(replies[1])).toMatch(/^-EXECABORT /)
    expect(await one.command('GET', 'n')).toBe('$1\r\n0\r\n')
  })
})

describe('order', () => {
  it('of a pipeline of SET, EVALSHA and GET is kept, many clients at a time', async () => {
    const add = "return redis.call('APPEND', KEYS[1], ARGV[1])"
    await one.command('SCRIPT', 'LOAD', add)
    const clients = await Promise.all(
      Array.from({ length: 16 }, (_, i) => keywards[i % 2].connect({ password: i % 3 === 0 ? 'beta' : 'acme' })),
    )
    await Promise.all(
      clients.map(async (client, n) => {
        await client.command('SCRIPT', 'LOAD', add)
        for (let round = 0; round < 20; round++) {
          const key = `order:${n}`
          const parts: Buffer[] = []
          for (let i = 0; i < 10; i++) {
            parts.push(request('SET', key, `${i}`), request('EVALSHA', sha1(add), 1, key, 'x'))
            parts.push(request('GET', key), request('EVALSHA', sha1(add), 1, key, 'yy'), request('STRLEN', key))
          }
          const replies = (await client.exchange(Buffer.concat(parts), 50)).map(String)
          const expected = Array.from({ length: 10 }, (_, i) => [
            '+OK\r\n',
            ':2\r\n',
            `$2\r\n${i}x\r\n`,
            ':4\r\n',
            ':4\r\n',
          ])
          expect(replies).toEqual(expected.flat())
        }
      }),
    )
    for (const client of clients) client.destroy()
  }, 60_000)

  it('is kept when the server has forgotten the script in between', async () => {
    const add = "return redis.call('APPEND', KEYS[1], ARGV[1] .. '')"
    await one.command('SCRIPT', 'LOAD', add)
    let healed = 0
    for (let round = 0; round < 20; round++) {
      await redis.cli('SCRIPT', 'FLUSH')
      const pipeline = [request('SET', 'o', ''), request('EVALSHA', sha1(add), 1, 'o', 'x'), request('GET', 'o')]
      const [, run, get] = (await one.exchange(Buffer.concat(pipeline), 3)).map(String)
      // Either it ran in its place, or it did not run at all, and says so.
      if (run === ':1\r\n') {
        healed++
        expect(get).toBe('$1\r\nx\r\n')
      } else {
        expect(run).toBe(NO_SCRIPT)
        expect(get).toBe('$0\r\n\r\n')
      }
      // Alone, it always does.
      expect(await one.command('EVALSHA', sha1(add), 1, 'o', 'y')).toMatch(/^:\d\r\n$/)
    }
    expect(healed).toBeLessThanOrEqual(20)
  })
})

describe('EVAL', () => {
  // Sent by its SHA, with requests of its client behind it when the server turns out to have lost the text.
  it('is never answered NOSCRIPT, as its text is there', async () => {
    const lua = fresh()
    for (let i = 0; i < 3; i++) await one.command('EVAL', lua, 1, 'n')
    // In the background the server is told to keep it.
    await new Promise((resolve) => setTimeout(resolve, 100))
    await redis.cli('SCRIPT', 'FLUSH')
    await one.command('SET', 'n', 0)
    const replies = await one.exchange(Buffer.concat([request('EVAL', lua, 1, 'n'), request('GET', 'n')]), 2)
    // Executed or not: it says so, and its order is kept.
    const ran = String(replies[0]) === `:${texts}\r\n`
    if (!ran) expect(String(replies[0])).toMatch(/^-UPSTREAMDOWN not sent/)
    expect(String(replies[1])).toBe(`$1\r\n${ran ? 1 : 0}\r\n`)
    expect(await one.command('EVAL', lua, 1, 'n')).toBe(`:${texts}\r\n`)
  })

  it('of many texts in a pipeline is never answered NOSCRIPT by a server that drops those of EVAL', async () => {
    const luas = Array.from({ length: 700 }, (_, i) => `return ${i}`)
    for (let round = 0; round < 3; round++) {
      const replies = await one.exchange(Buffer.concat(luas.map((lua) => request('EVAL', lua, 0))), luas.length)
      expect(replies.map(String)).toEqual(luas.map((_, i) => `:${i}\r\n`))
    }
  })
})

describe('SCRIPT KILL', () => {
  const LOOP = 'while true do end'
  const busy = async () => (await redis.cli('PING')).startsWith('BUSY ')

  it('ends the own script of a tenant, and of nobody else', async () => {
    const killer = await keywards[0].connect({ password: 'acme' })
    const stranger = await keywards[0].connect({ password: 'beta' })
    const elsewhere = await keywards[1].connect({ password: 'beta' })
    one.send(request('EVAL', LOOP, 0))
    expect(await eventually(busy)).toBe(true)
    expect(await stranger.command('SCRIPT', 'KILL')).toBe('-NOTBUSY No scripts in execution right now.\r\n')
    expect(await elsewhere.command('SCRIPT', 'KILL')).toBe('-NOTBUSY No scripts in execution right now.\r\n')
    expect(one.pending).toBe(0)
    expect(await killer.command('SCRIPT', 'KILL')).toBe('+OK\r\n')
    expect(String(await one.reply())).toMatch(
      new RegExp(
        `^-ERR Error running script .*Script killed by user with SCRIPT KILL.*|^-ERR Script killed by user with SCRIPT KILL.*${sha1(LOOP)}`,
      ),
    )
    expect(await eventually(async () => (await stranger.command('GET', 'a')) === '$-1\r\n')).toBe(true)
    expect(await killer.command('SCRIPT', 'KILL')).toBe('-NOTBUSY No scripts in execution right now.\r\n')
    for (const client of [killer, stranger, elsewhere]) client.destroy()
  }, 60_000)

  it('ends one in a transaction', async () => {
    const killer = await keywards[0].connect({ password: 'acme' })
    one.send(Buffer.concat([request('MULTI'), request('EVAL', LOOP, 0), request('EXEC')]))
    expect(await eventually(busy)).toBe(true)
    expect(await killer.command('SCRIPT', 'KILL')).toBe('+OK\r\n')
    const [, , exec] = (await one.replies(3)).map(String)
    expect(exec).toMatch(/^\*1\r\n-ERR .*killed by user/)
    killer.destroy()
  }, 60_000)
})
