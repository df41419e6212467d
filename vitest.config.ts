import { defineConfig } from 'vitest/config'

// The tiers differ in numbers that tests read from KEYWARD_TIER, never in which tests there are.
const patience = { default: 60_000, long: 600_000, drill: 3_600_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 60_000

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, not threads: tests start servers, raise signals and measure memory.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: patience,
    hookTimeout: patience,
    teardownTimeout: 30_000,
    // A test that passes at the second attempt has found something.
    retry: 0,
  },
})
