import type { Redis } from 'ioredis'

/** What an API answers beside its own reply, in headers or in a 429. Times in seconds. */
export interface RateLimit {
  readonly limit: number
  readonly remaining: number
  /** Unix time at which everything is allowed again; for a status with nothing used: 0. */
  readonly reset: number
}

/**
 * So many requests of one API key, or from one address, in a window, for an API with many processes. The counting, its
 * clock and its clean-up are CL.THROTTLE's: no script, no count to read, compare and write back.
 */
export class RateLimiter {
  private readonly redis: Redis

  constructor(redis: Redis) {
    this.redis = redis
  }

  /** Counts one request. `window` in seconds. A refused one is not counted. */
  async checkRateLimit(key: string, limit: number, window: number): Promise<{ allowed: boolean; info: RateLimit }> {
    const { limited, ...info } = await this.ask('CL.THROTTLE', key, limit, window)
    return { allowed: !limited, info }
  }

  /** The same without counting. */
  async getRateLimitStatus(key: string, limit: number, window: number): Promise<RateLimit & { current: number }> {
    const { limited: _, ...info } = await this.ask('CL.STATUS', key, limit, window)
    return { ...info, current: limit - info.remaining }
  }

  private async ask(command: string, key: string, limit: number, window: number) {
    // A burst of the whole limit; the first request of a full bucket is not part of what redis-cell calls the burst.
    const reply = await this.redis.call(command, key, limit - 1, limit, window)
    const [limited, size, remaining, , full] = reply as number[]
    const reset = full === 0 ? 0 : Math.floor(Date.now() / 1000) + full
    return { limited: limited === 1, limit: size, remaining, reset }
  }
}
