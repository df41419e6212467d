import type { Errand, Exchange, Way } from '../../commands/exchange.ts'
import { isNoScript } from '../../commands/no-script.ts'
import type { Caller } from '../../upstream/caller.ts'
import { CallFailed } from '../../upstream/caller.ts'
import type { Node } from '../../upstream/node.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import { Refused } from '../jobs/refused.ts'
import type { Transaction } from '../transaction.ts'
import { mayRun, type ScriptReader } from './script-reader.ts'
import { NO_SCRIPT_REPLY, type ScriptRun } from './script-run.ts'
import type { Scripts } from './scripts.ts'
import type { ScriptStore } from './store.ts'
import { tenantAtServer } from './tenant-at-server.ts'

/** What it asks of those who send scripts. */
export interface PreparationHost {
  readonly scripts: Scripts
  readonly store: ScriptStore
  readonly reader: Pick<ScriptReader, 'overRate'>
  callerOf(client: DispatchClient, receivedAt: number): Caller
  /** Gives x, whose script is known, its bytes. */
  aim(x: Exchange, run: ScriptRun, node: Node, way: Way, tx?: Transaction): void
  /** The reply to a command that may not be run, for this reason. */
  refusal(client: DispatchClient, command: string, reason: string): Buffer
}

/**
 * What a script needs before it can be sent: its tenant's user at the server, its text, or another look at why it was not
 * executed. Its client's later requests wait meanwhile.
 */
export class Preparation implements Errand {
  private readonly x: Exchange
  private readonly run: ScriptRun
  private readonly client: DispatchClient
  private readonly way: Way
  private readonly scripting: PreparationHost
  /** It is one between MULTI and EXEC; whether EXEC has been read by now does not matter. */
  private readonly member: boolean
  private caller: Caller | undefined = undefined
  private cancelled = false

  constructor(
    x: Exchange,
    run: ScriptRun,
    client: DispatchClient,
    way: Way,
    scripting: PreparationHost,
    member = false,
  ) {
    this.x = x
    this.run = run
    this.client = client
    this.way = way
    this.scripting = scripting
    this.member = member
  }

  begin(): void {
    this.prepare().catch((error) => this.failed(error))
  }

  cancel(): void {
    this.cancelled = true
    this.caller?.cancel()
  }

  private async prepare(): Promise<void> {
    const { client, run, scripting, x } = this
    const { tenant } = run
    this.caller = scripting.callerOf(client, x.receivedAt)
    if (run.script === undefined && !(await this.findText(this.caller))) {
      if (this.cancelled) return
      // A member of a transaction asks for one that nothing has, so that EXEC's array has Redis' own words in its place.
      if (this.member) client.prepared(x, this.way)
      else client.finish(x, NO_SCRIPT_REPLY)
      return
    }
    const node = await this.wall()
    if (node === undefined || this.cancelled) return
    if (run.failure !== undefined && isNoScript(run.failure) && (await this.hasScript(node))) {
      // The server has it: these are the script's own words.
      client.finish(x, Buffer.from(run.failure, 'latin1'))
      return
    }
    if (this.cancelled) return
    scripting.scripts.learn(tenant, run.sha, false)
    scripting.aim(x, run, node, this.way, x.inTransaction ? client.transaction : undefined)
    client.prepared(x, this.way)
  }

  /** False: the tenant has no script of this SHA. */
  private async findText(caller: Caller): Promise<boolean> {
    const { client, run, scripting, x } = this
    const { sha, tenant } = run
    const text = await scripting.store.text(caller, tenant.name, sha)
    if (text === undefined) {
      scripting.scripts.forget(tenant.name, sha)
      return false
    }
    const overRate = scripting.reader.overRate(client, x.spec.name, sha, text.length)
    // Others in its transaction are sent: it is counted alone.
    if (overRate !== undefined && !this.member) throw new Refused(Buffer.from(`-${overRate}\r\n`))
    run.script = scripting.scripts.of(text, tenant)
    // Whatever is there: a text is what its SHA says.
    if (run.script.sha !== sha) return false
    scripting.scripts.learn(tenant, sha, true)
    return true
  }

  /** The node, once the script can be sent there; undefined: the client was told why not. */
  private async wall(): Promise<Node | undefined> {
    const { client, run, scripting, x } = this
    // A pin sees to its user itself.
    const pinned = this.way === 'transaction' && client.node?.walls.on === true
    const node = pinned
      ? (client.node as Node)
      : await tenantAtServer(client, run.tenant, x.receivedAt, () => this.cancelled)
    if (mayRun(node, run.tenant, run.sha)) return node
    client.finish(x, scripting.refusal(client, x.spec.name, node.walls.refusal))
    return undefined
  }

  /** Does the server have the script? */
  private async hasScript(node: Node): Promise<boolean> {
    const { sentAs } = this.run
    if (sentAs === undefined) return false
    const reply = await node.walls.call('SCRIPT', 'EXISTS', sentAs)
    return Array.isArray(reply) && Number(reply[0]) === 1
  }

  private failed(error: unknown): void {
    const { client, x } = this
    if (this.cancelled) return
    if (error instanceof Refused) client.finish(x, error.reply)
    else if (error instanceof CallFailed) client.failApart(x, error.code)
    else client.failApart(x, 'UPSTREAMDOWN')
  }
}
