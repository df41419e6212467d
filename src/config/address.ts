import { isIP } from 'node:net'
import type { Address } from '../upstream/options.ts'
import { type Reading, show } from './units.ts'

/** The longest unix socket path that every supported system takes, in bytes (macOS: 104 with the final zero). */
const LONGEST_SOCKET_PATH = 103

/** `127.0.0.1:6380`, `"[::]:6380"` or `unix:/path`. */
export function readListenAddress(raw: unknown): Reading<Address> {
  if (typeof raw !== 'string') {
    const port = typeof raw === 'number' ? raw : 6380
    return { message: `${show(raw)} is not an address`, cure: `write 127.0.0.1:${port}, or unix:/path` }
  }
  if (raw.startsWith('unix:')) return readSocketPath(raw)
  return readHostPort(raw)
}

/** `127.0.0.1:9380` or `"[::1]:9380"`. `example`: a port that is usual for what is meant. */
export function readHostPort(raw: unknown, example = 6380): Reading<{ host: string; port: number }> {
  const cure = `write host:port, such as 127.0.0.1:${example} or "[::1]:${example}"`
  if (typeof raw !== 'string') return { message: `${show(raw)} is not an address`, cure }
  const match = /^(?:\[([^\]]*)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(raw)
  if (match === null) return { message: `${show(raw)} is not an address`, cure: addressMeant(raw, example) ?? cure }
  const port = Number(match[3])
  if (port > 65535) return { message: `${port} is not a port`, cure: 'write a port from 0 to 65535' }
  if (match[1] !== undefined) {
    if (isIP(match[1]) !== 6) return { message: `${show(match[1])} is not an IPv6 address`, cure }
    return { value: { host: match[1], port } }
  }
  if (match[2] === '*') {
    return { message: '"*" is not an address', cure: `write 0.0.0.0:${port}, or "[::]:${port}" for IPv6 too` }
  }
  if (!validHost(match[2])) return { message: `${show(match[2])} is not a host name or address`, cure }
  return { value: { host: match[2], port } }
}

function validHost(host: string): boolean {
  if (/^[\d.]+$/.test(host)) return isIP(host) === 4
  return /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host)
}

function addressMeant(raw: string, example: number): string | undefined {
  const port = /^:?(\d{1,5})$/.exec(raw)
  if (port !== null) return `write 127.0.0.1:${port[1]}, or 0.0.0.0:${port[1]} for every interface`
  if (/^(redis|tcp|http)s?:\/\//.test(raw)) return `write ${raw.replace(/^[a-z]+:\/\//, '')} without the scheme`
  const at = raw.lastIndexOf(':')
  if (isIP(raw.slice(0, at)) === 6 && /^:\d{2,5}$/.test(raw.slice(at)))
    return `write "[${raw.slice(0, at)}]${raw.slice(at)}"`
  if (isIP(raw) === 6) return `write "[${raw}]:${example}"`
  if (at === -1 && raw !== '') return `write the port too: ${raw}:${example}`
  return undefined
}

/** `unix:/path`. */
export function readSocketAddress(raw: unknown): Reading<{ path: string }> {
  if (typeof raw === 'string' && raw.startsWith('unix:')) return readSocketPath(raw)
  const path = typeof raw === 'string' && raw.startsWith('/') ? raw : '/run/keyward/admin.sock'
  return { message: `${show(raw)} is not the address of a unix socket`, cure: `write unix:${path}` }
}

function readSocketPath(raw: string): Reading<{ path: string }> {
  const path = raw.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
  if (!path.startsWith('/')) {
    return { message: `${show(raw)} has no absolute path`, cure: 'write unix:/run/keyward/keyward.sock' }
  }
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
    return { message: 'the socket path is too long', cure: `use a path of at most ${LONGEST_SOCKET_PATH} bytes` }
  }
  return { value: { path } }
}

/** What an upstream's url says. */
export interface UpstreamUrl {
  readonly address: Address
  readonly tls: boolean
  readonly user: string | undefined
  readonly password: string | undefined
}

const URL_CURE = 'write redis://host:port, rediss://host:port (TLS) or unix:/path'
const SENTINEL_CURE =
  'in a file, write sentinel: {master: name, nodes: ["host:port"]} in place of url; after --upstream, sentinel://host:port,host:port/name'

/**
 * `redis://[user:password@]host[:port]`, `rediss://…`, `unix:/path`. The messages never repeat the url: it may hold a
 * password.
 */
export function readUpstreamUrl(text: string): Reading<UpstreamUrl> {
  if (text.startsWith('unix:')) {
    const socket = readSocketPath(text)
    if ('message' in socket) return socket
    return { value: { address: socket.value, tls: false, user: undefined, password: undefined } }
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1].toLowerCase()
  if (scheme === undefined) {
    const plain = 'value' in readHostPort(text)
    return { message: 'the url has no scheme', cure: plain ? `write redis://${text}` : URL_CURE }
  }
  if (scheme.endsWith('sentinel')) return { message: `${scheme}:// is not a Redis url`, cure: SENTINEL_CURE }
  if (scheme !== 'redis' && scheme !== 'rediss') return { message: `${scheme}:// is not a Redis url`, cure: URL_CURE }
  let url: URL
  let user: string
  let password: string
  try {
    url = new URL(text)
    user = decodeURIComponent(url.username)
    password = decodeURIComponent(url.password)
  } catch {
    return {
      message: 'the url cannot be read',
      cure: 'percent-encode special characters of user and password, or give them as `user` and `password`',
    }
  }
  if (url.hostname === '') return { message: 'the url has no host', cure: URL_CURE }
  if (url.search !== '' || url.hash !== '') {
    return {
      message: 'the url has parameters',
      cure: 'remove what follows host and port; settings are keys of the upstream',
    }
  }
  if (url.pathname !== '' && url.pathname !== '/') {
    return {
      message: 'the url names a database',
      cure: 'remove what follows the port: Keyward uses database 0 only; give the tenant `databases` instead',
    }
  }
  if (user !== '' && password === '') {
    return { message: 'the url has a user and no password', cure: 'write redis://user:password@host:port' }
  }
  return {
    value: {
      address: { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 6379 : Number(url.port) },
      tls: scheme === 'rediss',
      user: user === '' ? undefined : user,
      password: password === '' ? undefined : password,
    },
  }
}

/** Can only this host reach it? Unix sockets, 127.0.0.0/8, ::1 and the name localhost. */
export function isLocal(address: Address): boolean {
  if ('path' in address) return true
  const host = address.host.toLowerCase().replace(/^::ffff:/, '')
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
