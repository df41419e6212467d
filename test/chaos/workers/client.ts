import {
  type ClientOrder,
  type ClientReport,
  channelOf,
  counterKey,
  PATIENCE,
  PAUSE,
  queueKey,
  SLOW,
  type SlowRequest,
  valueKey,
  valueOf,
} from './protocol.ts'

/** One connection of a client library. Every call is one request, and rejects with the error that the library makes. */
export interface Connection {
  get(key: string): Promise<string | null>
  incr(key: string): Promise<number>
  wait(replicas: number, milliseconds: number): Promise<number>
  push(key: string, value: string): Promise<number>
  /** null: nothing came within so many seconds. */
  pop(key: string, seconds: number): Promise<string | null>
  publish(channel: string, text: string): Promise<number>
  subscribe(channel: string, listener: (text: string) => void): Promise<void>
  close(): void
}

const WAIT_TIME = 500

/** One client at its work: what it sent, and what became of that. */
export class WorkingClient {
  readonly order: ClientOrder
  readonly slow: SlowRequest[] = []
  readonly goodAt: number[] = []
  private readonly connection: Connection
  private round = 0
  private over = true
  private work: Promise<unknown> = Promise.resolve()
  private lastGood = 0
  private next = 0
  private lastHeard: string | undefined
  private r = fresh()

  constructor(order: ClientOrder, connection: Connection) {
    this.order = order
    this.connection = connection
  }

  /** Subscribers subscribe once; that lasts. */
  async prepare(): Promise<void> {
    if (this.order.role !== 'hear') return
    await this.connection.subscribe(channelOf(this.order.group), (text) => {
      this.lastHeard = text
      this.good(Date.now())
    })
  }

  begin(round: number): void {
    this.round = round
    this.over = false
    this.r = fresh()
    this.slow.length = 0
    this.goodAt.length = 0
    this.lastGood = 0
    this.lastHeard = undefined
    this.work = Promise.all(Array.from({ length: this.order.depth }, () => this.loop()))
  }

  /** No new requests; consumers go on until their queue is empty. */
  stop(): void {
    this.over = true
  }

  /** Resolves when everything is answered, or patience has ended. */
  async finished(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE)
    })
    await Promise.race([this.work, patience])
    clearTimeout(timer)
    if (this.r.pending > 0) this.stretch(Date.now())
  }

  /** Publishes, in the manner of its role, though the round is over. */
  async sayLast(text: string): Promise<void> {
    await this.connection.publish(channelOf(this.order.group), text).catch(() => {})
  }

  heard(text: string): boolean {
    return this.lastHeard === text
  }

  report(last: string): ClientReport {
    return { ...this.order, ...this.r, heardLast: this.heard(last) }
  }

  close(): void {
    this.connection.close()
  }

  private async loop(): Promise<void> {
    const { role } = this.order
    if (role === 'hear') return
    // Consumers work until they find nothing; the others until they are told.
    for (let empty = false; role === 'pop' ? !(this.over && empty) : !this.over; ) {
      empty = (await this[role]()) === false
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
  }

  private async read(): Promise<void> {
    const i = this.next++
    const value = await this.request('GET', (connection) => connection.get(valueKey(i)))
    if (value !== undefined && value !== valueOf(i)) this.r.wrong.push(`GET ${valueKey(i)} gave ${value}`)
  }

  private async incr(): Promise<boolean> {
    this.r.sent++
    const key = counterKey(this.order.id, this.round)
    const value = await this.request('INCR', (connection) => connection.incr(key))
    if (value === undefined) return false
    this.r.acked++
    if (value > this.r.sent) this.r.wrong.push(`INCR gave ${value}, and only ${this.r.sent} were sent`)
    return true
  }

  private async wait(): Promise<void> {
    if (!(await this.incr())) return
    const replicas = await this.request('WAIT', (connection) => connection.wait(1, WAIT_TIME))
    if (replicas !== undefined && replicas >= 1) this.r.covered++
  }

  private async push(): Promise<void> {
    const number = this.next++
    this.r.sent++
    const key = queueKey(this.order.group, this.round)
    const length = await this.request('RPUSH', (connection) => connection.push(key, String(number)))
    if (length === undefined) this.r.maybePushed.push(number)
    else this.r.pushed.push(number)
    if (length !== undefined) this.r.acked++
  }

  /** false: found nothing. */
  private async pop(): Promise<boolean> {
    const popped = await this.request('BLPOP', (connection) =>
      connection.pop(queueKey(this.order.group, this.round), 1),
    )
    if (typeof popped === 'string') this.r.popped.push(Number(popped))
    return popped !== null
  }

  private async say(): Promise<void> {
    await this.request('PUBLISH', (connection) => connection.publish(channelOf(this.order.group), `${this.next++}`))
  }

  /** undefined: it failed, and is counted. */
  private async request<T>(command: string, send: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    const from = Date.now()
    let outcome: SlowRequest['outcome'] = 'good'
    this.r.pending++
    try {
      return await send(this.connection)
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      outcome = text.startsWith('OUTCOMEUNKNOWN') ? 'unknown' : 'error'
      if (outcome === 'unknown') {
        this.r.unknown++
        if (command === 'INCR') this.r.unknownIncrs++
      } else if (this.r.errorCount++ < 20) this.r.errors.push({ at: Date.now(), text: `${command}: ${text}` })
      return undefined
    } finally {
      const to = Date.now()
      this.r.pending--
      if (outcome === 'good') this.good(to)
      if (outcome !== 'good' || to - from > SLOW) this.slow.push({ id: this.order.id, command, from, to, outcome })
    }
  }

  private good(at: number): void {
    this.stretch(at)
    this.lastGood = at
    this.r.good++
    this.goodAt.push(at)
  }

  /** It is `at` now and there has been no good reply since the last one. */
  private stretch(at: number): void {
    if (this.lastGood === 0 || at - this.lastGood <= this.r.gap) return
    this.r.gap = at - this.lastGood
    this.r.gapFrom = this.lastGood
  }
}

function fresh() {
  return {
    sent: 0,
    acked: 0,
    covered: 0,
    unknown: 0,
    unknownIncrs: 0,
    errors: [] as { at: number; text: string }[],
    errorCount: 0,
    wrong: [] as string[],
    good: 0,
    gap: 0,
    gapFrom: 0,
    pending: 0,
    pushed: [] as number[],
    maybePushed: [] as number[],
    popped: [] as number[],
  }
}
