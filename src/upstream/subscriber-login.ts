import { encodeRequest } from '../resp/request-encoder.ts'
import { ERROR } from '../resp/type-bytes.ts'
import type { Handshake } from './connection.ts'
import { eventsSetting } from './handshake.ts'
import type { UpstreamOptions } from './options.ts'
import { isPassing } from './subscriber-retries.ts'

/** What the handshake of a subscriber learns. */
export interface SubscriberFacts {
  /** Of the server, '' when INFO is closed to us. */
  runId: string
  /** `notify-keyspace-events` of the server; undefined when CONFIG is closed to us. */
  events: string | undefined
  /** Limits of `client-output-buffer-limit pubsub`, in Redis' words; undefined: none, or CONFIG is closed to us. */
  outputLimit: string | undefined
}

type Step = 'auth' | 'name' | 'no-evict' | 'info' | 'events' | 'limits'

/**
 * Makes a fresh socket ready for subscriptions: the service user's login, and what has to be known of the server. RESP2,
 * which every server speaks. What the user may not do, but for AUTH, is done without. A server that is busy is dialled again:
 * without its run_id nobody would see that the connection has become that of another server.
 */
export class SubscriberLogin implements Handshake {
  readonly facts: SubscriberFacts = { runId: '', events: undefined, outputLimit: undefined }
  private readonly options: UpstreamOptions
  private steps: Step[] = []

  constructor(options: UpstreamOptions) {
    this.options = options
  }

  begin(): Buffer {
    const { user, password } = this.options
    const out: Buffer[] = []
    const say = (step: Step, ...args: string[]) => {
      this.steps.push(step)
      out.push(encodeRequest(args))
    }
    if (password !== undefined) say('auth', 'AUTH', ...(user === undefined ? [] : [user]), password)
    say('name', 'CLIENT', 'SETNAME', 'keyward')
    say('no-evict', 'CLIENT', 'NO-EVICT', 'ON')
    say('info', 'INFO', 'server')
    say('events', 'CONFIG', 'GET', 'notify-keyspace-events')
    say('limits', 'CONFIG', 'GET', 'client-output-buffer-limit')
    return Buffer.concat(out)
  }

  reply(type: number, frame: Buffer): Buffer | 'ready' | undefined {
    const step = this.steps.shift()
    const failed = type === ERROR
    const text = frame.toString('latin1')
    if (failed && (step === 'auth' || /^-(NOAUTH|WRONGPASS|DENIED)/.test(text))) throw new Error(text.trimEnd())
    if (step === undefined) throw new Error('a reply that nobody asked for')
    if (failed && isPassing(text.slice(1))) throw new Error(text.trimEnd())
    if (step === 'info' && !failed) this.facts.runId = /run_id:([0-9a-f]+)/.exec(text)?.[1] ?? ''
    if (step === 'events' && !failed) this.facts.events = eventsSetting(frame)
    if (step === 'limits' && !failed) this.facts.outputLimit = outputLimit(text)
    return this.steps.length === 0 ? 'ready' : undefined
  }
}

function outputLimit(text: string): string | undefined {
  const limit = /pubsub (\d+) (\d+) \d+/.exec(text)
  return limit === null || (limit[1] === '0' && limit[2] === '0') ? undefined : limit[0]
}
