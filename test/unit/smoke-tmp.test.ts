import { expect, test } from 'vitest'
import { startRedis } from '../helpers/redis.ts'
test('a', async () => { const r = await startRedis(); expect(await r.cli('PING')).toBe('PONG'); await r.stop() })
test('b', () => { if (process.env.FAILIT) expect(1).toBe(2); if (process.env.UNH) setTimeout(() => { throw new Error('late') }, 0) })
test.skip('c', () => {})
