/** What the scripts know of the project: where it is, and how to get it installed and built. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'
import { run, tail } from './run.mjs'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
export const CACHE = join(ROOT, '.cache')

/** One line for the person who waits. */
export function say(line) {
  console.log(`- ${line}`)
}

/** Ends the script with a message in place of a stack. */
export function fail(message) {
  console.error(`error: ${message}`)
  process.exit(1)
}

/**
 * Installs what package-lock.json says, when node_modules is not that already. Not by `npm ci`, which refuses a lock
 * file without the packages of every platform (a registry that mirrors some platforms only makes such a lock file):
 * `npm install --no-save` takes the same versions, checks the same hashes and leaves the lock file alone.
 */
export async function ensureInstalled() {
  if (await isInstalled()) return
  await withLock(
    join(CACHE, 'install.lock'),
    async () => {
      if (await isInstalled()) return
      say('installing dependencies')
      // Dev dependencies too, whatever NODE_ENV says: the build needs them. No dependency's install script is needed.
      const args = ['install', '--no-save', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']
      const { code, output } = await npm(args)
      if (code !== 0) throw new Error(`npm install failed:\n${tail(output, 15)}`)
    },
    say,
  )
}

async function isInstalled() {
  const read = async (file) => {
    const text = await readFile(join(ROOT, file), 'utf8').catch(() => undefined)
    return text === undefined ? undefined : JSON.parse(text).packages
  }
  const wanted = await read('package-lock.json')
  const present = await read('node_modules/.package-lock.json')
  if (wanted === undefined || present === undefined) return false
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true
    return present[path] === undefined ? optional === true : present[path].version === version
  })
}

/** npm as a child process. Started by npm, the same npm is used. */
function npm(args) {
  const script = process.env.npm_execpath
  if (script?.endsWith('.js')) return run(process.execPath, [script, ...args], { cwd: ROOT })
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { cwd: ROOT })
}

/** Path of a dependency's program, to be run by node. */
export function dependency(path) {
  return join(ROOT, 'node_modules', path)
}

/**
 * Compiles src into dist when what is there was not made from the present sources. Built aside and renamed, so that
 * dist is never half of one and half of another.
 */
export async function ensureBuilt() {
  const stamp = join(ROOT, 'dist', '.sources')
  const sources = await hashSources()
  const isFresh = async () => (await readFile(stamp, 'utf8').catch(() => '')) === sources
  if (await isFresh()) return
  await withLock(
    join(CACHE, 'build.lock'),
    async () => {
      if (await isFresh()) return
      say('building (tsc)')
      const temp = join(ROOT, 'dist.new')
      await rm(temp, { recursive: true, force: true })
      const args = [dependency('typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', temp]
      const { code, output } = await run(process.execPath, args, { cwd: ROOT })
      if (code !== 0) {
        await rm(temp, { recursive: true, force: true })
        throw new Error(`the build failed:\n${tail(output, 30)}`)
      }
      // What is read at run time beside the code that reads it.
      for (const file of (await filesUnder('src')).filter((name) => name.endsWith('.lua')))
        await copyFile(join(ROOT, file), join(temp, file.slice('src/'.length)))
      await writeFile(join(temp, '.sources'), sources)
      await rm(join(ROOT, 'dist'), { recursive: true, force: true })
      await rename(temp, join(ROOT, 'dist'))
    },
    say,
  )
}

async function hashSources() {
  const files = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    ...(await filesUnder('src')),
  ]
  const hash = createHash('sha256')
  for (const file of files) {
    const bytes = await readFile(join(ROOT, file))
    hash.update(`${file} ${bytes.length}\n`).update(bytes)
  }
  return `${hash.digest('hex')}\n`
}

/** Files under a folder of the project, relative to the project, in a fixed order. */
export async function filesUnder(folder) {
  if (!existsSync(join(ROOT, folder))) return []
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath ?? entry.path, entry.name)
        .slice(ROOT.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()
}
