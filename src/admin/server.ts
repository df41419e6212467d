import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Metrics } from './metrics.ts'
import { type Answer, plain, ROUTES, refusal } from './routes.ts'
import type { AdminSource } from './view.ts'

export interface AdminOptions {
  readonly address: { readonly host: string; readonly port: number }
  readonly version: string
  readonly log: { error(fields: object, text: string): void }
}

/**
 * Probes and metrics over HTTP. Reads only, without login; it must not matter to the data path, so everything a
 * requester can make it hold is small and short-lived.
 */
export class AdminServer {
  private readonly server: Server
  private readonly options: AdminOptions
  private readonly source: AdminSource
  private readonly metrics: Metrics

  constructor(options: AdminOptions, source: AdminSource) {
    this.options = options
    this.source = source
    this.metrics = new Metrics(source, options.version)
    this.server = createServer({
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5000,
    })
    this.server.maxConnections = 64
    this.server.on('request', (request, response) => {
      this.serve(request, response).catch((error) => {
        options.log.error({ err: error }, 'admin request failed')
        if (!response.headersSent) send(response, refusal(500, 'internal error', 'see the log'), true)
        else response.destroy()
      })
    })
  }

  /** Resolves once it listens; rejects with the system's error (EADDRINUSE, EACCES …). */
  listen(): Promise<void> {
    const { host, port } = this.options.address
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(port, host, () => {
        this.server.off('error', reject)
        this.server.on('error', (error) => this.options.log.error({ err: error }, 'admin server'))
        resolve()
      })
    })
  }

  /** Where it listens; the port that the system gave when 0 was asked for. */
  get bound(): { readonly host: string; readonly port: number } {
    const { address, port } = this.server.address() as AddressInfo
    return { host: address, port }
  }

  /** Resolves when the port is free; open connections are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      this.server.closeAllConnections()
    })
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const [path, query] = (request.url ?? '/').split('?', 2)
    const route = ROUTES[path]
    const readable = request.method === 'GET' || request.method === 'HEAD'
    let answer: Answer
    if (route === undefined || !Object.hasOwn(ROUTES, path)) {
      answer = refusal(404, 'no such page', `there are ${Object.keys(ROUTES).join(', ')}`)
    } else if (!readable) {
      answer = { ...refusal(405, 'only GET and HEAD are answered', 'use GET'), headers: { allow: 'GET, HEAD' } }
    } else if (route === 'metrics') {
      answer = { ...plain(200, await this.metrics.render()), type: this.metrics.contentType }
    } else {
      answer = route(this.source, new URLSearchParams(query))
    }
    send(response, answer, request.method !== 'HEAD')
  }
}

function send(response: ServerResponse, answer: Answer, withBody: boolean): void {
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': body.length,
    'cache-control': 'no-store',
    ...answer.headers,
  })
  response.end(withBody ? body : undefined)
}
