import { beforeEach, describe, expect, test } from 'vitest'
import { frameOf } from '../../../src/keyspace/channels.ts'
import { MessageFrame } from '../../../src/resp/message.ts'
import { BadReply } from '../../../src/resp/reply-scanner.ts'
import { SubscriberCommands } from '../../../src/upstream/subscriber-commands.ts'
import { Topic, type TopicKind } from '../../../src/upstream/topic.ts'

const nobody = { acknowledged() {}, refused() {}, released() {}, message() {} }
let commands: SubscriberCommands
let changed: Set<Topic>

beforeEach(() => {
  commands = new SubscriberCommands()
  changed = new Set()
})

function topic(name: string, kind: TopicKind = 'channel'): Topic {
  const made = new Topic(kind, Buffer.from(name), nobody)
  changed.add(made)
  return made
}

function written(): string[] {
  const out: Buffer[] = []
  commands.write(changed, 0, out)
  return out.map((bytes) =>
    [...bytes.toString('latin1').matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word]) => word).join(' '),
  )
}

function acknowledge(...words: string[]): Topic | undefined {
  const message = new MessageFrame()
  const frame = frameOf(words.map((word) => Buffer.from(word)))
  message.read(frame, 0, frame.length)
  return commands.acknowledge(message)
}

describe('what is asked', () => {
  test('by kind, and only what has to be', () => {
    const [a, p, s] = [topic('a'), topic('p*', 'pattern'), topic('s', 'shard')]
    topic('b')
    topic('never').wanted = false
    expect(written().sort()).toEqual(['psubscribe p*', 'ssubscribe s', 'subscribe a b'])
    expect([a.state, p.state, s.state]).toEqual(['asked', 'asked', 'asked'])
    expect(written()).toEqual([])
  })

  test('at most a thousand names in a command, and 256 KiB that are not answered', () => {
    for (let i = 0; i < 2500; i++) topic(`t${i}`)
    expect(written().map((line) => line.split(' ').length - 1)).toEqual([1000, 1000, 500])
    const long = 'x'.repeat(70_000)
    for (let i = 0; i < 10; i++) topic(long + i)
    const first = written().length
    expect(first).toBeGreaterThan(2)
    expect(first).toBeLessThan(5)
    expect(changed.size).toBe(10 - first)
    expect(written()).toEqual([])
  })
})

describe('answers', () => {
  test('one by one, in order, by kind and name', () => {
    const [a, b] = [topic('a'), topic('b')]
    written()
    expect(acknowledge('subscribe', 'a')).toBe(a)
    expect(acknowledge('subscribe', 'b')).toBe(b)
    expect(commands.oldest).toBeUndefined()
  })

  test.each([
    ['another name', 'subscribe', 'b'],
    ['another verb', 'unsubscribe', 'a'],
    ['another kind', 'psubscribe', 'a'],
  ])('%s is not believed', (_, word, name) => {
    topic('a')
    written()
    expect(() => acknowledge(word, name)).toThrow(BadReply)
  })

  test('nothing is believed that was not asked for', () => {
    expect(() => acknowledge('subscribe', 'a')).toThrow(BadReply)
    expect(() => commands.pong()).toThrow(BadReply)
    topic('a')
    written()
    expect(() => commands.pong()).toThrow(BadReply)
  })

  test('an older acknowledgement says nothing about a topic that was asked for again', () => {
    const a = topic('a')
    written()
    a.wanted = false
    changed.add(a)
    expect(written()).toEqual(['unsubscribe a'])
    a.wanted = true
    changed.add(a)
    expect(written()).toEqual(['subscribe a'])
    expect(acknowledge('subscribe', 'a')).toBeUndefined()
    expect(acknowledge('unsubscribe', 'a')).toBeUndefined()
    expect(a.state).toBe('asked')
    expect(acknowledge('subscribe', 'a')).toBe(a)
  })

  test('an error answers the oldest command, if that has had no answer yet', () => {
    const [a, b] = [topic('a'), topic('b')]
    written()
    expect(commands.refuse('NOPERM no').topics).toEqual([a, b])
    expect([a.had, b.had]).toEqual([false, false])
    topic('c')
    topic('d')
    written()
    acknowledge('subscribe', 'c')
    expect(() => commands.refuse('NOPERM no')).toThrow(BadReply)
    acknowledge('subscribe', 'd')
    expect(() => commands.refuse('NOPERM no')).toThrow(BadReply)
  })

  test('an error to a PING lets its fence pass; one that says who are you ends it', () => {
    let passed = 0
    commands.ping([() => passed++], 0, [])
    commands.refuse('MISCONF no disk')
    expect(passed).toBe(1)
    commands.ping([() => passed++], 0, [])
    expect(() => commands.refuse('NOAUTH Authentication required.')).toThrow(BadReply)
  })

  test('what the server has is known, whatever was asked since', () => {
    const a = topic('a')
    written()
    acknowledge('subscribe', 'a')
    a.wanted = false
    changed.add(a)
    written()
    expect(a.had).toBe(true)
    expect(commands.refuse('BUSY a script').topics).toEqual([a])
    expect(a.had).toBe(true)
  })

  test('a topic asked for alone goes by its own kind, whatever its name', () => {
    topic('a')
    topic('subscribe channel', 'pattern').alone = true
    expect(written().sort()).toEqual(['psubscribe subscribe channel', 'subscribe a'])
  })

  test('a topic that is to be asked for alone is', () => {
    for (const name of ['a', 'b', 'c']) topic(name).alone = true
    expect(written().sort()).toEqual(['subscribe a', 'subscribe b', 'subscribe c'])
  })

  test('a fence is passed by its own PING; a lost connection gives them all back', () => {
    const passed: number[] = []
    topic('a')
    written()
    commands.ping([() => passed.push(1), () => passed.push(2)], 0, [])
    commands.ping([() => passed.push(3)], 0, [])
    acknowledge('subscribe', 'a')
    commands.pong()
    expect(passed).toEqual([1, 2])
    for (const fence of commands.clear()) fence()
    expect(passed).toEqual([1, 2, 3])
    expect(commands.oldest).toBeUndefined()
  })
})
