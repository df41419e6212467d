import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Every process that the bench starts, so that all of them end with it: at the end, on an error and on Ctrl-C, each
 * by its own process id.
 */
const running = new Set()
const folders = new Set()

/** Output kept per process, for error messages. */
const KEEP = 8192

/**
 * Starts a process that runs until stop().
 *
 * @param {string} name what error messages call it
 * @param {{ env?: object, input?: string }} [options] `env` is added to ours; `input` goes to its standard input
 */
export function launch(name, program, args, options = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] })
  const entry = { name, child, pid: child.pid, output: '', ended: false, failure: undefined }
  running.add(entry)
  const keep = (chunk) => {
    entry.output = (entry.output + chunk).slice(-KEEP)
  }
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  child.once('error', (error) => {
    entry.ended = true
    entry.failure = error.message
    running.delete(entry)
  })
  child.once('exit', (code, signal) => {
    entry.ended = true
    entry.failure ??= `ended with ${signal ?? code}`
    running.delete(entry)
  })
  return entry
}

/** @throws Error with the process's last words, when it has ended */
export function assertRunning(entry) {
  if (entry.ended) throw new Error(`${entry.name} ${entry.failure}\n${entry.output.trim()}`)
}

/** Runs a process to its end, with `options.env` added to our environment: its code and its two outputs. */
export async function complete(name, program, args, options = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const entry = { name, child }
  running.add(entry)
  const result = { code: 0, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    result.stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    result.stderr += chunk
  })
  try {
    await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        result.code = signal ?? code
        resolve()
      })
    })
  } finally {
    running.delete(entry)
  }
  return result
}

/** SIGTERM, and SIGKILL after three seconds. */
export async function stop(entry) {
  if (entry.ended) return
  entry.child.kill('SIGTERM')
  for (let i = 0; i < 150 && !entry.ended; i++) await sleep(20)
  if (!entry.ended) entry.child.kill('SIGKILL')
  while (!entry.ended) await sleep(5)
}

/** A folder that is removed when the bench ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'keyward-bench-'))
  folders.add(folder)
  return folder
}

function endEverything() {
  for (const entry of running) entry.child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  folders.clear()
}

process.on('exit', endEverything)
for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
  process.on(signal, () => process.exit(128 + number))
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
