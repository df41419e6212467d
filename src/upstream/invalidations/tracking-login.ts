import { encodeRequest } from '../../resp/request-encoder.ts'
import { ERROR, PUSH } from '../../resp/type-bytes.ts'
import type { Handshake } from '../connection.ts'
import { checkRole } from '../handshake.ts'
import type { UpstreamOptions } from '../options.ts'
import type { Role } from '../server-facts.ts'
import { isPassing } from '../subscriber-retries.ts'
import type { Coverage } from './coverage.ts'
import { notAsOrdered } from './tracking-info.ts'

/** Not allowed, or not known: an old server, or something in between that is no server. */
const WILL_NOT = /^(NOPERM|NOPROTO|ERR unknown)/i

type Step = 'hello' | 'name' | 'no-evict' | 'role' | 'info' | 'tracking' | 'check'

export const CHECK = ['CLIENT', 'TRACKINGINFO'] as const

/**
 * Makes a fresh socket one that tells of writes: the service user's login in RESP3, what has to be known of the server, and CLIENT
 * TRACKING in broadcasting mode, for which the server remembers nothing of what is read. What is pushed before the end is dropped: nobody
 * relies on this connection yet. https://redis.io/docs/latest/commands/client-tracking/
 */
export class TrackingLogin implements Handshake {
  /** Of the server, '' when INFO is closed to us. */
  runId = ''
  /** The server's words when it will not do this: another attempt would end like this one. */
  refusal: string | undefined = undefined
  private readonly options: UpstreamOptions
  private readonly mustBe: Role | undefined
  private readonly coverage: Coverage
  private steps: Step[] = []

  /** `mustBe`: what ROLE must say; undefined: whatever it is. */
  constructor(options: UpstreamOptions, mustBe: Role | undefined, coverage: Coverage) {
    this.options = options
    this.mustBe = mustBe
    this.coverage = coverage
  }

  begin(): Buffer {
    const { user, password } = this.options
    const out: Buffer[] = []
    const say = (step: Step, ...args: (string | Buffer)[]) => {
      this.steps.push(step)
      out.push(encodeRequest(args))
    }
    say('hello', 'HELLO', '3', ...(password === undefined ? [] : ['AUTH', user ?? 'default', password]))
    say('name', 'CLIENT', 'SETNAME', 'keyward')
    say('no-evict', 'CLIENT', 'NO-EVICT', 'ON')
    if (this.mustBe !== undefined) say('role', 'ROLE')
    say('info', 'INFO', 'server')
    const prefixes = this.coverage.prefixes.flatMap((prefix) => ['PREFIX', prefix])
    say('tracking', 'CLIENT', 'TRACKING', 'ON', 'BCAST', ...prefixes)
    say('check', ...CHECK)
    return Buffer.concat(out)
  }

  reply(type: number, frame: Buffer): Buffer | 'ready' | undefined {
    if (type === PUSH) return undefined
    const step = this.steps.shift()
    const error = type === ERROR ? frame.toString('latin1', 1, frame.length - 2) : undefined
    if (step === undefined) throw new Error('a reply that nobody asked for')
    if (error !== undefined && (/^(NOAUTH|WRONGPASS|DENIED)/.test(error) || isPassing(error))) throw new Error(error)
    if (error !== undefined && (step === 'hello' || step === 'tracking' || step === 'check')) {
      // Too many clients, for one, is not what the next attempt must hear.
      if (step === 'hello' && !WILL_NOT.test(error)) throw new Error(error)
      this.refused(error)
    }
    if (step === 'role') checkRole(this.mustBe, error, frame)
    if (step === 'info' && error === undefined) {
      this.runId = /run_id:([0-9a-f]+)/.exec(frame.toString('latin1'))?.[1] ?? ''
    }
    if (step === 'check') {
      const wrong = notAsOrdered(frame, this.coverage)
      if (wrong !== undefined) this.refused(wrong)
    }
    return this.steps.length === 0 ? 'ready' : undefined
  }

  private refused(why: string): never {
    this.refusal = why
    throw new Error(why)
  }
}
