/**
 * Finds a real redis-server (or valkey-server): $KEYWARD_REDIS_SERVER, what is installed, and on Debian and Ubuntu the
 * distribution's own packages, unpacked without root into `.cache/redis/`. Never a fake.
 */
import { access, constants, mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Apt, hasApt, sourceOf } from './apt.mjs'
import { unpack } from './debs.mjs'
import { withLock } from './lock.mjs'
import { run } from './run.mjs'

const CACHE = fileURLToPath(new URL('../../.cache/redis', import.meta.url))
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin', '/snap/bin']
/** Oldest server that Keyward is tested against. */
const OLDEST = [6, 2]

/**
 * One server with its tools.
 *
 * @typedef {object} Redis
 * @property {'redis' | 'valkey'} kind
 * @property {string} version as the server says, "7.0.15"
 * @property {string} server path of the program
 * @property {string} cli path of redis-cli or valkey-cli
 * @property {string | undefined} benchmark path of redis-benchmark or valkey-benchmark
 * @property {Record<string, string>} env to add to the environment of these programs
 */

/**
 * The first server found. Throws an Error whose message is the cure for this system, in one line.
 *
 * @param {{ log?: (line: string) => void, wantBenchmark?: boolean }} [options] `wantBenchmark`: pass over an
 *   installation without redis-benchmark
 * @returns {Promise<Redis>}
 */
export async function findRedis({ log = () => {}, wantBenchmark = false } = {}) {
  for await (const found of installed(log)) {
    if (!wantBenchmark || found.benchmark !== undefined) return found
  }
  if (!(await isDebian())) throw new Error(`no redis-server found. ${await cure()}`)
  try {
    return await unpacked('redis', 'redis-server', log)
  } catch (error) {
    throw new Error(`no redis-server found, and fetching Debian's failed (${error.message}). ${await cure()}`)
  }
}

/**
 * Servers that no older Debian has, and the release that has them. Their commands are in the table, and tests of those run
 * against them. Releases that are still being made have them newer every few weeks: then the table says for which version it is.
 */
const NEWER = [
  { name: 'redis-8', kind: 'redis', suite: 'trixie' },
  { name: 'redis-new', kind: 'redis', suite: 'experimental', base: 'forky' },
  { name: 'valkey-new', kind: 'valkey', suite: 'forky' },
]

/**
 * Every server that can be had here, different ones only: those installed, Debian's redis-server and valkey-server (for
 * Debian 12 from its backports), and newer ones (NEWER). What cannot be fetched is logged and left out.
 *
 * @param {{ log?: (line: string) => void }} [options]
 * @returns {Promise<Redis[]>}
 */
export async function findServers({ log = () => {} } = {}) {
  const servers = []
  const add = (found) => {
    if (!servers.some(({ kind, version }) => kind === found.kind && version === found.version)) servers.push(found)
  }
  for await (const found of installed(log)) add(found)
  if (await isDebian()) {
    for (const kind of ['redis', 'valkey']) {
      if (servers.some((server) => server.kind === kind)) continue
      try {
        add(await unpacked(kind, `${kind}-server`, log))
      } catch (error) {
        log(`no ${kind}-server from the distribution, going on without it: ${error.message}`)
      }
    }
    for (const newer of NEWER) {
      // Offline, each attempt takes its time, and every test file would make one.
      const failed = join(CACHE, `${newer.name}.failed`)
      if (await isRecent(failed)) continue
      try {
        const found = await unpackedNewer(newer, log)
        if (found !== undefined) add(found)
      } catch (error) {
        log(`no ${newer.kind}-server from Debian ${newer.suite}, going on without it: ${error.message}`)
        await mkdir(CACHE, { recursive: true })
        await writeFile(failed, `${error.message}\n`)
      }
    }
  }
  if (servers.length === 0) throw new Error(`no redis-server found. ${await cure()}`)
  return servers
}

/** What this machine has, best first, in working order and new enough. */
async function* installed(log) {
  const folders = [...new Set([...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...FOLDERS])]
  const seen = new Set()
  for (const candidate of [fromEnvironment(), ...(await inFolders(folders))]) {
    if (candidate === undefined || !(await isProgram(candidate.server)) || !(await isProgram(candidate.cli))) continue
    const path = await realpath(candidate.server)
    if (seen.has(path)) continue
    seen.add(path)
    const known = await identify(candidate.server)
    if (known === undefined) log(`${candidate.server} does not run, passed over`)
    else if (isOlder(known.version)) log(`${candidate.server} is ${known.version}, too old, passed over`)
    else yield { ...known, ...candidate, env: {} }
  }
}

/** What `npm test` exports, or a user who wants a server of their own choice. */
function fromEnvironment() {
  const { KEYWARD_REDIS_SERVER: server, KEYWARD_REDIS_CLI: cli, KEYWARD_REDIS_BENCHMARK: benchmark } = process.env
  if (!server) return undefined
  return {
    server,
    cli: cli || server.replace(/-server$/, '-cli'),
    benchmark: benchmark || undefined,
  }
}

async function inFolders(folders) {
  const find = async (name) => {
    for (const folder of folders) {
      if (await isProgram(join(folder, name))) return join(folder, name)
    }
    return undefined
  }
  const found = []
  for (const kind of ['redis', 'valkey']) {
    const server = await find(`${kind}-server`)
    const cli = await find(`${kind}-cli`)
    if (server === undefined || cli === undefined) continue
    found.push({ server, cli, benchmark: await find(`${kind}-benchmark`) })
  }
  return found
}

async function isProgram(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Asks the program itself: a valkey may be installed under the name of redis-server. */
async function identify(server) {
  const { output } = await run(server, ['--version'], { timeout: 20_000 })
  const found = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/im.exec(output)
  if (found === null) return undefined
  return { kind: found[1].toLowerCase() === 'valkey' ? 'valkey' : 'redis', version: found[2] }
}

function isOlder(version) {
  const [major, minor] = version.split('.').map(Number)
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
}

/** The distribution's server out of `.cache/redis/`, fetched first when it is not there or does not run any more. */
async function unpacked(kind, server, log) {
  return fetched(kind, kind, log, async () => {
    const libraries = new Apt(join(CACHE, 'apt'), log)
    return { apt: await aptWith(server, libraries, log), libraries }
  })
}

/** One of NEWER; undefined where this system has no source that is Debian's. */
async function unpackedNewer({ name, kind, suite, base }, log) {
  const { VERSION_CODENAME: codename = '', ID: id } = await osRelease()
  const source = id === 'debian' ? await sourceOf(codename) : undefined
  if (source === undefined) return undefined
  return fetched(name, kind, log, async () => {
    const line = (of) => `deb ${source.options === '' ? '' : `[${source.options}] `}${source.uri} ${of} main\n`
    const apt = new Apt(join(CACHE, `apt-${suite}`), log, [suite, base].filter(Boolean).map(line).join(''), suite)
    return { apt, libraries: new Apt(join(CACHE, 'apt'), log) }
  })
}

/** What is in `.cache/redis/<name>`, put there first if need be, out of the packages of `from()`. */
async function fetched(name, kind, log, from) {
  const into = join(CACHE, name)
  const cached = await inCache(kind, into)
  if (cached !== undefined) return cached
  return withLock(
    join(CACHE, `${name}.lock`),
    async () => {
      const fromOther = await inCache(kind, into)
      if (fromOther !== undefined) return fromOther
      const server = `${kind}-server`
      log(`fetching ${server} from the distribution into .cache/redis/${name} (once, without root)`)
      const programs = [server, `${kind}-cli`, `${kind}-benchmark`]
      await unpack({ ...(await from()), packages: [server, `${kind}-tools`], programs, into, log })
      const found = await inCache(kind, into)
      if (found === undefined) throw new Error(`the unpacked ${server} does not run on this system`)
      log(`unpacked ${found.kind} ${found.version}`)
      return found
    },
    log,
  )
}

async function inCache(kind, into) {
  const program = (name) => join(into, 'bin', `${kind}-${name}`)
  if (!(await isProgram(program('server')))) return undefined
  const known = await identify(program('server'))
  if (known === undefined) return undefined
  return { ...known, server: program('server'), cli: program('cli'), benchmark: program('benchmark'), env: {} }
}

/** The system's sources if they have the package, else the backports of the same release from the same mirror. */
async function aptWith(name, system, log) {
  if ((await system.candidate(name)) !== undefined) return system
  const { VERSION_CODENAME: codename = '', ID: id } = await osRelease()
  const source = id === 'debian' ? await sourceOf(codename) : undefined
  if (source === undefined) throw new Error(`apt knows no ${name}`)
  const options = source.options === '' ? '' : `[${source.options}] `
  const line = `deb ${options}${source.uri} ${codename}-backports main\n`
  const backports = new Apt(join(CACHE, 'apt-backports'), log, line)
  if ((await backports.candidate(name)) === undefined) throw new Error(`apt knows no ${name}, nor do the backports`)
  return backports
}

/** Written in the last ten minutes. */
async function isRecent(file) {
  return stat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs < 600_000,
    () => false,
  )
}

async function isDebian() {
  if (process.platform !== 'linux') return false
  const { ID: id = '', ID_LIKE: like = '' } = await osRelease()
  return `${id} ${like}`.split(' ').some((name) => name === 'debian' || name === 'ubuntu') && (await hasApt())
}

async function osRelease() {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return Object.fromEntries([...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, key, value]) => [key, value]))
}

/** One line that ends the trouble on this system. */
async function cure() {
  if (process.platform === 'darwin') return 'Run: brew install redis'
  if (process.platform === 'win32') {
    return 'Run: docker run -d -p 6379:6379 redis:7 and set REDIS_URL=redis://127.0.0.1:6379'
  }
  for (const [program, line] of [
    ['apt-get', 'sudo apt-get update && sudo apt-get install -y redis-server'],
    ['dnf', 'sudo dnf install -y redis || sudo dnf install -y valkey'],
    ['apk', 'sudo apk add redis'],
    ['pacman', 'sudo pacman -S --noconfirm valkey'],
    ['zypper', 'sudo zypper install -y redis'],
  ]) {
    if ((await run(program, ['--version'])).code === 0) return `Run: ${line}`
  }
  return 'Install redis-server or valkey-server with the package manager of this system'
}
