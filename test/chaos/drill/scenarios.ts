import type { DataServer, SentinelSet } from '../../helpers/sentinel-set.ts'

/** A way for a primary to lose its place. */
export interface Scenario {
  readonly name: string
  /** For file names. */
  readonly file: string
  readonly proxied?: boolean
  /** Every server is on a machine of its own, where that can be had. */
  readonly network?: boolean
  /** Keyward is on the primary's side of a cut. */
  readonly past?: boolean
  /** Nothing that was acknowledged may be lost. */
  readonly lossless?: boolean
  /** Resolves when it has happened. */
  strike(set: SentinelSet, primary: DataServer): Promise<unknown>
  /** Makes the old primary whole again. */
  mend(set: SentinelSet, old: DataServer): Promise<void>
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'planned',
    file: 'planned',
    lossless: true,
    strike: (set) => set.failover(),
    mend: async () => {},
  },
  {
    name: 'kill -9',
    file: 'kill',
    strike: (_, primary) => primary.kill('SIGKILL'),
    mend: (_, old) => old.restart(),
  },
  {
    name: 'SIGSTOP',
    file: 'stop',
    strike: (_, primary) => primary.kill('SIGSTOP'),
    mend: (_, old) => old.kill('SIGCONT'),
  },
  {
    name: 'partition',
    file: 'partition',
    proxied: true,
    strike: (set, primary) => set.partition(primary),
    mend: (set) => set.heal(),
  },
  {
    name: 'partition, with the primary on our side',
    file: 'partition-ours',
    proxied: true,
    past: true,
    strike: (set, primary) => set.partition(primary),
    mend: (set) => set.heal(),
  },
  {
    name: 'partition, with lost packets',
    file: 'partition-packets',
    network: true,
    strike: (set, primary) => set.partition(primary),
    mend: (set) => set.heal(),
  },
]
