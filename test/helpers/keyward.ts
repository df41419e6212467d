import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { watch } from '../../scripts/lib/watchdog.mjs'
import { parseConfig } from '../../src/config/load.ts'
import { Proxy } from '../../src/proxy.ts'
import { RawClient } from './raw-client.ts'
import type { RedisServer } from './redis.ts'

/** A configuration file as a plain object; every key of DESIGN's contract may be given. */
export interface ConfigObject {
  [key: string]: unknown
}

/** Keyward inside the test's own process. */
export interface Keyward {
  readonly proxy: Proxy
  /** The first TCP listener's. */
  readonly port: number
  /** The first unix listener's. */
  readonly path: string | undefined
  /** What it has logged, oldest first. */
  readonly log: readonly LogLine[]
  /** A raw client on the first TCP listener, logged in when `password` is given. */
  connect(login?: { readonly user?: string; readonly password: string }): Promise<RawClient>
  stop(): void
}

export interface LogLine {
  /** pino's: 30 info, 40 warn, 50 error. */
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

/**
 * A configuration for tests: one upstream `main`, one listener on a free port, and two tenants `acme` and `beta` whose
 * users `default` have the passwords `acme` and `beta`. `more` replaces top-level keys, `upstream` adds to the upstream's.
 */
export function configFor(
  redis: Pick<RedisServer, 'url'>,
  more: ConfigObject = {},
  upstream: ConfigObject = {},
): ConfigObject {
  const tenant = (name: string) => ({ upstream: 'main', users: { default: { password: name } } })
  return {
    version: 1,
    listeners: [{ address: '127.0.0.1:0' }],
    upstreams: { main: { url: redis.url, ...upstream } },
    tenants: { acme: tenant('acme'), beta: tenant('beta') },
    ...more,
  }
}

/** Starts Keyward in this process from a configuration; resolves once its listeners are open, upstream or not. */
export async function startKeyward(config: string | ConfigObject): Promise<Keyward> {
  const text = typeof config === 'string' ? config : stringify(config)
  const parsed = parseConfig(text, { source: 'test.yaml', env: process.env, baseDir: process.cwd() })
  const lines: LogLine[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const proxy = new Proxy(parsed, { log })
  await proxy.start()
  const tcp = proxy.bound.find((place) => 'port' in place)
  const unix = proxy.bound.find((place) => 'path' in place)
  const port = tcp !== undefined && 'port' in tcp ? tcp.port : 0
  return {
    proxy,
    port,
    path: unix !== undefined && 'path' in unix ? unix.path : undefined,
    log: lines,
    async connect(login) {
      const client = await RawClient.connect({ port })
      if (login !== undefined) {
        const reply = await client.command('AUTH', login.user ?? 'default', login.password)
        if (reply !== '+OK\r\n') throw new Error(`login failed: ${reply}`)
      }
      return client
    },
    stop: () => proxy.stop(),
  }
}

/** The command line as a process. */
export interface KeywardProcess {
  readonly child: ChildProcess
  /** Both streams, as they came. */
  readonly output: string
  /** Resolves when the output matches; rejects at its end or after `timeout` milliseconds (default 30 s). */
  printed(pattern: RegExp, timeout?: number): Promise<RegExpExecArray>
  /** Resolves when it has ended. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** SIGKILL if it still runs. */
  stop(): Promise<void>
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** Runs `keyward <args>` from the build. KEYWARD_* of our own environment is not passed on. */
export function spawnKeyward(args: readonly string[], env: Record<string, string> = {}): KeywardProcess {
  if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: run `npm run build`, or the tests by `npm test`')
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('KEYWARD_'))
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...Object.fromEntries(ours), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  watch(child)
  let output = ''
  let ended = false
  let wake = () => {}
  const collect = (chunk: string) => {
    output += chunk
    wake()
  }
  child.stdout.setEncoding('utf8').on('data', collect)
  child.stderr.setEncoding('utf8').on('data', collect)
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      ended = true
      resolve({ code, signal })
      wake()
    })
  })
  return {
    child,
    get output() {
      return output
    },
    exit,
    async printed(pattern, timeout = 30_000) {
      const deadline = Date.now() + timeout
      for (;;) {
        const found = pattern.exec(output)
        if (found !== null) return found
        const left = deadline - Date.now()
        if (ended || left <= 0) throw new Error(`${pattern} was not printed${ended ? '' : ' in time'}:\n${output}`)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
    async stop() {
      child.kill('SIGKILL')
      await exit
    },
  }
}
