import { fileURLToPath } from 'node:url'

/**
 * Files of test/fixtures/tls (made by scripts/gen-certs.sh): a server certificate for localhost, 127.0.0.1, ::1 and
 * redis.internal, and a client certificate, both signed by `ca`.
 */
export const TLS_FILES = {
  ca: path('ca.crt'),
  cert: path('server.crt'),
  key: path('server.key'),
  clientCert: path('client.crt'),
  clientKey: path('client.key'),
} as const

function path(name: string): string {
  return fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))
}
