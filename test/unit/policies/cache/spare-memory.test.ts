import { expect, test } from 'vitest'
import { roomFor, SpareMemory } from '../../../../src/policies/cache/spare-memory.ts'

test('there is room for all bytes, and not much more', () => {
  const wrong: number[] = []
  const rooms = new Set<number>()
  for (let bytes = 0; bytes < 200_000; bytes++) {
    const room = roomFor(bytes)
    if (bytes <= 65_536) rooms.add(room)
    if (room < bytes || (room > 64 && room > bytes * 1.125) || roomFor(room) !== room) wrong.push(bytes)
  }
  expect(wrong).toEqual([])
  expect(rooms.size).toBe(81)
})

test('what was given is taken again by who needs as much', () => {
  const spare = new SpareMemory(10_000, 400)
  const one = spare.take(128)
  const other = spare.take(256)
  expect([one.length, other.length, spare.bytes]).toEqual([128, 256, 0])
  spare.give(one)
  spare.give(other)
  expect(spare.bytes).toBe(128 + 256 + 2 * 400)
  expect(spare.take(128)).toBe(one)
  expect(spare.take(128)).not.toBe(one)
  expect(spare.take(256)).toBe(other)
  expect(spare.bytes).toBe(0)
})

test('it keeps no more than it may, and nothing that is large', () => {
  const spare = new SpareMemory(2000, 400)
  const buffers = Array.from({ length: 3 }, () => spare.take(512))
  for (const buffer of buffers) spare.give(buffer)
  expect(spare.bytes).toBe(2 * 912)
  const large = new SpareMemory(1e9, 400)
  large.give(Buffer.alloc(65_536))
  expect(large.bytes).toBe(65_936)
  large.give(Buffer.alloc(65_537))
  expect(large.bytes).toBe(65_936)
})

test('lengths that are not asked for any more make way for others', () => {
  const spare = new SpareMemory(10_000, 400)
  for (let i = 0; i < 100; i++) spare.give(Buffer.alloc(64))
  const kept = spare.bytes
  expect(kept).toBeGreaterThan(9000)
  expect(kept).toBeLessThanOrEqual(10_000)
  const buffers: Buffer[] = Array.from({ length: 20 }, () => Buffer.alloc(1024))
  for (const buffer of buffers) {
    spare.give(buffer)
    expect(spare.bytes).toBeLessThanOrEqual(10_000)
  }
  const again = Array.from({ length: 7 }, () => spare.take(1024))
  expect(again.every((buffer) => buffers.includes(buffer))).toBe(true)
  // Taken to the last one, all has been counted.
  for (let i = 0; i < 100; i++) spare.take(64)
  expect(spare.bytes).toBe(0)
})
