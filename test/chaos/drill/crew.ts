import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { watch } from '../../../scripts/lib/watchdog.mjs'
import type { ClientOrder, Role, RoundReport, WorkerOrder } from '../workers/protocol.ts'

/** The client libraries, and their workers. */
const WORKERS: Record<string, URL> = {
  ioredis: new URL('../workers/ioredis.ts', import.meta.url),
  'node-redis': new URL('../workers/node-redis.ts', import.meta.url),
  'redis-py': new URL('../workers/redis_py.py', import.meta.url),
}
/** Of seventeen clients: their roles, and how many requests each has in flight. */
const ROLES: readonly (readonly [Role, depth: number])[] = [
  ...(['read', 'read', 'read', 'read', 'read'] as const).map((role) => [role, 1] as const),
  ...[1, 1, 4, 4].map((depth) => ['incr', depth] as const),
  ...(['wait', 'wait', 'pop', 'pop', 'push', 'hear', 'hear', 'say'] as const).map((role) => [role, 1] as const),
]
const PATIENCE = 90_000

/** Fifty clients in all: seventeen of each library, and one reader less of the last. */
export function ordersFor(libraries: readonly string[]): Map<string, ClientOrder[]> {
  const orders = new Map<string, ClientOrder[]>()
  for (let i = 0; i < 3; i++) {
    const library = libraries[i % libraries.length]
    const group = `${library}-${i}`
    const clients = ROLES.slice(i === 2 ? 1 : 0).map(([role, depth], n) => ({
      id: `${group}-${n}-${role}`,
      // Who works together belongs together.
      tenant: i % 2 === (['pop', 'push', 'hear', 'say'].includes(role) ? 0 : n % 2) ? 'acme' : 'beta',
      role,
      depth,
      group,
    }))
    orders.set(library, [...(orders.get(library) ?? []), ...clients])
  }
  return orders
}

/** All workers, told and asked at once. */
export class Crew {
  private readonly workers: readonly Worker[]

  /** Resolves when all clients of all workers are connected. */
  static async start(where: Omit<WorkerOrder, 'clients'>, orders: Map<string, ClientOrder[]>): Promise<Crew> {
    const workers = [...orders].map(([library, clients]) => new Worker(library, { ...where, clients }))
    const crew = new Crew(workers)
    try {
      await Promise.all(workers.map((worker) => worker.line()))
    } catch (error) {
      crew.stop()
      throw error
    }
    return crew
  }

  private constructor(workers: readonly Worker[]) {
    this.workers = workers
  }

  begin(round: number): void {
    for (const worker of this.workers) worker.say(`round ${round}`)
  }

  async end(): Promise<RoundReport[]> {
    for (const worker of this.workers) worker.say('stop')
    const lines = await Promise.all(this.workers.map((worker) => worker.line()))
    return lines.map((line) => JSON.parse(line) as RoundReport)
  }

  stop(): void {
    for (const worker of this.workers) worker.stop()
  }
}

class Worker {
  private readonly library: string
  private readonly child: ChildProcess
  private readonly lines: string[] = []
  private errors = ''
  private wake = () => {}

  constructor(library: string, order: WorkerOrder) {
    this.library = library
    const file = fileURLToPath(WORKERS[library])
    const [program, ...args] = file.endsWith('.py')
      ? [process.env.KEYWARD_PYTHON ?? 'python3', file]
      : [process.execPath, '--import', 'tsx', file]
    this.child = spawn(program, [...args, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'pipe'] })
    watch(this.child)
    this.child.stdin?.on('error', () => {})
    this.child.once('error', (error) => this.ended(error.message))
    this.child.once('exit', (code, signal) => this.ended(`ended with ${signal ?? code}`))
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-4000)
    })
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(line)
      this.wake()
    })
  }

  say(line: string): void {
    this.child.stdin?.write(`${line}\n`)
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    const deadline = Date.now() + PATIENCE
    for (;;) {
      const line = this.lines.shift()
      if (line !== undefined) return line
      const left = deadline - Date.now()
      if (this.gone !== undefined || left <= 0) {
        throw new Error(`the worker with ${this.library} ${this.gone ?? 'says nothing'}:\n${this.errors}`)
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  stop(): void {
    this.child.kill('SIGKILL')
  }

  private gone: string | undefined

  private ended(how: string): void {
    this.gone = how
    this.wake()
  }
}
