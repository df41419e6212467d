import type { ConnectionOptions } from 'bullmq'
import { Redis as Redis5 } from 'ioredis5'
import { createClient } from 'redis'

/** A client library under BullMQ. */
interface Flavour {
  readonly name: string
  /** The connection for one queue, worker or listener, logged in with this password; `close` ends it after that. */
  connect(port: number, password: string): Promise<{ connection: ConnectionOptions; close(): Promise<unknown> }>
}

export const flavours: readonly Flavour[] = [
  {
    name: 'ioredis 5, RESP2',
    async connect(port, password) {
      const client = new Redis5({ port, password, maxRetriesPerRequest: null })
      return { connection: client as unknown as ConnectionOptions, close: () => client.quit() }
    },
  },
  {
    name: 'ioredis 6, RESP3, which BullMQ makes itself',
    connect: async (port, password) => ({ connection: { port, password }, close: async () => {} }),
  },
  {
    name: 'node-redis',
    async connect(port, password) {
      const client = createClient({ url: `redis://:${password}@127.0.0.1:${port}` })
      client.on('error', () => {})
      await client.connect()
      return { connection: client as unknown as ConnectionOptions, close: () => client.close() }
    },
  },
]
