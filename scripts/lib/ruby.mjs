/** A Ruby with Sidekiq, for the tests with it. Nobody has to have one: what is not here is skipped, counted. */
import { mkdir, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { Apt, hasApt } from './apt.mjs'
import { unpack } from './debs.mjs'
import { withLock } from './lock.mjs'
import { run } from './run.mjs'

/** Fails where something is not complete: the program of the workers needs most. */
const CHECK = 'require "sidekiq/cli"; require "sidekiq/api"'
/** What Debian's releases have, the oldest first. */
const VERSIONS = ['3.1', '3.3', '3.4']
/** Without what Sidekiq's web pages need. The last is for YAML, and not every system has it. */
const PACKAGES = ['ruby-sidekiq', 'ruby-redis', 'ruby-connection-pool', 'libyaml-0-2']

/**
 * A Ruby that can `require "sidekiq"`: as installed, else Debian's packages unpacked (without root) into `cache`.
 *
 * @param {{ cache: string, log: (line: string) => void }} options
 * @returns {Promise<{ ruby: string, env: Record<string, string> } | undefined>} `env` to add to its environment
 */
export async function findRuby({ cache, log }) {
  const installed = { ruby: 'ruby', env: {} }
  if (await hasSidekiq(installed)) return installed
  const into = join(cache, 'sidekiq')
  const present = await unpackedRuby(into)
  if (present !== undefined) return present
  if (!(await hasApt())) return undefined
  try {
    await mkdir(cache, { recursive: true })
    await withLock(join(cache, 'sidekiq.lock'), () => fetch(into, cache, log), log)
  } catch (error) {
    log(`Sidekiq could not be fetched, its tests are skipped: ${error.message}`)
    return undefined
  }
  const fetched = await unpackedRuby(into)
  if (fetched === undefined) log('the unpacked Sidekiq does not run, its tests are skipped')
  return fetched
}

async function fetch(into, cache, log) {
  if ((await unpackedRuby(into)) !== undefined) return
  const apt = new Apt(join(cache, 'apt'), log)
  for (const version of VERSIONS) {
    if ((await apt.candidate(`ruby${version}`)) === undefined) continue
    log('fetching Ruby and Sidekiq for the tests with it (once, without root)')
    const packages = [`ruby${version}`, `libruby${version}`, ...PACKAGES]
    await unpack({ apt, packages, programs: [`ruby${version}`], into, log })
    return
  }
  throw new Error(`apt knows none of ruby${VERSIONS.join(', ruby')}`)
}

async function unpackedRuby(into) {
  for (const version of VERSIONS) {
    const ruby = join(into, 'bin', `ruby${version}`)
    const { code, output: arch } = await run(ruby, ['--disable-gems', '-e', 'print RUBY_PLATFORM'])
    if (code !== 0) continue
    const found = { ruby, env: await environment(join(into, 'root/usr'), arch, version) }
    if (await hasSidekiq(found)) return found
  }
  return undefined
}

/** Where the tree has what Ruby looks for under /usr. */
async function environment(usr, arch, version) {
  const gems = join(usr, 'share/rubygems-integration/all')
  const names = await readdir(join(gems, 'gems')).catch(() => [])
  const folders = [
    join(usr, `lib/ruby/${version}.0`),
    join(usr, `lib/${arch}/ruby/${version}.0`),
    join(usr, 'lib/ruby/vendor_ruby'),
    ...names.sort().map((name) => join(gems, 'gems', name, 'lib')),
  ]
  return { RUBYLIB: folders.join(delimiter), GEM_PATH: gems }
}

async function hasSidekiq({ ruby, env }) {
  return (await run(ruby, ['-e', CHECK], { env: { ...process.env, ...env }, timeout: 60_000 })).code === 0
}
