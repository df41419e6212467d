import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** WAIT confirms the writes that this client sent before it, though they went over another connection (s8). */
let primary: RedisServer
let replica: RedisServer
let keyward: Keyward

beforeAll(async () => {
  primary = await startRedis({ config: ['repl-diskless-sync yes', 'repl-diskless-sync-delay 0'] })
  replica = await startRedis({ config: [`replicaof 127.0.0.1 ${primary.port}`] })
  expect(
    await eventually(
      async () => (await primary.info('replication')).get('slave0')?.includes('state=online') === true,
      30_000,
    ),
  ).toBe(true)
  keyward = await startKeyward(configFor(primary))
})

afterAll(async () => {
  keyward?.stop()
  await replica?.stop()
  await primary?.stop()
})

test('a replica that runs confirms', async () => {
  const client = await keyward.connect({ password: 'acme' })
  const replies = await client.exchange(Buffer.concat([request('SET', 'a', 1), request('WAIT', 1, 10_000)]), 2)
  expect(replies.map(String)).toEqual(['+OK\r\n', ':1\r\n'])
  client.destroy()
})

test('a stopped replica confirms nothing', async () => {
  const client = await keyward.connect({ password: 'acme' })
  await replica.kill('SIGSTOP')
  try {
    for (let i = 0; i < 3; i++) {
      expect(await client.command('SET', 'a', `stopped ${i}`)).toBe('+OK\r\n')
      const begun = performance.now()
      expect(await client.command('WAIT', 1, 500)).toBe(':0\r\n')
      expect(performance.now() - begun).toBeGreaterThan(450)
    }
    // In one pipeline, too, and in a transaction.
    const replies = await client.exchange(
      Buffer.concat([
        request('SET', 'a', 2),
        request('WAIT', 1, 300),
        request('MULTI'),
        request('SET', 'a', 3),
        request('EXEC'),
        request('WAIT', 1, 300),
      ]),
      6,
    )
    expect(replies.map(String)).toEqual(['+OK\r\n', ':0\r\n', '+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n', ':0\r\n'])
  } finally {
    await replica.kill('SIGCONT')
  }
  expect(await client.command('WAIT', 1, 10_000)).toBe(':1\r\n')
  client.destroy()
})

/** In front of the primary: a connection that says this is half a second late from then on. */
async function slowBehind(text: string): Promise<{ url: string; stop(): void }> {
  const sockets: Socket[] = []
  const server = createServer((client) => {
    const upstream = connect({ port: primary.port, host: '127.0.0.1' })
    let late = false
    client.on('data', (chunk) => {
      late ||= chunk.includes(text)
      if (late) setTimeout(() => upstream.write(chunk), 500)
      else upstream.write(chunk)
    })
    upstream.on('data', (chunk) => client.write(chunk))
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      one.on('error', () => {}).on('close', () => other.destroy())
      sockets.push(one)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const stop = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { url: `redis://127.0.0.1:${port}`, stop }
}

test('what Keyward wanted to end before does not end a WAIT', async () => {
  const line = await slowBehind('UNBLOCK')
  const paused = await startKeyward(configFor(line))
  const [client, other] = [await paused.connect({ password: 'acme' }), await paused.connect({ password: 'acme' })]
  try {
    // Two pins that rest.
    await Promise.all([client.command('BLPOP', 'none', 0.3), other.command('BLPOP', 'none', 0.3)])
    await replica.kill('SIGSTOP')
    expect(await client.command('SET', 'a', 'stopped')).toBe('+OK\r\n')
    client.send(request('BLPOP', 'q', 0))
    const blocked = async () => (await primary.info('clients')).get('blocked_clients') === '1'
    expect(await eventually(blocked)).toBe(true)
    const pausing = paused.proxy.operations.pause({ upstream: 'main' }, 10_000)
    await paused.proxy.operations.resume({ upstream: 'main' })
    await primary.cli('LPUSH', 'acme:q', 'x')
    expect(String(await client.reply())).toBe('*2\r\n$1\r\nq\r\n$1\r\nx\r\n')
    const begun = performance.now()
    // On the connection that is told to end what blocks, or another.
    expect(await client.command('WAIT', 1, 1500)).toBe(':0\r\n')
    expect(performance.now() - begun).toBeGreaterThan(1400)
    await pausing
  } finally {
    await replica.kill('SIGCONT')
    for (const one of [client, other]) one.destroy()
    paused.stop()
    line.stop()
  }
})
