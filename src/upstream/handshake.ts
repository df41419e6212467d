import { encodeRequest } from '../resp/request-encoder.ts'
import type { ConnectionKind, Handshake } from './connection.ts'
import { parseInfo } from './info.ts'
import type { UpstreamOptions } from './options.ts'
import { isRole, type Power, type Role, type ServerFacts } from './server-facts.ts'

/** What a handshake learns, and what it must know of the node. */
export interface HandshakeNode {
  readonly options: UpstreamOptions
  /** CLIENT IDs of lost connections whose data the server may still execute (s12 of the semantics: closing does not un-send). */
  readonly lostIds: ReadonlySet<number>
  /** run_id of the server that those belonged to. */
  readonly runId: string
  /** What ROLE must say before the connection is used: a name that leads to the wrong server, or a lie, stops here. */
  readonly mustBe: 'master' | 'slave' | undefined
  learned(info: ReadonlyMap<string, string>): void
  readonly facts: ServerFacts
  /** The upstream's user may not do this; said once in the log. */
  missing(power: Power, error: string): void
  /** No data of these ids will be executed any more. */
  buried(ids: readonly number[]): void
}

type Step = 'role' | 'hello' | 'auth' | 'name' | 'id' | 'no-evict' | 'limits' | 'events' | 'info' | 'kill'

/**
 * Makes a fresh socket usable: protocol and login, CLIENT ID (to be able to kill it later), ROLE, INFO (is it loading, is
 * it the server we knew), and CLIENT KILL of lost predecessors, whose reply proves that nothing of theirs will still
 * be executed. Two round trips at most. https://redis.io/commands/hello/ https://redis.io/commands/client-kill/
 */
export class LoginHandshake implements Handshake {
  private readonly node: HandshakeNode
  private readonly kind: ConnectionKind
  private readonly protocol: 2 | 3
  private readonly setId: (id: number) => void
  /** run_id of the server, once it is known. */
  runId = ''
  /** What ROLE said; undefined where it is closed to us. */
  private role: Role | undefined = undefined
  private steps: Step[] = []
  private killing: number[] = []

  constructor(node: HandshakeNode, kind: ConnectionKind, protocol: 2 | 3, setId: (id: number) => void) {
    this.node = node
    this.kind = kind
    this.protocol = protocol
    this.setId = setId
  }

  begin(): Buffer {
    const { user, password } = this.node.options
    const out: Buffer[] = []
    const say = (step: Step, ...args: string[]) => {
      this.steps.push(step)
      out.push(encodeRequest(args))
    }
    if (this.protocol === 3) {
      say('hello', 'HELLO', '3', ...(password === undefined ? [] : ['AUTH', user ?? 'default', password]))
    } else if (password !== undefined) {
      say('auth', 'AUTH', ...(user === undefined ? [] : [user]), password)
    }
    say('name', 'CLIENT', 'SETNAME', 'keyward')
    say('id', 'CLIENT', 'ID')
    if (this.kind !== 'pin') {
      say('no-evict', 'CLIENT', 'NO-EVICT', 'ON')
      say('limits', 'CONFIG', 'GET', 'client-output-buffer-limit')
      say('events', 'CONFIG', 'GET', 'notify-keyspace-events')
    }
    say('role', 'ROLE')
    say('info', 'INFO')
    return Buffer.concat(out)
  }

  reply(type: number, frame: Buffer): Buffer | 'ready' | undefined {
    const step = this.steps.shift()
    const error = type === ERROR ? frame.toString('latin1', 1, frame.length - 2) : undefined
    if (error !== undefined && /^(NOAUTH|WRONGPASS|DENIED|LOADING|BUSY|ERR (invalid password|AUTH))/.test(error))
      throw new Error(error)
    switch (step) {
      case undefined:
        throw new Error('a reply that nobody asked for')
      case 'hello':
        if (error !== undefined) {
          if (!/^NOPROTO|unknown command/i.test(error)) throw new Error(error)
          this.node.facts.noResp3()
          throw new Error('no RESP3')
        }
        break
      case 'auth':
        if (error !== undefined) throw new Error(error)
        break
      case 'name':
        break
      case 'role':
        // A server out of step: what comes next would be taken for the reply to something else.
        if (error === undefined && type !== ARRAY) throw new Error('its reply to ROLE is none')
        if (this.node.mustBe !== undefined) checkRole(this.node.mustBe, error, frame)
        this.role = roleIn(frame)
        break
      case 'id':
        if (error !== undefined) this.node.missing('client id', error)
        else this.setId(Number(frame.toString('latin1', 1, frame.length - 2)))
        break
      case 'no-evict':
        if (error !== undefined) this.node.missing('client no-evict', error)
        break
      case 'limits': {
        // Where CONFIG is closed, as at most providers, nobody can know.
        const normal = /normal (\d+) (\d+) \d+/.exec(frame.toString('latin1'))
        if (error === undefined && normal !== null && (normal[1] !== '0' || normal[2] !== '0'))
          this.node.facts.outputLimited(normal[0])
        break
      }
      case 'events':
        this.node.facts.events = error === undefined ? eventsSetting(frame) : undefined
        break
      case 'info':
        return this.afterInfo(error, frame)
      case 'kill':
        if (error !== undefined && !error.startsWith('ERR No such client')) this.node.missing('client kill', error)
        if (this.steps.length > 0) break
        this.node.buried(this.killing)
        return 'ready'
    }
    return undefined
  }

  private afterInfo(error: string | undefined, frame: Buffer): Buffer | 'ready' {
    this.node.facts.role = this.role ?? 'unknown'
    if (error !== undefined) {
      this.node.missing('info', error)
      if (this.role === undefined) this.node.missing('role', error)
      this.node.buried([...this.node.lostIds])
    } else {
      const info = parseInfo(frame)
      if (info.get('loading') === '1') throw new Error('LOADING')
      this.runId = info.get('run_id') ?? ''
      const lost = [...this.node.lostIds]
      // Another run_id: a new process, with other ids and nothing of the old sockets in it.
      if (lost.length > 0 && info.get('run_id') === this.node.runId) this.killing = lost
      else this.node.buried(lost)
      this.node.learned(info)
    }
    if (this.killing.length === 0) return 'ready'
    for (const _ of this.killing) this.steps.push('kill')
    return Buffer.concat(this.killing.map((id) => encodeRequest(['CLIENT', 'KILL', 'ID', String(id)])))
  }
}

/** https://redis.io/commands/role/ A replica that has no link to its primary answers from an unknown past. */
export function checkRole(expected: string | undefined, error: string | undefined, frame: Buffer): void {
  if (error !== undefined) throw new Error(`ROLE is closed to the upstream's user (${error}): allow it with +role`)
  const text = frame.toString('latin1')
  const role = firstWord(text)
  if (role !== expected) throw new Error(`its ROLE is ${role}, not ${expected}`)
  if (role === 'slave' && !text.includes('\r\nconnected\r\n')) throw new Error('its link to its primary is down')
}

/** Of an error, or what is no role: undefined. */
function roleIn(frame: Buffer): Role | undefined {
  const role = firstWord(frame.toString('latin1'))
  return isRole(role) ? role : undefined
}

/** The first element of an array in the reply to ROLE. */
function firstWord(text: string): string | undefined {
  return /^\*\d+\r\n\$\d+\r\n(\w+)\r\n/.exec(text)?.[1]
}

/** The value in the reply to CONFIG GET notify-keyspace-events; undefined where the server does not know it. */
export function eventsSetting(frame: Buffer): string | undefined {
  return /notify-keyspace-events\r\n\$\d+\r\n([^\r]*)\r\n$/.exec(frame.toString('latin1'))?.[1]
}

const ERROR = 0x2d
const ARRAY = 0x2a
