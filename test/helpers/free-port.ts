import { createServer } from 'node:net'

/**
 * Below what systems give to outgoing connections (Linux 32768 and up, others 49152): a port from there is taken by any of the
 * thousands that the tests open, also while the server that had it is being restarted.
 */
const FIRST = 12_000
const COUNT = 20_000
/** Files of tests run side by side, each in a process of its own, and ask one after the other from here. */
let next = Math.floor(Math.random() * COUNT)

/** A TCP port of 127.0.0.1 that nobody listened on a moment ago, not given to this process before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST + (next++ % COUNT)
    if (await isFree(port)) return port
  }
  throw new Error('no port of 100 was free')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
