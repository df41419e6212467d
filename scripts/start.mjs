/**
 * `npm start`: Keyward with two demo tenants in front of a real Redis without persistence (or the one of $REDIS_URL).
 * Installs, builds and fetches what is missing first. Ctrl-C or SIGTERM ends all of it.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ensureBuilt, ensureInstalled, ROOT, say } from './lib/project.mjs'
import { findRedis } from './lib/redis.mjs'
import { watch, watchFolder } from './lib/watchdog.mjs'

const READY_WITHIN = 30_000
/** Keyward's own deadline in the demo is 5 s. */
const END_WITHIN = 10_000

let folder
let redis
let keyward
let ending = false

process.on('SIGINT', () => end(0))
process.on('SIGTERM', () => end(0))
// npm that is killed leaves us behind without a word.
if (process.env.npm_lifecycle_event === 'start') {
  const before = ancestors()
  setInterval(() => {
    if (ancestors() !== before && !ending) void end(0)
  }, 200).unref()
}
try {
  await start()
} catch (error) {
  if (!ending) {
    console.error(`error: ${error.message}`)
    await end(1)
  }
}

/** Who waits for us: npm, or the shell that npm put between, with npm behind it. */
function ancestors() {
  try {
    const [, command, parent] = /\((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${process.ppid}/stat`, 'latin1'))
    if (command === 'sh') return `${process.ppid} ${parent}`
  } catch {
    // Not Linux: the parent alone has to do.
  }
  return `${process.ppid}`
}

async function start() {
  await ensureInstalled()
  await ensureBuilt()
  folder = await mkdtemp(join(tmpdir(), 'keyward-demo-'))
  watchFolder(folder)
  const backing = process.env.REDIS_URL ? backingFromUrl() : await startBacking()
  if (ending) return
  const port = await portNear(6380)
  const admin = await portNear(9380)
  const file = join(folder, 'keyward.yaml')
  await writeFile(file, configuration(backing.url, port, admin), { mode: 0o600 })
  if (ending) return
  say('starting keyward')
  keyward = launch('keyward', process.execPath, [join(ROOT, 'dist/main.js'), 'serve', file], environment())
  await ready(admin)
  if (!ending) console.log(greeting({ port, admin, file, backing }))
}

function backingFromUrl() {
  say('using the Redis of REDIS_URL; the demo keys in it start with blue: and green:')
  return { url: '{env: REDIS_URL}', cli: 'redis-cli', raw: '-u "$REDIS_URL"' }
}

/** A redis-server that nobody else can reach: a unix socket in a folder of ours. */
async function startBacking() {
  const found = await findRedis({ log: say })
  if (ending) return undefined
  say(`starting ${found.kind}-server ${found.version} without persistence`)
  const socket = join(folder, 'redis.sock')
  const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', folder]
  redis = launch(`${found.kind}-server`, found.server, args, { ...process.env, ...found.env })
  const loader = Object.entries(found.env).map(([name, value]) => `${name}=${quote(value)} `)
  const onPath = found.cli === '/usr/bin/redis-cli' || found.cli === '/usr/local/bin/redis-cli'
  const cli = onPath ? 'redis-cli' : `${loader.join('')}${quote(found.cli)}`
  return { url: JSON.stringify(`unix:${socket}`), cli, raw: `-s ${quote(socket)}` }
}

function configuration(url, port, admin) {
  return `# The demo of npm start.
version: 1
log: {level: warn}
shutdown: {deadline: 5s}
listeners:
  - address: 127.0.0.1:${port}
admin: {address: 127.0.0.1:${admin}}
upstreams:
  main: {url: ${url}}
tenants:
  blue:
    upstream: main
    users: {default: {password: blue-secret}}
  green:
    upstream: main
    users: {default: {password: green-secret}}
`
}

/** KEYWARD_LISTEN and its like would win over the demo's file. */
function environment() {
  const kept = Object.entries(process.env).filter(([name]) => !/^KEYWARD_(?!LOG_LEVEL$)/.test(name))
  return Object.fromEntries(kept)
}

/** The port itself, or the next free one; said, because people will type it. */
async function portNear(wanted) {
  for (let port = wanted; port < wanted + 100; port++) {
    if (!(await isFree(port))) continue
    if (port !== wanted) say(`port ${wanted} is taken, using ${port}`)
    return port
  }
  throw new Error(`no free port from ${wanted} to ${wanted + 99}`)
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Detached, so that Ctrl-C in a terminal reaches us only, and we end one after the other. */
function launch(name, program, args, env) {
  const child = spawn(program, args, {
    env,
    detached: true,
    stdio: ['ignore', name === 'keyward' ? 'inherit' : 'ignore', 'inherit'],
  })
  watch(child)
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  void ended.then((how) => {
    if (ending) return
    console.error(`error: ${name} ended by itself (${how})`)
    void end(1)
  })
  return { child, ended }
}

async function ready(admin) {
  const deadline = Date.now() + READY_WITHIN
  while (!ending && Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${admin}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined,
    )
    if (answer?.ok) return
    await sleep(50)
  }
  if (!ending) throw new Error(`keyward was not ready within ${READY_WITHIN / 1000} s`)
}

function greeting({ port, admin, file, backing }) {
  const { cli, raw } = backing
  return `
Keyward is ready. Stop it with Ctrl-C.

  listens on     127.0.0.1:${port}
  tenant blue    password blue-secret
  tenant green   password green-secret
  admin          http://127.0.0.1:${admin}/metrics
  configuration  ${file}

The same key is another one for each tenant. Try:

  ${cli} -p ${port} -a blue-secret --no-auth-warning SET colour azure
  ${cli} -p ${port} -a green-secret --no-auth-warning GET colour
  ${cli} ${raw} KEYS '*'

The last one looks at the Redis behind: the raw keys.
`
}

function quote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** Keyward first, which lets its clients finish, then the Redis behind it. A second signal hurries Keyward. */
async function end(code) {
  if (ending) {
    keyward?.child.kill('SIGTERM')
    return
  }
  ending = true
  for (const part of [keyward, redis]) {
    if (part === undefined) continue
    part.child.kill('SIGTERM')
    const late = setTimeout(() => part.child.kill('SIGKILL'), END_WITHIN)
    await part.ended
    clearTimeout(late)
  }
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  process.exit(code)
}
