import { formatAddress } from '../address.ts'
import type { HostPort } from '../options.ts'

/** What a sentinel says about the primary of the day and about itself. Addresses are as it names them. */
export interface SentinelAnswer {
  /** Clock time at which it was asked: what happened later may not be in it. */
  readonly askedAt: number
  /** SENTINEL GET-MASTER-ADDR-BY-NAME; undefined: it knows no primary of that name, or says what is no address. */
  readonly names: HostPort | undefined
  /** A failover that this sentinel leads and that has chosen its replica, or is about to: from which primary, in which state. */
  readonly failover: { readonly from: string; readonly state: string } | undefined
  /** Sentinels of this primary that it knows, those that are down too, itself included. */
  readonly voters: number
  /** Milliseconds; undefined: not told. */
  readonly failoverTimeout: number | undefined
  /** Why it names none. */
  readonly problem: string | undefined
}

/** What changes rarely, so is asked rarely. */
export interface SentinelLists {
  readonly id: string | undefined
  /** Other sentinels of this primary. */
  readonly peers: readonly Peer[]
  /** Replicas in good order. */
  readonly replicas: readonly HostPort[]
}

export interface Peer {
  readonly id: string
  readonly address: HostPort
  readonly up: boolean
  /** Down for so long that it will hardly come back. */
  readonly forgotten: boolean
}

/** Milliseconds after which a sentinel that is down is not counted any more. */
const FORGOTTEN_AFTER = 600_000

/** States of a failover in which no replica has been chosen. */
const HARMLESS = ['none', 'wait_start']

/** Replies to SENTINEL GET-MASTER-ADDR-BY-NAME and SENTINEL MASTER; an error is the reply, too. */
export function readAnswer(askedAt: number, named: unknown, state: unknown): SentinelAnswer {
  const fields = fieldsOf(state)
  const names = Array.isArray(named) ? hostPort(named[0], named[1]) : undefined
  const error = [named, state].find((reply) => reply instanceof Error) as Error | undefined
  const flags = (fields.get('flags') ?? '').split(',')
  // Where no state is told, a failover is believed to be as far as it can be.
  const failoverState = fields.get('failover-state') ?? 'unknown'
  const from = hostPort(fields.get('ip'), fields.get('port'))
  const danger = flags.includes('failover_in_progress') && !HARMLESS.includes(failoverState) && from !== undefined
  return {
    askedAt,
    names,
    failover: danger ? { from: formatAddress(from), state: failoverState } : undefined,
    voters: 1 + (Number(fields.get('num-other-sentinels')) || 0),
    failoverTimeout: Number(fields.get('failover-timeout')) || undefined,
    problem: names === undefined ? (error?.message ?? 'it names no address') : undefined,
  }
}

/** Replies to SENTINEL MYID, SENTINELS and REPLICAS. */
export function readLists(id: unknown, peers: unknown, replicas: unknown): SentinelLists {
  return {
    id: typeof id === 'string' ? id : undefined,
    peers: entriesOf(peers).flatMap(readPeer),
    replicas: entriesOf(replicas).flatMap(readReplica),
  }
}

function readPeer(fields: ReadonlyMap<string, string>): Peer[] {
  const address = hostPort(fields.get('ip'), fields.get('port'))
  if (address === undefined) return []
  const id = fields.get('runid') || formatAddress(address)
  const up = !(fields.get('flags') ?? '').split(',').includes('s_down')
  return [{ id, address, up, forgotten: !up && Number(fields.get('s-down-time')) > FORGOTTEN_AFTER }]
}

function readReplica(fields: ReadonlyMap<string, string>): HostPort[] {
  const address = hostPort(fields.get('ip'), fields.get('port'))
  const flags = (fields.get('flags') ?? '').split(',')
  if (address === undefined || ['s_down', 'o_down', 'disconnected'].some((flag) => flags.includes(flag))) return []
  // A primary that was deposed is listed here from the switch on, and goes on as a primary until it is told.
  if (fields.get('role-reported') === 'master' || fields.get('master-link-status') !== 'ok') return []
  return [address]
}

function entriesOf(reply: unknown): ReadonlyMap<string, string>[] {
  return Array.isArray(reply) ? reply.map(fieldsOf) : []
}

function fieldsOf(reply: unknown): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  if (!Array.isArray(reply)) return fields
  for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), String(reply[i + 1]))
  return fields
}

function hostPort(host: unknown, port: unknown): HostPort | undefined {
  if (typeof host !== 'string' || host === '' || typeof port !== 'string' || !/^\d{1,5}$/.test(port)) return undefined
  const number = Number(port)
  return number > 0 && number < 65_536 ? { host, port: number } : undefined
}
