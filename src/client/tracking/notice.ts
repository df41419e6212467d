/**
 * What a client is told: these keys, or all of them, are not what they were. One for all who are told the same, so that they share its
 * bytes. https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export class Notice {
  /** How many keys; 0: all. */
  readonly keys: number
  /** The second element of the frame. */
  private readonly value: Buffer
  private pushed: Buffer | undefined = undefined
  private published: Buffer | undefined = undefined

  private constructor(keys: number, value: Buffer) {
    this.keys = keys
    this.value = value
  }

  /** Of names as the tenant knows them, one character per byte. */
  static of(names: readonly string[]): Notice {
    let size = 0
    const heads = names.map((name) => `$${name.length}\r\n`)
    for (let i = 0; i < names.length; i++) size += heads[i].length + names[i].length + 2
    const head = `*${names.length}\r\n`
    const value = Buffer.allocUnsafe(head.length + size)
    let at = value.write(head, 0, 'latin1')
    for (let i = 0; i < names.length; i++) {
      at += value.write(heads[i], at, 'latin1')
      at += value.write(names[i], at, 'latin1')
      at += value.write('\r\n', at, 'latin1')
    }
    return new Notice(names.length, value)
  }

  /** All keys. Redis writes the null of who tracks, whatever the one that is told speaks. */
  static readonly EVERYTHING: Readonly<Record<2 | 3, Notice>> = {
    2: new Notice(0, Buffer.from('$-1\r\n')),
    3: new Notice(0, Buffer.from('_\r\n')),
  }

  /** For RESP3. */
  get push(): Buffer {
    return (this.pushed ??= Buffer.concat([PUSH, this.value]))
  }

  /** For a subscriber that speaks RESP2. */
  get message(): Buffer {
    return (this.published ??= Buffer.concat([MESSAGE, this.value]))
  }
}

/** The client that should be told is gone. */
export function brokenRedirect(id: number): Buffer {
  return Buffer.from(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`)
}

const PUSH = Buffer.from('>2\r\n$10\r\ninvalidate\r\n')
const MESSAGE = Buffer.from('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n')
