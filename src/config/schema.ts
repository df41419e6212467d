import { z } from 'zod'
import { cache } from './cache-schema.ts'
import { extension, fileMode, hostPort, listenAddress, name, password, path, socketAddress, version } from './kinds.ts'
import { count, defaulted, duration, flag, later, oneOf, optional, required, size } from './leaf.ts'
import { limit } from './limits-schema.ts'
import { NAME, type NameRule, USER_NAME } from './names.ts'
import { prefix } from './prefix.ts'
import { scripts, tenantScripts } from './scripts-schema.ts'
import { tracking } from './tracking.ts'
import { ttlRule } from './ttl-schema.ts'
import { upstream } from './upstream-schema.ts'

// The whole file: its keys, their kinds, defaults and documentation. docs/configuration.md and docs/keyward.schema.json
// are generated from here; resolve.ts makes the Config from what this lets through.

/** A map of names; names.ts checks them, so that what stands under a wrong one is checked too. */
function named<T extends z.ZodType>(rule: NameRule, entry: T) {
  return z.record(z.string().meta({ pattern: rule.pattern.source }), entry)
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const listener = z
  .strictObject({
    address: required(listenAddress, 'Where to listen: `host:port`, `"[::]:port"` (every interface) or `unix:/path`.'),
    mode: optional(fileMode, 'Permissions of the unix socket. Absent: what the umask leaves.'),
    tenant: optional(name, 'Only the users of this tenant exist here. Absent: those of every tenant.'),
    login: defaulted(
      oneOf('required', 'optional'),
      'required',
      '`optional`: without AUTH, a client is the user `default` of `tenant`.',
    ),
    tls: z
      .strictObject({
        cert: required(path, 'PEM file with the certificate and its chain.'),
        key: required(path, 'PEM file with the private key.'),
        clientCa: later('PEM file: clients need a certificate that it signed.'),
        clientCert: later('Whether a client certificate is required.'),
      })
      .optional()
      .meta({ description: 'TLS for clients. Not on a unix socket.' }),
    insecure: defaulted(
      flag,
      false,
      '`true` lets a listener start that is reachable from other hosts and lets somebody in without a password.',
    ),
  })
  .meta({ description: 'Where clients connect. One entry per address.' })
const user = z
  .strictObject({
    password: optional(
      password,
      'What AUTH must send. Only the user `default` may go without, and only where a listener of its tenant says `login: optional`.',
    ),
    rules: later("Redis ACL rules on the tenant's own key names. Until then every user may do what its tenant may."),
  })
  .meta({ description: 'Who may log in. `AUTH password` means the user `default`.' })

const tenant = z
  .strictObject({
    upstream: required(name, 'Name of the upstream that holds the keys.'),
    prefix: optional(
      prefix,
      'What every raw key starts with. Absent: `<tenant>:`. `""` passes keys through unchanged; such a tenant is alone on its upstream.',
    ),
    databases: optional(
      count(1, 10_000),
      'How many databases SELECT offers; raw keys are then `<prefix><number>:<key>`. Absent: one, without a number in the raw key.',
    ),
    maxClients: optional(
      count(1, 1_000_000),
      'Most clients of this tenant in this process. Absent: no limit of its own.',
    ),
    replicas: z
      .strictObject({
        read: defaulted(
          oneOf('never', 'prefer'),
          'never',
          '`prefer`: commands that only read may go to a replica, outside transactions, once it has what their client wrote before; else to the primary.',
        ),
        maxLag: defaulted(duration, '1s', 'A replica that is further behind is not read.'),
      })
      .prefault({})
      .meta({ description: 'Reads from replicas.' }),
    users: named(USER_NAME, user).optional().meta({ description: 'Absent: the user `default` without a password.' }),
    buffers: z
      .strictObject({
        request: defaulted(size, '1GiB', 'Unfinished and unsent requests of one client; above it the client is cut.'),
        output: defaulted(size, '256MiB', 'Replies that one client has not read; above it the client is cut.'),
        pubsub: defaulted(
          size,
          '32MiB',
          'Messages and replies that one subscribed client has not read; above it the client is cut.',
        ),
      })
      .prefault({})
      .meta({ description: 'Memory that one client of this tenant may take.' }),
    slowlog: z
      .strictObject({
        slowerThan: defaulted(
          duration,
          '10ms',
          'SLOWLOG keeps requests whose reply came so long after they were sent to the server.',
        ),
        entries: defaulted(count(0, 10_000), 128, 'How many of them, the newest; each is at most some 6 KiB. 0: none.'),
      })
      .prefault({})
      .meta({ description: "The tenant's SLOWLOG, kept in this process." }),
    subscriptions: defaulted(
      count(1, 100_000_000),
      100_000,
      'Most subscriptions of this tenant in this process: every client counts each of its channels and patterns.',
    ),
    limits: z.array(limit).default([]).meta({ description: 'Rate limits, in the order in which they are asked.' }),
    weight: defaulted(
      count(1, 1000),
      1,
      'Share of a connection to the upstream, against that of other tenants, while they want more of it than there is.',
    ),
    ttl: z.array(ttlRule).default([]).meta({
      description: 'How long keys live, by pattern. Of the rules that match a key, the first counts.',
    }),
    cache: cache.optional(),
    ...tenantScripts,
    extensions: z.array(required(extension, 'A group of commands.')).default([]).meta({
      description:
        "Which of Keyward's own commands exist here. `throttle`: CL.THROTTLE and CL.STATUS. `cache`: CACHE.STATS and CACHE.FLUSH. `locks` is reserved.",
    }),
  })
  .meta({ description: 'One namespace, by its name.' })

export const fileSchema = z.strictObject({
  version: defaulted(version, 1, 'Version of this format.'),
  include: later('Further files.'),
  log: z
    .strictObject({ level: defaulted(oneOf(...LOG_LEVELS), 'info', 'Least important level that is logged.') })
    .prefault({})
    .meta({ description: 'JSON lines on standard output.' }),
  memory: defaulted(size, '256MiB', 'All buffers of the process together; above it the largest reader is cut first.'),
  shutdown: z
    .strictObject({
      deadline: defaulted(
        duration,
        '25s',
        'After SIGTERM: how long clients may finish. Blocked clients have half of it.',
      ),
    })
    .prefault({})
    .meta({ description: 'The end.' }),
  listeners: z.array(listener).default([]).meta({ description: 'Where clients connect. At least one.' }),
  admin: z
    .strictObject({
      address: optional(
        hostPort,
        'Where /healthz, /readyz, /metrics, /upstreams, /limits, /cache and /ttl are served over HTTP. No login: keep it off public networks. Absent: no HTTP.',
      ),
      socket: optional(
        socketAddress,
        'Unix socket for `keyward pause` and the like, and for redis-cli. Who may open it may stop everything.',
      ),
      mode: defaulted(fileMode, '0600', 'Permissions of the socket.'),
    })
    .optional()
    .meta({ description: 'For operators. Needs `address`, `socket` or both.' }),
  scripts,
  tracking,
  metrics: z
    .strictObject({
      tenants: defaulted(
        count(0, 100_000),
        100,
        'Tenants with labels of their own, in the order of the file; the others share `_other`.',
      ),
    })
    .prefault({})
    .meta({ description: 'What /metrics tells.' }),
  upstreams: named(NAME, upstream).default({}).meta({ description: 'The real servers. At least one.' }),
  tenants: named(NAME, tenant).default({}).meta({ description: 'The namespaces. At least one.' }),
})

/** The file after the schema: units read, defaults filled in; names, secrets and rules between keys not checked yet. */
export type FileShape = z.output<typeof fileSchema>
export type ListenerShape = FileShape['listeners'][number]
export type UpstreamShape = FileShape['upstreams'][string]
export type TenantShape = FileShape['tenants'][string]
