/**
 * A million addresses, each of which connects, asks once and leaves, at the buckets of one rule as built in dist/: what
 * the buckets then hold, as JSON. A process of its own, with --expose-gc, for nothing else to be in its memory;
 * limits-memory.mjs starts it with the number of addresses and of buckets.
 */

const folder = new URL('../../dist/policies/limits/', import.meta.url)
const { LocalBuckets } = await import(new URL('local-buckets.js', folder).href)
const { bucketName } = await import(new URL('address-of.js', folder).href)
const [addresses, most] = process.argv.slice(2).map(Number)

/** One operation an hour, so that no bucket is full again, and so forgotten, before the end. */
const OPTIONS = { rate: 1 / 3600, burst: 1, unit: 'operations', per: 'address', buckets: most }

function bytes() {
  global.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** All of them, a thousand connected at a time. */
function come(buckets) {
  const connected = []
  let admitted = 0
  for (let i = 0; i < addresses; i++) {
    const address = `${10 + (i >>> 24)}.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}:1024`
    const slot = buckets.hold(bucketName(address))
    if (buckets.take(slot, 1, 1000, 0) === 0) admitted++
    connected.push(slot)
    if (connected.length < 1000) continue
    for (const one of connected) buckets.release(one)
    connected.length = 0
  }
  return admitted
}

come(new LocalBuckets(OPTIONS))
const before = bytes()
const buckets = new LocalBuckets(OPTIONS)
const admitted = come(buckets)
const held = bytes() - before
console.log(JSON.stringify({ admitted, buckets: buckets.count, overflows: buckets.overflows, bytes: held }))
