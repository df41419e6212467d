import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { redisCli, startCli } from './redis-cli.ts'
import { openStage, type Stage } from './stage.ts'

/**
 * The modes of redis-cli that look at a whole database or at the server, at database 3 of a tenant: they see that
 * database, and never a key of its other databases, of another tenant or of nobody. What must not show is named `foreign`.
 */
let stage: Stage

const KEYS = Array.from({ length: 300 }, (_, i) => `key:${i}`)
const BIG = ['big:hash', 'big:list', 'big:set', 'big:stream', 'big:string', 'big:zset']
/** A raw prefix in what a tenant is shown would be a leak, too. */
const FOREIGN = /foreign|acme:|beta:/

beforeAll(async () => {
  stage = await openStage({ databases: 5 })
  const numbers = Array.from({ length: 200 }, (_, i) => i)
  const lines = (keys: readonly string[], prefix: string, size: number) => [
    ...keys.map((key) => `SET ${key} value`),
    `SET ${prefix}:string ${'x'.repeat(size)}`,
    `RPUSH ${prefix}:list ${numbers.join(' ')}`,
    `SADD ${prefix}:set ${numbers.join(' ')}`,
    `HSET ${prefix}:hash ${numbers.map((n) => `${n} ${n}`).join(' ')}`,
    `ZADD ${prefix}:zset ${numbers.map((n) => `${n} m${n}`).join(' ')}`,
    ...numbers.map((n) => `XADD ${prefix}:stream * n ${n}`),
  ]
  const fill = (tenant: string, db: number, commands: readonly string[]) =>
    redisCli(stage.keyward.port, [...login(tenant), '-n', String(db)], `${commands.join('\n')}\n`)
  const foreign = KEYS.map((key) => `foreign:${key}`)
  await fill('acme', 3, lines(KEYS, 'big', 10_000))
  await fill('acme', 0, ['SET zero value', 'SET foreign:zero value'])
  await fill('beta', 3, lines(foreign, 'foreign:big', 100_000))
  await fill('beta', 0, lines(foreign, 'foreign:big', 100_000))
  await redisCli(stage.redis.port, [], `${lines(foreign, 'foreign:nobody', 100_000).join('\n')}\n`)
})

afterAll(async () => {
  const warnings = stage.warnings()
  await stage?.stop()
  expect(warnings).toEqual([])
})

const login = (tenant: string) => ['-a', tenant, '--no-auth-warning']
/** redis-cli at database 3 of acme. */
const three = (...args: string[]) => redisCli(stage.keyward.port, [...login('acme'), '-n', '3', ...args])
const linesOf = (output: string) => output.split('\n').filter((line) => line !== '')

describe('redis-cli', () => {
  test('-n: databases of the tenant, as many as it has', async () => {
    expect(await three('GET', 'key:7')).toBe('value\n')
    expect(await three('DBSIZE')).toBe(`${KEYS.length + BIG.length}\n`)
    const at = (db: string) => redisCli(stage.keyward.port, [...login('acme'), '-n', db, 'DBSIZE'])
    expect(await at('4')).toBe('0\n')
    expect(await at('5')).toContain('DB index is out of range')
  })

  test('--scan, --pattern', async () => {
    expect(linesOf(await three('--scan')).sort()).toEqual([...KEYS, ...BIG].sort())
    const found = await three('--scan', '--pattern', 'key:1?')
    expect(linesOf(found).sort()).toEqual(KEYS.filter((key) => /^key:1.$/.test(key)))
    for (const pattern of ['*foreign*', 'beta:*', 'acme:*', '../*', '*:3:*', '[^a]*foreign*']) {
      expect(await three('--scan', '--pattern', pattern)).toBe('')
    }
    const zero = await redisCli(stage.keyward.port, [...login('acme'), '--scan', '--pattern', '[yz]*'])
    expect(zero).toBe('zero\n')
  })

  test('READONLY, which later versions send before the next two, is answered as outside a cluster', async () => {
    for (const command of ['READONLY', 'READWRITE', 'ASKING']) {
      const answer = await three(command)
      expect(answer.trim()).toBe('ERR This instance has cluster support disabled')
      expect(answer).toBe(await redisCli(stage.redis.port, [command]))
    }
  })

  test('--bigkeys', async () => {
    const output = await three('--bigkeys')
    expect(output).toContain(`Sampled ${KEYS.length + BIG.length} keys in the keyspace`)
    expect(output).toMatch(/Biggest +string found \W+big:string\W+ has 10000 bytes/)
    for (const [kind, unit] of Object.entries({ list: 'items', set: 'members', hash: 'fields', zset: 'members' })) {
      expect(output).toMatch(new RegExp(`Biggest +${kind} found \\W+big:${kind}\\W+ has 200 ${unit}`))
    }
    expect(output).toMatch(/Biggest +stream found \W+big:stream\W+ has 200 entries/)
    expect(output).not.toMatch(FOREIGN)
  })

  test('--memkeys', async () => {
    const output = await three('--memkeys')
    expect(output).toContain(`Sampled ${KEYS.length + BIG.length} keys in the keyspace`)
    expect(output).toMatch(/Biggest +string found \W+big:string\W+ has 1\d{4} bytes/)
    expect(output).toMatch(/Biggest +hash found \W+big:hash\W+ has \d{4} bytes/)
    expect(output).not.toMatch(FOREIGN)
  })

  test('--stat', async () => {
    // Into a pipe it prints a few kilobytes at a time, so some fifty lines.
    const cli = await startCli(stage.keyward.port, [...login('acme'), '--stat', '-i', '0.02'])
    // Keys, memory, clients, blocked, requests (+ those since the line before), connections.
    const rows = () => [...cli.output.matchAll(/^(\d+) +(\d[\d.]*[BKMG]) +(\d+) +(\d+) +(\d+) \(\+\d+\) +(\d+) *$/gm)]
    // The number of keys is counted behind the first question for it.
    const enough = await eventually(() => rows().length >= 5 && Number(rows().at(-1)?.[1]) > 0, 40_000)
    cli.child.kill('SIGTERM')
    await cli.end
    expect({ enough, output: cli.output }).toMatchObject({ enough: true })
    const own = KEYS.length + BIG.length + 2
    for (const [, keys] of rows()) expect(Number(keys)).toBeLessThanOrEqual(own)
    const requests = rows().map(([, , , , , count]) => Number(count))
    expect(requests.at(-1)).toBeGreaterThan(requests[0])
  })

  test('--latency', async () => {
    // Not on a terminal it measures for the interval, prints one line and ends: least, most and average ms, samples.
    const [least, most, average, samples] = (await three('--latency', '-i', '1', '--raw')).trim().split(' ').map(Number)
    expect(samples).toBeGreaterThan(0)
    expect(least).toBeLessThanOrEqual(average)
    expect(average).toBeLessThanOrEqual(most)
  })

  test('--pipe inserts into the chosen database', async () => {
    const commands = Array.from({ length: 10_000 }, (_, i) => `SET piped:${i} value\r\n`).join('')
    const args = [...login('acme'), '-n', '4', '--pipe']
    expect(await redisCli(stage.keyward.port, args, commands)).toContain('errors: 0, replies: 10000')
    const at = (...rest: string[]) => redisCli(stage.keyward.port, [...login('acme'), '-n', '4', ...rest])
    expect(await at('DBSIZE')).toBe('10000\n')
    expect((await stage.rawKeys()).filter((key) => key.startsWith('acme:4:piped:')).length).toBe(10_000)
    expect(await at('FLUSHDB')).toBe('OK\n')
    expect(await at('DBSIZE')).toBe('0\n')
    expect(await three('DBSIZE')).toBe(`${KEYS.length + BIG.length}\n`)
  })
})
