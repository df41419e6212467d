/**
 * `npm test`: all that is needed for it, then vitest. `--long` runs the same tests with bigger numbers, `--drill`
 * those about losses with bigger ones still; anything else is passed on to vitest. The last line counts, the exit code is 0 only when tests ran and none failed.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CACHE, dependency, ensureBuilt, ensureInstalled, ROOT, say } from './lib/project.mjs'
import { findPython } from './lib/python.mjs'
import { findRedis } from './lib/redis.mjs'
import { findRuby } from './lib/ruby.mjs'
import { run } from './lib/run.mjs'

const REPORT = join(CACHE, 'vitest.json')

const given = process.argv.slice(2)
const tier = given.includes('--drill') ? 'drill' : given.includes('--long') ? 'long' : 'default'
const passedOn = given.filter((arg) => arg !== '--drill' && arg !== '--long')
/** What a drill is about: losing things. The rest of the tests has nothing to gain from being run longer. */
const DRILL = [
  'chaos/',
  'failure',
  'old-writes',
  'churn',
  'isolation',
  'order',
  'reload',
  'pin-state',
  'model',
  'pubsub-order',
  'stopped-upstream',
  'failover',
]
if (tier === 'drill' && passedOn.length === 0) passedOn.push(...DRILL)

const env = await prepare().catch((error) => {
  console.error(`error: ${error.message}`)
  console.log('0 passed, 1 failed, 0 skipped')
  process.exit(1)
})
const code = await runVitest()
const { passed, failed, skipped } = await count()
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1

/** The environment for the tests. */
async function prepare() {
  await ensureInstalled()
  const redis = await findRedis({ log: say })
  const python = await findPython({ cache: CACHE, log: say })
  const ruby = await findRuby({ cache: CACHE, log: say })
  await ensureBuilt()
  const shown = [
    `${redis.kind} ${redis.version} (${redis.server})`,
    `redis-py ${python ? `by ${python.python}` : 'not here'}`,
    `Celery ${python?.celery ? 'too' : 'not here'}`,
    `Sidekiq ${ruby ? `by ${ruby.ruby}` : 'not here'}`,
  ]
  say(`testing with ${shown.join(', ')}; tier: ${tier}`)
  return {
    ...process.env,
    KEYWARD_TIER: tier,
    KEYWARD_REDIS_SERVER: redis.server,
    KEYWARD_REDIS_CLI: redis.cli,
    KEYWARD_REDIS_BENCHMARK: redis.benchmark,
    ...(python === undefined ? {} : { KEYWARD_PYTHON: python.python }),
    ...(python?.path === undefined ? {} : { PYTHONPATH: python.path }),
    ...(ruby === undefined ? {} : { KEYWARD_RUBY: ruby.ruby, ...ruby.env }),
  }
}

async function runVitest() {
  await rm(REPORT, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`]
  const args = [dependency('vitest/vitest.mjs'), 'run', ...reporters, ...passedOn]
  return (await run(process.execPath, args, { cwd: ROOT, env, show: true })).code
}

/** From the report; what failed outside of a test (a file that cannot be loaded, an unhandled error) counts as one each. */
async function count() {
  let report
  try {
    report = JSON.parse(await readFile(REPORT, 'utf8'))
  } catch {
    console.log('vitest left no report')
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  for (const { name, message } of broken) console.log(`failed outside of a test: ${name}: ${message}`)
  const passed = report.numPassedTests
  let failed = report.numFailedTests + broken.length
  if (passed + failed === 0) console.log('no test ran')
  else if (failed === 0 && code !== 0) {
    console.log(`no test failed, but vitest ended with ${code}: see the errors above`)
    failed = 1
  }
  return { passed, failed, skipped: report.numPendingTests + report.numTodoTests }
}
