import { readFileSync } from 'node:fs'
import { RawClient, request } from './raw-client.ts'
import type { RedisOptions } from './redis.ts'
import { type PlainReply, referenceDecode } from './reference-decoder.ts'

/** Where to ask, and as whom. */
export interface Asked {
  readonly port: number
  readonly host?: string
  readonly user?: string
  readonly password?: string
  readonly tls?: RedisOptions['tls']
}

/**
 * One command on a connection of its own: there is nothing to make anew when the process was killed, stopped or cut off
 * meanwhile. Resolves with strings, numbers, null and arrays of these; rejects with Redis' error, or when there is no
 * reply within `timeout` milliseconds.
 */
export async function ask<T = unknown>(where: Asked, args: readonly (string | number)[], timeout = 1500): Promise<T> {
  const { port, host, user = 'default', password, tls } = where
  const client = await RawClient.connect({
    port,
    host,
    timeout,
    tls:
      tls === undefined
        ? undefined
        : { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) },
  })
  try {
    if (password !== undefined) valueOf(await client.exchange(request('AUTH', user, password)))
    return valueOf(await client.exchange(request(...args))) as T
  } finally {
    client.destroy()
  }
}

function valueOf([frame]: readonly Buffer[]): unknown {
  const decoded = referenceDecode(frame.toString('latin1'))
  if (decoded.state !== 'whole') throw new Error(`not a reply: ${frame}`)
  const plain = ({ type, text, items }: PlainReply): unknown => {
    if (type === '-') throw new Error(text)
    if (type === ':') return Number(text)
    return items?.map(plain) ?? text ?? null
  }
  return plain(decoded.reply)
}
