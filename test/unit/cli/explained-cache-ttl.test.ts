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
    users: {default: {password: a}}
    ttl:
      - {keys: "job:*", default: 24h, max: 48h, jitter: 10%, persist: deny}
      - {keys: "dry:*", default: 1m, dryRun: true}
      - {keys: "cap:*", max: 1h, min: 10s, persist: clamp}
    cache:
      maxStaleness: 2s
      rules:
        - {keys: "hot:*", maxAge: 5s, jitter: 0%}
        - {keys: "job:*", negative: 3s}
`,
)
afterAll(() => rmSync(dir, { recursive: true }))

/** What `keyward explain` says under this label, line by line. */
async function told(label: string, words: readonly string[], tenant = 'acme'): Promise<string[]> {
  const { code, out, err } = await keyward(['explain', '-c', file, '--tenant', tenant, ...words])
  expect([code, err]).toEqual([0, ''])
  const lines = out.trimEnd().split('\n')
  const first = lines.findIndex((line) => line.startsWith(`${label} `))
  if (first < 0) return []
  const behind = lines.findIndex((line, i) => i > first && !line.startsWith(' '))
  return lines.slice(first, behind < 0 ? undefined : behind).map((line) => line.replace(label, '').trim())
}

describe('explain tells of times to live', () => {
  const DAY = 24 * 3600 * 1000

  it('and sends what the policy makes of the request', async () => {
    const rule = 'job:*: 24h for a key that has no expiry, less up to 10% at random'
    expect(await told('ttl', ['SET', 'job:1', 'v'])).toEqual([rule])
    expect(await told('sent', ['SET', 'job:1', 'v'])).toEqual([`SET acme:job:1 v PX ${DAY}`])
    expect(await told('keys', ['SET', 'job:1', 'v'])).toEqual(['argument 1: job:1 becomes acme:job:1'])
    expect(await told('ttl', ['MSET', 'job:1', 'v', 'cap:1', 'v', 'job:2', 'v'])).toEqual([rule])
    expect(await told('sent', ['MSET', 'job:1', 'v', 'cap:1', 'v', 'job:2', 'v'])).toEqual([
      'MSET acme:job:1 v acme:cap:1 v acme:job:2 v',
      `and behind it PEXPIRE acme:job:1 ${DAY} NX, whose reply is dropped`,
      `and behind it PEXPIRE acme:job:2 ${DAY} NX, whose reply is dropped`,
    ])
  })

  it('what is clamped', async () => {
    expect(await told('ttl', ['SET', 'cap:1', 'v', 'EX', '7200'])).toEqual(['cap:*: at most 1h'])
    expect(await told('sent', ['SET', 'cap:1', 'v', 'EX', '7200'])).toEqual(['SET acme:cap:1 v EX 3600'])
    expect(await told('ttl', ['PEXPIRE', 'cap:1', '1'])).toEqual(['cap:*: at least 10s'])
    expect(await told('sent', ['PEXPIRE', 'cap:1', '1'])).toEqual(['PEXPIRE acme:cap:1 10000'])
  })

  it('what PERSIST comes to', async () => {
    expect(await told('ttl', ['PERSIST', 'job:1'])).toEqual(['job:*: the key keeps its expiry'])
    expect(await told('reply', ['PERSIST', 'job:1'])).toEqual([':0'])
    expect(await told('sent', ['PERSIST', 'job:1'])).toEqual([])
    expect(await told('ttl', ['PERSIST', 'cap:1'])).toEqual(['cap:*: 1h for a key that would have no expiry'])
    expect(await told('sent', ['PERSIST', 'cap:1'])).toEqual([
      'PERSIST acme:cap:1',
      'and behind it PEXPIRE acme:cap:1 3600000 NX, whose reply is dropped',
    ])
  })

  it('what a dry run would do, and does not', async () => {
    expect(await told('ttl', ['LPUSH', 'dry:1', 'v'])).toEqual([
      'dry:*: 1m for a key that has no expiry; dryRun: only counted',
    ])
    expect(await told('sent', ['LPUSH', 'dry:1', 'v'])).toEqual(['LPUSH acme:dry:1 v'])
  })

  it('nothing where there is nothing to tell', async () => {
    expect(await told('ttl', ['SET', 'other', 'v'])).toEqual(['nothing: no rule has anything to do here'])
    expect(await told('ttl', ['GET', 'job:1'])).toEqual([])
    expect(await told('ttl', ['PING'])).toEqual([])
    expect(await told('ttl', ['SET', 'job:1', 'v'], 'none')).toEqual([])
  })
})

describe('explain tells of the cache', () => {
  const ALONE = 'answered from memory if it is kept, at most 2s behind the upstream; else asked of the primary'
  const HOT = 'hot:*: kept for 5s or as long as the key lives, that a key is missing is not kept'
  const JOB = 'job:*: kept for 30s or as long as the key lives, for 3s if it is missing, less up to 10% at random'

  it('what is kept, and for how long', async () => {
    expect(await told('cache', ['GET', 'hot:1'])).toEqual([ALONE, HOT])
    expect(await told('cache', ['HGETALL', 'job:1'])).toEqual([ALONE, JOB])
    expect(await told('cache', ['MGET', 'job:1', 'hot:1', 'hot:2'])).toEqual([
      'answered from memory if all keys are kept, at most 2s behind the upstream; else asked of the primary',
      JOB,
      HOT,
    ])
    expect(await told('cache', ['EXISTS', 'hot:1'])).toEqual([ALONE, HOT])
  })

  it('what is not', async () => {
    expect(await told('cache', ['GET', 'a b'])).toEqual(['not used: no rule for "a b"'])
    expect(await told('cache', ['MGET', 'hot:1', 'cold'])).toEqual(['not used: no rule for cold'])
    expect(await told('cache', ['EXISTS', 'hot:1', 'hot:2'])).toEqual(['not used: it names several keys'])
    expect(await told('cache', ['TTL', 'hot:1'])).toEqual(['not used: its reply changes as time passes'])
  })

  it('what writes do to it', async () => {
    expect(await told('cache', ['SET', 'hot:1', 'v'])).toEqual([
      'what is kept of its keys is outdated by it, from now until its reply is in',
    ])
    expect(await told('cache', ['DEL', 'cold'])).toEqual(['no rule for its keys'])
    expect(await told('cache', ['FLUSHDB'])).toEqual(['all that is kept for the tenant is outdated by it'])
  })

  it('nothing where there is none, or nothing to do with it', async () => {
    expect(await told('cache', ['GET', 'hot:1'], 'none')).toEqual([])
    expect(await told('cache', ['PING'])).toEqual([])
    expect(await told('cache', ['PUBLISH', 'hot:1', 'm'])).toEqual([])
    expect(await told('cache', ['NOSUCH'])).toEqual([])
  })
})
