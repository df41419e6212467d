import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { complete, freePort, launch, stop, temporaryFolder } from './children.mjs'
import { patiently } from './patiently.mjs'
import { RawClient } from './raw-client.mjs'

/**
 * What is measured: the bare Redis and each proxy in front of it. A row tells how to find it, how to start it and how
 * a client logs in; `prefix` is what it puts in front of a key.
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const PREFIX = 'acme:'
const USER = 'acme/bench'

const ROWS = {
  bare: { resp3: true },
  keyward: {
    resp3: true,
    prefix: PREFIX,
    user: USER,
    conf: 'keyward.yaml',
    program: () => (existsSync(path.join(ROOT, 'dist/main.js')) ? process.execPath : undefined),
    missing: 'dist/main.js is not there: npm run build',
    args: (file) => [path.join(ROOT, 'dist/main.js'), 'serve', file],
    version: async () => JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).version,
  },
  nutcracker: {
    // It closes after QUIT without a reply.
    silentQuit: true,
    conf: 'nutcracker.yml',
    args: (file, ports) => ['-c', file, '-a', '127.0.0.1', '-s', String(ports.admin)],
    versionArgs: ['--version'],
  },
  haproxy: {
    resp3: true,
    conf: 'haproxy.cfg',
    args: (file) => ['-db', '-f', file],
    versionArgs: ['-v'],
  },
  predixy: {
    conf: 'predixy.conf',
    args: (file) => [file],
    versionArgs: ['-v'],
  },
}

export const TARGET_NAMES = Object.keys(ROWS)

/** The program of a target; undefined when it is not installed. */
function programOf(name) {
  const row = ROWS[name]
  if (row.program !== undefined) return row.program()
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin']
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => path.join(folder, name))
    .find(isExecutable)
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Those of `names` that can be started here, with their versions; says in a line which cannot.
 *
 * @param {(line: string) => void} log
 */
export async function findTargets(names, log) {
  const found = []
  for (const name of names) {
    if (name === 'bare') {
      found.push({ name, program: undefined, version: undefined })
      continue
    }
    const program = programOf(name)
    if (program === undefined) log(`${name} is left out: ${ROWS[name].missing ?? 'not installed'}`)
    else found.push({ name, program, version: await versionOf(name, program) })
  }
  return found
}

async function versionOf(name, program) {
  const row = ROWS[name]
  if (row.version !== undefined) return await row.version()
  const { stdout, stderr } = await complete(name, program, row.versionArgs)
  return /\d+\.\d+\.\d+\S*/.exec(stdout + stderr)?.[0] ?? 'unknown'
}

/**
 * Starts a target in front of `backing` and waits until a GET of an existing key passes through it.
 *
 * @param {{ name: string, program?: string }} found from findTargets()
 * @param {number} clients the most connections it must take
 */
export async function startTarget(found, backing, password, clients) {
  const row = ROWS[found.name]
  const target = {
    name: found.name,
    isProxy: found.name !== 'bare',
    prefix: row.prefix ?? '',
    resp3: row.resp3 === true,
    silentQuit: row.silentQuit === true,
    /** For redis-benchmark. */
    loginArgs: row.user === undefined ? ['-a', password] : ['--user', row.user, '-a', password],
    /** For our own clients. */
    login: row.user === undefined ? ['AUTH', password] : ['AUTH', row.user, password],
    hello3: ['HELLO', '3', 'AUTH', row.user ?? 'default', password],
    port: backing.port,
    pid: backing.pid,
    adminPort: undefined,
    entry: backing.entry,
    stop: async () => {},
  }
  if (!target.isProxy) return target
  const ports = { proxy: await freePort(), admin: await freePort() }
  const file = path.join(temporaryFolder(), row.conf)
  writeFileSync(file, configuration(row.conf, { ports, backing, password, clients }))
  target.entry = launch(found.name, found.program, row.args(file, ports))
  target.port = ports.proxy
  target.adminPort = ports.admin
  target.pid = target.entry.pid
  target.stop = () => stop(target.entry)
  await patiently(target.entry, () => tryOut(target))
  return target
}

function configuration(name, { ports, backing, password, clients }) {
  const values = {
    PORT: ports.proxy,
    ADMIN_PORT: ports.admin,
    REDIS_PORT: backing.port,
    PASSWORD: password,
    CLIENTS: clients + 100,
  }
  const template = readFileSync(new URL(`conf/${name}`, import.meta.url), 'utf8')
  return template.replace(/@([A-Z_]+)@/g, (all, key) => {
    if (values[key] === undefined) throw new Error(`conf/${name}: nothing to put in for ${all}`)
    return String(values[key])
  })
}

async function tryOut(target) {
  const client = await RawClient.open(target.port)
  try {
    await client.ask(...target.login)
    await client.ask('SET', 'bench:probe', target.name)
    if ((await client.ask('GET', 'bench:probe')) !== target.name) throw new Error('GET did not return what SET wrote')
  } finally {
    client.close()
  }
}

/** Keyward's metrics page, or undefined for another target: proves that metrics are on, and counts the requests. */
export async function metricsOf(target) {
  if (target.name !== 'keyward') return undefined
  const answer = await fetch(`http://127.0.0.1:${target.adminPort}/metrics`)
  if (!answer.ok) throw new Error(`keyward's /metrics answered ${answer.status}`)
  return await answer.text()
}
