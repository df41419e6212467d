import { expect } from 'vitest'
import type { HostPort, SentinelOptions } from '../../../../src/upstream/options.ts'
import { SentinelTopology } from '../../../../src/upstream/topologies/sentinel.ts'
import type { SentinelAnswer } from '../../../../src/upstream/topologies/sentinel-answer.ts'
import type { Link, LinkHost } from '../../../../src/upstream/topologies/sentinel-link.ts'

export const A: HostPort = { host: '10.0.0.1', port: 6379 }
export const B: HostPort = { host: '10.0.0.2', port: 6379 }
export const C: HostPort = { host: '10.0.0.3', port: 6379 }
export const X: HostPort = { host: '10.9.9.9', port: 6379 }

/** A sentinel in the hands of the test. */
export class ScriptedLink implements Link {
  readonly host: LinkHost
  readonly id: string
  names: HostPort | undefined = A
  failover: Link['failover'] = async () => {}
  /** State of a failover of A that it leads. */
  leads: string | undefined
  peers: string[] = []
  replicas: HostPort[] = []
  questions = 0
  stopped = false
  mute = false

  constructor(node: HostPort, host: LinkHost) {
    this.id = node.host
    this.host = host
  }

  /** Answered when the test says so. */
  ask(): void {
    this.questions++
  }
  beat(): void {}
  stop(): void {
    this.stopped = true
  }

  answer(more: Partial<SentinelAnswer> = {}, askedAt = this.host.now()): void {
    const failover = this.leads === undefined ? undefined : { from: '10.0.0.1:6379', state: this.leads }
    const answer = {
      askedAt,
      names: this.names,
      failover,
      voters: 1 + this.peers.length,
      failoverTimeout: 1000,
      problem: undefined,
      ...more,
    }
    const peers = this.peers.map((id) => ({ id, address: { host: id, port: 26379 }, up: true, forgotten: false }))
    this.host.answered(answer, { id: this.id, peers, replicas: this.replicas })
  }

  /** Its events are heard. */
  listen(): void {
    this.host.listening(this.id)
  }

  /** Nobody listens at its port. */
  refuse(): void {
    this.mute = true
    this.host.silent('connect ECONNREFUSED')
    this.host.deaf('connect ECONNREFUSED')
  }

  say(channel: string, text = 'slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379'): void {
    this.host.event(channel, text)
  }

  switched(from = A, to = B): void {
    this.names = to
    this.leads = undefined
    this.say('+switch-master', `mymaster ${from.host} ${from.port} ${to.host} ${to.port}`)
  }
}

export class Stage {
  /** What the node was told, in order. */
  readonly calls: string[] = []
  readonly warnings: string[] = []
  readonly links = new Map<string, ScriptedLink>()
  readonly topology: SentinelTopology
  now = 1000

  constructor(nodes: readonly string[] = ['s1', 's2', 's3'], natMap: ReadonlyMap<string, HostPort> = new Map()) {
    const options: SentinelOptions = {
      master: 'mymaster',
      nodes: nodes.map((host) => ({ host, port: 26379 })),
      user: undefined,
      password: undefined,
      tls: undefined,
      natMap,
    }
    const host = {
      log: {
        info: () => {},
        warn: (fields: object, text: string) => this.warnings.push(`${text} ${JSON.stringify(fields)}`),
      },
      moveTo: (address: object) => void this.calls.push(`moveTo ${(address as HostPort).host}`),
      suspend: () => void this.calls.push('suspend'),
      resume: () => void this.calls.push('resume'),
      fault: (error: unknown) => {
        throw error
      },
    }
    const open = (node: HostPort, _: SentinelOptions, linkHost: LinkHost) => {
      const link = new ScriptedLink(node, linkHost)
      link.peers = nodes.filter((name) => name !== node.host)
      this.links.set(node.host, link)
      return link
    }
    this.topology = new SentinelTopology('main', options, host, open, () => this.now)
    this.topology.start()
  }

  get all(): ScriptedLink[] {
    return [...this.links.values()]
  }

  link(name: string): ScriptedLink {
    return this.links.get(name) as ScriptedLink
  }

  /** Those that are followed so far are heard. */
  listen(): this {
    for (const link of this.all) link.listen()
    return this
  }

  /** All of them answer and are heard; what the node was told is forgotten. */
  following(): this {
    // Those that are found meanwhile, too.
    for (const link of this.links.values()) {
      link.listen()
      link.answer()
    }
    expect(this.topology.state).toBe('following')
    this.calls.length = 0
    return this
  }

  /** Time passes, and those that are not mute answer. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 1000) {
      this.now += Math.min(left, 1000)
      this.topology.tick()
      for (const link of this.all) if (!link.mute && !link.stopped) link.answer()
    }
  }

  end(): void {
    this.topology.stop()
    expect(this.all.every(({ stopped }) => stopped)).toBe(true)
  }
}

/** Runs `play` on a new stage. */
export function staged(
  play: (stage: Stage) => unknown,
  nodes?: readonly string[],
  natMap?: ReadonlyMap<string, HostPort>,
) {
  return async () => {
    const stage = new Stage(nodes, natMap)
    await play(stage)
    stage.end()
  }
}
