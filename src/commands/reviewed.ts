/**
 * The boundary between tenants, in one place: who may run what.
 *
 * A command that is in none of these lists is refused, also one that a newer server brings. Before a name goes into
 * a list for prefixed tenants, check that
 *  - every key it can touch is found, by fixed positions, by a count of keys, or by a quirk that reads its options
 *    in the server's order;
 *  - nothing in its arguments is a key pattern, a channel, a database number or a script;
 *  - its reply and its errors show nothing but this tenant's keys and values; a key in them is stripped by a quirk;
 *  - it has no effect on the server, on other connections or on the state of the connection that carries it.
 */
export interface ReviewedGroup {
  readonly title: string
  /** What was found when the group was checked. */
  readonly checked: string
  readonly names: readonly string[]
}

/** Never sent upstream as they are; refused as long as no quirk answers them. */
export const SESSION: ReviewedGroup = group(
  'The session',
  'Answered here from what this client said, or from facts that hold for each tenant alone.',
  `asking auth client|getname client|help client|id client|info client|kill client|list client|no-evict client|no-touch
   client|pause client|reply client|setinfo client|setname client|unpause command command|count command|docs
   command|getkeys command|getkeysandflags command|help command|info command|list config|get config|help config|set echo hello
   info lastsave latency|doctor latency|graph latency|help latency|history latency|latest latency|reset monitor ping
   quit readonly readwrite reset role select slowlog|get slowlog|help slowlog|len slowlog|reset time`,
)

/** Open for every tenant. */
export const REVIEWED: readonly ReviewedGroup[] = [
  group(
    'Strings',
    'Keys at fixed positions, the reply is the value.',
    `append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx psetex set setex
     setnx setrange strlen substr`,
  ),
  group(
    'Bitmaps and HyperLogLog',
    'Keys at fixed positions. PFDEBUG and PFSELFTEST are not in here.',
    'bitcount bitfield bitfield_ro bitop bitpos getbit setbit pfadd pfcount pfmerge',
  ),
  group(
    'Hashes',
    'One key in front. The pattern of HSCAN is one of fields.',
    `hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen
     hvals`,
  ),
  group(
    'Lists',
    'Keys at fixed positions. LMPOP counts its keys and returns the one it took from, which is stripped.',
    `lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpoplpush rpush rpushx`,
  ),
  group(
    'Sets',
    'Keys at fixed positions, SINTERCARD counts them. The pattern of SSCAN is one of members.',
    `sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop srandmember
     srem sscan sunion sunionstore`,
  ),
  group(
    'Sorted sets',
    'Keys at fixed positions or counted. ZMPOP returns the key it took from, which is stripped.',
    `zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop zmscore zpopmax zpopmin
     zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank
     zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore`,
  ),
  group(
    'Geo',
    'STORE and STOREDIST of GEORADIUS and GEORADIUSBYMEMBER name a key, found by a quirk.',
    `geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch
     geosearchstore`,
  ),
  group(
    'Streams',
    'Keys behind STREAMS are found by a quirk, keys in replies and in NOGROUP errors are stripped.',
    `xack xadd xautoclaim xclaim xdel xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy
     xgroup|help xgroup|setid xinfo|consumers xinfo|groups xinfo|help xinfo|stream xlen xpending xrange xread
     xreadgroup xrevrange xsetid xtrim`,
  ),
  group(
    'Blocking',
    'On connections of their own. The key that an element came from is stripped.',
    'blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin',
  ),
  group(
    'Keys of any type',
    'Keys at fixed positions, or found by a quirk (STORE, the patterns of BY and GET). The database of MOVE and COPY becomes a prefix. A payload of DUMP holds no key.',
    `copy del dump exists expire expireat expiretime memory|help memory|usage object|encoding object|freq object|help
     object|idletime object|refcount move persist pexpire pexpireat pexpiretime pttl rename renamenx restore sort sort_ro
     touch ttl type unlink`,
  ),
  group(
    'The whole keyspace',
    'Done by many calls that name only keys behind the prefix (client/jobs/); a key outside it in a reply is an error.',
    'dbsize flushall flushdb keys randomkey scan',
  ),
  group(
    'Clients that block',
    'The client is one of the tenant’s own; the upstream is told the id of the connection on which its command waits.',
    'client|unblock',
  ),
  group(
    'Transactions',
    'On a connection of their own, which is clean again before anybody else gets it.',
    'discard exec multi unwatch watch',
  ),
  group(
    'Publish and subscribe',
    'Channels and patterns get the prefix, and lose it in messages and lists (client/pubsub/). Counts are of this tenant.',
    `psubscribe publish pubsub|channels pubsub|help pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub
     punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe`,
  ),
  group('Replication', 'A number of replicas, behind a command of our own on the same connection.', 'wait waitaof'),
  SESSION,
]

/**
 * Open for the tenant with the empty prefix alone, which has its upstream for itself: what it can see or destroy is its
 * own. Still not what changes the state of a shared connection or the server's configuration.
 */
export const PASSTHROUGH: readonly ReviewedGroup[] = [
  group(
    'Scripts and functions',
    'Without those that stop a running one, which would wait behind it.',
    `eval eval_ro evalsha evalsha_ro fcall fcall_ro function|delete function|dump function|flush function|help
     function|list function|load function|restore function|stats script|exists script|flush script|help script|load`,
  ),
  group(
    'Looking at the server',
    'Nobody else is on it.',
    'latency|histogram lolwut memory|doctor memory|malloc-stats memory|stats',
  ),
]

/** Keyward's own commands (extensions.ts): each group open for the tenants that have the extension of its name. */
export const EXTENSIONS: readonly ReviewedGroup[] = [
  group(
    'throttle',
    'One key in front, which a script of Keyward’s own reads and writes; numbers behind it, and integers in the reply.',
    'cl.status cl.throttle',
  ),
  group(
    'cache',
    'Answered here, of the tenant’s own entries. The pattern is compared with its own key names.',
    'cache.flush cache.stats',
  ),
]

/** Commands that are open, but not with all arguments: what their quirks refuse to prefixed tenants. */
export const EXCEPTIONS: ReadonlyMap<string, string> = new Map([['config|set', 'only notify-keyspace-events']])

/** Why the others are refused, by command; a container's reason is that of its subcommands, too. */
export const REASONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    acl: 'users and rules of the server belong to its operator',
    bgrewriteaof: 'persistence is the business of the operator',
    bgsave: 'persistence is the business of the operator',
    client: 'it looks at or changes upstream connections, which clients share',
    'client|caching': 'tracking is state of an upstream connection, which clients share',
    'client|getredir': 'tracking is state of an upstream connection, which clients share',
    'client|tracking': 'tracking is state of an upstream connection, which clients share',
    'client|trackinginfo': 'tracking is state of an upstream connection, which clients share',
    cluster: 'the upstream is not a cluster to its tenants',
    config: 'the configuration of the server belongs to its operator',
    debug: 'it reaches into the server itself',
    eval: 'a script computes keys that nobody can prefix',
    eval_ro: 'a script computes keys that nobody can prefix',
    evalsha: 'a script computes keys that nobody can prefix',
    evalsha_ro: 'a script computes keys that nobody can prefix',
    failover: 'replication is the business of the operator',
    fcall: 'a function computes keys that nobody can prefix',
    fcall_ro: 'a function computes keys that nobody can prefix',
    function: 'libraries of functions are one namespace for the whole server',
    'function|kill': 'it stops the function of any tenant',
    'latency|histogram': 'the server counts it over all tenants',
    lolwut: 'it is of no use to a tenant',
    'memory|doctor': 'it shows the memory of the whole server',
    'memory|malloc-stats': 'it shows the memory of the whole server',
    'memory|purge': 'it acts on the memory of the whole server',
    'memory|stats': 'it shows the memory of the whole server',
    migrate: 'it sends keys to a server of its own choice',
    module: 'it loads code into the server',
    pfdebug: 'it is an internal command for the tests of the server',
    pfselftest: 'it is an internal command for the tests of the server',
    psync: 'it copies the data of all tenants',
    replconf: 'replication is the business of the operator',
    replicaof: 'replication is the business of the operator',
    'restore-asking': 'it is an internal command for moving cluster slots',
    save: 'persistence is the business of the operator',
    script: 'the script cache is one for the whole server',
    'script|debug': 'it stops the whole server while somebody debugs',
    'script|kill': 'it stops the script of any tenant',
    shutdown: 'it stops the server',
    slaveof: 'replication is the business of the operator',
    swapdb:
      'it swaps databases of the whole server; to swap two of a tenant, its keys would have to be renamed one by one',
    sync: 'it copies the data of all tenants',
  }),
)

/** For a command that has no reason above: nobody looked at it, which is what a new server's new command is. */
export const NOT_REVIEWED = 'it is not reviewed for tenants'

function group(title: string, checked: string, names: string): ReviewedGroup {
  return { title, checked, names: names.trim().split(/\s+/) }
}
