/** A Python with redis-py and Celery, for the tests with them. Nobody has to have one: what is not here is skipped, counted. */
import { mkdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { Apt, hasApt } from './apt.mjs'
import { unpack } from './debs.mjs'
import { withLock } from './lock.mjs'
import { run } from './run.mjs'

/**
 * `check` is Python that fails where the library is not complete; `packages` are Debian's, without what every Debian
 * with Python has: of Celery's own dependencies, not what only its transport for memcached and its solar schedules import.
 */
const REDIS_PY = {
  name: 'redis-py',
  check: 'import redis; redis.Redis',
  packages: ['redis', 'async-timeout', 'deprecated', 'wrapt', 'packaging'],
}
const CELERY = {
  name: 'celery',
  check: 'import celery.bin.celery, celery.worker, celery.backends.redis, kombu.transport.redis',
  packages: [
    ...['celery', 'kombu', 'billiard', 'vine', 'amqp', 'pkg-resources', 'pyparsing', 'dateutil', 'six', 'tz'],
    ...['click', 'click-didyoumean', 'click-plugins', 'click-repl', 'colorama', 'prompt-toolkit', 'wcwidth'],
  ],
}
/** Only the system's own Python fits the system's packages. */
const SYSTEM = '/usr/bin/python3'
const CANDIDATES = [SYSTEM, 'python3']

/**
 * A Python that can `import redis`: as installed, else with Debian's packages unpacked (without root) into `cache`;
 * then the same for Celery, on top of it.
 *
 * @param {{ cache: string, log: (line: string) => void }} options
 * @returns {Promise<{ python: string, path: string | undefined, celery: boolean } | undefined>} `path` belongs into
 *   PYTHONPATH; `celery`: it can be imported, too
 */
export async function findPython({ cache, log }) {
  const found = await withRedis(cache, log)
  if (found === undefined) return undefined
  const celery = await provide(found, CELERY, cache, log)
  return { ...(celery ?? found), celery: celery !== undefined }
}

async function withRedis(cache, log) {
  for (const python of CANDIDATES) {
    if (await canImport({ python }, REDIS_PY)) return { python, path: undefined }
  }
  if ((await run(SYSTEM, ['--version'])).code !== 0) return undefined
  return provide({ python: SYSTEM, path: undefined }, REDIS_PY, cache, log)
}

/** This Python with one more library: as it is, or with one more folder in its path, fetched where it is not there yet. */
async function provide(found, library, cache, log) {
  if (await canImport(found, library)) return found
  if (found.python !== SYSTEM || !(await hasApt())) return undefined
  const { name } = library
  const into = join(cache, name)
  const folder = join(into, 'root/usr/lib/python3/dist-packages')
  const wanted = { ...found, path: found.path === undefined ? folder : [found.path, folder].join(delimiter) }
  if (await canImport(wanted, library)) return wanted
  try {
    await mkdir(cache, { recursive: true })
    await withLock(
      join(cache, `${name}.lock`),
      async () => {
        if (await canImport(wanted, library)) return
        log(`fetching ${name} for the tests with it (once, without root)`)
        const packages = library.packages.map((part) => `python3-${part}`)
        await unpack({ apt: new Apt(join(cache, 'apt'), log), packages, into, log })
      },
      log,
    )
  } catch (error) {
    log(`${name} could not be fetched, its tests are skipped: ${error.message}`)
    return undefined
  }
  if (await canImport(wanted, library)) return wanted
  log(`the unpacked ${name} cannot be imported, its tests are skipped`)
  return undefined
}

async function canImport({ python, path }, { check }) {
  const env = path === undefined ? process.env : { ...process.env, PYTHONPATH: path }
  return (await run(python, ['-c', check], { env, timeout: 60_000 })).code === 0
}
