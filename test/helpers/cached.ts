import { type ConfigObject, configFor } from './keyward.ts'
import { eventually } from './places.ts'
import { type RawClient, request } from './raw-client.ts'

/** A rule for all keys whose entries live as long as their keys do, near enough. */
export const ALL_KEYS = { keys: '*', maxAge: '24h', negative: '24h', jitter: '0%' }

/** Milliseconds by which a hit may be behind, unless the file says something else. */
export const MAX_STALENESS = 1000

/**
 * A configuration whose tenants acme and beta have a near cache. `cache` and `tenant` add to what they have, `upstream` to the
 * upstream.
 */
export function cachedConfig(
  redis: { readonly url: string },
  more: { cache?: ConfigObject; tenant?: ConfigObject; upstream?: ConfigObject; top?: ConfigObject } = {},
): ConfigObject {
  const tenant = (name: string) => ({
    upstream: 'main',
    users: { default: { password: name } },
    cache: { rules: [ALL_KEYS], ...more.cache },
    ...more.tenant,
  })
  return configFor(redis, { tenants: { acme: tenant('acme'), beta: tenant('beta') }, ...more.top }, more.upstream)
}

/** How often a server has executed each command so far, but for this question itself. */
export async function callsOf(bare: RawClient): Promise<Map<string, number>> {
  const [frame] = await bare.exchange(request('INFO', 'commandstats'))
  const found = frame.toString('latin1').matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)
  const calls = new Map<string, number>()
  for (const [, name, count] of found) if (name !== 'info') calls.set(name, Number(count))
  return calls
}

/** Commands of Keyward's own that say nothing of what clients did: heartbeats, handshakes, looks at the server's state. */
const HOUSEKEEPING = /^(ping|hello|auth|role|info|command|client\||config\||touch$)/

/** What the server executed during `action`, without Keyward's housekeeping. */
export async function executed(bare: RawClient, action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await callsOf(bare)
  await action()
  const after = await callsOf(bare)
  const grown: Record<string, number> = {}
  for (const [name, count] of after) {
    const more = count - (before.get(name) ?? 0)
    if (more > 0 && !HOUSEKEEPING.test(name)) grown[name] = more
  }
  return grown
}

/** Waits until a GET of this client is answered without the server, twice in a row: the feed is there and the cache in use. */
export async function hits(client: RawClient, bare: RawClient, key = 'warm', patience = 15_000): Promise<boolean> {
  return eventually(async () => {
    await client.command('GET', key)
    const seen = await executed(bare, async () => {
      await client.command('GET', key)
      await client.command('GET', key)
    })
    return (seen.get ?? 0) === 0
  }, patience)
}
