import { readOffers } from '../commands/offers.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import type { ConnectionKind, Handshake } from './connection.ts'
import { parseInfo } from './info.ts'
import type { UpstreamOptions } from './options.ts'
import { isRole, type Power, type Role, type ServerFacts } from './server-facts.ts'
import { readRules } from './walls/own-rules.ts'
import type { WallUser } from './walls/wall-users.ts'

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
  readonly walls: HandshakeWalls
  /** The upstream's user may not do this; said once in the log. */
  missing(power: Power, error: string): void
  /** No data of these ids will be executed any more. */
  buried(ids: readonly number[]): void
}

/** The part of Walls that a handshake needs. */
export interface HandshakeWalls {
  /** Asks for the rules of the user that we have logged in as; undefined: nobody wants to know. */
  readonly question: readonly string[] | undefined
  /** Makes the service user, and logs in as that. `own`: those rules. undefined: there is none. */
  serviceLogin(own: readonly string[]): { readonly make: readonly string[]; readonly user: WallUser } | undefined
  /** The service user is at the server of this run_id, as far as is known. */
  hasService(runId: string): boolean
  /** It was made there; '': it is not there. */
  serviceIsAt(runId: string): void
  /** Whom lanes become. */
  readonly service: WallUser
  /** It was made, or `error` tells why not. Throws when the connection is of no use then. */
  tried(error: string | undefined): void
}

type Step =
  | 'role'
  | 'hello'
  | 'auth'
  | 'name'
  | 'id'
  | 'no-evict'
  | 'limits'
  | 'events'
  | 'info'
  | 'commands'
  | 'kill'
  | 'rules'
  | 'make service'
  | 'become'
  | 'expiry'

/**
 * Makes a fresh socket usable: protocol and login, CLIENT ID (to be able to kill it later), ROLE, INFO (is it loading, is
 * it the server we knew), and CLIENT KILL of lost predecessors, whose reply proves that nothing of theirs will still
 * be executed; at last it becomes another user, as whom it may do no more than it must, and asks whether that one may set expiries,
 * where tenants need it. Five round trips at most.
 * https://redis.io/commands/hello/ https://redis.io/commands/client-kill/ https://redis.io/commands/acl-setuser/
 */
export class LoginHandshake implements Handshake {
  private readonly node: HandshakeNode
  private readonly kind: ConnectionKind
  private readonly protocol: 2 | 3
  private readonly setId: (id: number) => void
  private readonly wall: WallUser | undefined
  /** run_id of the server, once it is known. */
  runId = ''
  /** It ended as the service user, who may run no scripts. */
  service = false
  /** What ROLE said; undefined where it is closed to us. */
  private role: Role | undefined = undefined
  /** Rules of the user of the configuration, or why they are not known; undefined: not asked for. */
  private own: readonly string[] | string | undefined = undefined
  private steps: Step[] = []
  private killing: number[] = []

  /** `wall`: who the connection is to be in the end; undefined: the service user, if there is one. */
  constructor(
    node: HandshakeNode,
    kind: ConnectionKind,
    protocol: 2 | 3,
    wall: WallUser | undefined,
    setId: (id: number) => void,
  ) {
    this.node = node
    this.kind = kind
    this.protocol = protocol
    this.wall = wall
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
    const { question } = this.node.walls
    const known = this.node.walls.hasService(this.node.runId)
    if (this.wall === undefined && question !== undefined && !known) say('rules', ...question)
    say('role', 'ROLE')
    say('info', 'INFO')
    return Buffer.concat(out)
  }

  reply(type: number, frame: Buffer): Buffer | 'ready' | undefined {
    const step = this.steps.shift()
    const error = type === ERROR ? frame.toString('latin1', 1, frame.length - 2) : undefined
    // Somebody else has removed it: it is made again for the next connection.
    if (error !== undefined && step === 'become') this.node.walls.serviceIsAt('')
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
      case 'commands':
        this.node.facts.offered(error === undefined ? readOffers(frame) : undefined)
        if (error !== undefined) this.node.missing('command', error)
        return this.steps.length > 0 ? undefined : this.turn()
      case 'kill':
        if (error !== undefined && !error.startsWith('ERR No such client')) this.node.missing('client kill', error)
        if (this.steps.length > 0) break
        this.node.buried(this.killing)
        return this.turn()
      case 'rules':
        this.own = error ?? readRules(frame) ?? 'its reply to ACL GETUSER is none'
        // The server turned out to be another one.
        if (this.steps.length === 0) return this.turn()
        break
      case 'make service':
        this.node.walls.tried(error)
        if (error !== undefined) return this.last()
        this.node.walls.serviceIsAt(this.runId)
        this.service = true
        return this.become(this.node.walls.service)
      case 'become':
        if (error !== undefined) throw new Error(error)
        return this.last()
      case 'expiry':
        this.node.facts.learnedExpiry(frame.toString('latin1'))
        return 'ready'
    }
    return undefined
  }

  /** Who it is from here on. */
  private turn(): Buffer | 'ready' {
    if (this.wall !== undefined) return this.become(this.wall)
    const { own } = this
    const { walls } = this.node
    if (walls.hasService(this.runId) && walls.question !== undefined) {
      this.service = true
      return this.become(walls.service)
    }
    if (own === undefined) {
      if (walls.question === undefined) return this.last()
      this.steps.push('rules')
      return encodeRequest(walls.question)
    }
    if (typeof own === 'string') {
      this.node.walls.tried(own)
      return this.last()
    }
    const login = this.node.walls.serviceLogin(own)
    if (login === undefined) return this.last()
    this.steps.push('make service')
    return encodeRequest(login.make)
  }

  /** It is who it will be. */
  private last(): Buffer | 'ready' {
    const { expiry, knowsExpireNx } = this.node.facts
    const question = this.wall === undefined ? expiry.question(knowsExpireNx) : undefined
    if (question === undefined) return 'ready'
    this.steps.push('expiry')
    return encodeRequest(question)
  }

  private become({ name, password }: WallUser): Buffer {
    this.steps.push('become')
    return encodeRequest(['AUTH', name, password])
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
    const more: Buffer[] = []
    // Long, so asked once of each server, and not of replicas, which only get what the primary has.
    if (this.kind === 'lane' && this.node.mustBe !== 'slave' && this.node.facts.asksOffers()) {
      this.steps.push('commands')
      more.push(encodeRequest(['COMMAND']))
    }
    for (const id of this.killing) {
      this.steps.push('kill')
      more.push(encodeRequest(['CLIENT', 'KILL', 'ID', String(id)]))
    }
    return more.length === 0 ? this.turn() : Buffer.concat(more)
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
