import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import os from 'node:os'

/** What the bench reads from /proc: the CPU time and memory of a process and all its descendants. Linux only. */

/** Microseconds of one clock tick in /proc: USER_HZ is 100 on every architecture that Node runs on. */
const TICK_US = 10_000

/** The fields of /proc/<pid>/stat behind the command name, which may itself hold blanks and parentheses. */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** pid and its descendants, as they are now. */
function processTree(pid) {
  const children = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = statOf(name)
    if (stat === undefined) continue
    const parent = Number(stat[1])
    if (!children.has(parent)) children.set(parent, [])
    children.get(parent).push(Number(name))
  }
  const tree = [pid]
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]) ?? []))
  return tree
}

/**
 * CPU microseconds, user + system, that the process group of `pid` has used so far: all threads, ended ones too, all
 * children, and those that have ended and been waited for. Exact to 10 ms.
 */
export function cpuMicros(pid) {
  let ticks = 0
  for (const member of processTree(pid)) {
    const stat = statOf(member)
    if (stat === undefined) continue
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), counted from 3 here.
    for (let field = 11; field <= 14; field++) ticks += Number(stat[field])
  }
  return ticks * TICK_US
}

/** Resident bytes of the process group of `pid`; memory that two members share is counted for each. */
export function residentBytes(pid) {
  let kib = 0
  for (const member of processTree(pid)) {
    try {
      kib += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, 'latin1'))?.[1] ?? 0)
    } catch {
      // it has ended
    }
  }
  return kib * 1024
}

/**
 * Makes sure that this process, and so the ones it starts, can have `wanted` open files.
 *
 * @throws Error with the cure, when it cannot be raised
 */
export function needOpenFiles(wanted) {
  if (openFiles() >= wanted) return
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${wanted}:${wanted}`], { stdio: 'ignore' })
  } catch {
    // no prlimit here, or not allowed: the check below tells
  }
  if (openFiles() >= wanted) return
  throw new Error(
    `${wanted} open files are needed for so many clients, ${openFiles()} are allowed; ` +
      `raise the limit as root: prlimit --pid $$ --nofile=${wanted}:${wanted}`,
  )
}

function openFiles() {
  const limit = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
}

/** Cores, model, kernel, memory and load before the run. */
export function machine() {
  return {
    cores: os.availableParallelism(),
    model: os.cpus()[0]?.model.trim() ?? 'unknown',
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    loadBefore: os.loadavg()[0],
  }
}
