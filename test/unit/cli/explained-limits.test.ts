import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { keyward } from './terminal.ts'

const dir = mkdtempSync(join(tmpdir(), 'keyward-explain-'))
const file = join(dir, 'k.yaml')
writeFileSync(
  file,
  `listeners: [{address: 127.0.0.1:6380}]
upstreams: {main: {url: redis://a}}
tenants:
  none: {upstream: main, users: {default: {password: c}}}
  acme:
    upstream: main
    users: {default: {password: a}, reader: {password: b}}
    limits:
      - {name: all, rate: 10000/s, burst: 20000, scope: global, action: delay, maxDelay: 50ms}
      - {name: per-address, per: address, rate: 100/s, keys: "a*"}
      - {name: per-user, per: user, rate: 6000/m, costs: [{commands: "+lrange", cost: 10}], replyUnit: 16KiB}
      - {name: per-api-key, per: match, keys: "rl:*:key", rate: 60/m}
      - {name: writes, commands: "+@write +auth +multi +ping", rate: 1000/s, action: shadow}
      - {name: bandwidth, rate: 10MiB/s, burst: 64KiB}
`,
)
afterAll(() => rmSync(dir, { recursive: true }))

/** What `keyward explain` says of the limits, line by line. */
async function limits(words: readonly string[], user = 'default', tenant = 'acme'): Promise<string[]> {
  const { code, out, err } = await keyward(['explain', '-c', file, '--tenant', tenant, '--user', user, ...words])
  expect([code, err]).toEqual([0, ''])
  const lines = out.split('\n')
  const first = lines.findIndex((line) => line.startsWith('limits '))
  if (first < 0) return []
  const behind = lines.findIndex((line, i) => i > first && !line.startsWith(' '))
  return lines.slice(first, behind).map((line) => line.slice('limits'.length).trim())
}

const ALL = 'all: 10000/s per tenant, burst 20000, global, delay for up to 50ms; takes 1'
const USER = 'per-user: 6000/m per user, burst 100, local, reject; takes'
const WRITES = 'writes: 1000/s per tenant, burst 1000, local, shadow; takes 1'
const BYTES = 'bandwidth: 10MiB/s per tenant, burst 64KiB, local, reject; takes'

describe('explain tells which limits count a request', () => {
  it('with the bucket of the user and the cost in bytes', async () => {
    expect(await limits(['SET', 'k', 'v'], 'reader')).toEqual([
      ALL,
      `${USER} 1, and 1 for every 16KiB of the reply, from the bucket of user reader`,
      WRITES,
      `${BYTES} 27 bytes, and those of the reply`,
      'not counted by per-address (no key like a*), per-api-key (no key like rl:*:key)',
    ])
  })

  it('at the cost of the command', async () => {
    expect(await limits(['LRANGE', 'l', '0', '-1'])).toContain(
      `${USER} 10, and 1 for every 16KiB of the reply, from the bucket of user default`,
    )
  })

  it('by keys, with the bucket that each names', async () => {
    const lines = await limits(['MSET', 'rl:x y:key', '1', 'rl:\u0001:key', '2', 'abc', '3'])
    expect(lines).toContain(
      'per-address: 100/s per address, burst 100, local, reject; takes 1, from the bucket of the client’s address',
    )
    expect(lines).toContain(
      'per-api-key: 60/m per match, burst 1, local, reject; takes 1, from the bucket "x y", and from "\\x01"',
    )
    expect(lines.at(-1)).not.toContain('not counted')
  })

  it('whatever it says, not what the client needs to get in or out', async () => {
    for (const words of [['AUTH', 'x'], ['MULTI']]) {
      expect(await limits(words)).toEqual(['not counted by all, per-address, per-user, per-api-key, writes, bandwidth'])
    }
    expect(await limits(['PING'])).toEqual([
      WRITES,
      'not counted by all, per-address, per-user, per-api-key, bandwidth',
    ])
  })

  it('nothing of a request that is refused, and nothing where there are none', async () => {
    expect(await limits(['NOSUCH'])).toEqual([])
    expect(await limits(['GET'])).toEqual([])
    expect(await limits(['SET', 'k', 'v'], 'default', 'none')).toEqual([])
  })
})
