import type { Random } from '../differential/random.ts'
import {
  type Args,
  ask,
  decode,
  elementsOf,
  encode,
  type Frame,
  show,
  showArgs,
  takeFrames,
} from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { agree, MODES, type Mode } from './agree.ts'
import { contentDifferences } from './content.ts'
import { Requests, type Step } from './fill.ts'
import type { World } from './worlds.ts'

/** A client of the tenant and its twin, which asks the bare server the same. */
interface Pair {
  readonly bare: RawClient
  readonly proxied: RawClient
}

type Ask = (client: RawClient) => Promise<readonly string[]>

/** Of each tenant. */
const CONNECTIONS = 3
/** Requests in a pipeline, on average. */
const PIPELINE = 25
/** Requests between two comparisons of the content, on average. */
const CHECK_EVERY = 700
/** How many of the last requests a failure tells. */
const TOLD = 40

/**
 * What one tenant does, and its twin on a bare server. In each round either all connections are at work at the same
 * time, each on keys or in a database of its own, or one of them alone on everything, or one walks through its
 * database step by step. Replies are compared as they come; in between, the content. Throws at the first difference.
 */
export class Actor {
  readonly counts: Record<Mode, number> = Object.fromEntries(MODES.map((mode) => [mode, 0])) as Record<Mode, number>
  requests = 0
  errors = 0
  checks = 0
  /** Keys that were there when the content was compared, all comparisons together. */
  keys = 0
  readonly name: string
  private readonly random: Random
  private readonly make: Requests
  private readonly bare: World
  private readonly proxied: World
  private readonly pairs: Pair[] = []
  private readonly told: string[] = []
  private unchecked = 0

  constructor(name: string, random: Random, bare: World, proxied: World) {
    this.name = name
    this.random = random
    this.make = new Requests(random, CONNECTIONS)
    this.bare = bare
    this.proxied = proxied
  }

  async open(): Promise<void> {
    while (this.pairs.length < CONNECTIONS)
      this.pairs.push({ bare: await this.bare.connect(), proxied: await this.proxied.connect() })
    // One of them; HELLO comes up now and then in what they send.
    await this.run(1, [{ args: ['HELLO', '3'], mode: 'shape' }])
  }

  close(): void {
    for (const { bare, proxied } of this.pairs) {
      bare.destroy()
      proxied.destroy()
    }
  }

  /** Runs until so many requests were answered, and compares all that is there at the end. */
  async act(requests: number): Promise<void> {
    while (this.requests < requests) {
      await this.round()
      if (this.random.chance(this.unchecked / CHECK_EVERY / 4)) await this.compareContent()
    }
    await this.compareContent()
  }

  async compareContent(): Promise<void> {
    this.checks++
    this.unchecked = 0
    const [bare, proxied] = await Promise.all([this.bare.content(false), this.proxied.content(false)])
    this.keys += bare.size
    if (contentDifferences(bare, proxied).length === 0) return
    const [left, right] = await Promise.all([this.bare.content(true), this.proxied.content(true)])
    throw this.failure(`other content: ${contentDifferences(left, right).join('\n  ')}`)
  }

  private async round(): Promise<void> {
    const { random, make } = this
    const draw = random.next()
    const one = random.below(CONNECTIONS)
    if (draw < 0.5) {
      const bursts = this.pairs.map((_, i) => (draw < 0.3 ? make.some(i, PIPELINE) : make.within(i, PIPELINE)))
      await Promise.all(bursts.map((steps, i) => this.run(i, steps)))
    } else if (draw < 0.85) await this.run(one, make.all(PIPELINE))
    else if (draw < 0.9) await this.scan(one)
    else if (draw < 0.95) await this.restore(one)
    else await this.randomKey(one)
  }

  private async run(at: number, steps: readonly Step[]): Promise<void> {
    for (const { args } of steps) this.tell(at, showArgs(args))
    const bytes = steps.map(({ args }) => encode(args)).join('')
    const cut = this.random.chance(0.2) ? this.random.below(bytes.length) : bytes.length
    const [left, right] = await this.twice(at, async (client) => {
      client.send(bytes.slice(0, cut))
      if (cut < bytes.length) {
        await new Promise((resolve) => setImmediate(resolve))
        client.send(bytes.slice(cut))
      }
      return takeFrames(client, steps.length)
    })
    for (let i = 0; i < steps.length; i++) this.compare(at, steps[i], left[i], right[i])
    this.requests += steps.length
    this.unchecked += steps.length
  }

  private compare(at: number, { args, mode, members }: Step, left: Frame, right: Frame): void {
    this.counts[mode]++
    if (left[0] === '-') this.errors++
    if (agree(mode, left, right)) return
    if (members !== undefined) {
      const [lefts, rights] = [elementsOf(left), elementsOf(right)]
      if (
        lefts?.length === members.length &&
        rights?.length === members.length &&
        members.every((member, i) => agree(member, lefts[i], rights[i]))
      )
        return
    }
    throw this.failure(
      `connection ${at}: ${showArgs(args)} (${mode})\n  bare    ${show(left, 3000)}\n  proxied ${show(right, 3000)}`,
    )
  }

  /** From cursor 0 to cursor 0: whatever the pages were, all keys came, and no others. */
  private async scan(at: number): Promise<void> {
    const { random } = this
    const options: string[] = []
    if (random.chance(0.7)) options.push('MATCH', this.make.pattern())
    if (random.chance(0.7)) options.push('COUNT', random.pick(['1', '2', '7', '30', '100000']))
    if (random.chance(0.3))
      options.push('TYPE', random.pick(['string', 'list', 'set', 'zset', 'hash', 'stream', 'none']))
    const request = ['SCAN', ...options]
    this.tell(at, showArgs(request))
    const [left, right] = await this.twice(at, async (client) => {
      const found = new Set<string>()
      let cursor = '0'
      do {
        const [page] = await ask(client, [['SCAN', cursor, ...options]])
        const [next, keys] = decode(page).items ?? []
        if (keys?.items === undefined) return [page]
        for (const { text = '' } of keys.items) found.add(text)
        cursor = next.text ?? ''
        if (client !== this.pairs[at].bare) this.count()
      } while (cursor !== '0')
      return [...found].sort()
    })
    if (left.join(' ') !== right.join(' '))
      throw this.failure(
        `connection ${at}: ${showArgs(request)}\n  bare    ${left.map((key) => show(key))}\n  proxied ${right.map((key) => show(key))}`,
      )
  }

  /** DUMP of one key, RESTORE as another, each world with the payload that it got itself. */
  private async restore(at: number): Promise<void> {
    const [from, to] = this.make.fromAndTo()
    const rest = this.random.pick([['0'], ['0', 'REPLACE'], ['4102444800000', 'REPLACE', 'ABSTTL'], ['1', 'ABSTTL']])
    this.tell(at, showArgs(['RESTORE', to, rest[0], `<DUMP of ${from}>`, ...rest.slice(1)]))
    const [left, right] = await this.twice(at, async (client) => {
      const payload = decode((await ask(client, [['DUMP', from]]))[0]).text
      const request: Args =
        payload === undefined ? ['EXISTS', from] : ['RESTORE', to, rest[0], payload, ...rest.slice(1)]
      return ask(client, [request])
    })
    this.compare(at, { args: ['RESTORE', to], mode: 'exact' }, left[0], right[0])
    this.count(2)
  }

  /** A key that the server chooses, or none: then there is none. */
  private async randomKey(at: number): Promise<void> {
    this.tell(at, 'RANDOMKEY, and EXISTS of it')
    const look: Ask = async (client) => {
      const key = decode((await ask(client, [['RANDOMKEY']]))[0]).text
      return key === undefined ? ['none'] : ask(client, [['EXISTS', key]])
    }
    const [[left], [right]] = await this.twice(at, look)
    if (left !== right)
      throw this.failure(`connection ${at}: RANDOMKEY's key, EXISTS\n  bare    ${left}\n  proxied ${right}`)
    this.count(2)
  }

  /** Both worlds at the same time. */
  private async twice(at: number, asked: Ask): Promise<[readonly string[], readonly string[]]> {
    const { bare, proxied } = this.pairs[at]
    const [left, right] = await Promise.allSettled([asked(bare), asked(proxied)])
    if (left.status === 'rejected') throw this.failure(`connection ${at}, bare: ${left.reason}`)
    if (right.status === 'rejected') throw this.failure(`connection ${at}, proxied: ${right.reason}`)
    return [left.value, right.value]
  }

  private count(requests = 1): void {
    this.requests += requests
    this.unchecked += requests
  }

  private tell(at: number, what: string): void {
    this.told.push(`${at}> ${what}`)
    if (this.told.length > 200) this.told.splice(0, this.told.length - 150)
  }

  private failure(what: string): Error {
    return new Error(
      `tenant ${this.name}, after ${this.requests} requests, ${what}\nlast requests:\n  ${this.told.slice(-TOLD).join('\n  ')}`,
    )
  }
}
