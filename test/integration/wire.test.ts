import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Wire } from '../../src/lib/wire.ts'
import { eventually } from '../helpers/places.ts'

const owner = { onBytes() {}, onEnd() {}, onDrain() {}, onClosed() {} }

test('short parts and long ones arrive whole and in order, however slowly they are read', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const client = connect(port, '127.0.0.1')
  const wire = new Wire(await accepted, owner)
  client.pause()
  const sent: Buffer[] = []
  // Until the kernel takes no more, and then some: what it has not taken must not be written over.
  for (let i = 0, late = 0; late < 200; i++) {
    const count = i % 40
    const parts = Array.from({ length: count + 1 }, (_, k) => Buffer.from(`${i}.${k};`.repeat(i % 7 === 0 ? 3000 : 9)))
    sent.push(...parts)
    wire.write(parts)
    if (wire.queued > 0) late++
  }
  expect(sent.length).toBeGreaterThan(200)
  const expected = Buffer.concat(sent)
  const received: Buffer[] = []
  client.on('data', (chunk: Buffer) => received.push(Buffer.from(chunk)))
  client.resume()
  const size = () => received.reduce((sum, { length }) => sum + length, 0)
  expect(await eventually(() => size() >= expected.length)).toBe(true)
  expect(Buffer.concat(received).equals(expected)).toBe(true)
  client.destroy()
  wire.close()
  server.close()
})
