import { createServer, type Server, type Socket } from 'node:net'

/** What the server does about one request: bytes to send (one character per byte), or something to do to the socket. */
export type Answer = string | ((socket: Socket) => void) | undefined

/** Gets the arguments of a request, one character per byte; undefined: answer as a plain server would. */
export type Script = (args: readonly string[], socket: Socket) => Answer

/**
 * A server that says what a test wants it to, for upstreams that are broken or lie. Without the script's opinion it
 * logs everybody in, answers the requests with which connections begin, and `+OK` to all else.
 */
export class ScriptedServer {
  readonly port: number
  /** Requests seen since the start, oldest first, without those of handshakes. */
  readonly requests: (readonly string[])[] = []
  /** May be changed at any time. */
  script: Script
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private nextId = 1

  static start(script: Script = () => undefined): Promise<ScriptedServer> {
    return new Promise((resolve, reject) => {
      const server = createServer()
      server.once('error', reject)
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        if (address === null || typeof address === 'string') return reject(new Error('no port'))
        resolve(new ScriptedServer(server, address.port, script))
      })
    })
  }

  private constructor(server: Server, port: number, script: Script) {
    this.server = server
    this.port = port
    this.script = script
    server.on('connection', (socket) => this.accept(socket))
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Connections that are open. */
  get open(): number {
    return this.sockets.size
  }

  /** Closes all connections. */
  dropAll(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.dropAll()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private accept(socket: Socket): void {
    const id = this.nextId++
    this.sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
    let bytes = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      bytes += chunk
      for (let parsed = parse(bytes); parsed !== undefined; parsed = parse(bytes)) {
        bytes = bytes.slice(parsed.end)
        this.answer(parsed.args, socket, id)
      }
    })
  }

  private answer(args: readonly string[], socket: Socket, id: number): void {
    const answer = this.script(args, socket)
    const plain = answer === undefined ? greeting(args, id) : undefined
    if (plain === undefined) this.requests.push(args)
    if (typeof answer === 'function') answer(socket)
    else if (!socket.destroyed) socket.write(answer ?? plain ?? '+OK\r\n', 'latin1')
  }
}

/** The replies to requests with which a connection begins; undefined: it is another. */
function greeting(args: readonly string[], id: number): string | undefined {
  const [name, sub] = args.map((arg) => arg.toUpperCase())
  if (name === 'HELLO') {
    return `%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:${sub ?? 2}\r\n$4\r\nrole\r\n$6\r\nmaster\r\n`
  }
  if (name === 'INFO') {
    const text = 'redis_version:7.0.15\r\nrun_id:scripted\r\nrole:master\r\nloading:0\r\n'
    return `$${text.length}\r\n${text}\r\n`
  }
  if (name === 'ROLE') return '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n'
  if (name === 'AUTH') return '+OK\r\n'
  if (name === 'COMMAND' && sub === undefined) return '*0\r\n'
  if (name !== 'CLIENT') return undefined
  if (sub === 'ID') return `:${id}\r\n`
  return sub === 'SETNAME' || sub === 'NO-EVICT' || sub === 'KILL' ? '+OK\r\n' : undefined
}

/** The first whole multibulk request of `bytes`. */
function parse(bytes: string): { args: string[]; end: number } | undefined {
  const line = (from: number) => bytes.indexOf('\r\n', from)
  let end = line(0)
  if (end === -1) return undefined
  const count = Number(bytes.slice(1, end))
  let pos = end + 2
  const args: string[] = []
  while (args.length < count) {
    end = line(pos)
    if (end === -1) return undefined
    const size = Number(bytes.slice(pos + 1, end))
    if (bytes.length < end + 2 + size + 2) return undefined
    args.push(bytes.slice(end + 2, end + 2 + size))
    pos = end + 2 + size + 2
  }
  return { args, end: pos }
}
