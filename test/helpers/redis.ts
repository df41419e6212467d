import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedis, type Redis } from '../../scripts/lib/redis.mjs'
import { watch, watchFolder } from '../../scripts/lib/watchdog.mjs'
import { freePort } from './free-port.ts'

export interface RedisOptions {
  /** Lines of redis.conf; they come last, so they win. */
  readonly config?: readonly string[]
  /** Default: a free one. */
  readonly port?: number
  /** Listen on a unix socket too. */
  readonly unix?: boolean
  /** Files. The port then speaks TLS only. */
  readonly tls?: {
    readonly cert: string
    readonly key: string
    readonly ca: string
    readonly clients?: 'yes' | 'no' | 'optional'
  }
  /** A machine of a test's own network: its address, and what in front of a command runs it there. */
  readonly machine?: { readonly host: string; readonly enter: readonly string[] }
  /** Which server; default: the first that the resolver finds. */
  readonly redis?: Redis
}

/** A real server of its own for a test, without persistence. */
export interface RedisServer {
  readonly port: number
  /** 127.0.0.1, or its machine's. */
  readonly host: string
  /** redis:// or rediss://, without a password. */
  readonly url: string
  /** Its unix socket, with `unix: true`. */
  readonly path: string | undefined
  /** Of the process of the day: restart() changes it. */
  readonly pid: number
  readonly kind: 'redis' | 'valkey'
  readonly version: string
  /** One command through redis-cli: what it printed, without the last line end. Logs in with the configured `requirepass`. */
  cli(...args: string[]): Promise<string>
  /** The fields of an INFO section. */
  info(section: string): Promise<Map<string, string>>
  /** Sends a signal; resolves once the process is gone (SIGKILL, SIGTERM) or at once (SIGSTOP, SIGCONT). */
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** Starts an empty server again on the same port, ending the old one if it still runs. */
  restart(): Promise<void>
  /** Ends it and removes its files. May be called twice. */
  stop(): Promise<void>
}

const START_TIMEOUT = 30_000

let resolved: Promise<Redis> | undefined

/** The server that tests run against. */
export function theRedis(): Promise<Redis> {
  resolved ??= findRedis({ log: console.log })
  return resolved
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const redis = options.redis ?? (await theRedis())
  const dir = mkdtempSync(join(tmpdir(), 'keyward-redis-'))
  const path = options.unix === true ? join(dir, 'redis.sock') : undefined
  const cleanUp = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  watchFolder(dir)

  const { host = '127.0.0.1', enter = [] } = options.machine ?? {}
  let port = options.port ?? (await freePort())
  let child: ChildProcess
  for (let attempt = 1; ; attempt++) {
    try {
      child = await launch(redis, [...ownLines(redis, dir, port, path, options), ...(options.config ?? [])], enter)
      break
    } catch (error) {
      // Somebody took the port between our look and the server's bind.
      if (options.port !== undefined || attempt === 5 || !/in use/i.test(String(error))) {
        cleanUp()
        throw error
      }
      port = await freePort()
    }
  }
  const password = options.config
    ?.map((line) => /^requirepass\s+(\S+)/.exec(line)?.[1].replaceAll('"', ''))
    .findLast(Boolean)
  const cliEnv = { ...process.env, ...redis.env, ...(password === undefined ? {} : { REDISCLI_AUTH: password }) }
  const { tls } = options
  const cliArgs = ['-h', '127.0.0.1', '-p', String(port)]
  if (tls !== undefined) cliArgs.push('--tls', '--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key)
  let stopped = false

  const server: RedisServer = {
    port,
    host,
    url: `${tls === undefined ? 'redis' : 'rediss'}://${host}:${port}`,
    path,
    get pid() {
      return child.pid as number
    },
    kind: redis.kind,
    version: redis.version,
    cli: (...args) =>
      new Promise((resolve, reject) => {
        const limits = { env: cliEnv, maxBuffer: 1 << 28, timeout: 60_000 }
        // On its machine: it can be asked there when it is cut off.
        const [program, ...rest] = [...enter, redis.cli, ...cliArgs, ...args]
        execFile(program, rest, limits, (error, stdout) => {
          if (error !== null) reject(error)
          else resolve(stdout.replace(/\n$/, ''))
        })
      }),
    async info(section) {
      const text = await server.cli('INFO', section)
      return new Map([...text.matchAll(/^([^#:\r\n]+):([^\r\n]*)/gm)].map(([, field, value]) => [field, value]))
    },
    async kill(signal) {
      const gone = signal === 'SIGKILL' || signal === 'SIGTERM' ? exited(child) : undefined
      child.kill(signal)
      await gone
    },
    async restart() {
      await end(child)
      child = await launch(redis, [...ownLines(redis, dir, port, path, options), ...(options.config ?? [])], enter)
    },
    async stop() {
      if (stopped) return
      stopped = true
      await end(child)
      cleanUp()
    },
  }
  return server
}

function ownLines(redis: Redis, dir: string, port: number, path: string | undefined, options: RedisOptions): string[] {
  const lines = [
    `bind 127.0.0.1 ${options.machine?.host ?? ''}`,
    `dir "${dir}"`,
    'save ""',
    'appendonly no',
    'daemonize no',
    'loglevel notice',
  ]
  if (Number.parseInt(redis.version, 10) >= 7) lines.push('enable-debug-command local')
  if (options.machine !== undefined) lines.push('protected-mode no')
  if (path !== undefined) lines.push(`unixsocket "${path}"`)
  if (options.tls === undefined) lines.push(`port ${port}`)
  else {
    const { cert, key, ca, clients = 'no' } = options.tls
    lines.push('port 0', `tls-port ${port}`, `tls-cert-file "${cert}"`, `tls-key-file "${key}"`)
    lines.push(`tls-ca-cert-file "${ca}"`, `tls-auth-clients ${clients}`)
  }
  return lines
}

/**
 * Resolves when the server says that it accepts connections, by `ready`; rejects with the end of its log when it does
 * not. `config` goes to its standard input, which the first of `args` tells it to read;
 * `enter` is put in front of the command.
 */
export function launch(
  redis: Redis,
  config: readonly string[],
  enter: readonly string[] = [],
  args: readonly string[] = ['-'],
  ready = 'Ready to accept connections',
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const [program, ...rest] = [...enter, redis.server, ...args]
    const child = spawn(program, rest, { env: { ...process.env, ...redis.env }, stdio: ['pipe', 'pipe', 'pipe'] })
    let log = ''
    const fail = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new Error(`redis-server ${why}:\n${log.trim().split('\n').slice(-12).join('\n')}`))
    }
    const timer = setTimeout(() => fail(`did not start within ${START_TIMEOUT} ms`), START_TIMEOUT)
    let isReady = false
    const read = (chunk: string) => {
      if (isReady) return // Keeps the pipe empty, so that a talkative server never blocks on its log.
      log += chunk
      if (!log.includes(ready)) return
      isReady = true
      clearTimeout(timer)
      // A test process may end with servers that it forgot: they must not keep it alive.
      child.unref()
      for (const stream of child.stdio) (stream as unknown as { unref?(): void } | null)?.unref?.()
      resolve(child)
    }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', read)
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => {
      if (!isReady) fail(`ended with ${signal ?? code}`)
    })
    watch(child)
    child.stdin.on('error', () => {}) // It may end before it has read everything; 'exit' tells.
    child.stdin.end(`${config.join('\n')}\n`)
  })
}

/** Ends a process; resolves when it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  const gone = exited(child)
  // Nothing to save, so no need to ask nicely; SIGKILL ends a stopped process too.
  child.kill('SIGKILL')
  await gone
}

/** Resolves when the process is gone. */
export function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else {
      child.ref()
      child.once('exit', () => resolve())
    }
  })
}
