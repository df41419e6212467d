import { expect } from 'vitest'
import type { ConfigObject, Keyward } from './keyward.ts'
import { eventually, leftovers } from './places.ts'
import { type RawClient, request } from './raw-client.ts'

const UNKNOWN = /^-OUTCOMEUNKNOWN /
/** Keys of the tenant whose keys are walked over. */
const KEYS = 300

/** `EXECABORT`: of transactions that were open. `OUTCOMEUNKNOWN`: that, too, and of what was under way, but for reads. */
type Worst = 'nothing' | 'EXECABORT' | 'OUTCOMEUNKNOWN'

/** A configuration with the tenants acme and beta, and one more, whose database is emptied again and again. */
export function withCrewTenants(config: ConfigObject): ConfigObject {
  const gamma = { upstream: 'main', users: { default: { password: 'gamma' } } }
  return { ...config, tenants: { ...(config.tenants as object), gamma } }
}

/** Clients at work until end(), all of them at once; whatever nobody should have seen is in `wrong`. */
export class Crew {
  readonly wrong: string[] = []
  reads = 0
  readsWhileWritesWaited = 0
  requests = 0
  unknown = 0
  private over = false
  private readonly keyward: Keyward
  private readonly worst: Worst
  private readonly planned: boolean
  private readonly value: (rawKey: string) => Promise<string | null>
  private readonly work: Promise<void>[] = []
  private readonly audits: (() => Promise<void>)[] = []
  private readonly clients: RawClient[] = []

  /**
   * `keyward` has the tenants that withCrewTenants() makes. `worst`: what may be seen of the switch. `value`: GET at the
   * primary of the day, behind Keyward's back.
   */
  constructor(keyward: Keyward, worst: Worst, value: (rawKey: string) => Promise<string | null>) {
    this.keyward = keyward
    this.worst = worst
    this.planned = worst !== 'OUTCOMEUNKNOWN'
    this.value = value
  }

  get writesWait(): boolean {
    return this.keyward.proxy.upstreams.get('main')?.primary.writesWait === true
  }

  async join(job: (client: RawClient) => Promise<void>, protocol: 2 | 3 = 2, password = 'acme'): Promise<void> {
    const client = await this.keyward.connect({ password })
    if (protocol === 3) await client.command('HELLO', 3)
    this.clients.push(client)
    this.work.push(job(client).catch((error: Error) => void this.wrong.push(`${job.name}: ${error.message}`)))
  }

  /** Of a read that no write follows: there is no error that it may show. */
  private read(reply: string, expected: RegExp | string, what: string): void {
    if (UNKNOWN.test(reply)) this.wrong.push(`${what}: ${reply}`)
    else this.judge(reply, expected, what)
  }

  /** True: it was done. False: its outcome is unknown, and that may be. */
  judge(reply: string, expected: RegExp | string, what: string): boolean {
    this.requests++
    if (typeof expected === 'string' ? reply === expected : expected.test(reply)) return true
    if (!this.planned && UNKNOWN.test(reply)) this.unknown++
    else this.wrong.push(`${what}: ${JSON.stringify(reply)} instead of ${JSON.stringify(String(expected))}`)
    return false
  }

  counter(key: string, protocol: 2 | 3): Promise<void> {
    let [acknowledged, unknown] = [0, 0]
    this.audits.push(async () => {
      const final = Number((await this.value(`acme:${key}`)) ?? 0)
      // What was acknowledged by a server that died may be lost with it.
      const least = this.planned ? acknowledged : 0
      if (final < least || final > acknowledged + unknown)
        this.wrong.push(`${key}: ${final} of ${acknowledged} acknowledged, ${unknown} unknown`)
    })
    return this.join(async (client) => {
      while (!this.over) {
        if (this.judge(await client.command('INCR', key), /^:/, 'INCR')) acknowledged++
        else unknown++
      }
    }, protocol)
  }

  /** Each raise is followed by WAIT, and what that covers is not lost, whatever happens to the primary. */
  waiter(key: string, replicas: number): Promise<void> {
    let covered = 0
    this.audits.push(async () => {
      const final = Number((await this.value(`acme:${key}`)) ?? 0)
      if (final < covered) this.wrong.push(`${key}: ${final}, though ${covered} were covered by WAIT`)
    })
    return this.join(async (client) => {
      while (!this.over) {
        const raised = await client.command('INCR', key)
        if (!this.judge(raised, /^:/, 'INCR')) continue
        const waited = await client.command('WAIT', replicas, 200)
        // It was under way at a server that is left: nothing is known.
        if (!UNKNOWN.test(waited)) this.judge(waited, /^:/, 'WAIT')
        if (waited === `:${replicas}\r\n`) covered = Number(raised.slice(1))
      }
    })
  }

  reader(protocol: 2 | 3): Promise<void> {
    return this.join(async (client) => {
      while (!this.over) {
        const waited = this.writesWait
        this.read(await client.command('GET', 'fixed'), '$4\r\nhere\r\n', 'GET')
        this.reads++
        if (waited && this.writesWait) this.readsWhileWritesWaited++
      }
    }, protocol)
  }

  /** Reads and writes mixed, many in one write: replies in order, and each read sees the write before it. */
  pipeline(key: string, protocol: 2 | 3): Promise<void> {
    return this.join(async (client) => {
      for (let n = 0; !this.over; n += 20) {
        const requests = Array.from({ length: 20 }, (_, i) => [request('SET', key, n + i), request('GET', key)])
        const replies = (await client.exchange(Buffer.concat(requests.flat()), 40)).map(String)
        for (let i = 0; i < 20; i++) {
          const digits = String(n + i)
          const wrote = this.judge(replies[2 * i], '+OK\r\n', 'SET of a pipeline')
          if (wrote) this.judge(replies[2 * i + 1], `$${digits.length}\r\n${digits}\r\n`, 'GET of a pipeline')
        }
      }
    }, protocol)
  }

  /** What is pushed is taken by somebody, once. */
  async queue(key: string): Promise<void> {
    let pushed = 0
    const taken: number[] = []
    await this.join(async (client) => {
      while (!this.over) {
        if (this.judge(await client.command('RPUSH', key, pushed), /^:/, 'RPUSH')) pushed++
        await new Promise((resolve) => setTimeout(resolve, 3))
      }
    })
    for (const protocol of [2, 2, 3, 3] as const) {
      await this.join(async (client) => {
        while (!this.over) {
          const reply = await client.command('BLPOP', key, 1)
          if (!this.judge(reply, /^(\*2\r\n|\*-1\r\n|_\r\n)/, 'BLPOP')) continue
          const element = /(\d+)\r\n$/.exec(reply.startsWith('*2') ? reply : '')
          if (element !== null) taken.push(Number(element[1]))
        }
      }, protocol)
    }
    this.audits.push(async () => {
      if (!this.planned) return
      const rest = await this.ask('LRANGE', key, 0, -1)
      const all = [...taken, ...[...rest.matchAll(/\r\n(\d+)\r\n(?=\$|$)/g)].map(([, element]) => Number(element))]
      all.sort((a, b) => a - b)
      const lost = Array.from({ length: pushed }, (_, i) => i).filter((i) => !all.includes(i))
      const doubled = all.filter((element, i) => all[i + 1] === element)
      if (lost.length + doubled.length > 0) this.wrong.push(`of ${pushed} elements: lost ${lost}, doubled ${doubled}`)
    })
  }

  /** Transactions, each in one write. */
  async transactions(key: string): Promise<void> {
    await this.join(async (client) => {
      const requests = [request('MULTI'), request('INCR', key), request('INCR', key), request('EXEC')]
      const aborted = this.worst === 'nothing' ? 'as expected' : 'EXECABORT'
      while (!this.over) {
        const replies = (await client.exchange(Buffer.concat(requests), 4)).map(String)
        if (replies[3].startsWith(`-${aborted} `) && !replies.some((reply) => reply.startsWith('-READONLY'))) continue
        this.judge(replies[3], /^\*2\r\n/, `EXEC, after ${replies.slice(0, 3)}`)
      }
    })
    this.audits.push(async () => {
      const total = Number((await this.value(`acme:${key}`)) ?? 0)
      if (total % 2 !== 0) this.wrong.push(`half a transaction: ${total}`)
    })
  }

  /** Walks over all keys, and an emptied database is empty. */
  async walks(): Promise<void> {
    await this.join(
      async (client) => {
        while (!this.over) {
          this.read(await client.command('DBSIZE'), `:${KEYS}\r\n`, 'DBSIZE')
          this.read(await client.command('KEYS', '*'), new RegExp(`^\\*${KEYS}\r\n`), 'KEYS')
          for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
            const page = await client.command('SCAN', cursor)
            this.read(page, /^\*2\r\n/, 'SCAN')
            cursor = /^\*2\r\n\$\d+\r\n(\d+)/.exec(page)?.[1] ?? '0'
          }
        }
      },
      2,
      'beta',
    )
    await this.join(
      async (client) => {
        const many = Buffer.concat(Array.from({ length: KEYS }, (_, i) => request('SET', `k${i}`, i)))
        while (!this.over) {
          let all = true
          for (const reply of await client.exchange(many, KEYS)) {
            all = this.judge(String(reply), '+OK\r\n', 'SET before FLUSHDB') && all
          }
          if (!this.judge(await client.command('FLUSHDB'), '+OK\r\n', 'FLUSHDB') || !all) continue
          // A server that died may have taken the deletion with it.
          const left = await client.command('DBSIZE')
          if (this.planned) this.judge(left, ':0\r\n', 'DBSIZE after FLUSHDB')
        }
      },
      3,
      'gamma',
    )
  }

  /** Everybody begins. `replicas`: so many have what they begin with. */
  async everybody(replicas = 2): Promise<void> {
    const setUp = await this.keyward.connect({ password: 'beta' })
    await setUp.command('FLUSHDB')
    await setUp.exchange(Buffer.concat(Array.from({ length: KEYS }, (_, i) => request('SET', `k${i}`, i))), KEYS)
    setUp.destroy()
    await this.ask('FLUSHDB')
    await this.ask('SET', 'fixed', 'here')
    for (const protocol of [2, 3] as const) {
      await this.counter(`count:${protocol}`, protocol)
      await this.reader(protocol)
      await this.pipeline(`pipe:${protocol}`, protocol)
    }
    await this.queue('queue')
    await this.waiter('waited', replicas)
    await this.transactions('tx')
    await this.walks()
    // All of them have been answered something, and replicas have what is only read.
    expect(await this.ask('WAIT', replicas, 10_000)).toBe(`:${replicas}\r\n`)
    expect(await eventually(() => this.requests > 500)).toBe(true)
  }

  /** All stop; what has come of it is looked at. */
  async end(): Promise<void> {
    this.over = true
    await Promise.all(this.work)
    for (const audit of this.audits) await audit()
    for (const client of this.clients) client.destroy()
    expect(this.wrong.slice(0, 10)).toEqual([])
    expect(await leftovers(this.keyward)).toEqual({})
  }

  private async ask(...words: (string | number)[]): Promise<string> {
    const client = await this.keyward.connect({ password: 'acme' })
    const reply = await client.command(...words)
    client.destroy()
    return reply
  }
}
