import net from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

// A connection that is lost between a write and the expiry behind it.

const PEXPIRE = Buffer.from('*4\r\n$7\r\nPEXPIRE')

let redis: RedisServer
let keyward: Keyward
let bare: RawClient
let between: net.Server
let cutting = false

beforeAll(async () => {
  redis = await startRedis()
  between = net.createServer((socket) => {
    const upstream = net.connect(redis.port, '127.0.0.1')
    const end = () => {
      socket.destroy()
      upstream.destroy()
    }
    socket.on('error', end).on('close', end)
    upstream.on('error', end).on('close', end)
    upstream.pipe(socket)
    socket.on('data', (chunk) => {
      const at = cutting ? chunk.indexOf(PEXPIRE) : -1
      if (at < 0) upstream.write(chunk)
      else {
        cutting = false
        upstream.end(chunk.subarray(0, at))
        socket.destroy()
      }
    })
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  const { port } = between.address() as net.AddressInfo
  keyward = await startKeyward(
    configFor(
      { url: `redis://127.0.0.1:${port}` },
      {
        tenants: {
          acme: { upstream: 'main', users: { default: { password: 'acme' } }, ttl: [{ keys: '*', default: '1h' }] },
        },
      },
    ),
  )
  bare = await RawClient.connect({ port: redis.port })
}, 60_000)
afterAll(async () => {
  bare.destroy()
  keyward.stop()
  between.close()
  await redis.stop()
})

test('a write whose connection is lost before its expiry is sent: the key gets it from the next connection', async () => {
  const client = await keyward.connect({ password: 'acme' })
  cutting = true
  expect(await client.command('INCR', 'counter')).toMatch(/^-OUTCOMEUNKNOWN /)
  expect(await bare.command('GET', 'acme:counter')).toBe('$1\r\n1\r\n')
  const left = async () => Number((await bare.command('PTTL', 'acme:counter')).slice(1))
  expect(await eventually(async () => (await left()) > 0)).toBe(true)
  client.destroy()
})

test('a blocking command with a key over 64 KiB', async () => {
  const client = await keyward.connect({ password: 'acme' })
  const long = 'k'.repeat(70_000)
  await client.command('RPUSH', 'source', 'a', 'b')
  expect(await client.command('BLMOVE', 'source', long, 'LEFT', 'LEFT', 0)).toBe('$1\r\na\r\n')
  expect(await client.command('BLPOP', 'none', long, 0)).toBe(`*2\r\n$70000\r\n${long}\r\n$1\r\na\r\n`)
  client.destroy()
})
