import { beforeEach, expect, test } from 'vitest'
import { Elsewhere } from '../../../../src/client/pubsub/elsewhere.ts'
import type { TenantTopics } from '../../../../src/client/pubsub/tenant-topics.ts'
import { frameOf } from '../../../../src/keyspace/channels.ts'
import { MessageFrame } from '../../../../src/resp/message.ts'
import type { Subscriber } from '../../../../src/upstream/subscriber.ts'
import { Topic, type TopicKind, type TopicOwner } from '../../../../src/upstream/topic.ts'

/** Processes at one server, which passes on at once what they publish. */
let now: number
const clients = new Map<string, number>()
const dead = new Set<string>()
const listeners = new Map<string, { id: string; owner: TopicOwner }[]>()

beforeEach(() => {
  now = 0
  for (const map of [clients, dead, listeners]) map.clear()
})

function publish(channel: string, text: string): void {
  const frame = frameOf([Buffer.from('message'), Buffer.from(channel), Buffer.from(text)])
  for (const { id, owner } of listeners.get(channel) ?? []) {
    const message = new MessageFrame()
    message.read(frame, 0, frame.length)
    if (!dead.has(id)) owner.message(message)
  }
}

function elsewhere(id: string): Elsewhere {
  const subscriber = {
    want(kind: TopicKind, name: Buffer, owner: TopicOwner) {
      const topic = new Topic(kind, name, owner)
      topic.life.enter('asked')
      topic.life.enter('active')
      topic.had = true
      const of = listeners.get(name.toString()) ?? []
      listeners.set(name.toString(), [...of, { id, owner }])
      return topic
    },
    unwant() {},
  } as unknown as Subscriber
  const crowd = (kind: string) =>
    kind === 'channel' ? [{ name: Buffer.from('c'), sinks: { size: clients.get(id) }, weight: 1 }] : []
  const made = new Elsewhere(subscriber, {
    id,
    topicsOf: () => (clients.has(id) ? ({ all: crowd } as unknown as TenantTopics) : undefined),
    publish,
    count: (channel, then) => then(listeners.get(channel)?.length ?? 0),
    now: () => now,
  })
  made.listens(true)
  return made
}

function counted(by: Elsewhere): number {
  by.subscribers('acme:', 'channel', Buffer.from('c'))
  return by.subscribers('acme:', 'channel', Buffer.from('c'))
}

test.each([
  ['one is left of it', 1],
  ['nobody is left of it', undefined],
])('a crowd behind another process is not counted any more when %s', (_, left) => {
  const asks = elsewhere('a')
  elsewhere('b')
  clients.set('b', 4)
  expect(counted(asks)).toBe(3)
  if (left === undefined) clients.delete('b')
  else clients.set('b', left)
  now += 1100
  expect(counted(asks)).toBe(0)
})

test('a process that did not answer the newest question is forgotten at the next one', () => {
  const asks = elsewhere('a')
  elsewhere('b')
  clients.set('b', 4)
  expect(counted(asks)).toBe(3)
  dead.add('b')
  now += 1100
  expect(counted(asks)).toBe(3)
  now += 1100
  expect(counted(asks)).toBe(0)
})
