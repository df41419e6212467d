import { describe, expect, test } from 'vitest'
import { expireBytes, expireRequests } from '../../../src/client/expire-behind.ts'
import { Expiries, type Expiry } from '../../../src/commands/expiries.ts'
import { encodeRequest } from '../../../src/resp/request-encoder.ts'
import type { Node } from '../../../src/upstream/node.ts'

const IF_NONE = "if redis.call('pttl',KEYS[1])==-1 then return redis.call('pexpire',KEYS[1],ARGV[1]) end return 0"
const PREFIX = Buffer.from('acme:')

const nodeOf = (knowsExpireNx: boolean) => ({ facts: { knowsExpireNx } }) as Node

function listOf(all: readonly (readonly [key: string, time: number, prefix?: string])[]): Expiries {
  const list = new Expiries(0)
  for (const [key, time, prefix] of all) {
    const bytes = Buffer.from(`<${key}>`, 'latin1')
    list.add(bytes, 1, bytes.length - 1, time, prefix === undefined ? undefined : Buffer.from(prefix))
    // It is a copy.
    bytes.fill('#')
  }
  return list
}

function written(list: Expiries, knowsNx: boolean): string {
  const node = nodeOf(knowsNx)
  return expireRequests(list, PREFIX, node, expireBytes(list, PREFIX, node)).toString('latin1')
}

function plainly(list: Iterable<Expiry>, knowsNx: boolean): string {
  const requests = [...list].map(({ key, time, prefix = PREFIX }) => {
    const raw = Buffer.concat([prefix, key])
    return encodeRequest(knowsNx ? ['PEXPIRE', raw, `${time}`, 'NX'] : ['EVAL', IF_NONE, '1', raw, `${time}`])
  })
  return Buffer.concat(requests).toString('latin1')
}

describe.each([true, false])('PEXPIRE knows NX: %s', (knowsNx) => {
  test.each([
    ['one', [['k', 1]]],
    [
      'keys of any size',
      ['', 'k', 'k'.repeat(4), 'k'.repeat(5), 'k'.repeat(94), 'k'.repeat(95), 'k'.repeat(70_000)].map((k) => [k, 5]),
    ],
    ['times of any size', [1, 9, 10, 99, 100, 999_999_999, 1e9, 2 ** 31, 3_153_600_000_000].map((time) => ['k', time])],
    ['bytes of any kind', [['\r\n$\0ÿ*', 7]]],
    [
      'other databases',
      [
        ['k', 1],
        ['k', 22, 'acme:11:'],
        ['l', 3],
        ['', 4, ''],
      ],
    ],
  ] as [string, [string, number, string?][]][])('%s', (_, all) => {
    const list = listOf(all)
    expect(written(list, knowsNx)).toBe(plainly(list, knowsNx))
    expect([...list].map(({ key, time }) => [key.toString('latin1'), time])).toEqual(all.map(([k, time]) => [k, time]))
  })

  test('a hundred thousand take the bytes that were said before', () => {
    const list = new Expiries(600_000)
    for (let i = 0; i < 100_000; i++) list.add(Buffer.from(`k${i}`), 0, `k${i}`.length, 3_600_000 + i)
    expect(list.count).toBe(100_000)
    expect(list.size).toBe(600_000 + 1_600_000)
    const node = nodeOf(knowsNx)
    const bytes = expireBytes(list, PREFIX, node)
    const out = expireRequests(list, PREFIX, node, bytes)
    expect(out.length).toBe(bytes)
    // A memory of its own: nothing else is kept with it.
    expect(out.buffer.byteLength).toBe(bytes)
    expect(out.toString('latin1').endsWith(plainly([...list].slice(-1), knowsNx))).toBe(true)
  })
})
