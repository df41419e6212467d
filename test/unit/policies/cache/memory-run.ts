import { EntriesWorld } from './entries-world.ts'

/**
 * Run with `--expose-gc <keys> <memory> <length, or "mixed">`: so many distinct keys pass through a cache, each of
 * which comes in, in the place of others. Prints what it says it takes and what it takes, as JSON.
 */
const [keys, memory, length] = process.argv.slice(2)

/** Most replies are short, some up to 20 KB. */
function lengthOf(i: number): number {
  return length === 'mixed' ? Math.floor(20_000 ** ((Math.imul(i, 0x9e3779b1) >>> 8) / 2 ** 24)) : Number(length)
}

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

async function pass(size: number): Promise<{ world: EntriesWorld; most: number }> {
  const world = new EntriesWorld(size, () => true)
  let most = 0
  for (let i = 0; i < Number(keys); i++) {
    // As from a socket, a new one each time.
    world.get(`session:${i}`, Buffer.alloc(lengthOf(i), 'x'))
    most = Math.max(most, world.entries.bytes)
    if (i % 1000 === 0) await new Promise((done) => setImmediate(done))
  }
  return { world, most }
}

// The same through a cache of 1 MiB: what the process takes without one.
await pass(2 ** 20)
const base = await resident()
const { world, most } = await pass(Number(memory))
const bytes = (await resident()) - base
const { count, evictions } = world.entries
console.log(JSON.stringify({ count, evictions, most, bytes }))
