import { decode, type Frame } from './differential.ts'
import type { Keyward } from './keyward.ts'
import { eventually } from './places.ts'
import { type RawClient, request } from './raw-client.ts'

/**
 * A client that keeps what it reads, as RESP3 clients with a cache of their own do: until it is told that the key has changed. It trusts
 * the order of what comes on its connection.
 */
export class CachingClient {
  readonly raw: RawClient
  /** What it keeps; null: there is no such key. */
  readonly cache = new Map<string, string | null>()
  /** What it was told, in order: keys, '*' for all, or the frame of another push. */
  readonly told: string[] = []
  private readonly waiting: ((frame: Frame) => void)[] = []

  /** Logged in, in RESP3, and with these words behind CLIENT TRACKING ON. */
  static async connect(
    keyward: Pick<Keyward, 'connect'>,
    tenant: string,
    ...tracking: readonly string[]
  ): Promise<CachingClient> {
    const raw = await keyward.connect({ password: tenant })
    const client = new CachingClient(raw)
    await client.say('HELLO', '3')
    const reply = await client.say('CLIENT', 'TRACKING', 'ON', ...tracking)
    if (reply !== '+OK\r\n') throw new Error(`CLIENT TRACKING: ${reply}`)
    return client
  }

  constructor(raw: RawClient) {
    this.raw = raw
    void this.pump()
  }

  private async pump(): Promise<void> {
    while (!this.raw.socket.destroyed) {
      // A wait that was too long begins anew.
      const frame = (await this.raw.reply().catch(() => undefined))?.toString('latin1')
      if (frame?.startsWith('>')) this.push(frame)
      else if (frame !== undefined) this.waiting.shift()?.(frame)
    }
  }

  private push(frame: Frame): void {
    const [kind, what] = decode(frame).items ?? []
    if (kind?.text !== 'invalidate') this.told.push(frame)
    else if (what?.items === undefined) {
      this.told.push('*')
      this.cache.clear()
    } else {
      for (const { text = '' } of what.items) {
        this.told.push(text)
        this.cache.delete(text)
      }
    }
  }

  /** One request, its reply. */
  say(...args: readonly string[]): Promise<Frame> {
    return new Promise((resolve) => {
      this.waiting.push(resolve)
      this.raw.send(request(...args))
    })
  }

  /** GET, answered from what it keeps where it can be; what comes is kept. */
  async get(key: string): Promise<string | null> {
    const kept = this.cache.get(key)
    return kept === undefined ? this.fetch(key) : kept
  }

  /** GET, in any case. */
  fetch(key: string): Promise<string | null> {
    return new Promise((resolve) => {
      this.waiting.push((frame) => {
        const value = frame.startsWith('_') ? null : (decode(frame).text ?? null)
        // In the order in which frames come, not when whoever waits has got round to it.
        if (!frame.startsWith('-')) this.cache.set(key, value)
        resolve(value)
      })
      this.raw.send(request('GET', key))
    })
  }

  /** Waits until it was told so many things. */
  async heard(count: number): Promise<readonly string[]> {
    await eventually(() => this.told.length >= count)
    return this.told
  }

  /** Forgets what it was told until now; returns it. */
  take(): string[] {
    return this.told.splice(0)
  }

  destroy(): void {
    this.raw.destroy()
  }
}

/** Waits until a key that a client reads is not taken back at once: the feed is there. */
export async function tracked(client: CachingClient, key = 'warm'): Promise<boolean> {
  const found = await eventually(async () => {
    await client.fetch(key)
    // What is said behind the reply has come before the reply to the next.
    await client.say('ECHO', 'x')
    await client.say('ECHO', 'x')
    return client.cache.has(key)
  })
  client.cache.clear()
  client.take()
  return found
}
