import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('limits-flood.mjs', import.meta.url))

/**
 * Carries out orders, each in a process of its own (limits-flood.mjs), all beginning at once when the last has logged in.
 *
 * @param {import('./limits-flood.mjs').Order[]} orders
 * @returns {Promise<{ asked: number, admitted: number, refused: number, firstAt: number, lastAt: number }[]>} what each
 *   counted; `firstAt` its first request and `lastAt` its last reply, in milliseconds by one clock for all
 * @throws Error when one was answered with anything but a line or -RATELIMITED
 */
export async function askAll(orders) {
  const processes = orders.map((order) => new Clients(order))
  try {
    await Promise.all(processes.map((one) => one.next('ready')))
    for (const one of processes) one.child.send('go')
    return await Promise.all(processes.map((one) => one.next('tally')))
  } finally {
    for (const { child } of processes) if (child.connected) child.disconnect()
  }
}

/** Milliseconds from the first request of any of them to the last reply to any of them. */
export function elapsed(tallies) {
  return Math.max(...tallies.map(({ lastAt }) => lastAt)) - Math.min(...tallies.map(({ firstAt }) => firstAt))
}

class Clients {
  constructor(order) {
    this.child = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.failure = new Promise((_, reject) => {
      this.child.on('error', reject)
      this.child.on('message', ({ failed }) => failed && reject(new Error(`clients of the bench: ${failed}`)))
      this.child.on('exit', (code, signal) => reject(new Error(`clients of the bench ended with ${signal ?? code}`)))
    })
    this.failure.catch(() => {})
    this.child.send(order)
  }

  /** The next message that has `field`: what is in it. */
  next(field) {
    const message = new Promise((resolve) => {
      const look = (one) => {
        if (one[field] === undefined) return
        this.child.off('message', look)
        resolve(one[field])
      }
      this.child.on('message', look)
    })
    return Promise.race([message, this.failure])
  }
}
