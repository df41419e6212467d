import { type Args, decode, encode, type Frame, MissingReplies, show, takeFrames } from '../helpers/differential.ts'
import { eventually } from '../helpers/places.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import type { Received, ScenarioRun, Step } from './scenario.ts'

/** The connections of one side. */
export class Party {
  private readonly run: ScenarioRun
  private readonly side: 'bare' | 'proxied'
  private readonly clients = new Map<string, RawClient>()
  private readonly ids = new Map<string, string>()
  /** Between MULTI and EXEC a PING would be queued. */
  private readonly inMulti = new Set<string>()
  /** Wait for an answer: so would a PING. */
  private readonly waiting = new Set<string>()
  private fences = 0

  constructor(run: ScenarioRun, side: 'bare' | 'proxied') {
    this.run = run
    this.side = side
  }

  /** Runs a step; what comes is found out. */
  async ask(step: Step): Promise<Received> {
    const client = await this.client(step.on)
    if (step.until !== undefined) return new Map([[step.on, [await this.poll(client, step)]]])
    this.send(client, step)
    const received = new Map<string, readonly Frame[]>()
    if (step.expect !== undefined || step.closes !== undefined) {
      for (const [name, count] of Object.entries(step.expect ?? {})) {
        received.set(name, await takeFrames(await this.client(name), count))
      }
      return this.rest(step, received)
    }
    // The one that spoke first: when its PING is answered, what it caused is on its way.
    for (const name of [step.on, ...[...this.clients.keys()].filter((other) => other !== step.on)]) {
      const frames = this.canFence(name)
        ? await this.untilFence(await this.client(name))
        : await takeFrames(await this.client(name), name === step.on ? 1 : 0)
      if (frames.length > 0) received.set(name, frames)
    }
    return received
  }

  /** Runs a step that is expected to bring as much as `expected`. */
  async answer(step: Step, expected: Received): Promise<Received> {
    const client = await this.client(step.on)
    if (step.until !== undefined) return new Map([[step.on, [await this.poll(client, step)]]])
    this.send(client, step)
    const received = new Map<string, readonly Frame[]>()
    for (const [name, { length }] of expected) {
      if (step.closes?.includes(name)) continue
      try {
        received.set(name, await takeFrames(await this.client(name), length))
      } catch (error) {
        if (!(error instanceof MissingReplies)) throw error
        received.set(name, error.frames)
      }
    }
    return this.rest(step, received)
  }

  /** All steps in one write; so many frames. */
  async atOnce(steps: readonly Step[], count: number): Promise<readonly Frame[]> {
    const client = await this.client(steps[0].on)
    client.send(steps.map(({ args }) => encode(args)).join(''))
    try {
      return await takeFrames(client, count)
    } catch (error) {
      if (error instanceof MissingReplies) return error.frames
      throw error
    }
  }

  /** Is there anything that nobody has asked for? */
  async nothingMore(): Promise<string[]> {
    const problems: string[] = []
    for (const [name, client] of this.clients) {
      if (!this.canFence(name)) continue
      const frames = await this.untilFence(client)
      if (frames.length > 0) problems.push(`at the end, ${name} received ${show(frames.join(''), 1000)}`)
    }
    return problems
  }

  close(): void {
    for (const client of this.clients.values()) client.destroy()
  }

  private async client(name: string): Promise<RawClient> {
    const known = this.clients.get(name)
    if (known !== undefined) return known
    const { sides, scenario, protocol, place } = this.run
    const login = scenario.strangers?.includes(name) !== true
    const client = await sides[this.side]({ protocol: scenario.speaks?.[name] ?? protocol, place, login })
    this.clients.set(name, client)
    return client
  }

  private canFence(name: string): boolean {
    return !this.inMulti.has(name) && !this.waiting.has(name) && this.run.scenario.strangers?.includes(name) !== true
  }

  private note({ on, args, expect }: Step): void {
    if (expect !== undefined && expect[on] === undefined) this.waiting.add(on)
    for (const name of Object.keys(expect ?? {})) this.waiting.delete(name)
    const word = args[0]?.toLowerCase() ?? ''
    if (word === 'multi') this.inMulti.add(on)
    else if (['exec', 'discard', 'reset'].includes(word)) this.inMulti.delete(on)
  }

  private async untilFence(client: RawClient): Promise<Frame[]> {
    const fence = `fence ${++this.fences}`
    client.send(encode(['PING', fence]))
    const frames: Frame[] = []
    for (;;) {
      const [frame] = await takeFrames(client, 1)
      const { text, items } = decode(frame)
      if (text === fence || (items?.[0]?.text === 'pong' && items[1]?.text === fence)) return frames
      frames.push(frame)
    }
  }

  private async poll(client: RawClient, { args, until }: Step): Promise<Frame> {
    let frame = ''
    await eventually(async () => {
      client.send(encode(this.filledIn(args)))
      frame = (await takeFrames(client, 1))[0]
      return frame === until
    })
    return frame
  }

  private async rest({ closes = '' }: Step, received: Map<string, readonly Frame[]>): Promise<Received> {
    for (const name of closes) {
      const client = await this.client(name)
      this.clients.delete(name)
      received.set(name, [(await client.closed()).toString('latin1')])
    }
    return received
  }

  private send(client: RawClient, step: Step): void {
    if (step.args.length > 0) client.send(encode(this.filledIn(step.args)))
    this.note(step)
  }

  private filledIn(args: Args): Args {
    return args.map((arg) =>
      arg
        .replace(/\{id:(\w)\}/g, (_, name: string) => this.ids.get(name) ?? 'nobody')
        .replace(/\{addr:(\w)\}/g, (_, name: string) => `127.0.0.1:${this.clients.get(name)?.socket.localPort}`),
    )
  }

  /** Opens all connections of the scenario, in the order of their names. */
  async open(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const client = await this.client(name)
      if (this.run.scenario.ids !== true) continue
      client.send(encode(['CLIENT', 'ID']))
      this.ids.set(name, (await takeFrames(client, 1))[0].slice(1, -2))
    }
  }
}
