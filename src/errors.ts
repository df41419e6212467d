/**
 * Every error that Keyward itself can show to a client, one row each. The key is the metric label
 * (`keyward_errors_total{code=…}`) and the anchor in docs/errors.md; `reply` is the text on the wire
 * without the leading `-`, in Redis' own words wherever Redis has words for it. `cure` goes to the log,
 * to `keyward explain` and to docs/errors.md, never on the wire.
 */
export interface ErrorRow {
  readonly reply: string
  readonly when: string
  readonly cure: string
}

export const ERRORS = {
  NOAUTH: {
    reply: 'NOAUTH Authentication required.',
    when: 'the client has not logged in on a listener that requires it',
    cure: 'send AUTH password, AUTH user password or AUTH tenant/user password first',
  },
  WRONGPASS: {
    reply: 'WRONGPASS invalid username-password pair or user is disabled.',
    when: 'no user of a tenant of this listener has that name and password',
    cure: 'compare the password with tenants.<tenant>.users.<user>.password; on a listener with `tenant`, only that tenant has users',
  },
  NOPROTO: {
    reply: 'NOPROTO unsupported protocol version',
    when: 'HELLO asked for a protocol other than 2 and 3, or for 3 where the upstream cannot speak it',
    cure: 'use RESP2, or an upstream of Redis 6 or later',
  },
  MAXCLIENTS: {
    reply: 'ERR max number of clients reached',
    when: 'tenants.<tenant>.maxClients or the cap of blocked clients (upstreams.<name>.pins) is reached',
    cure: 'raise maxClients, pins.max or pins.perTenant, or use fewer connections',
  },
  UPSTREAMDOWN: {
    reply: 'UPSTREAMDOWN not sent: the upstream Redis is away',
    when: 'the upstream stayed away longer than hold.time, more than hold.memory waits for it, or its breaker is open; also a write that waited longer than hold.time for the end of a failover',
    cure: 'see `keyward status` and the log for where the upstream is looked for (url, sentinel) and what is wrong there; the request was not executed and may be sent again',
  },
  UPSTREAMTIMEOUT: {
    reply: 'UPSTREAMTIMEOUT no reply from the upstream Redis in time',
    when: 'a read-only request had no reply within timeouts.request',
    cure: 'look for slow commands in SLOWLOG of the upstream, or raise timeouts.request; it changed nothing and may be sent again',
  },
  OUTCOMEUNKNOWN: {
    reply: 'OUTCOMEUNKNOWN sent but not confirmed: it may or may not have been executed',
    when: 'the connection to the upstream was lost, or timeouts.request passed, after the request had been sent',
    cure: 'read back what the request should have written before sending it again',
  },
  EXECABORT: {
    reply: 'EXECABORT Transaction discarded because of previous errors.',
    when: 'a command of the transaction was refused, or its upstream connection was lost before EXEC',
    cure: 'nothing of the transaction was executed; run it again',
  },
  NOTINMULTI: {
    reply: 'ERR Command not allowed inside a transaction',
    when: 'a command that Keyward serves by many upstream calls (KEYS, SCAN, DBSIZE, FLUSHDB, FLUSHALL, RANDOMKEY), or on another connection (CLIENT UNBLOCK), that subscribes, or that changes the protocol was sent between MULTI and EXEC, which then answers EXECABORT',
    cure: 'send it before MULTI or after EXEC',
  },
  RATELIMITED: {
    reply: 'RATELIMITED <rule>: <rate>; retry after <n> ms',
    when: 'a limit of the tenant (tenants.<tenant>.limits) has no tokens left for the request, or the request would have to wait longer than its maxDelay; it was not executed',
    cure: 'send it again after the time that the reply names; `keyward limits` shows which rule refuses whom; raise the rule’s rate or burst, or let it `delay`',
  },
  NEWSCRIPTS: {
    reply: 'RATELIMITED scripts.newPerMinute: <n>/m; retry after <n> ms',
    when: 'a script whose text is not at hand, because the tenant has not run it before, or it has made room for others, and the tenant has brought scripts.newPerMinute of them within a minute; each 16 KiB of a text count as one; it was not executed',
    cure: 'a script whose text is another one each time fills the memory of the server: let it take its values from KEYS and ARGV; or raise scripts.newPerMinute; where a tenant uses more texts than there is room for, raise scripts.memory',
  },
  REQUESTLIMIT: {
    reply: 'ERR request buffer limit reached',
    when: 'one client has more bytes of unfinished and unsent requests than buffers.request',
    cure: 'raise tenants.<tenant>.buffers.request, or send smaller requests; the connection is closed',
  },
  EXPIRYLIMIT: {
    reply: 'ERR too many keys for the expiries that follow this command',
    when: 'a write names so many keys with a ttl rule that the expiries which would follow it do not fit into buffers.request of its client, or into what is left of `memory`; it was not executed',
    cure: 'name fewer keys in one command, or raise tenants.<tenant>.buffers.request, or `memory`',
  },
  NOEXPIRY: {
    reply: "NOPERM this user has no permissions to run the 'pexpire' command",
    when: "a ttl rule wants an expiry behind the write, and the upstream's user may not set one; it was not executed",
    cure: 'on the upstream: ACL SETUSER <user> +pexpire (before Redis 7.0: +pexpire +pttl +eval), which is seen within upstreams.<name>.health.interval',
  },
  OUTPUTLIMIT: {
    reply: 'ERR output buffer limit reached',
    when: 'a client left more bytes of replies unread than buffers.output; it is closed without this text',
    cure: 'read replies while writing requests, or raise tenants.<tenant>.buffers.output',
  },
  PUBSUBLIMIT: {
    reply: 'ERR output buffer limit of subscribers reached',
    when: 'a subscriber left more bytes of messages and replies unread than buffers.pubsub; it is closed without this text',
    cure: 'read messages faster, or raise tenants.<tenant>.buffers.pubsub',
  },
  SUBSCRIPTIONLIMIT: {
    reply: 'ERR max number of subscriptions reached',
    when: 'tenants.<tenant>.subscriptions is reached, or the name of a channel is longer than 1 MiB, or a pattern longer than 1 KiB; nothing of the request was subscribed to',
    cure: 'raise tenants.<tenant>.subscriptions, or use fewer or shorter names',
  },
  NOCHANNELS: {
    reply: 'NOPERM this user has no permissions to access one of the channels used as arguments',
    when: "the upstream's user may not subscribe or publish to the channels of this tenant",
    cure: 'on the upstream: ACL SETUSER <user> +@pubsub &*; Redis 7 gives a new user no channels',
  },
  PATTERNLIMIT: {
    reply: 'ERR pattern is longer than 1024 bytes',
    when: 'CACHE.FLUSH MATCH: comparing such a pattern with all that is cached would keep everybody waiting; nothing was dropped',
    cure: 'use a shorter pattern, or CACHE.FLUSH without one',
  },
  FUNCTIONNAME: {
    reply: 'ERR Error registering functions: ERR a function has a name that is not of this tenant',
    when: 'FUNCTION LOAD of a tenant whose names of functions are scoped: the library has found a way, at this server, to register one under a name that others would meet; it was deleted, and what was there before is there again',
    cure: 'call redis.register_function (or server.register_function); the library and the version of the server are worth a report',
  },
  JOBLIMIT: {
    reply: 'ERR the reply would be larger than the output buffer limit',
    when: 'KEYS found more bytes of keys than buffers.output',
    cure: 'use SCAN, or raise tenants.<tenant>.buffers.output',
  },
  MEMORY: {
    reply: 'ERR memory limit of the proxy reached',
    when: 'all buffers together passed `memory`; the client that holds most is closed without this text',
    cure: 'raise `memory`, or find the client that does not read its replies in keyward_memory_bytes and the log',
  },
  PROTOCOL: {
    reply: 'ERR Protocol error',
    when: "the client sent bytes that are not RESP; the reply carries Redis' own text, then the connection is closed",
    cure: 'the client, or something between, is not speaking the Redis protocol (TLS to a plain port, HTTP)',
  },
  UNKNOWNCOMMAND: {
    reply: 'ERR unknown command',
    when: "the command does not exist, or is not open for tenants; the reply is byte-equal to Redis' own",
    cure: '`keyward explain COMMAND` tells why; docs/commands.md lists what is open',
  },
  ARITY: {
    reply: 'ERR wrong number of arguments',
    when: "too few or too many arguments; the reply is byte-equal to Redis' own",
    cure: "see the command's page",
  },
  BADUPSTREAM: {
    reply: 'UPSTREAMDOWN the upstream Redis sent bytes that are not RESP',
    when: "a reply cannot be parsed, or a key in it is outside the tenant's prefix; the upstream connection is closed",
    cure: 'check what listens at upstreams.<name>.url',
  },
  SHUTDOWN: {
    reply: 'UPSTREAMDOWN Keyward is shutting down',
    when: 'a request came or was still waiting when Keyward drained',
    cure: 'connect again, to the next instance',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** The wire form of each row, made once. */
export const ERROR_BYTES = Object.fromEntries(
  Object.entries(ERRORS).map(([code, row]) => [code, Buffer.from(`-${row.reply}\r\n`, 'latin1')]),
) as Record<ErrorCode, Buffer>
