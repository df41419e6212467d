import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/** redis-py, by the Python of KEYWARD_PYTHON with the PYTHONPATH around it. */
const python = process.env.KEYWARD_PYTHON ?? 'python3'
const SUITE = fileURLToPath(new URL('redis_py_suite.py', import.meta.url))
const SCRIPTS = fileURLToPath(new URL('redis_py_scripts.py', import.meta.url))
/** Exit code of the suite where this version of the library cannot do what was asked. */
const CANNOT = 77

function missing(): string | undefined {
  try {
    execFileSync(python, ['-c', 'import redis'], { stdio: 'pipe', timeout: 60_000 })
    return undefined
  } catch (error) {
    return `${python} cannot import redis (${String(error).split('\n')[0]})`
  }
}

describe.skipIf(skip('redis-py', missing()))('redis-py', () => {
  let stage: Stage

  beforeAll(async () => {
    stage = await openStage({ redis: ['notify-keyspace-events KEA'] })
  })

  afterAll(async () => {
    await stage?.stop()
  })

  for (const version of ['', '2', '3']) {
    test(version === '' ? 'default' : `RESP${version}`, { timeout: 120_000 }, async ({ skip: leaveOut }) => {
      await stage.redis.cli('FLUSHALL')
      const { code, output } = await run(SUITE, stage.keyward.port, version)
      console.log(output.trim().split('\n').at(-1))
      // Old libraries speak RESP2 only and have no option for it: with their default they show what they can.
      if (code === CANNOT && version !== '') leaveOut(output.trim())
      expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('passed') })
      expect((await stage.rawKeys()).filter((key) => !/^(acme|beta):/.test(key))).toEqual([])
      expect(stage.warnings()).toEqual([])
    })
  }

  test('scripts that compute keys, in pipelines and transactions; locks', { timeout: 120_000 }, async () => {
    await stage.redis.cli('FLUSHALL')
    const { code, output } = await run(SCRIPTS, stage.keyward.port, '')
    expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(/^redis-py .*: scripts passed\n$/) })
    expect((await stage.rawKeys()).filter((key) => !/^(acme|beta):|^keyward:/.test(key))).toEqual([])
    expect(stage.warnings()).toEqual([])
  })
})

function run(suite: string, port: number, version: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(python, [suite, String(port), version], { timeout: 110_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr })
    })
  })
}
