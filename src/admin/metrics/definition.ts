import type { UpstreamView } from '../upstream-view.ts'
import type { ProcessView, StatsView } from '../view.ts'
import type { CacheNumbers } from './cache-numbers.ts'
import type { LimitNumbers } from './limit-numbers.ts'
import type { TtlNumbers } from './ttl-numbers.ts'

type Labels = Readonly<Record<string, string>>

/** undefined: nobody knows, so there is no line. */
export type Sample = readonly [labels: Labels, value: number | undefined]

/** One scrape: the process' numbers, read once for all metrics of it. */
export interface Scrape {
  readonly view: ProcessView
  /** By label. */
  readonly tenants: ReadonlyMap<string, StatsView>
  readonly limits: readonly LimitNumbers[]
  readonly caches: readonly CacheNumbers[]
  readonly ttl: readonly TtlNumbers[]
  readonly ready: boolean
}

export type Kind = 'counter' | 'gauge'

/** A metric: what is told of it, and where its numbers are. */
export interface Definition {
  readonly name: string
  readonly help: string
  readonly kind: Kind
  readonly labels: readonly string[]
  samples(scrape: Scrape): Iterable<Sample>
}

/** One number for each upstream. */
export function ofUpstream(
  name: string,
  kind: Kind,
  help: string,
  value: (upstream: UpstreamView) => number | undefined,
): Definition {
  return {
    name,
    help,
    kind,
    labels: ['upstream'],
    *samples({ view }) {
      for (const upstream of view.upstreams) yield [{ upstream: upstream.name }, value(upstream)]
    },
  }
}

/** Several numbers for each upstream, told apart by one label more. */
export function ofUpstreamBy(
  name: string,
  kind: Kind,
  label: string,
  help: string,
  values: (upstream: UpstreamView) => Iterable<readonly [label: string, value: number | undefined]>,
): Definition {
  return {
    name,
    help,
    kind,
    labels: ['upstream', label],
    *samples({ view }) {
      for (const upstream of view.upstreams) {
        for (const [at, value] of values(upstream)) yield [{ upstream: upstream.name, [label]: at }, value]
      }
    },
  }
}

/** undefined stays undefined. */
export function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000
}

/** 1 or 0; undefined stays undefined. */
export function flag(is: boolean | undefined): number | undefined {
  return is === undefined ? undefined : Number(is)
}
