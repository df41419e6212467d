import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { watch } from '../../scripts/lib/watchdog.mjs'
import { eventually } from '../helpers/places.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/**
 * Celery with the Redis transport and Redis for the results: two tenants, each with a worker and a producer of the same
 * application (celery_app.py), the same queues, task names and database numbers. By the Python of KEYWARD_PYTHON with the
 * PYTHONPATH around it.
 */
const python = process.env.KEYWARD_PYTHON ?? 'python3'
const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const TENANTS = ['acme', 'beta'] as const
const COUNT = { default: 200, long: 5_000, drill: 5_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 200

function missing(): string | undefined {
  try {
    const modules = 'celery.bin.celery, celery.backends.redis, kombu.transport.redis'
    execFileSync(python, ['-c', `import ${modules}`], { stdio: 'pipe', timeout: 60_000 })
    return undefined
  } catch (error) {
    return `${python} cannot import celery (${String(error).split('\n')[0]})`
  }
}

describe.skipIf(skip('celery', missing()))('Celery', () => {
  let stage: Stage
  const workers: Program[] = []

  beforeAll(async () => {
    stage = await openStage({ databases: 5 })
  })

  afterAll(async () => {
    for (const { child } of workers) child.kill('SIGKILL')
    await stage?.stop()
  })

  function run(tenant: string, ...args: string[]): Program {
    const env = { ...process.env, TENANT: tenant, PORT: String(stage.keyward.port), PYTHONDONTWRITEBYTECODE: '1' }
    const child = spawn(python, args, { cwd: FOLDER, env, stdio: ['ignore', 'pipe', 'pipe'] })
    watch(child)
    const program: Program = {
      child,
      output: '',
      exit: new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal))),
    }
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        program.output += text
      })
    }
    return program
  }

  async function suite(tenant: string, ...args: string[]): Promise<void> {
    const program = run(tenant, 'celery_suite.py', ...args)
    const code = await program.exit
    expect({ code, output: program.output }).toEqual({ code: 0, output: expect.stringMatching(/^Celery .* passed\n$/) })
  }

  const worker = (tenant: string) =>
    run(tenant, '-m', 'celery', '-A', 'celery_app', 'worker', '-l', 'INFO', '-P', 'solo', '-n', `worker@${tenant}`)

  const settled = ({ child, output }: Program) => output.includes(' ready.') || child.exitCode !== null

  test('workers start, and see none of another tenant', { timeout: 120_000 }, async () => {
    workers.push(...TENANTS.map(worker))
    await eventually(() => workers.every(settled), 100_000)
    for (const { output } of workers) {
      expect(output).toContain(' ready.')
      expect(output).toContain('mingle: all alone')
    }
    // Taken to redeliver what a dead worker has not acknowledged, and given back by a script.
    const isFree = async () => !(await stage.rawKeys()).some((key) => key.endsWith(':unacked_mutex'))
    expect(await eventually(isFree)).toBe(true)
    expect(await stage.redis.cli('INFO', 'commandstats')).toMatch(/cmdstat_eval(sha)?:calls=/)
  })

  test('tasks, results, retries, groups, chains, chords, remote control', { timeout: 600_000 }, async () => {
    await Promise.all(TENANTS.map((tenant) => suite(tenant, 'work', String(COUNT))))
    const keys = await stage.rawKeys()
    expect(keys.filter((key) => !/^(acme|beta):[01]:|^keyward:script/.test(key))).toEqual([])
    for (const tenant of TENANTS) {
      expect(keys).toContain(`${tenant}:0:_kombu.binding.celery`)
      const results = keys.filter((key) => key.startsWith(`${tenant}:1:celery-task-meta-`))
      expect(results.length).toBeGreaterThan(COUNT)
      const other = TENANTS.find((name) => name !== tenant) as string
      expect(await stage.redis.cli('MGET', ...results)).not.toContain(`"${other}`)
    }
  })

  test('the broadcast to shut down reaches the workers of one tenant', { timeout: 300_000 }, async () => {
    const [acme, beta] = workers
    await suite('acme', 'shutdown')
    expect(await acme.exit).toBe(0)
    await suite('beta', 'ping')
    expect(beta.child.exitCode).toBeNull()
    beta.child.kill('SIGTERM')
    expect(await beta.exit).toBe(0)
    expect(beta.output).toContain('Warm shutdown')
    // The log has the values of results and the names of other workers.
    expect(acme.output).toContain("'acme', 'acme'")
    expect(acme.output).not.toMatch(/'beta|@beta/)
    expect(beta.output).not.toMatch(/'acme|@acme/)
    expect(stage.warnings()).toEqual([])
  })
})

interface Program {
  readonly child: ChildProcess
  output: string
  /** Its exit code or signal. */
  readonly exit: Promise<number | string | null>
}
