import { formatAddress } from '../upstream/address.ts'
import type { Address, UpstreamOptions } from '../upstream/options.ts'
import { isLocal } from './address.ts'

/**
 * For each upstream a text that stands for its server: upstreams with the same one hold the same keys, as far as addresses
 * tell. Behind sentinels it is the one that they watch by this name, so one sentinel in common is enough. That a `url` and a
 * `sentinel` lead to the same server cannot be seen here.
 */
export function serversOf(upstreams: ReadonlyMap<string, UpstreamOptions>): ReadonlyMap<string, string> {
  const owner = new Map<string, string>()
  const servers = new Map<string, string>()
  for (const [name, options] of upstreams) {
    const places = placesOf(options)
    const known = new Set(places.map((place) => owner.get(place)).filter((one) => one !== undefined))
    // The groups that this upstream joins become one.
    if (known.size > 0) {
      for (const [other, server] of servers) if (known.has(server)) servers.set(other, name)
      for (const [place, server] of owner) if (known.has(server)) owner.set(place, name)
    }
    for (const place of places) owner.set(place, name)
    servers.set(name, name)
  }
  return servers
}

function placesOf({ address, sentinel }: UpstreamOptions): readonly string[] {
  if (sentinel !== undefined) return sentinel.nodes.map((node) => `${sentinel.master} at ${placeOf(node)}`)
  return address === undefined ? [] : [placeOf(address)]
}

function placeOf(address: Address): string {
  if ('path' in address) return formatAddress(address)
  return isLocal(address) ? `local:${address.port}` : formatAddress(address).toLowerCase()
}
