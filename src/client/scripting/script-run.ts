import type { Exchange } from '../../commands/exchange.ts'
import { isNoScript } from '../../commands/no-script.ts'
import { ERROR_BYTES } from '../../errors.ts'
import { originalError } from '../../keyspace/scripting/wrap-script.ts'
import type { Tenant } from '../../session/tenant.ts'
import type { WallLogins } from '../../upstream/walls/walls.ts'
import type { Script } from './scripts.ts'
import { OVERHEAD, TenantRun } from './tenant-run.ts'

/** One EVAL, EVALSHA or the like on its way: the note of its exchange. */
export class ScriptRun extends TenantRun {
  /** As the client knows the script. */
  readonly sha: string
  /** undefined: its text has to be looked up. */
  script: Script | undefined
  /** It can only read: EVAL_RO, EVALSHA_RO. */
  readonly readonly: boolean
  /** Its client sent the text, not the SHA. */
  readonly byText: boolean
  /** The request behind the script, as it goes upstream: the number of keys, raw keys, arguments and the scope. */
  private readonly rest: Buffer
  /** How many arguments that is. */
  private readonly count: number
  /** The command's name as its client wrote it. */
  private readonly word: string
  /** Why it was not executed the last time. */
  failure: string | undefined = undefined
  /** The SHA by which it was sent; undefined: with its text. */
  sentAs: string | undefined = undefined

  /** `word`: the command's name as its client wrote it. `count`: arguments of `rest`. */
  constructor(tenant: Tenant, word: string, sha: string, script: Script | undefined, rest: Buffer, count: number) {
    super(tenant)
    const command = word.toLowerCase()
    this.word = word
    this.byText = !command.startsWith('evalsha')
    this.sha = sha
    this.script = script
    this.readonly = command.endsWith('_ro')
    this.rest = rest
    this.count = count
  }

  /** The bytes of its request. `sha`: by which it is sent; undefined: with its text. `logins`: between these. Its script is known. */
  bytes(sha: string | undefined, logins: WallLogins | undefined): Buffer {
    const { text } = (this.script as Script).wrapped
    const whole = sha === undefined
    this.sentAs = sha
    const name = `${whole ? 'EVAL' : 'EVALSHA'}${this.readonly ? '_RO' : ''}`
    const head = `*${this.count + 2}\r\n$${name.length}\r\n${name}\r\n`
    const parts = whole
      ? [Buffer.from(`${head}$${text.length}\r\n`, 'latin1'), text, CRLF, this.rest]
      : [Buffer.from(`${head}$40\r\n${sha}\r\n`, 'latin1'), this.rest]
    return Buffer.concat(logins === undefined ? parts : [logins.in, ...parts, logins.out])
  }

  /** It was sent with its text, so the server has it, for a while at least. */
  get taught(): boolean {
    return this.sentAs === undefined
  }

  /**
   * It may itself say NOSCRIPT, so far as that is in its text or arguments. Sent by SHA it could not be told from the server, and would
   * be taken for not executed.
   */
  get saysNoScript(): boolean {
    return this.script?.saysNoScript === true || this.rest.includes('NOSCRIPT')
  }

  get kept(): number {
    return OVERHEAD + this.rest.length
  }

  /** EVAL never hears that there is no script: it was not sent with its text because the server had it. */
  revise(line: Buffer): Buffer {
    const { script, sentAs } = this
    if (script === undefined) return line
    if (this.byText && sentAs !== undefined && isNoScript(line.toString('latin1'))) return ERROR_BYTES.UPSTREAMDOWN
    return originalError(line, { sha: sentAs ?? script.wrapped.sha, original: script.wrapped.original })
  }

  said(): Buffer {
    const { word } = this
    const script = this.byText ? (this.script as Script).text : Buffer.from(this.sha, 'latin1')
    // The scope argument, which comes last, is not counted.
    const head = `*${this.count + 1}\r\n$${word.length}\r\n${word}\r\n$${script.length}\r\n`
    return Buffer.concat([Buffer.from(head, 'latin1'), script, CRLF, this.rest])
  }
}

export function runOf({ note }: Exchange): ScriptRun | undefined {
  return note instanceof ScriptRun ? note : undefined
}

const CRLF = Buffer.from('\r\n')

/** Redis' words. */
export const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.'
export const NO_SCRIPT_REPLY = Buffer.from(`-${NO_SCRIPT}\r\n`)
