import type { UpstreamOptions } from '../options.ts'
import { SentinelTopology } from './sentinel.ts'
import { StandaloneTopology } from './standalone.ts'
import type { Topology, TopologyHost } from './topology.ts'

/** The one that the options ask for; not started yet. */
export function buildTopology(options: UpstreamOptions, host: TopologyHost): Topology {
  const { name, address, sentinel } = options
  if (sentinel !== undefined) return new SentinelTopology(name, sentinel, host)
  if (address === undefined) throw new Error(`upstream ${name} has neither an address nor sentinels`)
  return new StandaloneTopology(address)
}
