import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { skip } from '../clients/required.ts'
import { openStage, type Stage } from '../clients/stage.ts'

/**
 * A service in Python with jobs, limits, locks, a cache and events in five databases, over redis-py, with scripts for its
 * limits and locks: two owners with the same names at the same time, and a third on the bare server, who sees
 * the same. KEYWARD_SEED_001 may name a Markdown file whose Python blocks have the same classes: then these are tried, too.
 */
const python = process.env.KEYWARD_PYTHON ?? 'python3'
const FOLDER = fileURLToPath(new URL('001-redis-py', import.meta.url))
/** The third's databases, out of the way of Keyward's. */
const APART = 5

const { KEYWARD_SEED_001: document } = process.env
const sources = [['our own', 'application.py'] as const]
if (document !== undefined) sources.push(['a document', document] as never)

function missing(): string | undefined {
  try {
    execFileSync(python, ['-c', 'import redis.asyncio'], { stdio: 'pipe', timeout: 60_000 })
    return undefined
  } catch (error) {
    return `${python} cannot import redis.asyncio (${String(error).split('\n')[0]})`
  }
}

describe.skipIf(skip('redis-py', missing()))('jobs, limits, locks, a cache and events by redis-py', () => {
  let stage: Stage

  beforeAll(async () => {
    stage = await openStage({ databases: 5 })
  })

  beforeEach(async () => {
    await stage.redis.cli('FLUSHALL')
  })

  afterAll(async () => {
    const warnings = stage.warnings()
    await stage.stop()
    expect(warnings).toEqual([])
  })

  function day(source: string, port: number, password: string, first: number, owner: string) {
    const args = ['suite.py', source, String(port), password, String(first), owner]
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }
    return new Promise<{ code: number; output: string; errors: string }>((resolve) => {
      execFile(python, args, { cwd: FOLDER, env, timeout: 170_000 }, (error, output, errors) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), output, errors })
      })
    })
  }

  test.each(sources)('%s', { timeout: 180_000 }, async (_, source) => {
    const { keyward, redis } = stage
    const days = await Promise.all([
      day(source, redis.port, '', APART, 'bare'),
      day(source, keyward.port, 'acme', 0, 'acme'),
      day(source, keyward.port, 'beta', 0, 'beta'),
    ])
    for (const { code, errors } of days) expect(code, errors).toBe(0)
    const [bare, acme, beta] = days.map(({ output }) => JSON.parse(output))
    expect(acme).toEqual(bare)
    expect(beta).toEqual(bare)
    const raw = await stage.rawKeys()
    expect(raw.filter((key) => !/^(acme|beta):[0-4]:|^keyward:/.test(key))).toEqual([])
    const of = (tenant: string) =>
      raw.filter((key) => key.startsWith(`${tenant}:`) && !key.includes(':user_jobs:')).map((key) => key.slice(5))
    expect(of('acme')).toEqual(of('beta'))
    expect(of('acme')).toEqual(expect.arrayContaining(['1:job:j1', '3:rl:key:k', '4:cache:model:1']))
  })
})
