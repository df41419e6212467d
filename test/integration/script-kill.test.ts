import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { type RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** SCRIPT KILL ends a script of the tenant's own, whatever waits behind it, and never one of another tenant. */

const LOOP = 'while true do end'
const QUICK = "return redis.call('INCR', 'n')"
const NOT_BUSY = '-NOTBUSY No scripts in execution right now.\r\n'
/** Longer than scripts of two tenants may be sent together. */
const APART = 100

let redis: RedisServer
let keyward: Keyward
let acme: RawClient
let beta: RawClient
let killers: Record<'acme' | 'beta', RawClient>

const busy = async () => (await redis.cli('PING')).startsWith('BUSY ')
const kill = (tenant: 'acme' | 'beta') => killers[tenant].command('SCRIPT', 'KILL')
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

beforeAll(async () => {
  redis = await startRedis({ config: ['lua-time-limit 300'] })
  keyward = await startKeyward(configFor(redis, {}, { lanes: 1 }))
})

beforeEach(async () => {
  acme = await keyward.connect({ password: 'acme' })
  beta = await keyward.connect({ password: 'beta' })
  killers = { acme: await keyward.connect({ password: 'acme' }), beta: await keyward.connect({ password: 'beta' }) }
  // The server knows both, so that each is sent as soon as it is said.
  for (const client of [acme, beta]) for (let i = 0; i < 5; i++) await client.command('EVAL', QUICK, 0)
})

afterEach(async () => {
  if (await busy()) await redis.cli('SCRIPT', 'KILL')
  for (const client of [acme, beta, ...Object.values(killers)]) client.destroy()
})

afterAll(async () => {
  keyward?.stop()
  await redis?.stop()
})

describe('an endless script', () => {
  it('can be killed by its tenant while a script of another tenant waits behind it', async () => {
    acme.send(request('EVAL', LOOP, 0))
    await pause(APART)
    beta.send(request('EVAL', QUICK, 0))
    expect(await eventually(busy)).toBe(true)
    expect(await kill('beta')).toBe(NOT_BUSY)
    expect(await kill('acme')).toBe('+OK\r\n')
    expect(String(await acme.reply())).toMatch(/killed by user/)
    expect(String(await beta.reply())).toMatch(/^:\d+\r\n$/)
  })

  it('can be killed while scripts of others come in all the time', async () => {
    acme.send(request('EVAL', LOOP, 0))
    await pause(APART)
    // Other connections to the server: their own protocol, and transactions.
    const three = await keyward.connect({ password: 'beta' })
    await three.command('HELLO', 3)
    const sent = [beta, three]
    for (const client of sent) client.send(request('EVAL', QUICK, 0))
    expect(await eventually(busy)).toBe(true)
    let over = false
    const others = (async () => {
      for (; !over; await pause(1)) await three.command('EVAL', QUICK, 0)
    })()
    expect(await kill('beta')).toBe(NOT_BUSY)
    expect(await kill('acme')).toBe('+OK\r\n')
    over = true
    await others
    three.destroy()
  })

  it('can be killed before the server calls it slow', async () => {
    acme.send(request('EVAL', LOOP, 0))
    await pause(APART)
    killers.beta.send(Buffer.concat([request('MULTI'), request('EVAL', QUICK, 0), request('EXEC')]))
    expect(await kill('acme')).toBe('+OK\r\n')
    expect(String(await acme.reply())).toMatch(/killed by user/)
  })

  // The server keeps the replies to what it has read in one piece until all of it is done.
  it.each(['in front of it', 'behind it'])(
    'cannot be killed by whose script was sent together with it, %s',
    async (where) => {
      const [first, second] = where === 'behind it' ? [beta, acme] : [acme, beta]
      first.send(request('EVAL', first === beta ? LOOP : QUICK, 0))
      second.send(request('EVAL', second === beta ? LOOP : QUICK, 0))
      expect(await eventually(busy)).toBe(true)
      for (let i = 0; i < 3; i++) expect(await kill('acme')).toBe(NOT_BUSY)
      expect(await busy()).toBe(true)
    },
  )

  it('cannot be killed by whoever sends scripts while it runs', async () => {
    beta.send(request('EVAL', LOOP, 0))
    await pause(APART)
    const three = await keyward.connect({ password: 'acme' })
    await three.command('HELLO', 3)
    let over = false
    const flood = (async () => {
      for (; !over; await pause(0)) await three.command('EVAL', QUICK, 0)
    })()
    acme.send(request('EVAL', QUICK, 0))
    expect(await eventually(busy)).toBe(true)
    for (let i = 0; i < 5; i++) expect(await kill('acme')).toBe(NOT_BUSY)
    expect(await busy()).toBe(true)
    expect(await kill('beta')).toBe('+OK\r\n')
    over = true
    await flood
    three.destroy()
  })
})

describe('an endless script whose connection is given up', () => {
  let impatient: Keyward

  beforeAll(async () => {
    impatient = await startKeyward(configFor(redis, {}, { lanes: 1, timeouts: { request: '200ms' } }))
  })
  afterAll(() => impatient?.stop())

  it.each(['alone', 'in a transaction'])('can be killed by its tenant, and by nobody else: %s', async (how) => {
    const clients = {
      acme: await impatient.connect({ password: 'acme' }),
      beta: await impatient.connect({ password: 'beta' }),
    }
    const three = await impatient.connect({ password: 'acme' })
    await three.command('HELLO', 3)
    for (const client of [three, ...Object.values(clients)]) {
      expect(await eventually(async () => /^:/.test(await client.command('EVAL', QUICK, 0)))).toBe(true)
    }
    const transaction = Buffer.concat([request('MULTI'), request('EVAL', LOOP, 0), request('EXEC')])
    clients.beta.send(how === 'alone' ? request('EVAL', LOOP, 0) : transaction)
    await clients.beta.replies(how === 'alone' ? 1 : 3)
    expect(await eventually(busy)).toBe(true)
    // Longer than a connection may be silent.
    await pause(1500)
    let over = false
    const flood = (async () => {
      for (; !over; await pause(0)) await three.command('EVAL', QUICK, 0)
    })()
    for (let i = 0; i < 20; i++) expect(await clients.acme.command('SCRIPT', 'KILL')).not.toBe('+OK\r\n')
    expect(await busy()).toBe(true)
    over = true
    await flood
    expect(await eventually(async () => (await clients.beta.command('SCRIPT', 'KILL')) === '+OK\r\n')).toBe(true)
    for (const client of [three, ...Object.values(clients)]) client.destroy()
  })
})
