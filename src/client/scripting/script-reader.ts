import type { CommandSpec } from '../../commands/spec.ts'
import { scopeArgument } from '../../keyspace/scripting/scope.ts'
import { encodeRequest } from '../../resp/request-encoder.ts'
import { keyPrefix, type Tenant } from '../../session/tenant.ts'
import type { Node } from '../../upstream/node.ts'
import type { Answers } from '../answers.ts'
import type { DispatchClient } from '../dispatch-client.ts'
import type { ClientEnv } from '../env.ts'
import type { Incoming } from '../incoming.ts'
import { NewTexts } from './new-texts.ts'
import { encodeRest } from './rest.ts'
import { NO_SCRIPT, ScriptRun } from './script-run.ts'
import { type Script, type Scripts, shaOf } from './scripts.ts'

/** From a request to the script that it asks for; what is wrong with it is answered here, in Redis' order and words. */
export class ScriptReader {
  readonly newTexts: NewTexts
  private readonly env: ClientEnv
  private readonly answers: Answers
  private readonly scripts: Scripts
  /** By tenant, as it is configured, and database. */
  private readonly scopes = new WeakMap<Tenant, Buffer[]>()

  constructor(env: ClientEnv, answers: Answers, scripts: Scripts) {
    this.env = env
    this.answers = answers
    this.scripts = scripts
    this.newTexts = new NewTexts(() => env.scriptLimits.newPerMinute)
  }

  /** What the request asks for; undefined: it was answered. */
  read(client: DispatchClient, spec: CommandSpec, request: Incoming, db: number): ScriptRun | undefined {
    const { answers, env, scripts } = this
    const tenant = client.session.tenant as Tenant
    const node = client.node as Node
    const byText = spec.name.startsWith('eval') && !spec.name.startsWith('evalsha')
    const view = request.view()
    const named = view.bytes(1)
    if (!byText && named.length !== 40) {
      answers.complain(client, NO_SCRIPT)
      return undefined
    }
    const error = keysError(view.integer(2), request.argc - 3)
    if (error !== undefined) {
      answers.complain(client, error)
      return undefined
    }
    if (byText && named.length > env.scriptLimits.largest) {
      answers.notOpen(client, spec, 'the script is longer than scripts.largest', request)
      return undefined
    }
    const sha = byText ? shaOf(named) : named.toString('latin1').toLowerCase()
    if (!mayRun(node, tenant, sha)) {
      answers.notOpen(client, spec, node.walls.refusal, request)
      return undefined
    }
    const overRate = byText ? this.overRate(client, spec.name, sha, named.length) : undefined
    if (overRate !== undefined) {
      answers.refuse(client, overRate)
      return undefined
    }
    const script = byText ? scripts.of(named, tenant, sha) : this.known(tenant, sha)
    if (byText) scripts.learn(tenant, sha, false)
    const rest = encodeRest(request, Number(view.integer(2)), keyPrefix(tenant, db), this.scopeOf(tenant, db))
    return new ScriptRun(tenant, view.text(0), sha, script, rest, request.argc - 1)
  }

  /** The error for a script, of a text of so many bytes, that is one too many whose text is not at hand; undefined: it may come. */
  overRate(client: DispatchClient, command: string, sha: string, bytes: number): string | undefined {
    const { env, newTexts, scripts } = this
    const tenant = client.session.tenant as Tenant
    // At hand as another tenant has run it does not count: what passes would tell who has which texts.
    if (scripts.get(sha, tenant) !== undefined && scripts.knows(tenant, sha) !== undefined) return undefined
    const { now } = env.clock
    const wait = newTexts.take(tenant, bytes, now)
    if (wait === 0) return undefined
    client.stats.error('NEWSCRIPTS')
    env.notices.declined(tenant.name, command, 'NEWSCRIPTS', now)
    return newTexts.refusal(wait)
  }

  private scopeOf(tenant: Tenant, db: number): Buffer {
    let scopes = this.scopes.get(tenant)
    if (scopes === undefined) {
      scopes = []
      this.scopes.set(tenant, scopes)
    }
    scopes[db] ??= scopeArgument(tenant, db)
    return scopes[db]
  }

  private known(tenant: Tenant, sha: string): Script | undefined {
    return this.scripts.knows(tenant, sha) === undefined ? undefined : this.scripts.get(sha, tenant)
  }
}

/** There is a wall for it to run behind, or will be, or it needs none. */
export function mayRun({ walls }: Node, tenant: Tenant, sha: string): boolean {
  return !walls.refused || tenant.trustedScripts.has(sha)
}

/** In the order and the words of evalGenericCommand in Redis' eval.c. */
function keysError(keys: number | undefined, most: number): string | undefined {
  if (keys === undefined) return 'ERR value is not an integer or out of range'
  if (keys > most) return "ERR Number of keys can't be greater than number of args"
  return keys < 0 ? "ERR Number of keys can't be negative" : undefined
}

/** A member of a transaction that Redis queues, and answers with an error at EXEC: what is sent for it gets the same one. */
export function wrongMember(spec: CommandSpec, request: Incoming): Buffer | undefined {
  const view = request.view()
  if (spec.name.startsWith('evalsha') && view.bytes(1).length !== 40) return UNKNOWN_SCRIPT
  if (keysError(view.integer(2), request.argc - 3) === undefined) return undefined
  return encodeRequest(['EVALSHA', '0'.repeat(40), view.bytes(2)])
}

/** A SHA that nothing has. */
export const UNKNOWN_SCRIPT = Buffer.from(`*3\r\n$7\r\nEVALSHA\r\n$40\r\n${'0'.repeat(40)}\r\n$1\r\n0\r\n`)
