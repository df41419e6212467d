import { z } from 'zod'
import { readHostPort, readListenAddress } from './address.ts'
import {
  count,
  defaulted,
  duration,
  flag,
  type Kind,
  later,
  oneOf,
  optional,
  required,
  share,
  size,
  text,
} from './leaf.ts'
import { NAME, type NameRule, USER_NAME } from './names.ts'
import { prefix } from './prefix.ts'
import { readPassword, readSecret, readText, type SecretSource } from './secret.ts'
import { show } from './units.ts'

// The whole file: its keys, their kinds, defaults and documentation. docs/configuration.md and docs/keyward.schema.json
// are generated from here; resolve.ts makes the Config from what this lets through.

const listenAddress = {
  name: 'address',
  json: { type: 'string', examples: ['127.0.0.1:6380', '[::]:6380', 'unix:/run/keyward/acme.sock'] },
  read: readListenAddress,
}

const hostPort = { name: 'host:port', json: { type: 'string' }, read: readHostPort }

const SECRET_JSON = [
  { type: 'string', minLength: 1 },
  { type: 'object', properties: { env: { type: 'string' } }, required: ['env'], additionalProperties: false },
  { type: 'object', properties: { file: { type: 'string' } }, required: ['file'], additionalProperties: false },
]

const secret: Kind<SecretSource> = { name: 'secret', json: { anyOf: SECRET_JSON }, read: readSecret }

const password: Kind<SecretSource> = {
  name: 'password',
  json: {
    anyOf: [
      ...SECRET_JSON,
      {
        type: 'object',
        properties: { sha256: { type: 'string', pattern: '^[0-9a-fA-F]{64}$' } },
        required: ['sha256'],
        additionalProperties: false,
      },
    ],
  },
  read: readPassword,
}

const url: Kind<SecretSource> = { name: 'url', json: { anyOf: SECRET_JSON }, read: readText }

const path = text('path', /^[^\0]+$/, 'the path of a file')
const name = text('name', NAME.pattern, `a name of ${NAME.words}`)
const word = text('name', /^[!-~]{1,256}$/, 'a name of printable ASCII without blanks')

const fileMode: Kind<number> = {
  name: 'octal mode',
  json: { type: 'string', pattern: '^0?[0-7]{3}$' },
  read(raw) {
    if (typeof raw === 'string' && /^0?[0-7]{3}$/.test(raw)) return { value: Number.parseInt(raw, 8) }
    if (typeof raw === 'number')
      return { message: 'is a decimal number to YAML', cure: `put it in quotes: "${String(raw).padStart(4, '0')}"` }
    return { message: `${show(raw)} is not a file mode`, cure: 'write three octal digits in quotes, such as "0660"' }
  },
}

const version: Kind<1> = {
  name: '1',
  json: { const: 1 },
  read: (raw) =>
    raw === 1
      ? { value: 1 }
      : { message: `${show(raw)} is not a version that is known here`, cure: 'write version: 1' },
}

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

const upstream = z
  .strictObject({
    url: optional(
      url,
      '`redis://host:port`, `rediss://host:port` (TLS) or `unix:/path`, also `{env: REDIS_URL}`. No database number.',
    ),
    sentinel: later('Find the server through Sentinel.'),
    cluster: later('Redis Cluster.'),
    user: optional(word, 'ACL user to log in as. Absent: `default`.'),
    password: optional(secret, 'Password to log in with.'),
    tls: z
      .strictObject({
        ca: optional(path, "PEM file with the authorities to trust. Absent: Node's own list."),
        cert: optional(path, 'PEM file with a client certificate. Needs `key`.'),
        key: optional(path, 'PEM file with its private key.'),
        serverName: optional(
          text('host name', /^[A-Za-z0-9_.-]{1,253}$/, 'a host name'),
          'The name that the certificate must carry. Absent: the host of the url.',
        ),
      })
      .optional()
      .meta({
        description: 'TLS to the server; `tls: {}` or rediss:// alone uses the defaults. Not with a unix socket.',
      }),
    lanes: defaulted(count(1, 64), 4, 'Most shared connections, for each protocol version that clients speak.'),
    pins: z
      .strictObject({
        max: defaulted(
          count(1, 100_000),
          500,
          'Most dedicated connections for blocking commands, and as many again for transactions.',
        ),
        warm: defaulted(count(0, 1000), 4, 'Dedicated connections kept open while nobody needs them.'),
        perTenant: defaulted(count(1, 100_000), 100, 'Most of `max` that one tenant may hold.'),
      })
      .prefault({})
      .meta({ description: 'Dedicated connections: MULTI, WATCH, blocking commands, WAIT.' }),
    subscribers: defaulted(
      count(1, 10_000),
      32,
      'Most connections for subscriptions: one for each tenant that has any; more tenants share them.',
    ),
    bulk: defaulted(size, '1MiB', 'Requests and replies above this size take a connection of their own.'),
    keepAlive: defaulted(duration, '30s', 'PING on a connection that was idle for so long.'),
    timeouts: z
      .strictObject({
        connect: defaulted(duration, '5s', 'Until a connection is open and logged in.'),
        request: defaulted(
          duration,
          '5s',
          'Until the first byte of a reply. Blocking commands: on top of their own time-out.',
        ),
      })
      .prefault({})
      .meta({ description: 'How long to wait for the server.' }),
    hold: z
      .strictObject({
        time: defaulted(duration, '10s', 'How long a request waits for an upstream that is away.'),
        memory: defaulted(size, '16MiB', 'How many bytes of requests may wait so.'),
      })
      .prefault({})
      .meta({ description: 'Requests that came while the upstream was away.' }),
    scan: z
      .strictObject({
        fillTime: defaulted(duration, '20ms', 'For how long a page of SCAN is filled up with keys of the tenant.'),
        share: defaulted(
          share,
          '50%',
          "Most of the server's time that walks over the whole keyspace may take: SCAN, KEYS, DBSIZE, FLUSHDB and the like.",
        ),
        memory: defaulted(
          size,
          '16MiB',
          'For telling apart the keys that one DBSIZE counts; beyond it (1.5 million keys) a key counts twice that the server returns twice.',
        ),
      })
      .prefault({})
      .meta({ description: 'Walks over the whole keyspace.' }),
    reissueBlocked: defaulted(
      flag,
      false,
      '`true`: when the connection is lost, BLPOP and its like are sent again, though an element may have been taken and lost.',
    ),
    walls: later('Redis ACL users per tenant on the server, for scripts.'),
  })
  .meta({ description: 'A real Redis, by the name that tenants use for it.' })

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
    replicas: later('Reads from replicas.'),
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
    limits: later('Rate limits.'),
    ttl: later('Expiry policies.'),
    cache: later('Near cache.'),
    extensions: later("Keyward's own commands."),
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
      address: required(
        hostPort,
        'Where /healthz, /readyz and /metrics are served over HTTP. No login: keep it off public networks.',
      ),
      socket: later('A unix socket for PROXY commands.'),
    })
    .optional()
    .meta({ description: 'Absent: no HTTP at all.' }),
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
