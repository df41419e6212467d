import { lstatSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'

export interface SocketFile {
  readonly path: string
  /** Permissions; undefined: what the umask leaves. */
  readonly mode: number | undefined
}

/**
 * Begins to listen on a unix socket; `done` is called as by server.listen(). A socket that a dead process left behind is
 * removed first. One that somebody answers on, and anything but a socket, is left alone: then the server emits EADDRINUSE.
 */
export async function listenOnSocket(
  server: Server,
  { path, mode }: SocketFile,
  backlog: number,
  done: () => void,
): Promise<void> {
  await removeStale(path)
  // The file is made before listen() returns. By the umask it never has, not even for an instant, other permissions.
  const before = mode === undefined ? undefined : process.umask(0o777 & ~mode)
  try {
    server.listen({ path, backlog }, done)
  } finally {
    if (before !== undefined) process.umask(before)
  }
}

async function removeStale(path: string): Promise<void> {
  try {
    if (lstatSync(path).isSocket() && (await isDead(path))) unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Nobody listens. Other errors prove nothing: a busy server refuses too (EAGAIN), and some are not for us (EACCES). */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
