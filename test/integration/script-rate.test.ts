import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** A tenant that writes values into the texts of its scripts does not fill the server with them. */

const MOST = 20

let redis: RedisServer
let keyward: Keyward
let acme: RawClient
let beta: RawClient

beforeAll(async () => {
  redis = await startRedis()
  keyward = await startKeyward(configFor(redis, { scripts: { newPerMinute: MOST } }))
  acme = await keyward.connect({ password: 'acme' })
  beta = await keyward.connect({ password: 'beta' })
})

afterAll(async () => {
  for (const client of [acme, beta]) client?.destroy()
  keyward?.stop()
  await redis?.stop()
})

const REFUSED = /^-RATELIMITED scripts\.newPerMinute: 20\/m; retry after [1-9]\d{0,4} ms\r\n$/

it('refuses new scripts beyond scripts.newPerMinute, and nothing else', async () => {
  const cached = async () => Number((await redis.info('memory')).get('number_of_cached_scripts'))
  // The server has Keyward's own script then, which keeps texts.
  await beta.command('SCRIPT', 'LOAD', `return 'of beta'`)
  const before = await cached()
  for (let i = 0; i < MOST - 1; i++) expect(await acme.command('EVAL', `return ${i}`, 0)).toBe(`:${i}\r\n`)
  const loaded = (await acme.command('SCRIPT', 'LOAD', `return 'loaded'`)).split('\r\n')[1]
  expect(loaded).toMatch(/^[0-9a-f]{40}$/)
  for (let i = 0; i < 50; i++) expect(await acme.command('EVAL', `return ${1000 + i}`, 0)).toMatch(REFUSED)
  expect(await acme.command('EVAL_RO', `return 'new'`, 0)).toMatch(REFUSED)
  expect(await acme.command('SCRIPT', 'LOAD', `return 'new'`)).toMatch(REFUSED)
  expect((await cached()) - before).toBe(MOST)
  // What it has run before goes on, and so do all others.
  expect(await acme.command('EVAL', 'return 7', 0)).toBe(':7\r\n')
  expect(await acme.command('EVALSHA', loaded, 0)).toBe('$6\r\nloaded\r\n')
  expect(await acme.command('SCRIPT', 'LOAD', `return 'loaded'`)).toContain(loaded)
  expect(await beta.command('EVAL', 'return 2000', 0)).toBe(':2000\r\n')
  // What another tenant has brought counts: else guessing would tell who runs which texts.
  expect(await acme.command('EVAL', 'return 2000', 0)).toMatch(REFUSED)
  // Nor can it be had again by forgetting.
  await acme.command('SCRIPT', 'FLUSH')
  expect(await acme.command('EVAL', `return 'after'`, 0)).toMatch(REFUSED)
})

it('refuses a new one in MULTI before EXEC', async () => {
  expect(await acme.command('MULTI')).toBe('+OK\r\n')
  expect(await acme.command('EVAL', `return 'in multi'`, 0)).toMatch(REFUSED)
  expect(await acme.command('EXEC')).toMatch(/^-EXECABORT/)
})

it('counts them, and says so in the log once', async () => {
  const refused = keyward.log.filter((line) => JSON.stringify(line).includes('NEWSCRIPTS'))
  expect(refused).toHaveLength(1)
})

describe('texts that make room for others', () => {
  let small: Keyward
  let one: RawClient
  let two: RawClient

  beforeAll(async () => {
    small = await startKeyward(configFor(redis, { scripts: { newPerMinute: 60, memory: '256KiB' } }))
    one = await small.connect({ password: 'acme' })
    two = await small.connect({ password: 'beta' })
  })
  afterAll(() => {
    one?.destroy()
    two?.destroy()
    small?.stop()
  })

  const long = (n: number) => `return ${n} -- ${'x'.repeat(60_000)}`

  it('SCRIPT EXISTS and EVALSHA say the same of one that was there', async () => {
    const shas = ['return 1 -- used once', 'return 2 -- used by its SHA'].map((text) => [text, sha1(text)] as const)
    for (const [text] of shas) await one.command('EVAL', text, 0)
    expect(await one.command('EVALSHA', shas[1][1], 0)).toBe(':2\r\n')
    expect(await one.command('SCRIPT', 'EXISTS', shas[0][1], shas[1][1])).toBe('*2\r\n:1\r\n:1\r\n')
    for (let i = 0; i < 10; i++) expect(await two.command('EVAL', long(i), 0)).toBe(`:${i}\r\n`)
    expect(await one.command('SCRIPT', 'EXISTS', shas[0][1], shas[1][1])).toBe('*2\r\n:0\r\n:1\r\n')
    expect(await one.command('EVALSHA', shas[0][1], 0)).toMatch(/^-NOSCRIPT /)
    expect(await one.command('EVALSHA', shas[1][1], 0)).toBe(':2\r\n')
  })

  it('are counted again when they are brought again, by their size, also by EVALSHA', async () => {
    const replies: string[] = []
    for (let i = 0; i < 20; i++) replies.push(await two.command('EVAL', long(i % 10), 0))
    expect(replies.filter((reply) => reply.startsWith('-RATELIMITED')).length).toBeGreaterThan(10)
    expect(await two.command('EVALSHA', sha1(long(0)), 0)).toMatch(/^-(RATELIMITED|NOSCRIPT) /)
    expect(await one.command('EVAL', 'return 3', 0)).toBe(':3\r\n')
  })
})

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
