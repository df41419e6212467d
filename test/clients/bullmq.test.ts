import { type ConnectionOptions, FlowProducer, type Job, Queue, QueueEvents, Worker } from 'bullmq'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/places.ts'
import { flavours } from './bullmq-flavours.ts'
import { skip } from './required.ts'
import { openStage, type Stage } from './stage.ts'

/**
 * BullMQ with its own default prefix, which computes most key names inside its scripts: two tenants with the same queues,
 * workers and job ids at the same time. Every job tells whose it is and is told who did it.
 */
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(async () => {
  const warnings = stage.warnings()
  await stage.stop()
  expect(warnings).toEqual([])
})

skip('bullmq', undefined)

const TENANTS = ['acme', 'beta'] as const
type Tenant = (typeof TENANTS)[number]
const COUNT = { default: 100, long: 5_000, drill: 5_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 100
const PATIENCE = { default: 40_000, long: 300_000, drill: 300_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 40_000

const ALL = { lastEventId: '0' }

interface Data {
  owner: Tenant
  n: number
}
type Done = Data & { by: Tenant }

describe.each(flavours)('BullMQ by $name', ({ connect }) => {
  /** What was opened, to be closed in the opposite order. */
  const open: (() => Promise<unknown>)[] = []
  const errors: string[] = []

  async function closing<T extends { close(): Promise<unknown> }>(
    tenant: Tenant,
    make: (connection: ConnectionOptions) => T,
  ): Promise<T> {
    const to = await connect(stage.keyward.port, tenant)
    const made = make(to.connection)
    open.push(async () => {
      await made.close()
      await to.close()
    })
    return made
  }

  const queue = (tenant: Tenant, name: string) => closing(tenant, (to) => new Queue(name, { connection: to }))

  async function worker(
    tenant: Tenant,
    name: string,
    work: (job: Job<Data>) => Promise<unknown>,
    more: object = {},
  ): Promise<Worker<Data>> {
    const made = await closing(tenant, (to) => new Worker<Data>(name, work, { connection: to, ...more }))
    made.on('error', (error) => errors.push(`${tenant}'s worker of ${name}: ${error}`))
    await made.waitUntilReady()
    return made
  }

  /** From the first event on, or, as is the default, from now on. */
  async function events(tenant: Tenant, name: string, from: { lastEventId?: string } = {}): Promise<QueueEvents> {
    const made = await closing(tenant, (to) => new QueueEvents(name, { connection: to, ...from }))
    made.on('error', (error) => errors.push(`${tenant}'s events of ${name}: ${error}`))
    await made.waitUntilReady()
    return made
  }

  /** The same for both tenants, at once. */
  const both = (check: (tenant: Tenant) => Promise<void>) => Promise.all(TENANTS.map(check))

  const doneBy = (tenant: Tenant) => async (job: Job<Data>) => ({ ...job.data, by: tenant })

  beforeAll(async () => {
    await stage.redis.cli('FLUSHALL')
  })

  afterAll(async () => {
    for (const close of open.reverse()) await close()
  })

  test('every job is done once, by a worker of its tenant, and listeners hear of it', async () => {
    const perTenant = await Promise.all(
      TENANTS.map(async (tenant) => {
        const heard: string[] = []
        const progress: unknown[] = []
        const listener = await events(tenant, 'work', ALL)
        listener.on('completed', ({ jobId, returnvalue }) => heard.push(`${jobId} ${JSON.stringify(returnvalue)}`))
        listener.on('progress', ({ data }) => progress.push(data))
        const jobs = await queue(tenant, 'work')
        await jobs.waitUntilReady()
        const did: Done[] = []
        const work = async (job: Job<Data>) => {
          if (job.data.n === 0) await job.updateProgress({ half: tenant })
          const done = { ...job.data, by: tenant }
          did.push(done)
          return done
        }
        for (let i = 0; i < 2; i++) await worker(tenant, 'work', work, { concurrency: 5 })
        return { tenant, heard, progress, jobs, did }
      }),
    )
    await Promise.all(
      perTenant.map(async ({ tenant, jobs }) => {
        const one = (n: number) => ({ name: 'job', data: { owner: tenant, n } })
        await jobs.addBulk(Array.from({ length: COUNT / 2 }, (_, n) => one(n)))
        for (let n = COUNT / 2; n < COUNT; n++) await jobs.add('job', one(n).data)
      }),
    )
    for (const { tenant, heard, progress, jobs, did } of perTenant) {
      expect(await eventually(() => heard.length >= COUNT, PATIENCE), `${tenant}: ${heard.length}`).toBe(true)
      const expected = Array.from({ length: COUNT }, (_, n) => ({ owner: tenant, n, by: tenant }))
      expect(did.sort((a, b) => a.n - b.n)).toEqual(expected)
      // Ids are counted from 1 for each tenant, and each is told of once.
      expect(heard.map((line) => Number(line.split(' ')[0])).sort((a, b) => a - b)).toEqual(
        expected.map(({ n }) => n + 1),
      )
      expect(heard.filter((line) => !line.endsWith(`"by":"${tenant}"}`))).toEqual([])
      expect(progress).toEqual([{ half: tenant }])
      expect(await jobs.getJobCounts('completed', 'failed', 'wait', 'active')).toEqual({
        completed: COUNT,
        failed: 0,
        wait: 0,
        active: 0,
      })
    }
  })

  test('priorities, a paused queue, ids of its own, deduplication, delayed jobs', async () => {
    await both(async (tenant) => {
      const jobs = await queue(tenant, 'ordered')
      const heard = await events(tenant, 'ordered')
      await jobs.pause()
      const did: number[] = []
      await worker(tenant, 'ordered', async (job) => did.push(job.data.n))
      for (const [n, priority] of [5, 3, 4, 1, 2].entries()) await jobs.add('job', { owner: tenant, n }, { priority })
      await jobs.add('job', { owner: tenant, n: 10 }, { jobId: 'mine' })
      await jobs.add('job', { owner: tenant, n: 11 }, { jobId: 'mine' })
      await jobs.add('job', { owner: tenant, n: 12 }, { deduplication: { id: 'once' } })
      await jobs.add('job', { owner: tenant, n: 13 }, { deduplication: { id: 'once' } })
      const last = await jobs.add('job', { owner: tenant, n: 20 }, { delay: 3_600_000 })
      expect((await jobs.getPrioritized()).map(({ data }) => data.n)).toEqual([3, 4, 1, 2, 0])
      expect(did).toEqual([])
      await jobs.resume()
      const late = await jobs.add('job', { owner: tenant, n: 21 }, { delay: 300 })
      await late.waitUntilFinished(heard, PATIENCE)
      expect(await eventually(() => did.length === 8)).toBe(true)
      expect(did.filter((n) => n !== 21)).toEqual([10, 12, 3, 4, 1, 2, 0])
      const { timestamp, processedOn = 0 } = (await jobs.getJob(late.id as string)) as Job
      expect(processedOn - timestamp).toBeGreaterThanOrEqual(300)
      expect((await jobs.getDelayed()).map(({ data }) => data.n)).toEqual([20])
      await last.promote()
      await last.waitUntilFinished(heard, PATIENCE)
    })
  })

  test('jobs that fail: retries with backoff, at last failed, tried again by hand, logs', async () => {
    await both(async (tenant) => {
      const jobs = await queue(tenant, 'fails')
      const heard = await events(tenant, 'fails', ALL)
      const exhausted: string[] = []
      heard.on('retries-exhausted', ({ jobId }) => exhausted.push(jobId))
      let hopeless = true
      await worker(tenant, 'fails', async (job) => {
        await job.log(`${tenant} at ${job.attemptsMade}`)
        if (job.name === 'flaky' && job.attemptsMade < 2) throw new Error(`${tenant} not yet`)
        if (job.name === 'hopeless' && hopeless) throw new Error(`${tenant} never`)
        return { ...job.data, by: tenant }
      })
      const backoff = { type: 'exponential', delay: 50 }
      const flaky = await jobs.add('flaky', { owner: tenant, n: 1 }, { attempts: 3, backoff })
      const failing = await jobs.add('hopeless', { owner: tenant, n: 2 }, { attempts: 2, backoff: 20 })
      expect(await flaky.waitUntilFinished(heard, PATIENCE)).toEqual({ owner: tenant, n: 1, by: tenant })
      expect((await jobs.getJobLogs(flaky.id as string)).logs).toEqual([0, 1, 2].map((n) => `${tenant} at ${n}`))
      await expect(failing.waitUntilFinished(heard, PATIENCE)).rejects.toThrow(`${tenant} never`)
      const failed = await jobs.getFailed()
      expect(failed.map(({ failedReason, attemptsMade }) => [failedReason, attemptsMade])).toEqual([
        [`${tenant} never`, 2],
      ])
      expect(await eventually(() => exhausted.length === 1)).toBe(true)
      hopeless = false
      await failed[0].retry()
      expect(await eventually(async () => (await failed[0].getState()) === 'completed')).toBe(true)
      expect(await jobs.getFailedCount()).toBe(0)
    })
  })

  test('flows: a parent waits for its children in other queues', async () => {
    await both(async (tenant) => {
      const flow = await closing(tenant, (to) => new FlowProducer({ connection: to }))
      const heard = await events(tenant, 'parents')
      await worker(tenant, 'children', doneBy(tenant), { concurrency: 3 })
      await worker(tenant, 'grandchildren', doneBy(tenant))
      await worker(tenant, 'parents', async (job) => Object.values(await job.getChildrenValues()))
      const child = (n: number) => ({ name: 'child', queueName: 'children', data: { owner: tenant, n } })
      const node = await flow.add({
        name: 'parent',
        queueName: 'parents',
        data: { owner: tenant, n: 0 },
        children: [
          child(1),
          { ...child(2), children: [{ name: 'deep', queueName: 'grandchildren', data: { owner: tenant, n: 3 } }] },
        ],
      })
      const values = (await node.job.waitUntilFinished(heard, PATIENCE)) as Done[]
      const expected = [1, 2].map((n) => ({ owner: tenant, n, by: tenant }))
      expect(values.sort((a, b) => a.n - b.n)).toEqual(expected)
      const seen = await flow.getFlow({ id: node.job.id as string, queueName: 'parents' })
      expect(seen.children?.map(({ job }) => (job.data as Data).n).sort()).toEqual([1, 2])
      expect(await node.job.getDependenciesCount()).toMatchObject({ processed: 2, unprocessed: 0 })
    })
  })

  test('repeatable jobs', async () => {
    await both(async (tenant) => {
      const jobs = await queue(tenant, 'repeats')
      const did: Done[] = []
      await worker(tenant, 'repeats', async (job) => did.push({ ...job.data, by: tenant }))
      await jobs.upsertJobScheduler('tick', { every: 150, limit: 4 }, { name: 'tick', data: { owner: tenant, n: 0 } })
      await jobs.upsertJobScheduler(
        'noon',
        { pattern: '0 0 12 * * *' },
        { name: 'noon', data: { owner: tenant, n: 9 } },
      )
      expect(await eventually(() => did.length >= 4)).toBe(true)
      const schedulers = (await jobs.getJobSchedulers()).map(({ key, iterationCount }) => `${key} ${iterationCount}`)
      expect(schedulers.sort()).toEqual(['noon 1', 'tick 4'])
      expect((await jobs.getDelayed()).map(({ name }) => name)).toEqual(['noon'])
      expect(did).toEqual(Array(4).fill({ owner: tenant, n: 0, by: tenant }))
      for (const name of ['noon', 'tick']) expect(await jobs.removeJobScheduler(name)).toBe(true)
      expect([await jobs.getJobSchedulersCount(), await jobs.getDelayedCount()]).toEqual([0, 0])
    })
  })

  test('the rate limiter counts the jobs of one tenant', async () => {
    await both(async (tenant) => {
      const jobs = await queue(tenant, 'limited')
      await worker(tenant, 'limited', doneBy(tenant), { limiter: { max: 4, duration: 600 }, concurrency: 10 })
      await jobs.addBulk(Array.from({ length: 9 }, (_, n) => ({ name: 'job', data: { owner: tenant, n } })))
      expect(await eventually(async () => (await jobs.getCompletedCount()) === 9, PATIENCE)).toBe(true)
      // Two windows full, and the ninth: 1200 ms, or less by what the first waited to be told when it began.
      const began = (await jobs.getCompleted()).map(({ processedOn = 0 }) => processedOn).sort((a, b) => a - b)
      expect(began[8] - began[0]).toBeGreaterThan(700)
      await jobs.rateLimit(3_600_000)
      expect(await jobs.getRateLimitTtl()).toBeGreaterThan(3_000_000)
      await jobs.removeRateLimitKey()
      expect(await jobs.getRateLimitTtl()).toBe(-2)
    })
  })

  test('a job whose worker has died is done by another', async () => {
    await both(async (tenant) => {
      const jobs = await queue(tenant, 'stalls')
      const heard = await events(tenant, 'stalls', ALL)
      const stalled: string[] = []
      heard.on('stalled', ({ jobId }) => stalled.push(jobId))
      const short = { lockDuration: 1_000, stalledInterval: 500 }
      let taken = false
      const first = await worker(
        tenant,
        'stalls',
        () => {
          taken = true
          return new Promise(() => {})
        },
        { ...short, skipLockRenewal: true, skipStalledCheck: true },
      )
      const job = await jobs.add('job', { owner: tenant, n: 1 })
      expect(await eventually(() => taken)).toBe(true)
      await first.close(true)
      await worker(tenant, 'stalls', doneBy(tenant), short)
      expect(await job.waitUntilFinished(heard, PATIENCE)).toEqual({ owner: tenant, n: 1, by: tenant })
      expect(stalled).toEqual([job.id])
    })
  })

  test('clean, drain and obliterate leave nothing of one tenant, and everything of the other', async () => {
    const raw = await stage.rawKeys()
    expect(raw.filter((key) => !/^(acme|beta):bull:|^keyward:/.test(key))).toEqual([])
    // The mark of the last look for stalled jobs goes by itself.
    const lasting = /^(?!.*:stalled-check$)/
    const of = (tenant: Tenant, keys: readonly string[]) =>
      keys.filter((key) => key.startsWith(`${tenant}:bull:`) && lasting.test(key))
    const names = [...new Set(of('acme', raw).map((key) => key.split(':')[2]))]
    expect(names.sort()).toEqual([...new Set(of('beta', raw).map((key) => key.split(':')[2]))].sort())
    expect(names.length).toBeGreaterThan(7)
    for (const close of open.splice(0).reverse()) await close()
    const kept = of('beta', await stage.rawKeys())
    const work = await queue('acme', 'work')
    expect(await work.clean(0, 10)).toHaveLength(10)
    expect(await work.getCompletedCount()).toBe(COUNT - 10)
    await work.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: 'job', data: { owner: 'acme', n } })))
    await work.drain()
    expect(await work.count()).toBe(0)
    for (const name of names) await (await queue('acme', name)).obliterate({ force: true })
    expect(of('acme', await stage.rawKeys())).toEqual([])
    expect(of('beta', await stage.rawKeys())).toEqual(kept)
    expect(await (await queue('beta', 'work')).getCompletedCount()).toBe(COUNT)
    expect(errors).toEqual([])
  })
})
