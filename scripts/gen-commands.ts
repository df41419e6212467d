/**
 * Writes src/commands/table.generated.ts from the COMMAND replies of every real server that can be had here.
 * `--check`: writes nothing; exit 1 when the committed file is not what these servers say. Which servers can be had
 * differs between machines, so the check compares what each of them says with the file's rows for that same version.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { ROWS, SERVERS } from '../src/commands/table.generated.ts'
import { fileText, readTable, rowsOf, type ServerTable } from './lib/command-rows.ts'
import { findServers, type Redis as Server } from './lib/redis.mjs'

const FILE = fileURLToPath(new URL('../src/commands/table.generated.ts', import.meta.url))
/** Older servers send no key specs. */
const OLDEST = 7

const log = (line: string) => console.error(line)

async function ask(server: Server): Promise<ServerTable> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-gen-'))
  const path = join(folder, 'redis.sock')
  const child = spawn(server.server, ['-'], {
    cwd: folder,
    env: { ...process.env, ...server.env },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${server.server} ended early: ${code ?? signal}`)))
  })
  ended.catch(() => {})
  child.stdin.end(`port 0\nunixsocket ${path}\nsave ""\nappendonly no\n`)
  const redis = new Redis({ path, retryStrategy: () => 100, maxRetriesPerRequest: null })
  redis.on('error', () => {}) // It is still starting; the retries go on.
  try {
    const reply = await Promise.race([redis.call('COMMAND'), ended])
    return readTable(`${server.kind} ${server.version}`, reply as Parameters<typeof readTable>[1])
  } finally {
    redis.disconnect()
    child.removeAllListeners('exit')
    child.kill()
    await new Promise((resolve) =>
      (child.exitCode ?? child.signalCode) === null ? child.once('exit', resolve) : resolve(0),
    )
    await rm(folder, { recursive: true, force: true })
  }
}

async function tables(): Promise<ServerTable[]> {
  const found = (await findServers({ log })).filter((server) => Number.parseInt(server.version, 10) >= OLDEST)
  if (found.length === 0) throw new Error(`no server of version ${OLDEST} or later`)
  const all: ServerTable[] = []
  for (const server of found) all.push(await ask(server))
  return all.sort((a, b) => (a.server < b.server ? -1 : 1))
}

function check(asked: readonly ServerTable[]): boolean {
  let current = true
  for (const table of asked) {
    if (!SERVERS.includes(table.server)) {
      log(`${table.server} is here but not in the table, going on without it: \`npm run gen:commands\` would add it`)
      continue
    }
    const committed = rowsOf(table.server, ROWS)
    for (const name of new Set([...committed.keys(), ...table.rows.keys()])) {
      if (committed.get(name) === table.rows.get(name)) continue
      current = false
      log(
        `${table.server}: ${name} is "${committed.get(name)}" in the table, the server says "${table.rows.get(name)}"`,
      )
    }
  }
  return current
}

/** Servers of the committed table that are not here, unless a later patch of the same release is: their rows stay. */
function kept(asked: readonly ServerTable[]): ServerTable[] {
  const release = (server: string) => server.split('.').slice(0, 2).join('.')
  const have = new Set(asked.map((table) => release(table.server)))
  return SERVERS.filter((server) => !have.has(release(server))).map((server) => ({
    server,
    rows: rowsOf(server, ROWS),
  }))
}

const asked = await tables()
const names = asked.map((table) => table.server).join(', ')
if (process.argv.includes('--check')) {
  if (!check(asked)) {
    log('the command table is old: npm run gen:commands')
    process.exitCode = 1
  } else if (asked.some((table) => SERVERS.includes(table.server))) log(`the command table is current (${names})`)
  else log(`the command table was not checked: none of ${SERVERS.join(', ')} is here`)
} else {
  const old = kept(asked)
  await writeFile(FILE, fileText([...asked, ...old].sort((a, b) => (a.server < b.server ? -1 : 1))))
  log(`wrote src/commands/table.generated.ts from ${names}`)
  for (const { server } of old) log(`kept the rows of ${server}, which is not here`)
}
