import { EntriesWorld } from './entries-world.ts'

/**
 * Run with `--expose-gc <keys> <memory> <length, or "mixed"> <"dead" or "asked">`: so many distinct keys pass through a
 * cache, and each is served once. They come in, in the place of others, because those are dead or because they were
 * asked for a few times. Prints what it says it takes and what it takes, as JSON.
 */
const [keys, memory, length, why] = process.argv.slice(2)

/** Most replies are short, some up to 20 KB. */
function lengthOf(i: number): number {
  return length === 'mixed' ? Math.floor(20_000 ** ((Math.imul(i, 0x9e3779b1) >>> 8) / 2 ** 24)) : Number(length)
}

/** As from sockets: one buffer, over and over. */
const received = Buffer.alloc(20_000, 'x')

/** Resident bytes after everything that can be collected has been. */
async function resident(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10; i++) {
    globalThis.gc?.()
    await new Promise((done) => setTimeout(done, 50))
    least = Math.min(least, process.memoryUsage.rss())
  }
  return least
}

async function pass(size: number): Promise<{ world: EntriesWorld; most: number; stored: number }> {
  const world = new EntriesWorld(size, () => why === 'dead')
  let most = 0
  let stored = 0
  for (let i = 0; i < Number(keys); i++) {
    const key = `session:${i}`
    if (why === 'asked') for (let n = 0; n < 2 + (i % 5); n++) world.find(key)
    if (world.store(key, received.subarray(0, lengthOf(i))) === 'stored') stored++
    world.reply(key)
    most = Math.max(most, world.entries.bytes)
    if (i % 1000 === 0) await new Promise((done) => setImmediate(done))
  }
  return { world, most, stored }
}

// The same through a cache of 1 MiB: what the process takes without one.
await pass(2 ** 20)
const base = await resident()
const { world, most, stored } = await pass(Number(memory))
const bytes = (await resident()) - base
const { count } = world.entries
console.log(JSON.stringify({ count, stored, most, bytes }))
