import { z } from 'zod'
import { hostName, path, secret, serverAddress, url, word } from './kinds.ts'
import { count, defaulted, duration, flag, later, oneOf, optional, required, share, size } from './leaf.ts'

/** One entry of `upstreams`; upstreams.ts resolves it. */

const clientTls = (description: string) =>
  z
    .strictObject({
      ca: optional(path, "PEM file with the authorities to trust. Absent: Node's own list."),
      cert: optional(path, 'PEM file with a client certificate. Needs `key`.'),
      key: optional(path, 'PEM file with its private key.'),
      serverName: optional(
        hostName,
        'The name that the certificate must carry. Absent: the host that is connected to.',
      ),
    })
    .optional()
    .meta({ description })

const sentinel = z
  .strictObject({
    master: required(word, 'The name that the sentinels have for the server and its replicas.'),
    nodes: z
      .array(required(serverAddress(26379), 'One sentinel.'))
      .default([])
      .meta({
        description: 'The sentinels, 1 to 32. Name several: any that answers will do, and it tells the others.',
      }),
    user: optional(word, 'ACL user to log in as at the sentinels. Absent: `default`.'),
    password: optional(secret, 'Password to log in with at the sentinels. That of the servers is not shown to them.'),
    tls: clientTls('TLS to the sentinels; `tls: {}` uses the defaults.'),
    natMap: z
      .record(z.string(), required(serverAddress(6379), 'Where that server is reached from here.'))
      .default({})
      .meta({
        description:
          'Addresses that the sentinels name and that do not lead there from here, each with the one that does: `{"10.0.0.5:6379": "gateway:7001"}`.',
      }),
  })
  .optional()
  .meta({ description: 'Finds the server by Redis Sentinel and follows its failovers. Either this or `url`.' })

export const upstream = z
  .strictObject({
    url: optional(
      url,
      '`redis://host:port`, `rediss://host:port` (TLS) or `unix:/path`, also `{env: REDIS_URL}`. No database number. Either this or `sentinel`.',
    ),
    sentinel,
    cluster: later('Redis Cluster.'),
    user: optional(word, 'ACL user to log in as, at the servers, not the sentinels. Absent: `default`.'),
    password: optional(secret, 'Password to log in with.'),
    tls: clientTls(
      'TLS to the server; `tls: {}` or rediss:// alone uses the defaults. With `sentinel`: to the servers that the sentinels name. Not with a unix socket.',
    ),
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
    walls: defaulted(
      oneOf('auto', 'required', 'off'),
      'auto',
      "ACL users, named `keyward:<tenant>`, that keep tenants' scripts apart. `auto`: where the upstream's user may make them (ACL SETUSER); elsewhere scripts are refused. `required`: such an upstream is not used. `off`: none, and no scripts.",
    ),
    breaker: z
      .strictObject({
        errors: defaulted(
          share,
          '50%',
          'It opens at this share of failed connects, time-outs and probes: then, once the trouble has lasted for `hold.time`, requests get `-UPSTREAMDOWN` at once.',
        ),
        window: defaulted(duration, '10s', 'Over which time the share is taken.'),
        volume: defaulted(
          count(1, 1000),
          5,
          'Outcomes in that time below which nothing is concluded. At most ten for each second of `window`: of failures, no more are counted.',
        ),
        probe: defaulted(duration, '1s', 'How long it stays open until the next try.'),
      })
      .prefault({})
      .meta({ description: 'Circuit breaker of each server.' }),
    health: z
      .strictObject({ interval: defaulted(duration, '1s', 'Time between two probes.') })
      .prefault({})
      .meta({ description: 'Health probes: PING, role, replication offset, memory, persistence, connected clients.' }),
    fairness: z
      .strictObject({
        mode: defaulted(
          oneOf('on', 'off'),
          'on',
          '`on`: while several tenants send, they take turns on each connection, by bytes and `weight`. `off`: first come, first served.',
        ),
        window: defaulted(
          size,
          '32KiB',
          'What may then be sent and unanswered on a connection; the rest waits for its turn. Less: shorter waits for the others. More: bigger batches. A request counts as 128 bytes or more. Grows with the round trip, if that is above 0.5 ms; at most 1 MiB, which holds while one tenant sends.',
        ),
      })
      .prefault({})
      .meta({ description: 'How tenants share connections.' }),
  })
  .meta({ description: 'A real Redis, by the name that tenants use for it.' })
