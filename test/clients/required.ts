/**
 * Clients that have run in CI: there they may not be skipped any more. A client that comes new gets a line here with
 * the change that makes it run.
 */
export const REQUIRED = [
  'ioredis 5',
  'ioredis 6',
  'node-redis 6',
  'redis-cli',
  'redis-py',
  'celery',
  'socket.io',
  'connect-redis',
  'bullmq',
  'rate-limiter-flexible',
  'redlock',
  'sidekiq',
] as const

export type ClientName = (typeof REQUIRED)[number]

/** Whether tests of a client are skipped because it is not here; where it is required that is an error instead. */
export function skip(client: ClientName, missing: string | undefined): boolean {
  if (missing === undefined) return false
  if (process.env.CI !== undefined && REQUIRED.includes(client))
    throw new Error(`${client} is required in CI: ${missing}`)
  console.log(`${client} is skipped: ${missing}`)
  return true
}
