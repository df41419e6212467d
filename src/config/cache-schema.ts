import { z } from 'zod'
import { jitter, pattern } from './kinds.ts'
import { count, defaulted, duration, durationOrOff, required, size } from './leaf.ts'

const rule = z
  .strictObject({
    keys: required(pattern, "Which keys may be kept, by the tenant's own key names. `*`: all of them."),
    maxAge: defaulted(
      duration,
      '30s',
      'How long an entry is served at most, though nobody changed its key. It never outlives the key itself.',
    ),
    negative: defaulted(
      durationOrOff,
      'off',
      'How long it is remembered that a key does not exist, `maxAge` at most. `off`: each such read asks Redis.',
    ),
    jitter: defaulted(jitter, '10%', 'By up to which share `maxAge` and `negative` are made shorter at random.'),
  })
  .meta({ description: 'What the near cache keeps. The first rule that matches a key counts.' })

/** `tenants.<name>.cache`; cache.ts resolves it. */
export const cache = z
  .strictObject({
    memory: defaulted(
      size,
      '64MiB',
      "What the tenant's entries may take in this process, with what it costs to keep them. It comes on top of `memory` of the process.",
    ),
    rules: z.array(rule).default([]).meta({
      description:
        'What is kept, by pattern of keys. At least one. Without `cache` nothing is. docs/cache.md tells what is guaranteed.',
      minItems: 1,
    }),
    maxStaleness: defaulted(
      duration,
      '1s',
      'By how much a reply from the cache may be behind writes that did not pass this process. When it is not known for so long what changed, nothing is served. At least 500ms.',
    ),
    staleWhileDown: defaulted(
      durationOrOff,
      'off',
      'While the upstream is down: for how long past their end entries are still served.',
    ),
    maxFetches: defaulted(
      count(1, 1_000_000),
      4096,
      'Most misses that are being fetched at a time in this process, and most replies that wait for the time to live of their key. Beyond it, requests go upstream by themselves, and replies are not kept.',
    ),
    maxFollowers: defaulted(
      count(1, 1_000_000),
      10_000,
      'Most requests that wait for one fetch. Those beyond go upstream by themselves.',
    ),
  })
  .meta({
    description:
      'The near cache: reads answered from the memory of this process. Absent: none. docs/cache.md tells what is guaranteed.',
  })

export type CacheShape = z.output<typeof cache>
