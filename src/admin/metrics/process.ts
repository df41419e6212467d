import type { Definition, Kind, Scrape } from './definition.ts'

/** The process as a whole. */
export const PROCESS_METRICS: readonly Definition[] = [
  ofProcess('keyward_ready', 'gauge', '1: /readyz says yes.', ({ ready }) => Number(ready)),
  ofProcess('keyward_draining', 'gauge', '1: shutting down.', ({ view }) => Number(view.draining)),
  ofProcess('keyward_config_generation', 'gauge', 'Configurations since the start.', ({ view }) => view.generation),
  ofProcess(
    'keyward_client_connections',
    'gauge',
    'Client connections, logged in or not.',
    ({ view }) => view.connections,
  ),
  ofProcess(
    'keyward_gates_closed',
    'gauge',
    'Gates that hold requests back: FLUSHDB under way, CLIENT PAUSE, a tenant that an operator paused.',
    ({ view }) => view.gates.closed,
  ),
  ofProcess(
    'keyward_gate_overruns_total',
    'counter',
    'FLUSHDBs that took longer, or held back more, than `hold` allows.',
    ({ view }) => view.gates.overruns,
  ),
  ofProcess('keyward_memory_limit_bytes', 'gauge', '`memory` of the configuration.', ({ view }) => view.memory.limit),
  ofProcess(
    'keyward_memory_cuts_total',
    'counter',
    'Clients cut to stay within `memory`.',
    ({ view }) => view.memory.cuts,
  ),
]

function ofProcess(name: string, kind: Kind, help: string, value: (scrape: Scrape) => number): Definition {
  return { name, help, kind, labels: [], samples: (scrape) => [[{}, value(scrape)]] }
}
