import { type Definition, flag, type Kind } from './definition.ts'
import type { LimitNumbers } from './limit-numbers.ts'

/** Rate limits. Names of buckets are the clients' to choose, so they are no labels; /limits has those that were rejected most. */
export const LIMIT_METRICS: readonly Definition[] = [
  {
    name: 'keyward_limit_requests_total',
    help: 'Requests that a rule counted, by what became of them. shadowed: went on, and would have been rejected.',
    kind: 'counter',
    labels: ['tenant', 'rule', 'outcome'],
    *samples({ limits }) {
      for (const limit of limits) {
        for (const outcome of OUTCOMES) yield [{ ...limit.labels, outcome }, limit[outcome]]
      }
    },
  },
  ofLimit('waiting', 'gauge', 'Requests that it makes wait.', ({ waiting }) => waiting),
  ofLimit(
    'tokens',
    'gauge',
    'Operations or bytes left in the one bucket of `per: tenant`; below 0: owed.',
    ({ tokens }) => tokens,
  ),
  ofLimit('buckets', 'gauge', 'Buckets in this process.', ({ buckets }) => buckets),
  ofLimit(
    'buckets_allowed',
    'gauge',
    'The most there may be: `buckets` of the rule.',
    ({ mostBuckets }) => mostBuckets,
  ),
  ofLimit(
    'overflows_total',
    'counter',
    'Requests whose name found no room for a bucket; such names share one.',
    ({ overflows }) => overflows,
  ),
  ofLimit(
    'leased_tokens_total',
    'counter',
    'Tokens of `scope: global` that this process was given by the upstream.',
    ({ grants }) => grants,
  ),
  ofLimit('failing', 'gauge', '1: its tokens cannot be had, and `onError` decides.', ({ failing }) => flag(failing)),
  {
    name: 'keyward_lease_calls_total',
    help: 'Calls for tokens of `scope: global`; each is for many buckets.',
    kind: 'counter',
    labels: [],
    samples: ({ view }) => [[{}, view.leases.calls]],
  },
  {
    name: 'keyward_lease_failures_total',
    help: 'Those that failed, or were not answered in time.',
    kind: 'counter',
    labels: [],
    samples: ({ view }) => [[{}, view.leases.failures]],
  },
]

const OUTCOMES = ['allowed', 'delayed', 'rejected', 'shadowed'] as const

function ofLimit(
  name: string,
  kind: Kind,
  help: string,
  value: (limit: LimitNumbers) => number | undefined,
): Definition {
  return {
    name: `keyward_limit_${name}`,
    help,
    kind,
    labels: ['tenant', 'rule'],
    *samples({ limits }) {
      for (const limit of limits) yield [limit.labels, value(limit)]
    },
  }
}
