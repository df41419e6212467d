import { z } from 'zod'
import { burst, commandRules, name, pattern } from './kinds.ts'
import { conditional, count, defaulted, duration, oneOf, optional, rate, required, size } from './leaf.ts'
import { formatDuration } from './units.ts'

/** What keys are that mean something beside another key only, where they are absent. */
export const IF_ABSENT = { maxDelay: 1000, maxDelayed: 100_000, onError: 'local', buckets: 100_000 } as const

/** What a rule counts where it does not say so. */
const EVERYTHING = '+@all -@connection -@transaction'

const cost = z
  .strictObject({
    commands: required(commandRules, 'The commands, as ACL rules.'),
    cost: required(count(1, 1_000_000), 'How many operations each of them counts as.'),
  })
  .meta({ description: 'Commands that count as more than one operation.' })

/** One entry of `tenants.<name>.limits`; limits.ts resolves it. */
export const limit = z
  .strictObject({
    name: required(name, 'Stands in the error that clients see, in metrics and in the admin API.'),
    rate: required(
      rate,
      'What may pass in the long run: operations, one for each request (`100/s`, `6000/m`, `3600/h`), or bytes of requests and replies (`10MiB/s`).',
    ),
    burst: optional(
      burst,
      'What may pass at once after a pause: a number of operations, or a size. Absent: what the rate gives in a second, at least 1.',
    ),
    per: defaulted(
      oneOf('tenant', 'user', 'address', 'match'),
      'tenant',
      'Who has a bucket of its own. `address`: where clients come from, of IPv6 the /64 network. `match`: what the first `*` of `keys` stands for.',
    ),
    scope: defaulted(
      oneOf('local', 'global'),
      'local',
      '`local`: each process counts for itself. `global`: all processes share the bucket, which the upstream keeps.',
    ),
    action: defaulted(
      oneOf('reject', 'delay', 'shadow'),
      'reject',
      'With what is too much. `delay`: hold it for up to `maxDelay`, then reject. `shadow`: let it pass and count it.',
    ),
    maxDelay: conditional(
      duration,
      formatDuration(IF_ABSENT.maxDelay),
      'With `action: delay`. A request that would have to wait longer is rejected at once.',
    ),
    maxDelayed: conditional(
      count(1, 1_000_000),
      IF_ABSENT.maxDelayed,
      'With `action: delay` or `scope: global`. Most requests that wait because of this rule in this process, for their time or for tokens from the upstream; beyond it they are rejected.',
    ),
    onError: conditional(
      oneOf('allow', 'local', 'deny'),
      IF_ABSENT.onError,
      'With `scope: global`. While the upstream cannot be asked: let everything pass, count in each process alone, or reject.',
    ),
    commands: defaulted(commandRules, EVERYTHING, 'Which commands count, as ACL rules.'),
    keys: optional(
      pattern,
      "Only requests with a key that matches count, by the tenant's own key names. Needed for `per: match`, and then with a `*`.",
    ),
    costs: z.array(cost).optional().meta({
      description:
        'Operations only. Commands that count as more than one operation; of several entries that fit, the last.',
    }),
    replyUnit: optional(
      size,
      'Operations only. Every so many bytes of a reply count as one operation more, once it has come.',
    ),
    buckets: conditional(
      count(1, 10_000_000),
      IF_ABSENT.buckets,
      'Not with `per: tenant`. Most users, addresses or matches counted apart in this process; those beyond share one bucket.',
    ),
  })
  .meta({
    description: 'A rate limit. What several of them count must pass them all. docs/limits.md tells how they work.',
  })

export type LimitShape = z.output<typeof limit>
