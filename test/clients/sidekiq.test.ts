import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { watch } from '../../scripts/lib/watchdog.mjs'
import { eventually } from '../helpers/places.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/**
 * Sidekiq, which takes what is due from its schedule and its retries by a script: two tenants, each with two workers and a
 * producer of the same application (sidekiq_app.rb). By the Ruby of KEYWARD_RUBY.
 */
const ruby = process.env.KEYWARD_RUBY ?? 'ruby'
const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const TENANTS = ['acme', 'beta'] as const
const WORKERS = 2
const COUNT = { default: 100, long: 5_000, drill: 5_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 100
/** Seconds. */
const PATIENCE = 200

function missing(): string | undefined {
  try {
    execFileSync(ruby, ['-e', 'require "sidekiq/cli"'], { stdio: 'pipe', timeout: 60_000 })
    return undefined
  } catch (error) {
    return `${ruby} cannot require sidekiq (${String(error).split('\n')[0]})`
  }
}

describe.skipIf(skip('sidekiq', missing()))('Sidekiq', () => {
  let stage: Stage
  const workers: Program[] = []

  beforeAll(async () => {
    stage = await openStage()
  })

  afterAll(async () => {
    for (const { child } of workers) child.kill('SIGKILL')
    await stage?.stop()
  })

  function run(tenant: string, ...args: string[]): Program {
    const env = { ...process.env, TENANT: tenant, PORT: String(stage.keyward.port) }
    const child = spawn(ruby, args, { cwd: FOLDER, env, stdio: ['ignore', 'pipe', 'pipe'] })
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

  test('jobs at once, in bulk, later, again after a failure, and none of another tenant', {
    timeout: 600_000,
  }, async () => {
    for (const tenant of TENANTS) {
      for (let i = 0; i < WORKERS; i++) workers.push(run(tenant, 'sidekiq_app.rb', 'work'))
    }
    const ready = () => workers.every(({ child, output }) => output.includes(' is ready') || child.exitCode !== null)
    expect(await eventually(ready, PATIENCE * 1000)).toBe(true)
    const suites = TENANTS.map(async (tenant) => {
      const program = run(tenant, 'sidekiq_suite.rb', ...[COUNT, WORKERS, PATIENCE].map(String))
      const passed = { code: 0, output: expect.stringMatching(/^Sidekiq .* passed\n$/) }
      expect({ code: await program.exit, output: program.output }).toEqual(passed)
    })
    await Promise.all(suites)
    const raw = await stage.rawKeys()
    expect(raw.filter((key) => !/^(acme|beta|keyward):/.test(key))).toEqual([])
    for (const tenant of TENANTS) expect(raw).toEqual(expect.arrayContaining([`${tenant}:processes`, `${tenant}:dead`]))
  })

  test('workers end when they are asked to', { timeout: 120_000 }, async () => {
    for (const { child } of workers) child.kill('SIGTERM')
    expect(await Promise.all(workers.map(({ exit }) => exit))).toEqual(Array(TENANTS.length * WORKERS).fill(0))
    // What a worker logs has the arguments and the errors of its jobs.
    for (const [i, { output }] of workers.entries()) {
      const [own, other] = i < WORKERS ? ['acme', 'beta'] : ['beta', 'acme']
      expect(output).toContain(`worker of ${own} is ready`)
      expect(output).toContain('Bye!')
      expect(output).not.toContain(other)
      expect(output).not.toMatch(/Redis::|NOSCRIPT|NOPERM/)
    }
    expect(stage.warnings()).toEqual([])
  })
})

interface Program {
  readonly child: ChildProcess
  output: string
  /** Its exit code or signal. */
  readonly exit: Promise<number | string | null>
}
