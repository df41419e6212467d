import { MODULE_COMMANDS } from './modules.ts'

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
  `acl|cat acl|getuser acl|help acl|whoami asking auth client|caching client|capa client|getname client|getredir client|help client|id client|info client|kill
   client|list client|no-evict client|no-touch client|pause client|reply client|setinfo client|setname client|tracking
   client|trackinginfo client|unpause
   cluster|addslots cluster|addslotsrange cluster|bumpepoch cluster|count-failure-reports cluster|countkeysinslot cluster|delslots
   cluster|delslotsrange cluster|failover cluster|flushslots cluster|forget cluster|getkeysinslot cluster|help cluster|info
   cluster|keyslot cluster|links cluster|meet cluster|myid cluster|myshardid cluster|nodes cluster|replicas
   cluster|reset cluster|saveconfig cluster|set-config-epoch cluster|setslot cluster|shards cluster|slaves cluster|slot-stats
   cluster|slots command command|count command|docs
   command|getkeys command|getkeysandflags command|help command|info command|list config|get config|help config|set echo hello
   info lastsave latency|doctor latency|graph latency|help latency|histogram latency|history latency|latest latency|reset monitor ping
   quit readonly readwrite reset role select slowlog|get slowlog|help slowlog|len slowlog|reset time`,
)

/** Open for every tenant. */
export const REVIEWED: readonly ReviewedGroup[] = [
  group(
    'Strings',
    'Keys at fixed positions, the reply is the value. MSETEX counts its keys, each with its value behind it.',
    `append decr decrby delex delifeq digest get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetex
     msetnx psetex set setex setnx setrange strlen substr`,
  ),
  group(
    'Bitmaps and HyperLogLog',
    'Keys at fixed positions. PFDEBUG and PFSELFTEST are not in here.',
    'bitcount bitfield bitfield_ro bitop bitpos getbit setbit pfadd pfcount pfmerge',
  ),
  group(
    'Hashes',
    'One key in front. The pattern of HSCAN is one of fields.',
    `hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby hincrbyfloat hkeys hlen hmget hmset
     hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetex hsetnx hstrlen httl hvals`,
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
    `xack xackdel xadd xautoclaim xcfgset xclaim xdel xdelex xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy
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
 * Open for every tenant where the upstream has the module and puts the keys where the review has them (modules.ts). But for vector
 * sets not tried with the modules themselves. What finds its keys by itself (TS.MGET, TS.MRANGE, FT.SEARCH) is not in here, nor what tells
 * keys (TS.INFO), nor what a module has to trust without a check (BF.LOADCHUNK).
 */
export const MODULES: readonly ReviewedGroup[] = [
  group(
    'Vector sets',
    'One key in front; filters are about attributes of elements. They come with Redis 8, and are open where VRANGE is among them, as of 8.4: some arguments end an earlier server, which is that of all tenants.',
    'vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vrem vsetattr vsim',
  ),
  moduleGroup('JSON', 'json'),
  moduleGroup('Bloom filters', 'bloom'),
  moduleGroup('Cuckoo filters', 'cuckoo'),
  moduleGroup('Count-min sketches', 'cms'),
  moduleGroup('Top-k', 'topk'),
  moduleGroup('T-digests', 'tdigest'),
  moduleGroup('Time series', 'timeseries'),
]

/** Open for tenants with `scripts: allow`, which is the default. */
export const SCRIPTS: ReviewedGroup = group(
  'Scripts',
  'Behind a prologue that adds the prefix to keys when the script names them (keyspace/scripting/), as a user of the upstream who can touch nothing but the tenant’s keys (upstream/walls/). Their texts are kept per tenant.',
  'eval eval_ro evalsha evalsha_ro script|exists script|flush script|help script|kill script|load',
)

/** Open for tenants with `functions: trusted`, and for the one with the empty prefix, which has those of the server. */
export const FUNCTIONS: ReviewedGroup = group(
  'Functions',
  'Libraries and functions get names of the tenant’s own; the code runs as a user of the upstream who can touch nothing but the tenant’s keys (upstream/walls/), where there is one, but it shares Lua’s modules with everybody’s.',
  `fcall fcall_ro function|delete function|flush function|help function|kill function|list function|load function|stats`,
)

/**
 * Open for the tenant with the empty prefix alone, which has its upstream for itself: what it can see or destroy is its
 * own. Still not what changes the state of a shared connection or the server's configuration.
 */
export const PASSTHROUGH: readonly ReviewedGroup[] = [
  group('Looking at the server', 'Nobody else is on it.', 'lolwut memory|doctor memory|malloc-stats memory|stats'),
  group('All functions at once', 'They are all its own.', 'function|dump function|restore'),
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
    'client|import-source': 'it is about moving data into the server, which is the business of its operator',
    cluster: 'the upstream is not a cluster to its tenants',
    clusterscan: 'the upstream is not a cluster to its tenants',
    commandlog: 'the server keeps it over all tenants; SLOWLOG has the requests of this one',
    config: 'the configuration of the server belongs to its operator',
    debug: 'it reaches into the server itself',
    eval: 'only for tenants with `scripts: allow`',
    eval_ro: 'only for tenants with `scripts: allow`',
    evalsha: 'only for tenants with `scripts: allow`',
    evalsha_ro: 'only for tenants with `scripts: allow`',
    failover: 'replication is the business of the operator',
    fcall: 'only for tenants with `functions: trusted`',
    fcall_ro: 'only for tenants with `functions: trusted`',
    function: 'only for tenants with `functions: trusted`',
    'function|dump': 'it copies the functions of all tenants',
    'function|restore': 'it puts functions under any name',
    hotkeys: 'the server counts it over all tenants',
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
    script: 'only for tenants with `scripts: allow`',
    'script|debug': 'it stops the whole server while somebody debugs',
    shutdown: 'it stops the server',
    slaveof: 'replication is the business of the operator',
    swapdb:
      'it swaps databases of the whole server; to swap two of a tenant, its keys would have to be renamed one by one',
    sync: 'it copies the data of all tenants',
    trimslots: 'it is an internal command for moving cluster slots',
    xidmprecord: 'it is an internal command for replicas and the append-only file',
  }),
)

/** For a command that has no reason above: nobody looked at it, which is what a new server's new command is. */
export const NOT_REVIEWED = 'it is not reviewed for tenants'

function moduleGroup(title: string, category: string): ReviewedGroup {
  const names = MODULE_COMMANDS.get(category) ?? []
  return { title, checked: 'By the documentation: keys in front, or counted, and none in replies.', names }
}

function group(title: string, checked: string, names: string): ReviewedGroup {
  return { title, checked, names: names.trim().split(/\s+/) }
}
