import type { Address } from './options.ts'

/** `127.0.0.1:6380`, `[::1]:6380` or `unix:/path`, as the file writes it. */
export function formatAddress(address: Address): string {
  if ('path' in address) return `unix:${address.path}`
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
