/**
 * Debian packages without root and without touching the system: apt with lists and caches of its own, the system's
 * sources and keys. apt checks the signature of the lists and, by them, the hash of every file.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run, tail } from './run.mjs'

/** Does this system have what the rootless unpack needs? */
export async function hasApt() {
  const found = await Promise.all(['apt-get', 'apt-cache', 'dpkg-deb'].map((program) => run(program, ['--version'])))
  return found.every(({ code }) => code === 0)
}

export class Apt {
  #dir
  #sources
  #log
  #release
  #updated = false

  /**
   * @param {string} dir where lists and caches are kept
   * @param {(line: string) => void} log
   * @param {string} [sources] one-line apt sources to use in place of the system's
   * @param {string} [release] the one whose packages are taken, where there are several
   */
  constructor(dir, log, sources, release) {
    this.#dir = dir
    this.#sources = sources
    this.#release = release
    this.#log = log
  }

  /** The version that would be downloaded, or undefined. Fetches the lists on the first call. */
  async candidate(name) {
    await this.#update()
    const { output } = await this.#run('apt-cache', ['policy', name])
    const version = /^\s*Candidate:\s*(\S+)/m.exec(output)?.[1]
    return version === '(none)' ? undefined : version
  }

  /** Downloads packages into a folder; throws with apt's own words. */
  async download(names, into) {
    await this.#update()
    const { code, output } = await this.#run('apt-get', ['download', ...names], into)
    if (code !== 0) throw new Error(tail(output))
    return (await readdir(into)).filter((file) => file.endsWith('.deb')).map((file) => join(into, file))
  }

  async #update() {
    if (this.#updated) return
    this.#updated = true
    await this.#configure()
    const { output } = await this.#run('apt-get', ['update'])
    // Old lists, or those of the sources that did answer, may do: the download decides.
    const complaint = /^[WE]: .*/m.exec(output)?.[0]
    if (complaint !== undefined) this.#log(`apt-get update complains, going on with what there is: ${complaint}`)
  }

  async #configure() {
    for (const folder of ['lists/partial', 'archives/partial', 'state', 'parts']) {
      await mkdir(join(this.#dir, folder), { recursive: true })
    }
    const lines = [
      // Hooks of the system (they clean its caches, tell its desktop) are not for our lists.
      '#clear APT::Update::Post-Invoke;',
      '#clear APT::Update::Post-Invoke-Success;',
      `Dir::State "${this.#dir}/state";`,
      `Dir::State::lists "${this.#dir}/lists";`,
      'Dir::State::status "/var/lib/dpkg/status";',
      `Dir::Cache "${this.#dir}";`,
      // As root, apt would hand the download to the user _apt, who may not write here.
      'APT::Sandbox::User "root";',
      'Acquire::Languages "none";',
      'Acquire::Retries "2";',
      'Acquire::http::Timeout "30";',
      'Acquire::https::Timeout "30";',
    ]
    if (this.#release !== undefined) lines.push(`APT::Default-Release "${this.#release}";`)
    if (this.#sources !== undefined) {
      await writeFile(join(this.#dir, 'sources.list'), this.#sources)
      lines.push(`Dir::Etc::sourcelist "${this.#dir}/sources.list";`, `Dir::Etc::sourceparts "${this.#dir}/parts";`)
    }
    await writeFile(join(this.#dir, 'apt.conf'), `${lines.join('\n')}\n`)
  }

  #run(program, args, cwd) {
    const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
    return run(program, ['-q', '-c', join(this.#dir, 'apt.conf'), ...args], { cwd, env, timeout: 300_000 })
  }
}

/**
 * Where this system gets a suite from, as it says itself: `{ uri, options }` of the source whose suite has this name,
 * or undefined. Reads both forms of sources, one-line and deb822.
 */
export async function sourceOf(suite) {
  for (const file of await sourceFiles()) {
    const text = await readFile(file, 'utf8').catch(() => '')
    const found = file.endsWith('.sources') ? fromDeb822(text, suite) : fromOneLine(text, suite)
    if (found !== undefined) return found
  }
  return undefined
}

async function sourceFiles() {
  const parts = await readdir('/etc/apt/sources.list.d').catch(() => [])
  const files = parts.filter((name) => /\.(list|sources)$/.test(name)).map((name) => `/etc/apt/sources.list.d/${name}`)
  return ['/etc/apt/sources.list', ...files.sort()]
}

function fromOneLine(text, suite) {
  for (const line of text.split('\n')) {
    const found = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s/.exec(`${line} `)
    if (found !== null && found[3] === suite) return { uri: found[2], options: found[1]?.trim() ?? '' }
  }
  return undefined
}

function fromDeb822(text, suite) {
  const withoutComments = text.replace(/^#.*\n?/gm, '')
  for (const stanza of withoutComments.split(/\n\s*\n/)) {
    const field = (name) => new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t].*)*)`, 'im').exec(stanza)?.[1].trim()
    if (!/\bdeb\b/.test(field('Types') ?? '') || field('Enabled') === 'no') continue
    if (!(field('Suites') ?? '').split(/\s+/).includes(suite)) continue
    const uri = field('URIs')?.split(/\s+/)[0]
    const key = field('Signed-By')
    // A key may also stand in the stanza itself; the one-line form, which we write, takes a file only.
    if (uri !== undefined) return { uri, options: key?.startsWith('/') ? `signed-by=${key}` : '' }
  }
  return undefined
}
