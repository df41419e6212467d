import { Incoming } from '../../../../src/client/incoming.ts'
import type { CommandSpec } from '../../../../src/commands/spec.ts'
import { Chains } from '../../../../src/policies/chains.ts'
import { type ClientPolicy, type Edit, type PolicyEnv, Ruling } from '../../../../src/policies/policy.ts'
import { Ttl } from '../../../../src/policies/ttl/ttl.ts'
import { RequestReader } from '../../../../src/resp/request-reader.ts'
import type { Session } from '../../../../src/session/session.ts'
import type { Tenant, TtlRule } from '../../../../src/session/tenant.ts'
import { tenant, theTable } from '../../../helpers/local-client.ts'
import { request } from '../../../helpers/raw-client.ts'

// From the bytes of a request to what the policy makes of it, with a clock and dice of the test's own.

/** Milliseconds since the epoch, a little past a whole second. */
export const NOW = 1_700_000_000_250

export type Word = string | Buffer

/** What becomes of a request. */
export interface Outcome {
  readonly verdict: string
  /** What goes upstream in place of the client's request, in words; undefined: that itself. */
  readonly sent: readonly string[] | undefined
  /** "key time", and " in <prefix>" where it is another one. */
  readonly behind: readonly string[]
  readonly answer: string | undefined
  readonly ruling: Ruling
}

export function ttlRule(more: Partial<TtlRule> = {}): TtlRule {
  return {
    keys: '*',
    default: undefined,
    max: undefined,
    min: undefined,
    jitter: 0,
    persist: 'allow',
    dryRun: false,
    ...more,
  }
}

export class TtlWorld {
  readonly ttl: Ttl
  readonly chains: Chains
  /** What the dice show: from 0 up to 1. */
  dice = 0
  private readonly incoming = new Incoming()

  /** `now`: milliseconds since the epoch. */
  constructor(now: () => number = () => NOW) {
    const env = { table: theTable() } as PolicyEnv
    this.ttl = new Ttl(env, now, () => this.dice)
    this.chains = new Chains([this.ttl], env)
  }

  /** A configuration with one tenant, which has these rules. */
  load(rules: readonly TtlRule[], more: Partial<Tenant> = {}): ClientPolicy | undefined {
    const acme = tenant('acme', { ...more, ttl: rules })
    this.chains.renew([acme])
    return this.chains.enter({ tenant: acme } as Session)
  }

  /** What these rules make of a request; they are loaded anew, so counters of the same rules go on. */
  ask(rules: readonly TtlRule[], words: string | readonly Word[], more: Partial<Tenant> = {}): Outcome {
    const chain = this.load(rules, more)
    if (chain === undefined) throw new Error('no chain')
    const list = typeof words === 'string' ? words.split(' ') : words
    const ruling = new Ruling()
    let verdict = ''
    // What is in front of a request in its chunk must not matter.
    const bytes = Buffer.concat([request('PING'), request(...list)])
    read(bytes, (buf, start, end, argc, args) => {
      if (start > 0) verdict = chain.onRequest(specOf(list), this.incoming.set(buf, start, end, argc, args), ruling)
      // Whatever is kept must be a copy.
      if (start > 0) buf.fill('#', start, end)
    })
    return {
      verdict,
      sent: ruling.edit === undefined ? undefined : wordsOf(ruling.edit, specOf(list)),
      behind: [...(ruling.effects?.expiries ?? [])].map(
        ({ key, time, prefix }) => `${key} ${time}${prefix === undefined ? '' : ` in ${prefix}`}`,
      ),
      answer: ruling.answer?.toString(),
      ruling,
    }
  }
}

export function specOf(words: readonly Word[]): CommandSpec {
  const [name, sub] = words.map((word) => word.toString().toLowerCase())
  const spec = theTable().byName(`${name}|${sub}`) ?? theTable().byName(name)
  if (spec === undefined) throw new Error(`no command ${name}`)
  return spec
}

/** The words of an edit, once it is proved that a server reads them where the edit says they are. */
function wordsOf(edit: Edit, spec: CommandSpec): string[] {
  if (edit.spec !== spec) throw new Error('the edit is another command')
  let words: string[] | undefined
  read(Buffer.from(edit.buf), (buf, start, end, argc, args) => {
    if (start !== 0 || end !== edit.buf.length || argc !== edit.argc) throw new Error(`not one request: ${edit.buf}`)
    for (let i = 0; i < 2 * argc; i++) {
      if (args[i] !== edit.args[i])
        throw new Error(`offset ${i} of ${JSON.stringify(`${edit.buf}`)} is ${edit.args[i]}`)
    }
    words = Array.from({ length: argc }, (_, i) => buf.toString('latin1', args[2 * i], args[2 * i + 1]))
  })
  if (words === undefined) throw new Error(`not a whole request: ${edit.buf}`)
  return words
}

function read(bytes: Buffer, onRequest: (b: Buffer, from: number, to: number, n: number, args: Int32Array) => void) {
  const reader = new RequestReader({ bulk: 1 << 20, buffer: 1 << 20 })
  reader.authenticated = true
  const fail = () => {
    throw new Error('it cannot be read')
  }
  reader.feed(bytes, 0, bytes.length, { onRequest, onProtocolError: fail, onRequestLimit: fail })
}
