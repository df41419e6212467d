import { z } from 'zod'
import { jitter, pattern } from './kinds.ts'
import { defaulted, flag, lifetime, oneOf, optional } from './leaf.ts'

/** One entry of `tenants.<name>.ttl`; ttl.ts resolves it. */
export const ttlRule = z
  .strictObject({
    keys: defaulted(pattern, '*', "For which keys, by the tenant's own key names."),
    default: optional(
      lifetime,
      'What a key gets that a write would leave without an expiry. Absent: it may stay without.',
    ),
    max: optional(lifetime, 'Longest time that a client may give a key; more becomes this.'),
    min: optional(lifetime, 'Shortest time that a client may give a key; less becomes this.'),
    jitter: defaulted(
      jitter,
      '0%',
      'By up to which share `default` and `max` are made shorter at random, but not below `min`, each time that a key gets them: keys written together do not expire together.',
    ),
    persist: defaulted(
      oneOf('allow', 'deny', 'clamp'),
      'allow',
      'What becomes of PERSIST and GETEX … PERSIST. `allow`: the key loses its expiry, whatever else the rule says, until it is written again. `deny`: the key keeps its expiry, PERSIST answers 0. `clamp`: the key gets `default`, or else `max`.',
    ),
    dryRun: defaulted(flag, false, '`true`: nothing is changed, only counted.'),
  })
  .meta({ description: 'How long keys live. The first rule that matches a key counts. docs/ttl.md has the details.' })

export type TtlShape = z.output<typeof ttlRule>
