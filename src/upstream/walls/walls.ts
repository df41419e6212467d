import { encodeRequest } from '../../resp/request-encoder.ts'
import type { Tenant } from '../../session/tenant.ts'
import { OperatorConnection, type OperatorHost } from '../operator-connection.ts'
import type { FactsLog } from '../server-facts.ts'
import { allowsAlmostAll, serviceRules } from './own-rules.ts'
import { SERVICE_USER, setUser, tenantRules, tenantUser, type WallUser, wallUser } from './wall-users.ts'

/** What walls ask of their node. */
export interface WallsHost extends OperatorHost {
  readonly name: string
  readonly log: FactsLog
  /** run_id of the server that the lanes talk to, '' until known. */
  readonly runId: string
  readonly facts: { readonly version: string | undefined }
}

/** `auto`: where the upstream lets us. `required`: an upstream that does not is not used. `off`: never. */
export type WallMode = 'auto' | 'required' | 'off'

/** What goes in front of and behind a script that runs as its tenant. */
export interface WallLogins {
  readonly in: Buffer
  readonly out: Buffer
}

/** Major version. Before it, rules on subcommands are other ones, and lanes have to run scripts to give keys a time to live. */
const FIRST_WITH_WALLS = 7

/** A user that is there, or on its way. */
interface Wall {
  readonly rules: string
  readonly runId: string
  readonly ready: Promise<void>
  done: boolean
}

/**
 * The ACL users of one server that keep tenants' scripts from each other's keys. Lanes log in as a user who may run no
 * scripts at all; a script travels between two logins in one piece, as the user of its tenant, who may touch nothing but the
 * tenant's keys and channels. Users are neither replicated nor kept over a restart, so each server has to be told, and told
 * again when it turns out not to know (s2 to s5, s22 of the semantics).
 */
export class Walls {
  readonly mode: WallMode
  readonly service: WallUser
  /** The upstream's user may make users; undefined: not tried yet. */
  able: boolean | undefined = undefined
  /** Redis' words, when it may not. */
  why: string | undefined = undefined
  private readonly host: WallsHost
  private readonly reviewed: (command: string) => boolean
  private readonly operator: OperatorConnection
  private readonly walls = new Map<string, Wall>()
  /** Rules of the upstream's user. */
  private own: readonly string[] = []
  private serviceAt = ''
  private readonly logins = new Map<string, WallLogins>()
  /** Commands of the server of this run_id that nobody has reviewed. */
  private commands: { readonly runId: string; readonly names: Promise<readonly string[]> } | undefined = undefined

  /** `reviewed`: scripts of tenants may use the commands of this name. */
  constructor(host: WallsHost, mode: WallMode, reviewed: (command: string) => boolean) {
    this.host = host
    this.mode = mode
    this.reviewed = reviewed
    this.service = wallUser(SERVICE_USER, host.options)
    this.operator = new OperatorConnection(host)
  }

  /** Scripts of tenants can be run. */
  get on(): boolean {
    return this.able === true
  }

  /** There are none, and will be none at this server. */
  get refused(): boolean {
    return this.mode === 'off' || this.able === false
  }

  /** Why scripts of tenants are not run; for the log and `keyward explain`. */
  get refusal(): string {
    if (this.mode === 'off') return 'scripts need walls, which are off for this upstream'
    return `scripts need walls, which the upstream does not have: ${this.why ?? 'not connected yet'}`
  }

  /** Asks for the rules of the upstream's user; undefined: nobody wants to know. */
  get question(): readonly string[] | undefined {
    return this.mode === 'off' ? undefined : ['ACL', 'GETUSER', this.host.options.user ?? 'default']
  }

  /** How a new lane becomes one of the service user. `own`: the rules of the upstream's user. undefined: it stays as it is. */
  serviceLogin(own: readonly string[]): { readonly make: readonly string[]; readonly user: WallUser } | undefined {
    if (this.mode === 'off') return undefined
    const { version } = this.host.facts
    if (Number.parseInt(version ?? '', 10) < FIRST_WITH_WALLS) {
      this.tried(`it is Redis ${version}, and walls need ${FIRST_WITH_WALLS}.0`)
      return undefined
    }
    if (!allowsAlmostAll(own)) {
      this.tried(
        `its user is not one of +@all ~* &* without selectors, less some commands, and scripts must not have more`,
      )
      return undefined
    }
    this.own = own
    return { make: setUser(this.service, serviceRules(own)), user: this.service }
  }

  /** The service user is at the server of this run_id, as far as is known. */
  hasService(runId: string): boolean {
    return runId !== '' && this.serviceAt === runId
  }

  /** It was made there, or, '', it has to be made again. */
  serviceIsAt(runId: string): void {
    this.serviceAt = runId
  }

  tried(error: string | undefined): void {
    const before = this.able
    this.able = error === undefined
    this.why = error
    if (error === undefined) return
    this.serviceAt = ''
    if (this.mode === 'required') throw new Error(`walls are required, and cannot be had: ${error}`)
    if (before === false) return
    const { log, name } = this.host
    const cure =
      'allow it with ACL SETUSER … +acl|getuser +acl|setuser +acl|deluser, or list the scripts that you trust in trustedScripts'
    log.warn({ upstream: name, error }, `there are no walls at this upstream: scripts of tenants are refused; ${cure}`)
  }

  /** The tenant's user is there, or cannot be had. False: it is being made, and `then` is called. */
  readyFor(tenant: Tenant, then: () => void): boolean {
    if (!this.on || this.has(tenant)) return true
    this.ensure(tenant).then(then, (error: Error) => {
      if (error.name === 'ReplyError' && /^(NOPERM|ERR) /.test(error.message)) this.tried(error.message)
      then()
    })
    return false
  }

  /** The tenant's user is there, as far as is known. */
  has(tenant: Tenant): boolean {
    return this.wallOf(tenant)?.done === true
  }

  private wallOf(tenant: Tenant): Wall | undefined {
    const wall = this.walls.get(tenant.name)
    return wall !== undefined && wall.runId === this.host.runId && wall.rules === rulesOf(tenant) ? wall : undefined
  }

  /** Resolves when the tenant's user is there; rejects with the server's words, or when it does not answer within a second. */
  ensure(tenant: Tenant): Promise<void> {
    const known = this.wallOf(tenant)
    if (known !== undefined) return known.ready
    const { runId } = this.host
    const wall: Wall = { rules: rulesOf(tenant), runId, done: false, ready: this.make(tenant) }
    this.walls.set(tenant.name, wall)
    wall.ready.then(
      () => {
        wall.done = true
      },
      () => {
        if (this.walls.get(tenant.name) === wall) this.walls.delete(tenant.name)
      },
    )
    return wall.ready
  }

  private async make(tenant: Tenant): Promise<void> {
    const rules = tenantRules(tenant.prefix, await this.unreviewed(), tenant.functions === 'trusted')
    // What is closed to the upstream's own user is closed to scripts.
    rules.push(...this.own.filter((rule) => rule.startsWith('-')))
    const [command, ...args] = setUser(tenantUser(tenant.name, this.host.options), rules)
    await this.operator.call(command, ...args)
  }

  private unreviewed(): Promise<readonly string[]> {
    const { runId } = this.host
    if (this.commands?.runId !== runId) {
      const names = this.operator.call('COMMAND', 'LIST').then((reply) => {
        if (!Array.isArray(reply)) throw new Error('its reply to COMMAND LIST is none')
        return reply.map((name) => String(name).toLowerCase()).filter((name) => !this.reviewed(name))
      })
      this.commands = { runId, names }
      names.catch(() => {
        if (this.commands?.names === names) this.commands = undefined
      })
    }
    return this.commands.names
  }

  /** The server did not let the tenant's user in, perhaps because it does not know it: it is made anew. */
  forget(tenant: string): void {
    this.walls.delete(tenant)
  }

  /** The logins around a script of this tenant on a lane. */
  loginsOf({ name }: Tenant): WallLogins {
    let logins = this.logins.get(name)
    if (logins === undefined) {
      const login = ({ name, password }: WallUser) => encodeRequest(['AUTH', name, password])
      logins = { in: login(this.userOf(name)), out: login(this.service) }
      this.logins.set(name, logins)
    }
    return logins
  }

  userOf(tenant: string): WallUser {
    return tenantUser(tenant, this.host.options)
  }

  /** The tenant is gone. Its user has no right that anybody would miss, so nobody waits for the end of it. */
  remove(tenant: string): void {
    this.logins.delete(tenant)
    if (!this.walls.delete(tenant)) return
    this.operator.call('ACL', 'DELUSER', this.userOf(tenant).name).catch((error: Error) => {
      const { log, name } = this.host
      log.warn({ upstream: name, tenant, error: error.message }, "a tenant's ACL user could not be removed")
    })
  }

  /** Runs a command as the upstream's user of the configuration. */
  call(command: string, ...args: readonly (Buffer | string)[]): Promise<unknown> {
    return this.operator.call(command, ...args)
  }

  /** The same of a client's request: the reply may take as long as any other (`timeouts.request`). */
  callPatiently(command: string, ...args: readonly (Buffer | string)[]): Promise<unknown> {
    return this.operator.callPatiently(this.host.options.timeouts.request, command, ...args)
  }

  /** The same, with Buffers in its reply in place of strings. */
  callBuffer(command: string, ...args: readonly (Buffer | string)[]): Promise<unknown> {
    return this.operator.callBuffer(command, ...args)
  }

  view(): { mode: WallMode; up: boolean; users: number; why: string | undefined } {
    const users = [...this.walls.values()].filter(({ done }) => done).length
    return { mode: this.mode, up: this.on, users, why: this.why }
  }

  stop(): void {
    this.operator.stop()
  }
}

/** What its rules depend on. A prefix has no blanks. */
function rulesOf({ functions, prefix }: Tenant): string {
  return `${prefix} ${functions}`
}
