/** A Python with redis-py, for the tests with that client. Nobody has to have one: tests that need it are skipped, counted. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Apt, hasApt } from './apt.mjs'
import { unpack } from './debs.mjs'
import { withLock } from './lock.mjs'
import { run } from './run.mjs'

/** redis-py of Debian with what it imports, without what every Debian with Python has. */
const PACKAGES = ['python3-redis', 'python3-async-timeout', 'python3-deprecated', 'python3-wrapt', 'python3-packaging']
const CANDIDATES = ['/usr/bin/python3', 'python3']

/**
 * A Python that can `import redis`: as installed, else with Debian's packages unpacked (without root) into `cache`.
 *
 * @param {{ cache: string, log: (line: string) => void }} options
 * @returns {Promise<{ python: string, path: string | undefined } | undefined>} `path` belongs into PYTHONPATH
 */
export async function findPython({ cache, log }) {
  for (const python of CANDIDATES) {
    if (await canImport(python)) return { python, path: undefined }
  }
  // Only the system's own Python fits the system's packages.
  const python = CANDIDATES[0]
  if ((await run(python, ['--version'])).code !== 0 || !(await hasApt())) return undefined
  const into = join(cache, 'redis-py')
  const path = join(into, 'root/usr/lib/python3/dist-packages')
  if (await canImport(python, path)) return { python, path }
  try {
    await mkdir(cache, { recursive: true })
    await withLock(
      join(cache, 'redis-py.lock'),
      async () => {
        if (await canImport(python, path)) return
        log('fetching redis-py for the tests with it (once, without root)')
        await unpack({ apt: new Apt(join(cache, 'apt'), log), packages: PACKAGES, into, log })
      },
      log,
    )
  } catch (error) {
    log(`redis-py could not be fetched, its tests are skipped: ${error.message}`)
    return undefined
  }
  if (await canImport(python, path)) return { python, path }
  log('the unpacked redis-py cannot be imported, its tests are skipped')
  return undefined
}

async function canImport(python, path) {
  const env = path === undefined ? process.env : { ...process.env, PYTHONPATH: path }
  return (await run(python, ['-c', 'import redis; redis.Redis'], { env, timeout: 60_000 })).code === 0
}
