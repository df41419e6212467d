import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { HOUR, type Left, RULES, SLOW, TtlStage, ttlConfig } from './ttl-stage.ts'

/** Times to live in other databases, under other rules, and as others see them. */

let stage: TtlStage
let client: RawClient
let bare: RawClient

beforeAll(async () => {
  stage = await TtlStage.open()
  client = stage.client
  bare = stage.bare
})

afterAll(() => stage?.stop())

beforeEach(async () => {
  await bare.command('FLUSHALL')
})

const expectLeft = (key: string, time: Left, what?: string, prefix?: string) =>
  stage.expectLeft(key, time, what, prefix)

describe('in numbered databases', () => {
  let numbered: RawClient

  beforeEach(async () => {
    numbered?.destroy()
    numbered = await stage.keyward.connect({ password: 'n' })
  })

  afterAll(() => numbered?.destroy())

  test('MOVE and COPY into another: the key gets its time there', async () => {
    await bare.command('SET', 'numbered:0:job:1', 'v')
    expect(await numbered.command('MOVE', 'job:1', 2)).toBe(':1\r\n')
    await expectLeft('job:1', null, 'in 0', 'numbered:0:')
    await expectLeft('job:1', HOUR, 'in 2', 'numbered:2:')
    await bare.command('SET', 'numbered:0:from', 'v')
    expect(await numbered.command('COPY', 'from', 'job:2', 'DB', 3)).toBe(':1\r\n')
    await expectLeft('from', undefined, 'from', 'numbered:0:')
    await expectLeft('job:2', HOUR, 'in 3', 'numbered:3:')
    // Both are there: neither is moved.
    await bare.command('SET', 'numbered:0:job:1', 'v')
    expect(await numbered.command('MOVE', 'job:1', 2)).toBe(':0\r\n')
    expect(await numbered.command('MOVE', 'job:1', 9)).toMatch(/^-ERR .*out of range/)
    expect(await numbered.command('COPY', 'from', 'job:2', 'DB', 9)).toMatch(/^-ERR .*out of range/)
    expect(await numbered.command('PING')).toBe('+PONG\r\n')
  })

  test('in MULTI, too, and behind a SELECT there', async () => {
    await bare.command('SET', 'numbered:0:job:1', 'v')
    const requests = [
      ['MULTI'],
      ['INCR', 'job:n'],
      ['MOVE', 'job:1', '2'],
      ['SELECT', '3'],
      ['INCR', 'job:n'],
      ['SET', 'job:s', 'v'],
      ['COPY', 'job:s', 'job:c', 'DB', '1'],
      ['EXEC'],
      ['INCR', 'job:last'],
    ]
    const replies = await numbered.exchange(Buffer.concat(requests.map((args) => request(...args))), requests.length)
    expect(replies.slice(-2).map(String)).toEqual(['*6\r\n:1\r\n:1\r\n+OK\r\n:1\r\n+OK\r\n:1\r\n', ':1\r\n'])
    for (const [db, key] of [
      [0, 'job:n'],
      [2, 'job:1'],
      [3, 'job:n'],
      [3, 'job:s'],
      [1, 'job:c'],
      [3, 'job:last'],
    ] as const) {
      await expectLeft(key, HOUR, `${key} in ${db}`, `numbered:${db}:`)
    }
  })

  test('FLUSHDB and FLUSHALL answer as ever', async () => {
    await numbered.command('SET', 'job:1', 'v')
    expect(await numbered.command('FLUSHDB')).toBe('+OK\r\n')
    await expectLeft('job:1', null, 'flushed', 'numbered:0:')
    await numbered.command('SET', 'job:1', 'v')
    expect(await numbered.command('FLUSHALL', 'ASYNC')).toBe('+OK\r\n')
    await expectLeft('job:1', null, 'flushed', 'numbered:0:')
  })
})

test('a reload changes the rules for clients that are there, between two requests', async () => {
  const reload = (ttl: readonly object[]) =>
    stage.keyward.proxy.reload(
      parseConfig(stringify(ttlConfig(stage.redis, ttl)), {
        source: 'test.yaml',
        env: process.env,
        baseDir: process.cwd(),
      }),
    )
  try {
    await client.command('MULTI')
    await client.command('INCR', 'job:1')
    await reload([{ keys: 'job:*', default: '6h' }])
    await client.command('INCR', 'job:2')
    expect(await client.command('EXEC')).toBe('*2\r\n:1\r\n:1\r\n')
    await expectLeft('job:1', HOUR)
    await expectLeft('job:2', 6 * HOUR)
    await reload([])
    expect(await client.command('SET', 'job:3', 'v')).toBe('+OK\r\n')
    await expectLeft('job:3', undefined)
  } finally {
    await reload(RULES)
  }
  expect(await client.command('SET', 'job:3', 'v')).toBe('+OK\r\n')
  await expectLeft('job:3', HOUR)
})

test('GT and LT are judged by the time that `max` leaves of what the client asked for', async () => {
  const week = 7 * 24 * 3600
  for (const [hours, option, reply, left] of [
    [3, 'GT', 1, 4],
    [72, 'GT', 0, 72],
    [72, 'LT', 1, 4],
    [3, 'LT', 0, 3],
  ] as const) {
    await bare.command('SET', 'acme:job:1', 'v', 'EX', hours * 3600)
    expect(await client.command('EXPIRE', 'job:1', week, option)).toBe(`:${reply}\r\n`)
    await expectLeft('job:1', left * HOUR, `${option} with ${hours} h left`)
  }
})

describe('what others see of it', () => {
  test('MONITOR of the tenant shows the requests as its clients sent them', async () => {
    const watcher = await stage.keyward.connect({ password: 'acme' })
    expect(await watcher.command('MONITOR')).toBe('+OK\r\n')
    await client.command('SET', 'job:1', 'v')
    await client.command('EXPIRE', 'job:1', 86400)
    await client.command('INCR', 'job:n')
    await client.command('MULTI')
    await client.command('INCR', 'job:n')
    await client.command('EXEC')
    await client.command('GET', 'job:end')
    const lines = String(await watcher.receive('"job:end"\r\n'))
      .trim()
      .split('\r\n')
    watcher.destroy()
    expect(lines.map((line) => line.replace(/^[^"]*\] /, ''))).toEqual([
      '"SET" "job:1" "v"',
      '"EXPIRE" "job:1" "86400"',
      '"INCR" "job:n"',
      '"MULTI"',
      '"INCR" "job:n"',
      '"EXEC"',
      '"GET" "job:end"',
    ])
  })

  test('SLOWLOG has nothing of what follows a request', async () => {
    const slow = await stage.keyward.connect({ password: 'n' })
    await slow.command('SLOWLOG', 'RESET')
    await stage.redis.kill('SIGSTOP')
    slow.send(request('HSET', 'job:h', 'f', 'v'))
    await slow.silence(4 * SLOW)
    await stage.redis.kill('SIGCONT')
    expect(String(await slow.reply())).toBe(':1\r\n')
    const [log] = await slow.exchange(request('SLOWLOG', 'GET', '10'))
    slow.destroy()
    expect(String(log)).toContain(String(request('HSET', 'job:h', 'f', 'v')))
    expect(String(log)).not.toContain('PEXPIRE')
  })

  test('the server sends `expire` behind the event of the write', async () => {
    await bare.command('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')
    const watcher = await RawClient.connect({ port: stage.redis.port })
    await watcher.exchange(request('SUBSCRIBE', '__keyspace@0__:acme:job:1', '__keyspace@0__:acme:end'), 2)
    for (const words of ['SET job:1 v', 'APPEND job:1 x', 'DEL job:1', 'RPUSH job:1 x', 'SET end v']) {
      await client.command(...words.split(' '))
    }
    const events: string[] = []
    for (let event = ''; !event.includes(':end'); ) {
      event = String(await watcher.reply())
      events.push(event.split('\r\n')[6])
    }
    watcher.destroy()
    await bare.command('CONFIG', 'SET', 'notify-keyspace-events', '')
    expect(events).toEqual(['set', 'expire', 'append', 'del', 'rpush', 'expire', 'set'])
  })
})

test('Keyward counted no fault', () => {
  expect(stage.keyward.proxy.faults).toBe(0)
})
