import { Redis } from 'ioredis'
import { runWorker } from './worker.ts'

/** ioredis, which knows a host, a port and a password, and does nothing on its own; or its Sentinel client, as it comes. */
await runWorker('ioredis', async (order, { tenant }, trouble) => {
  const { sentinels, master, failoverDetector } = order
  const client =
    sentinels === undefined
      ? new Redis({
          host: '127.0.0.1',
          port: order.port,
          password: tenant,
          retryStrategy: () => null,
          maxRetriesPerRequest: 0,
          autoResendUnfulfilledCommands: false,
          autoResubscribe: false,
        })
      : new Redis({ sentinels: [...sentinels], name: master, failoverDetector })
  for (const event of ['close', 'end', 'reconnecting', 'error']) {
    client.on(event, (what: unknown) => trouble(what instanceof Error ? `${event}: ${what.message}` : event))
  }
  await new Promise((resolve, reject) => {
    client.once('ready', resolve)
    client.once('end', () => reject(new Error('no connection')))
  })
  return {
    get: (key) => client.get(key),
    incr: (key) => client.incr(key),
    wait: (replicas, milliseconds) => client.wait(replicas, milliseconds),
    push: (key, value) => client.rpush(key, value),
    pop: async (key, seconds) => (await client.blpop(key, seconds))?.[1] ?? null,
    publish: (channel, text) => client.publish(channel, text),
    subscribe: async (channel, listener) => {
      client.on('message', (_, text) => listener(text))
      await client.subscribe(channel)
    },
    close: () => client.disconnect(),
  }
})
