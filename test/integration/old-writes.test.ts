import { expect, test } from 'vitest'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { configFor, startKeyward } from '../helpers/keyward.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { startRedis } from '../helpers/redis.ts'

/**
 * Closing a socket does not take back what was sent: a stopped server still executes it when it goes on, and so does
 * one that the bytes reach late (s12). After a cut connection no earlier write may be executed behind a later one
 * that was acknowledged.
 */
const ROUNDS = { default: 12, long: 300, drill: 1000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 12

test('a server that was stopped when the connection was cut', { timeout: 60_000 + ROUNDS * 5000 }, async () => {
  const redis = await startRedis()
  const fault = await FaultProxy.start({ port: redis.port })
  const keyward = await startKeyward(configFor(fault, {}, { timeouts: { request: '20s' }, hold: { time: '30s' } }))
  const bare = await RawClient.connect({ port: redis.port, timeout: 60_000 })
  const client = await keyward.connect({ password: 'acme' })
  let unknown = 0
  for (let round = 0; round < ROUNDS; round++) {
    const key = `k:${round}`
    expect(await client.command('SET', key, 'before')).toBe('+OK\r\n')
    await redis.kill('SIGSTOP')
    // Reaches the stopped server's socket, and stays in it when the connection is cut, by RST and by FIN in turn.
    client.send(Buffer.concat(Array.from({ length: 5 }, (_, i) => request('SET', key, `early ${i}`))))
    await new Promise((resolve) => setTimeout(resolve, 30))
    if (round % 2 === 0) fault.reset()
    else fault.close()
    const early = (await client.replies(5)).map(String)
    unknown += early.filter((reply) => reply.startsWith('-OUTCOMEUNKNOWN')).length
    client.send(request('SET', key, 'late'))
    // The new connection may be there before or after the server goes on.
    await new Promise((resolve) => setTimeout(resolve, [0, 5, 60, 150][round % 4]))
    await redis.kill('SIGCONT')
    expect(String(await client.reply())).toBe('+OK\r\n')
    for (let look = 0; look < 5; look++) {
      expect(await bare.command('GET', `acme:${key}`), `round ${round}`).toBe('$4\r\nlate\r\n')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  // The writes were in flight in every round: else the test has shown nothing.
  expect(unknown).toBe(5 * ROUNDS)
  expect(keyward.proxy.faults).toBe(0)
  client.destroy()
  bare.destroy()
  keyward.stop()
  await fault.stop()
  await redis.stop()
})

test('a network that delivers late', { timeout: 60_000 + ROUNDS * 5000 }, async () => {
  const redis = await startRedis()
  const fault = await FaultProxy.start({ port: redis.port })
  const keyward = await startKeyward(configFor(fault, {}, { timeouts: { request: '20s' }, hold: { time: '30s' } }))
  const bare = await RawClient.connect({ port: redis.port })
  const client = await keyward.connect({ password: 'acme' })
  for (let round = 0; round < ROUNDS; round++) {
    const key = `k:${round}`
    expect(await client.command('SET', key, 'before')).toBe('+OK\r\n')
    fault.faults = { stall: 'request' }
    client.send(request('SET', key, 'early'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    fault.abandon()
    fault.faults = {}
    expect(String(await client.reply())).toMatch(/^-OUTCOMEUNKNOWN/)
    // The server still believes in the old connection, whose bytes come only now: after a write that it confirmed.
    expect(await client.command('SET', key, 'late')).toBe('+OK\r\n')
    fault.deliver()
    for (let look = 0; look < 5; look++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      expect(await bare.command('GET', `acme:${key}`), `round ${round}`).toBe('$4\r\nlate\r\n')
    }
  }
  expect(keyward.proxy.faults).toBe(0)
  client.destroy()
  bare.destroy()
  keyward.stop()
  await fault.stop()
  await redis.stop()
})
