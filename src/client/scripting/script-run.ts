import type { Exchange } from '../../commands/exchange.ts'
import { originalError } from '../../keyspace/scripting/wrap-script.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { WallLogins } from '../../upstream/walls/walls.ts'
import type { Script } from './scripts.ts'
import { TenantRun } from './tenant-run.ts'

/** One EVAL, EVALSHA or the like on its way: the note of its exchange. */
export class ScriptRun extends TenantRun {
  /** As the client knows the script. */
  readonly sha: string
  /** undefined: its text has to be looked up. */
  script: Script | undefined
  /** It can only read: EVAL_RO, EVALSHA_RO. */
  readonly readonly: boolean
  /** The request behind the script, as it goes upstream: the number of keys, raw keys, arguments and the scope. */
  private readonly rest: Buffer
  /** How many arguments that is. */
  private readonly count: number
  /** Why it was not executed the last time. */
  failure: string | undefined = undefined
  /** It was sent with its text, by which the server knows it from then on. */
  private whole = false

  constructor(tenant: Tenant, sha: string, script: Script | undefined, readonly: boolean, rest: Buffer, count: number) {
    super(tenant)
    this.sha = sha
    this.script = script
    this.readonly = readonly
    this.rest = rest
    this.count = count
  }

  /** The bytes of its request. `whole`: with the text, else by SHA. `logins`: between these. Its script is known. */
  bytes(whole: boolean, logins: WallLogins | undefined): Buffer {
    const { text, sha } = (this.script as Script).wrapped
    this.whole = whole
    const name = `${whole ? 'EVAL' : 'EVALSHA'}${this.readonly ? '_RO' : ''}`
    const head = `*${this.count + 2}\r\n$${name.length}\r\n${name}\r\n`
    const parts = whole
      ? [Buffer.from(`${head}$${text.length}\r\n`, 'latin1'), text, CRLF, this.rest]
      : [Buffer.from(`${head}$40\r\n${sha}\r\n`, 'latin1'), this.rest]
    return Buffer.concat(logins === undefined ? parts : [logins.in, ...parts, logins.out])
  }

  /** It was executed, or refused by the script's own fault, so the server has the script now. */
  get taught(): boolean {
    return this.whole
  }

  revise(line: Buffer): Buffer {
    return this.script === undefined ? line : originalError(line, this.script.wrapped)
  }

  said({ spec: { name } }: Exchange): Buffer {
    const script = name.startsWith('evalsha') ? Buffer.from(this.sha, 'latin1') : (this.script as Script).text
    // The scope argument, which comes last, is not counted.
    const head = `*${this.count + 1}\r\n$${name.length}\r\n${name}\r\n$${script.length}\r\n`
    return Buffer.concat([Buffer.from(head, 'latin1'), script, CRLF, this.rest])
  }
}

export function runOf({ note }: Exchange): ScriptRun | undefined {
  return note instanceof ScriptRun ? note : undefined
}

const CRLF = Buffer.from('\r\n')

/** Redis' words. */
export const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.'
export const NO_SCRIPT_LINE = `-${NO_SCRIPT}`
