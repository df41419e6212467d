import { describe, expect, it } from 'vitest'
import { CopiedReplies, LONGEST_COPY } from '../../../src/client/copied-replies.ts'
import { ReplyQueue } from '../../../src/client/reply-queue.ts'

function owner() {
  const runs: Buffer[] = []
  return { runs, addRun: (run: Buffer) => void runs.push(run) }
}

function add(copies: CopiedReplies, to: ReturnType<typeof owner>, text: string): void {
  const buf = Buffer.from(`..${text}..`)
  copies.add(to, buf, 2, 2 + text.length)
  // Whoever had it uses it for something else.
  buf.fill('!')
}

describe('CopiedReplies', () => {
  it('makes one run of replies that follow one another', () => {
    const copies = new CopiedReplies()
    const one = owner()
    for (const text of ['$1\r\na\r\n', '$-1\r\n', '+OK\r\n']) add(copies, one, text)
    expect(one.runs).toEqual([])
    copies.close(one)
    expect(String(Buffer.concat(one.runs))).toBe('$1\r\na\r\n$-1\r\n+OK\r\n')
    expect(one.runs.length).toBe(1)
  })

  it('keeps the replies of two owners apart', () => {
    const copies = new CopiedReplies()
    const one = owner()
    const two = owner()
    add(copies, one, 'a1')
    add(copies, two, 'b1')
    add(copies, one, 'a2')
    copies.close(two)
    copies.close(one)
    expect(one.runs.map(String)).toEqual(['a1', 'a2'])
    expect(two.runs.map(String)).toEqual(['b1'])
  })

  it('uses memory again when all of its runs were taken, and not before', () => {
    const copies = new CopiedReplies()
    const one = owner()
    const two = owner()
    add(copies, one, 'a1')
    add(copies, two, 'b1')
    copies.close(two)
    const { mark } = copies
    copies.taken(1, mark)
    add(copies, one, 'a2')
    copies.close(one)
    expect(one.runs.map(String)).toEqual(['a1', 'a2'])
    expect(two.runs.map(String)).toEqual(['b1'])
    copies.taken(2, mark)
    add(copies, two, 'c1')
    copies.close(two)
    expect(two.runs[1].byteOffset).toBe(one.runs[0].byteOffset)
  })

  it('leaves memory that is full to those who have runs in it', () => {
    const copies = new CopiedReplies()
    const one = owner()
    const before = copies.mark
    const long = 'x'.repeat(LONGEST_COPY)
    for (let i = 0; i < 5; i++) add(copies, one, `${i}${long.slice(1)}`)
    copies.close(one)
    expect(copies.mark).not.toBe(before)
    expect(one.runs.map((run) => run.length / LONGEST_COPY)).toEqual([4, 1])
    // What was taken of the memory before says nothing about this one.
    copies.taken(1, before)
    add(copies, one, 'next')
    copies.close(one)
    expect(Buffer.concat(one.runs).toString()).toBe(
      `${[0, 1, 2, 3, 4].map((i) => `${i}${long.slice(1)}`).join('')}next`,
    )
  })
})

describe('ReplyQueue', () => {
  it('keeps copies and other replies in the order in which they were added', () => {
    const one = new ReplyQueue()
    const two = new ReplyQueue()
    const copied = (queue: ReplyQueue, text: string) => {
      const buf = Buffer.from(text)
      queue.addCopy(buf, 0, buf.length)
      buf.fill('!')
    }
    copied(one, '1')
    copied(one, '2')
    one.add(Buffer.from('3'))
    copied(one, '4')
    copied(two, 'other')
    one.push(Buffer.from('5'))
    copied(one, '6')
    copied(one, 'x'.repeat(LONGEST_COPY + 1))
    copied(one, '7')
    expect(one.outBytes).toBe(7 + LONGEST_COPY + 1)
    expect(Buffer.concat(one.take()).toString()).toBe(`123456${'x'.repeat(LONGEST_COPY + 1)}7`)
    expect(Buffer.concat(two.take()).toString()).toBe('other')
    expect(one.outBytes).toBe(0)
    expect(one.take()).toEqual([])
  })
})
