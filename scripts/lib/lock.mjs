import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs `work` while this process holds the lock file, so that two `npm` commands at once do not fetch the same thing
 * twice. The lock only saves work: what it guards must also be safe without it (unpack aside, then rename), because a
 * lock whose owner has died is taken over.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {(line: string) => void} log
 * @returns {Promise<T>}
 */
export async function withLock(file, work, log) {
  await mkdir(dirname(file), { recursive: true })
  let said = false
  while (!(await take(file))) {
    if (await isOrphan(file)) {
      await rm(file, { force: true })
      continue
    }
    if (!said) log(`waiting for another process that works in ${dirname(file)}`)
    said = true
    await sleep(200)
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function take(file) {
  try {
    const handle = await open(file, 'wx')
    await handle.writeFile(`${process.pid}\n`)
    await handle.close()
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Its process is gone; or it stays without a process id, which its owner writes right after making it. */
async function isOrphan(file) {
  const read = () => readFile(file, 'utf8').then(Number, () => Number.NaN)
  let pid = await read()
  if (!(pid > 0)) {
    await sleep(1000)
    pid = await read()
    if (!(pid > 0)) return true
  }
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}
