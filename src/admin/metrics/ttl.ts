import { type Definition, flag, ofUpstream } from './definition.ts'
import type { TtlNumbers } from './ttl-numbers.ts'

/** Times to live. The label `rule` is a pattern of the configuration. */
export const TTL_METRICS: readonly Definition[] = [
  {
    name: 'keyward_ttl_writes_total',
    help: 'Keys that a rule dealt with. default: it was sent for the key, which may have had a time already. max, min: the client asked for more, for less. persist-denied, persist-clamped: PERSIST did not have its way. mode dry-run: only counted.',
    kind: 'counter',
    labels: ['tenant', 'rule', 'mode', 'action'],
    *samples({ ttl }) {
      for (const rule of ttl) {
        for (const [action, count] of actions(rule)) yield [{ ...labelsOf(rule), action }, count]
      }
    },
  },
  {
    name: 'keyward_ttl_failures_total',
    help: 'Times that the upstream refused to set; the keys may be without.',
    kind: 'counter',
    labels: ['tenant', 'rule', 'mode'],
    *samples({ ttl }) {
      for (const rule of ttl) if (!rule.dryRun) yield [labelsOf(rule), rule.failed]
    },
  },
  ofUpstream(
    'keyward_upstream_expiry_denied',
    'gauge',
    "1: the server does not let Keyward's user set expiries, so writes that one has to follow are refused.",
    ({ expiryDenied }) => flag(expiryDenied),
  ),
]

function labelsOf({ tenant, keys, dryRun }: TtlNumbers) {
  return { tenant, rule: keys, mode: dryRun ? 'dry-run' : 'enforced' }
}

function actions({ defaulted, clampedMax, clampedMin, persistDenied, persistClamped }: TtlNumbers) {
  return [
    ['default', defaulted],
    ['max', clampedMax],
    ['min', clampedMin],
    ['persist-denied', persistDenied],
    ['persist-clamped', persistClamped],
  ] as const
}
