import { z } from 'zod'
import { scriptSha } from './kinds.ts'
import { count, defaulted, oneOf, required, size } from './leaf.ts'

/** Of one tenant. */
export const tenantScripts = {
  scripts: defaulted(
    oneOf('allow', 'deny'),
    'allow',
    '`allow`: EVAL, EVALSHA, SCRIPT and their like, as a user of the upstream who can touch nothing but the keys of the tenant. A script that never ends stops everybody (SECURITY.md): `deny` it to whom you do not trust with that.',
  ),
  trustedScripts: z.array(required(scriptSha, 'SHA-1 of a script, as SCRIPT LOAD tells it.')).default([]).meta({
    description:
      'Scripts that run even where the upstream lets Keyward make no users. You have read them: nothing else keeps them from the keys of other tenants.',
  }),
  functions: defaulted(
    oneOf('refused', 'trusted'),
    'refused',
    '`trusted`: FUNCTION and FCALL, under names of the tenant’s own and as its own user of the upstream. All functions of a server share one Lua and its settings, and where there are no `walls`, nothing keeps a function to the keys of its tenant: for whom you trust with both (docs/scripts.md).',
  ),
}

/** Of the process. */
export const scripts = z
  .strictObject({
    memory: defaulted(size, '32MiB', 'For texts of scripts that were used lately, of all tenants.'),
    perTenant: defaulted(
      count(1, 1_000_000),
      1000,
      'Scripts of one tenant that are kept in the upstream, below `keyward:`; beyond it the one goes that was kept first, and EVALSHA of it is answered NOSCRIPT.',
    ),
    largest: defaulted(size, '1MiB', 'The longest script.'),
    newPerMinute: defaulted(
      count(1, 1_000_000),
      1000,
      'Scripts whose texts are not at hand which one tenant may bring within a minute; each 16 KiB of a text count as one. Redis before 7.4 keeps each new one for good, in 10 KiB and more. What comes beyond is answered RATELIMITED.',
    ),
  })
  .prefault({})
  .meta({ description: 'Lua scripts of tenants.' })
