import type { Exchange, Way } from '../../commands/exchange.ts'
import { isNoScript } from '../../commands/no-script.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import { ERROR } from '../../resp/type-bytes.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'
import type { Answers } from '../answers.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import type { ClientEnv } from '../env.ts'
import type { Incoming } from '../incoming.ts'
import type { Outgoing } from '../outgoing.ts'
import type { Transaction } from '../transaction.ts'
import { FunctionCall } from './function-call.ts'
import { Functions } from './functions.ts'
import { Preparation } from './preparation.ts'
import { ScriptReader, UNKNOWN_SCRIPT, wrongMember } from './script-reader.ts'
import { runOf, ScriptRun } from './script-run.ts'
import { type Script, type ScriptLimits, Scripts } from './scripts.ts'
import { ScriptStore } from './store.ts'
import { MOST_ATTEMPTS, type TenantRun } from './tenant-run.ts'
import { ScriptUsage } from './usage.ts'
import { whoseLua } from './whose-lua.ts'
import { WrongRun } from './wrong-run.ts'

/**
 * EVAL, EVALSHA and their like of prefixed tenants: the text behind the prologue, in which keys get the tenant's prefix
 * (keyspace/scripting/), run as the tenant's own user (upstream/walls/).
 */
export class Scripting {
  readonly scripts: Scripts
  readonly store: ScriptStore
  readonly functions: Functions
  readonly reader: ScriptReader
  readonly env: ClientEnv
  private readonly outgoing: Outgoing
  readonly usage: ScriptUsage
  /** By tenant: the run_id of the server where a script of it may be running, and since when (clock). Until another one is answered there. */
  private readonly astray = new Map<string, { readonly runId: string; readonly since: number }>()
  private prepared = 0
  private notRunYet = 0

  constructor(env: ClientEnv, outgoing: Outgoing, answers: Answers) {
    this.env = env
    this.outgoing = outgoing
    this.scripts = new Scripts(env.table, () => env.scriptLimits)
    this.reader = new ScriptReader(env, answers, this.scripts)
    this.store = new ScriptStore(env.table)
    this.usage = new ScriptUsage(this)
    this.functions = new Functions(outgoing)
  }

  get limits(): ScriptLimits {
    return this.env.scriptLimits
  }

  /** A script outside of MULTI. `way`: on which it would go if it were any other command. */
  take(client: DispatchClient, spec: CommandSpec, request: Incoming, way: Way): void {
    if (spec.open === 'function') {
      this.functions.take(client, spec, request, way)
      return
    }
    const { outgoing } = this
    const tenant = client.session.tenant as Tenant
    const node = client.node as Node
    this.usage.note(tenant)
    const run = this.reader.read(client, spec, request, client.session.db)
    if (run === undefined) return
    const x = outgoing.open(client, spec)
    x.note = run
    x.plain = !x.mute
    x.way = way
    outgoing.noteKeys(client, x, request)
    const { script } = run
    if (script !== undefined && this.isReady(node, run, way)) {
      this.aim(x, run, node, way)
      outgoing.charge(client, x, x.size)
    } else {
      outgoing.charge(client, x, request.end - request.start)
      x.way = 'apart'
      x.errand = new Preparation(x, run, client, way, this)
      this.prepared++
    }
    if (script !== undefined && this.remember(tenant, script)) this.keep(client, script)
    client.router.send(x, node)
  }

  /** Its exchange can be sent as it is. */
  private isReady({ walls }: Node, { sha, tenant }: ScriptRun, way: Way): boolean {
    if (walls.on) return way === 'transaction' || walls.has(tenant)
    return walls.refused && tenant.trustedScripts.has(sha)
  }

  /**
   * Gives x, whose script is known, the bytes for this way. `tx`: that it is a member of. Only one that is trusted goes without a
   * wall; on a connection that cannot have one, any other is not sent (Connection.schedule).
   */
  aim(x: Exchange, run: ScriptRun, node: Node, way: Way, tx?: Transaction): void {
    const { walls } = node
    const script = run.script as Script
    const free = walls.refused && run.tenant.trustedScripts.has(run.sha)
    x.as = free ? undefined : run.tenant
    const behindWall = way !== 'transaction' && !free
    // What is missing is found out at EXEC only, too late to heal: the first member with a script has its text. Not the rest: a
    // queue takes its jobs by hundreds in a transaction, each with a script of 40 KiB.
    const isThere = behindWall || tx?.hasText(script.wrapped.sha) === true
    let sha = isThere && !run.saysNoScript ? this.scripts.loadedAs(node, script) : undefined
    // It is as in that member that the server is sure to have it.
    if (sha !== undefined && tx !== undefined) sha = script.wrapped.sha
    x.setBytes(run.bytes(sha, behindWall ? walls.loginsOf(run.tenant) : undefined))
  }

  /** EVAL was said again: now it is worth keeping the text for other processes. True: it has to be kept. */
  private remember(tenant: Tenant, { sha }: Script): boolean {
    const known = this.scripts.learn(tenant, sha, false)
    known.uses++
    if (known.stored || known.uses < 2) return false
    known.stored = true
    return true
  }

  /**
   * Has the server keep the script, so that its SHA is enough from then on. What came by EVAL newer servers drop again when there are
   * 500 of it, whoever brought them.
   */
  private load(node: Node, script: Script): void {
    if (!this.scripts.loads(node, script)) return
    const form = this.scripts.formFor(node, script)
    node.walls.call('SCRIPT', 'LOAD', form.text).then(
      () => this.scripts.hasLoaded(node, script, form),
      () => this.scripts.hasLost(node, script),
    )
  }

  /** Keeps the text in the upstream, while the client goes on. */
  keep(client: DispatchClient, script: Script): void {
    const tenant = client.session.tenant as Tenant
    const { perTenant } = this.env.scriptLimits
    const caller = this.callerOf(client)
    this.store.put(caller, tenant.name, script.sha, script.text, perTenant).then(
      () => {
        if (this.scripts.knows(tenant, script.sha) !== undefined) return
        // SCRIPT FLUSH came meanwhile.
        this.store.remove(caller, tenant.name, script.sha).catch(() => undefined)
      },
      () => {
        const known = this.scripts.knows(tenant, script.sha)
        if (known !== undefined) known.stored = false
      },
    )
  }

  callerOf(client: DispatchClient, receivedAt?: number) {
    const tenant = client.session.tenant as Tenant
    return this.env.callerOf(tenant, client.tenantIndex, receivedAt)
  }

  /**
   * x was sent, and not executed: the server did not let its user in, or does not have the script any more. True: it is
   * prepared again. Not when later requests of its client have been sent behind it: they may have been executed.
   */
  notRun(client: DispatchClient, x: Exchange, error: string): boolean {
    const run = runOf(x)
    const { node } = client
    if (node === undefined) return false
    if (run === undefined) {
      const call = x.note instanceof FunctionCall ? x.note : undefined
      // These are a function's own words.
      if (call !== undefined && isNoScript(error)) return false
      node.walls.forget((x.as as Tenant).name)
      if (call === undefined) return false // A script of Keyward's own: its client may ask again.
      this.notRunYet++
      return this.functions.again(client, x, call)
    }
    // Sent with its text, it is there: these are its own words.
    if (run.taught && isNoScript(error)) return false
    if (!isNoScript(error)) node.walls.forget(run.tenant.name)
    else if (run.script !== undefined) this.scripts.hasLost(node, run.script)
    this.notRunYet++
    run.attempts++
    run.failure = error
    if (client.gone || client.pending > 0 || x.inTransaction || run.attempts >= MOST_ATTEMPTS) return false
    const { way } = x
    x.way = 'apart'
    x.as = undefined
    x.errand = new Preparation(x, run, client, way, this)
    return true
  }

  /** Nobody waits for x any more, which may be running on. */
  abandoned({ node }: DispatchClient, x: Exchange): void {
    if (node === undefined) return
    const { runId } = node
    for (const { name } of whoseLua(x)) {
      if (this.astray.get(name)?.runId !== runId) this.astray.set(name, { runId, since: this.env.clock.now })
    }
  }

  /** Something of the tenant may be running at this server, though no reply to it is waited for. */
  mayRunOn({ name }: Tenant, { runId }: Node): boolean {
    return this.astray.get(name)?.runId === runId
  }

  /** Since when, in clock milliseconds, the same is so of others; Infinity: it is not. */
  othersMayRunOn({ name }: Tenant, { runId }: Node): number {
    let first = Number.POSITIVE_INFINITY
    for (const [tenant, at] of this.astray) {
      if (tenant !== name && at.runId === runId) first = Math.min(first, at.since)
    }
    return first
  }

  /** x was held, perhaps for a server that is another one now: it goes with its text, unless this one has it. */
  reaim(client: DispatchClient, x: Exchange): void {
    const run = runOf(x)
    const { node } = client
    if (run?.script !== undefined && node !== undefined) this.aim(x, run, node, x.way)
  }

  /** The reply to x has come. */
  delivered(client: DispatchClient, run: ScriptRun, type: number, line: Buffer): void {
    const { script, tenant } = run
    const { node } = client
    // A server that is busy answers so to all but what runs.
    if (type !== ERROR || !line.subarray(0, BUSY.length).equals(BUSY)) this.astray.clear()
    if (script === undefined || node === undefined || !run.taught || script.saysNoScript) return
    if (type === ERROR && NOT_COMPILED.test(line.toString('latin1', 0, 64)))
      this.scripts.forget(tenant.name, script.sha)
    else if (!run.byText || (this.scripts.knows(tenant, script.sha)?.uses ?? 0) > 1) this.load(node, script)
  }

  /**
   * A script comes in a transaction that began as if its tenant had none, as it is the first: it would run as nobody's user. The
   * next transaction is another's.
   */
  isClosedIn({ node, session }: DispatchClient, walled: boolean): boolean {
    const closed = !walled && node?.walls.on === true
    if (closed) this.usage.note(session.tenant as Tenant)
    return closed
  }

  /** A script that is a member of a transaction, in this database; undefined: it was answered. */
  memberRun(client: DispatchClient, spec: CommandSpec, request: Incoming, db: number): TenantRun | undefined {
    if (spec.open === 'function') return this.functions.callOf(client, spec, request, db)
    const wrong = wrongMember(spec, request)
    const tenant = client.session.tenant as Tenant
    if (wrong !== undefined) return new WrongRun(tenant, wrong)
    this.usage.note(tenant)
    return this.reader.read(client, spec, request, db)
  }

  /** Gives x, a member of a transaction, its bytes. A text that is not at hand is fetched first. */
  aimMember(client: DispatchClient, x: Exchange, run: TenantRun): void {
    if (run instanceof FunctionCall || run instanceof WrongRun) x.setBytes(run.request)
    else if (!(run instanceof ScriptRun)) x.setBytes(UNKNOWN_SCRIPT)
    else if (run.script === undefined) {
      x.setBytes(UNKNOWN_SCRIPT)
      x.way = 'apart'
      x.errand = new Preparation(x, run, client, 'transaction', this, true)
      this.prepared++
    } else this.aim(x, run, client.node as Node, 'transaction', client.transaction)
    this.outgoing.charge(client, x, x.size)
  }

  view() {
    const { scripts } = this
    return { texts: scripts.count, bytes: scripts.bytes, prepared: this.prepared, notRun: this.notRunYet }
  }

  /** Of a script that may not be run after all. */
  refusal(client: DispatchClient, command: string, reason: string): Buffer {
    client.stats.error('UNKNOWNCOMMAND')
    client.stats.refused(reason)
    this.env.notices.refused(client.session.tenant?.name ?? '-', command, reason, this.env.clock.now)
    // Its arguments, which Redis would repeat, are not at hand any more.
    const [name, sub] = command.toUpperCase().split('|')
    return sub === undefined
      ? Buffer.from(`-ERR unknown command '${name}', with args beginning with: \r\n`)
      : Buffer.from(`-ERR unknown subcommand '${sub}'. Try ${name} HELP.\r\n`)
  }
}

/** In the words of evalExtractShebangFlags and luaCreateFunction in Redis' eval.c. */
const NOT_COMPILED =
  /^-ERR (Error compiling script|Invalid script shebang|Unexpected (engine|flag) in script shebang|Unknown lua shebang option)/

const BUSY = Buffer.from('-BUSY ')
