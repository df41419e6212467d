import type { Errand, Exchange } from '../commands/exchange.ts'
import type { CommandSpec } from '../commands/spec.ts'
import { BadReply } from '../resp/reply-scanner.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import type { Tenant } from '../session/tenant.ts'
import { Caller, CallFailed } from '../upstream/caller.ts'
import type { Node } from '../upstream/node.ts'
import type { DispatchClient } from './dispatch-client.ts'
import type { ClientEnv } from './env.ts'
import type { Incoming } from './incoming.ts'
import { Counts } from './jobs/counts.ts'
import { JOBS, OUTLIVING } from './jobs/index.ts'
import type { JobCall, JobEnv } from './jobs/job.ts'
import { Refused } from './jobs/refused.ts'
import { Sweeps } from './jobs/sweeps.ts'
import { UncheckedLibraries } from './jobs/unchecked-libraries.ts'
import type { Outgoing } from './outgoing.ts'
import type { Scripting } from './scripting/dispatcher.ts'

/** Starts jobs: a request becomes an errand that runs when all earlier requests of its client are answered. */
export class JobDispatcher {
  readonly counts: Counts
  /** Jobs under way that go on to their end when their client leaves. */
  outliving = 0
  readonly env: ClientEnv
  private readonly outgoing: Outgoing
  private readonly jobEnv: JobEnv

  constructor(env: ClientEnv, outgoing: Outgoing, scripting: Scripting) {
    this.env = env
    this.outgoing = outgoing
    const specOf = (name: string) => env.table.byName(name) as CommandSpec
    const specs = {
      scan: specOf('scan'),
      dbsize: specOf('dbsize'),
      unlink: specOf('unlink'),
      exists: specOf('exists'),
      randomkey: specOf('randomkey'),
    }
    const sweeps = new Sweeps()
    this.counts = new Counts(specs, sweeps)
    this.jobEnv = {
      specs,
      sweeps,
      counts: this.counts,
      scripting,
      functions: new Map(),
      unchecked: new UncheckedLibraries(env.log),
      gates: env.gates,
      log: env.log,
      underWay: (tenantIndex, but) => env.underWay(tenantIndex, but),
      findClient: (tenant, id) => env.findClient(tenant, id),
    }
  }

  take(client: DispatchClient, spec: CommandSpec, request: Incoming): void {
    const x = this.outgoing.open(client, spec)
    x.way = 'apart'
    this.outgoing.charge(client, x, request.end - request.start)
    x.errand = new JobRun(x, client, client.session.tenant as Tenant, request.view().all(), this.jobEnv, this)
    client.router.send(x, client.node as Node)
  }
}

/** One job of one client. */
class JobRun implements Errand {
  private readonly x: Exchange
  private readonly client: DispatchClient
  private readonly tenant: Tenant
  readonly request: readonly Buffer[]
  private readonly jobEnv: JobEnv
  private readonly jobs: JobDispatcher
  private caller: Caller | undefined = undefined
  private onCancel: (() => void) | undefined = undefined

  constructor(
    x: Exchange,
    client: DispatchClient,
    tenant: Tenant,
    args: readonly Buffer[],
    jobEnv: JobEnv,
    jobs: JobDispatcher,
  ) {
    this.x = x
    this.client = client
    this.tenant = tenant
    this.request = args
    this.jobEnv = jobEnv
    this.jobs = jobs
  }

  begin(): void {
    const { x, client, tenant } = this
    this.caller = new Caller(() => this.jobs.env.node(tenant), client.tenantIndex, x.receivedAt)
    const reply = new ReplyWriter(client.protocol)
    const call: JobCall = {
      args: this.request,
      tenant,
      tenantIndex: client.tenantIndex,
      prefix: x.prefix,
      caller: this.caller,
      client,
      stats: client.stats,
      reply,
      env: this.jobEnv,
      kept: (bytes) => client.keeps(bytes),
      onCancel: (fn) => {
        this.onCancel = fn
      },
    }
    client.stats.jobs++
    x.since = this.jobs.env.clock.now
    const outlives = Number(OUTLIVING.has(x.spec.name))
    this.jobs.outliving += outlives
    JOBS[x.spec.name](call)
      .then(
        () => client.finish(x, reply.take()),
        (error) => this.failed(error),
      )
      .finally(() => {
        this.jobs.outliving -= outlives
      })
  }

  private failed(error: unknown): void {
    const { x, client } = this
    if (error instanceof Refused) client.finish(x, error.reply)
    else if (error instanceof CallFailed) client.failApart(x, error.code)
    else {
      // A lie of the upstream's is told by the connection that it closes.
      if (!(error instanceof BadReply)) this.jobs.env.fault(error)
      client.failApart(x, 'BADUPSTREAM')
    }
  }

  cancel(): void {
    if (!OUTLIVING.has(this.x.spec.name)) this.caller?.cancel()
    this.onCancel?.()
  }
}
