/**
 * How much a fuzz test does, and its seed. KEYWARD_FUZZ_RUNS sets the number of inputs, KEYWARD_FUZZ_SEED repeats a
 * run; the long tiers of the test suite do a million.
 */
const TIER = process.env.KEYWARD_TIER ?? 'default'
const RUNS = Number(process.env.KEYWARD_FUZZ_RUNS ?? (TIER === 'default' ? 4000 : 1_000_000))
const SEED = Number(process.env.KEYWARD_FUZZ_SEED ?? Date.now() % 0x7fffffff)

/** Parameters for fc.assert(). `share`: of all inputs, how many this property gets, up to `most`. */
export function fuzz(name: string, share = 1, most = Number.POSITIVE_INFINITY): { numRuns: number; seed: number } {
  const numRuns = Math.min(most, Math.max(1, Math.round(RUNS * share)))
  console.log(`${name}: ${numRuns} inputs, KEYWARD_FUZZ_SEED=${SEED}`)
  return { numRuns, seed: SEED }
}
