import { expect, test } from 'vitest'
import { readCrowds, writeCrowds } from '../../../../src/client/pubsub/crowds.ts'
import type { TenantTopics } from '../../../../src/client/pubsub/tenant-topics.ts'

type Fake = { name: string; clients: number; weight?: 0 | 1 }

function topics(some: Partial<Record<'channel' | 'pattern' | 'shard', Fake[]>>): TenantTopics {
  const all = (kind: 'channel' | 'pattern' | 'shard') =>
    (some[kind] ?? []).map(({ name, clients, weight = 1 }) => ({
      name: Buffer.from(name, 'latin1'),
      sinks: { size: clients },
      weight,
    }))
  return { all } as unknown as TenantTopics
}

test('what one process writes, another reads: topics with more than one client', () => {
  const text = writeCrowds(
    topics({
      channel: [
        { name: 'c', clients: 3 },
        { name: 'alone', clients: 1 },
        { name: 'not yet', clients: 5, weight: 0 },
        { name: '\0\xff"\r\n ', clients: 2 },
      ],
      pattern: [{ name: 'p*', clients: 10 }],
      shard: [{ name: 'c', clients: 7 }],
    }),
  )
  const crowds = readCrowds(text as string)
  expect(crowds).toEqual({
    channel: new Map([
      ['c', 2],
      ['\0\xff"\r\n ', 1],
    ]),
    pattern: new Map([['p*', 9]]),
    shard: new Map([['c', 6]]),
  })
})

test('that there are none is told, too', () => {
  expect(writeCrowds(topics({ channel: [{ name: 'c', clients: 1 }] }))).toBe('[]')
})

test('it stays small', () => {
  const many = Array.from({ length: 5000 }, (_, i) => ({ name: `c${i}`, clients: 2 }))
  expect(readCrowds(writeCrowds(topics({ channel: many })) as string)?.channel.size).toBe(1000)
  const long = Array.from({ length: 100 }, (_, i) => ({ name: 'x'.repeat(5000) + i, clients: 2 }))
  const text = writeCrowds(topics({ channel: long })) as string
  expect(text.length).toBeLessThan(64 * 1024)
  expect(readCrowds(text)?.channel.size).toBeGreaterThan(0)
})

test.each([
  '',
  'x',
  '{}',
  '[1]',
  '[[9,"c",1]]',
  '[[0,1,1]]',
  '[[0,"c","1"]]',
  '[[0,"c",1.5]]',
  `[${'"x",'.repeat(50_000)}1]`,
])('what nobody wrote is not read', (text) => expect(readCrowds(text)).toBeUndefined())
