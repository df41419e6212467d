import { createClient } from 'redis'
import { runWorker } from './worker.ts'

/** node-redis, which knows a host, a port and a password, and does nothing on its own. */
await runWorker('node-redis', async (order, { tenant }, trouble) => {
  const client = createClient({
    socket: { host: '127.0.0.1', port: order.port, reconnectStrategy: false },
    password: tenant,
    disableOfflineQueue: true,
  })
  for (const event of ['end', 'reconnecting', 'error'] as const) {
    client.on(event, (what: unknown) => trouble(what instanceof Error ? `${event}: ${what.message}` : event))
  }
  await client.connect()
  return {
    get: (key) => client.get(key),
    incr: (key) => client.incr(key),
    wait: (replicas, milliseconds) => client.wait(replicas, milliseconds),
    push: (key, value) => client.rPush(key, value),
    pop: async (key, seconds) => (await client.blPop(key, seconds))?.element ?? null,
    publish: (channel, text) => client.publish(channel, text),
    subscribe: async (channel, listener) => {
      await client.subscribe(channel, listener)
    },
    close: () => client.destroy(),
  }
})
