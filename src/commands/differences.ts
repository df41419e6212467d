/** Something that a tenant can see to be different from a Redis of its own. */
export interface Difference {
  /** Commands, a container for all its subcommands, or a subject. */
  readonly where: string
  readonly what: string
  /** The commands concerned, by their names in the table, where `where` is not a list of them; '': no one more than another. */
  readonly commands?: string
}

/**
 * All differences, apart from commands that are not open and those that are refused in MULTI (in-multi.ts). Each
 * line is a decision; docs/commands.md prints them, and links them from their commands. What is not here and differs is a bug.
 */
export const DIFFERENCES: readonly Difference[] = [
  {
    where: 'MULTI',
    what: 'Some commands are refused inside MULTI (`ERR Command not allowed inside a transaction`) and abort it: see the list above.',
  },
  {
    where: 'MULTI',
    what: 'Commands that Keyward answers (PING, CLIENT …, TIME) count as PING in the upstream’s statistics when they are queued.',
  },
  {
    where: 'transactions',
    commands: 'multi exec',
    what: 'When the upstream connection is lost, the client’s connection stays: members go on being answered +QUEUED, EXEC answers EXECABORT.',
  },
  {
    where: 'WATCH',
    what: 'HELLO with another protocol, and AUTH as another tenant, between WATCH and EXEC make that EXEC answer EXECABORT: what was watched is bound to an upstream connection that no longer fits. So does the very first script of a tenant.',
  },
  {
    where: 'WAIT 0',
    what: 'The PING in front of WAIT moves the replication offset, so replicas that had confirmed everything may be counted a moment later.',
  },
  {
    where: 'failures',
    commands: '',
    what: 'OUTCOMEUNKNOWN, UPSTREAMTIMEOUT and UPSTREAMDOWN (docs/errors.md) take the place of a closed connection.',
  },
  {
    where: 'XREAD BLOCK … $',
    what: 'An XREVRANGE key + - COUNT 1 for each `$` goes in front of it, so that nothing is missed if the upstream connection is lost while it blocks.',
  },
  { where: 'WAIT, WAITAOF', what: 'A PING goes in front of it, on the connection that waits.' },
  {
    where: 'blocking commands',
    commands: 'blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin xread xreadgroup',
    what: 'Over `pins.max` or `pins.perTenant` blocked clients, one more gets `ERR max number of clients reached` at once.',
  },
  {
    where: 'COMMAND',
    what: 'COMMAND, COMMAND INFO and COMMAND DOCS show all subcommands of a container, also those that are not open. GETKEYS of a command that is not open says `Invalid command specified`. LIST FILTERBY MODULE is empty.',
  },
  {
    where: 'CLIENT',
    what: 'CLIENT LIST, INFO, ID, KILL, PAUSE and UNBLOCK know the tenant’s connections to this process only; sizes that only Redis’ allocator knows are 0. NO-EVICT and NO-TOUCH are accepted and have no effect upstream. HELP lists what is open.',
  },
  {
    where: 'CLIENT KILL',
    what: 'Knows MAXAGE (of Redis 7.4) whatever the upstream’s version. Requests of the killed client that were sent already may still be executed.',
  },
  {
    where: 'CLIENT TRACKING',
    what: 'Kept by Keyward, which hears of writes on one connection for all (docs/tracking.md). A client may be told of a key once more than by Redis; NOLOOP is accepted, and its own writes are told all the same; keys that the server writes in one turn are told in the order of their bytes; FLUSHALL and FLUSHDB of the tenant are told key by key, those of an operator as the null of Redis. Until writes are heard of, and while the connection is lost, what is read is taken back at once. At most 1,000 prefixes of 1 KiB for each client. Refused inside MULTI.',
  },
  {
    where: 'CLIENT CACHING',
    what: 'Said inside MULTI, it makes all that follows there be tracked with OPTIN, and changes nothing with OPTOUT.',
  },
  {
    where: 'CLIENT PAUSE',
    what: 'Holds back what goes upstream; what Keyward answers itself (PING, CLIENT UNPAUSE, INFO …) is answered. With WRITE, EXEC waits also for a transaction that only reads. Keys expire and are evicted meanwhile. The longest pause is 24 days.',
  },
  {
    where: 'CLIENT UNBLOCK',
    what: 'Refused inside MULTI. A client whose blocking command has not been sent yet, because it waits for a connection or for an upstream that is away, counts as not blocked (`:0`).',
  },
  {
    where: 'ACL',
    what: 'A user is all that it knows of: GETUSER tells of oneself, in the form of Redis 7.0, and nothing of anybody else. CAT lists what is open to the tenant, with categories of modules where the upstream has them. The rest is not open.',
  },
  {
    where: 'SET',
    what: 'GET together with an IFDEQ or IFDNE whose digest is none is answered by the error alone, also if the key does not exist, and refused inside MULTI. Redis 8.4 to 8.6 send the old value and the error, two replies to one request.',
  },
  {
    where: 'CLUSTER',
    what: 'Answers as a server that is not in a cluster, in the words of Redis 7.0; KEYSLOT, too, which Valkey 9 answers all the same.',
  },
  {
    where: 'SLOWLOG',
    what: 'Kept for each tenant and process, from being sent to the reply: time in the network and behind other requests counts, and what Keyward answers itself is not in it. EXEC is logged as a whole, its members are not. At most 200 a second are logged, 2,000 of all tenants. Set by `slowlog` in the configuration, not by CONFIG SET.',
  },
  {
    where: 'MONITOR',
    what: 'Shows the tenant’s requests to this process, when Keyward takes them up: before they are executed, and with a resolution of a millisecond. A transaction that WATCH will abort is shown. What scripts do is not. Over 64 KiB of an argument, and over 1 MiB of a line, are only counted. AUTH with too many arguments is redacted, too. A login that fails belongs to no tenant yet, and is not shown.',
  },
  {
    where: 'LATENCY',
    what: 'Answers as a server whose latency monitor is off and that has counted nothing yet (HISTOGRAM), DOCTOR in other words. To a tenant without a prefix all but RESET show what the upstream recorded.',
  },
  {
    where: 'INFO',
    what: 'The tenant’s own view: memory, CPU, hits and evictions are 0 for a tenant with a prefix, since they would tell what others do. # Keyspace is by the last count, `keyward_keyspace_age_seconds` old (-1: there was none yet); INFO never waits for a count, and causes one at most once a minute. `expires` and `avg_ttl` in it are 0, and so are `tracking_total_keys`, `_items` and `_prefixes`.',
  },
  {
    where: 'CONFIG GET',
    what: 'Knows a fixed list of harmless parameters.',
  },
  {
    where: 'CONFIG SET',
    what: 'Takes notify-keyspace-events alone, for this tenant and process: it chooses among what the upstream sends; for a tenant without a prefix it changes nothing. The rest is not open.',
  },
  {
    where: 'PUBLISH, SPUBLISH, PUBSUB',
    what: 'Counts are exact as long as nobody subscribes or leaves in the same moment. Clients behind other Keyward processes are counted from the second question on, up to a thousand names with more than one client for each process. NUMPAT counts the patterns of this process.',
  },
  {
    where: 'SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE',
    what: 'Messages do not come on the connection of replies: one that a client publishes to itself, in RESP3, may come behind the reply to PUBLISH, and one that was published before may come behind the answer to PING. Around the acknowledgements order is as in Redis. Names are limited to 1 MiB, and a tenant to `subscriptions` of them.',
  },
  {
    where: 'SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE',
    what: 'When the upstream connection is lost, clients stay subscribed; what is published until it is back is lost. While it is away, or answers BUSY, LOADING or the like, subscribing waits for `hold.time`, then fails.',
  },
  {
    where: 'SUBSCRIBE, SSUBSCRIBE',
    what: 'Names that begin with `keyward:` are Keyward’s own: a tenant without a prefix gets NOPERM.',
  },
  {
    where: 'HELLO',
    what: '`modules` is empty, also where the upstream has some; `id` is the connection’s to this process.',
  },
  {
    where: 'AUTH, HELLO',
    what: 'As another tenant, they end all subscriptions of the connection, without a message.',
  },
  {
    where: 'keyspace notifications',
    commands: 'psubscribe subscribe',
    what: 'Without `notify-keyspace-events` of its own, a tenant gets what the upstream’s setting says. FLUSHDB sends a `del` for each key.',
  },
  {
    where: 'MOVE',
    what: 'Is RENAMENX from one prefix to another: in one step, with its time to live, but its keyspace notifications are `rename_from` and `rename_to`.',
  },
  {
    where: 'SCAN',
    what: 'A page may hold fewer keys than COUNT says, or none, as in Redis, but more often: what the upstream looks at may be other tenants’ keys. No call looks at more than 1000 keys, whatever COUNT says.',
  },
  {
    where: 'KEYS',
    what: 'Is made of many SCANs, so it is no snapshot: a key that comes or goes meanwhile may be in it or not. Over `buffers.output` it is an error.',
  },
  {
    where: 'DBSIZE',
    what: 'Is a walk over the upstream, which those who ask at the same time share; no snapshot, and without keys that have expired but are not deleted yet.',
  },
  {
    where: 'RANDOMKEY',
    what: 'Among many keys of others, a key behind a long gap of theirs is drawn more often.',
  },
  {
    where: 'FLUSHDB, FLUSHALL',
    what: 'SYNC and ASYNC both answer when all keys are deleted, by SCAN and UNLINK; other requests for these databases wait meanwhile, up to `hold`. Of what is written through another Keyward meanwhile, each key may be deleted or not. Each key sends a `del` notification.',
  },
  {
    where: 'scripts',
    commands: 'eval eval_ro evalsha evalsha_ro',
    what: 'Commands that see the whole keyspace or the server are refused (`ERR This Redis command is not allowed from script`, or as unknown): SCAN, KEYS, RANDOMKEY, DBSIZE, FLUSHDB, FLUSHALL, SWAPDB, INFO, COMMAND and the like; WAIT and WAITAOF, which newer versions answer at once; commands of modules, those of vector sets (V…) included; so are SORT and SORT_RO with GET, or with BY and a pattern, in the words of Redis’ ACL. `redis.acl_check_cmd` answers no for what is refused.',
  },
  {
    where: 'scripts',
    commands: 'eval eval_ro evalsha evalsha_ro',
    what: 'PUBLISH and SPUBLISH in a script answer with the number of connections of Keyward that are subscribed, not of clients. SELECT holds until the end of the script.',
  },
  {
    where: 'scripts',
    commands: 'eval eval_ro evalsha evalsha_ro',
    what: 'At most 199 local variables at the top level, and 59 upvalues in a function that uses `redis`: one less, and one more for each of `_G`, `load`, `loadstring`, `collectgarbage`, `getmetatable`, and, where the prologue has to take their place, `cjson`, `error`, `pcall`, `xpcall`, `coroutine` and `math` that the script names. Lua’s messages call them local. Assigning to such a name, or to `redis`, succeeds, and holds for that run. `pairs`, `next` and `rawget` of `redis` and `_G` may find nothing, and `getmetatable` of them answers false. `getfenv`, `setfenv` and `newproxy`, and `server` where there is none, may be named: calling or indexing them is the error, without a line (`user_script:1:`) where it was called by `return`.',
  },
  {
    where: 'scripts',
    commands: 'eval eval_ro evalsha evalsha_ro',
    what: 'The line at the end of an error (`on @user_script:<line>`) is 0, or that of the caller, when `redis.call` or `error` was called by `return` under a name of the script’s own, or another function of `redis`, or one without parentheses; it is 1 when a script wrote to a field of `redis` or `_G`. `redis.call` of a command that has keys, without any argument, or of a number, is answered `Lua redis lib command arguments must be strings or integers`; of nil alone, as if there were no argument. A subcommand that there is not is `Unknown Redis command`, also in front of Valkey 9, which names it. XREAD and XREADGROUP where the value of an option is the word STREAMS (`COUNT STREAMS`) say that a key may not be accessed. Levels of `error` over 2 may count a function of the prologue’s.',
  },
  {
    where: 'scripts',
    commands: 'eval eval_ro evalsha evalsha_ro',
    what: 'An error that is a table without a text ends the script with `ERR unknown error`, as in Redis 8.6, with every version: before that it ended the server. `err` of one with a metatable is read without calling anything.',
  },
  {
    where: 'scripts',
    commands: 'eval eval_ro evalsha evalsha_ro',
    what: 'What `math.randomseed` sets is the script’s own and ends with it; its numbers are those of Redis. Without it, `math.random` goes on with the one sequence that all scripts of the server share, which is known from two of its numbers: not for secrets.',
  },
  {
    where: 'scripts',
    commands: 'eval eval_ro evalsha evalsha_ro script|load',
    what: 'Of scripts whose texts are not at hand, as the tenant has not run them lately, it may bring `scripts.newPerMinute` a minute, then RATELIMITED (docs/errors.md#newscripts). A script is at most `scripts.largest` long. cjson’s settings, and what tunes the collector of garbage, are not available.',
  },
  {
    where: 'SCRIPT FLUSH, SCRIPT EXISTS',
    what: 'About the tenant’s own texts. After a FLUSH through another Keyward, one that has used a script lately goes on knowing it. EVAL makes its script known when it is read, between MULTI and EXEC when it is queued, also one that does not compile, until its error is there. NOSCRIPT has the words of Redis, also in front of Valkey.',
  },
  {
    where: 'SCRIPT KILL',
    what: 'Ends a script of the tenant’s own alone, if it is known to be the one that runs (SECURITY.md), and says NOTBUSY otherwise. Within a second the server has to call the script slow (`busy-reply-threshold`); until then it is answered UPSTREAMDOWN, and does nothing.',
  },
  {
    where: 'SORT, SORT_RO',
    what: 'With BY and a pattern, or GET, refused inside MULTI and behind WATCH for tenants that use scripts, in the words of Redis’ ACL.',
  },
  {
    where: 'FCALL, FCALL_RO',
    what: 'With `functions: trusted`. The function sees its keys with the tenant’s prefix, in KEYS and in what it returns of them, and may touch no others and run no more than a script may: see docs/scripts.md. `ttl` rules do not reach what it writes.',
  },
  {
    where: 'FUNCTION',
    what: 'With `functions: trusted`. LOAD takes Lua alone, up to `scripts.largest`. The top level of a library has one local variable less, and one more for each of `server`, `_G`, `load`, `loadstring`, `getfenv` and `setfenv` that its text holds; `redis` is an upvalue of the functions that use it. While a library is loaded, `redis.log` does nothing, what `redis` lacks is nil, of the table that `redis.register_function` takes only `function_name`, `callback`, `flags` and `description`, in small letters, are looked at, a callback has to be written in Lua, and errors about its arguments may have other words. `getfenv` and `setfenv` are nil, where the server has them. FLUSH deletes one library after the other. STATS shows a function that runs if it is the tenant’s own, and counts the libraries of the last time while the server is busy. KILL ends the tenant’s own alone, and says NOTBUSY while a script runs. HELP has the words of Redis 7.0. DUMP and RESTORE are not open.',
  },
  {
    where: 'unknown commands',
    commands: '',
    what: 'Without arguments, their error ends in `, with args beginning with: `, as up to Redis 8.0 and in Valkey, where newer ones leave it out.',
  },
  {
    where: 'limits',
    commands: '',
    what: 'A client may leave `buffers.output` bytes of replies unread (Redis: no limit by default), and all clients together may hold `memory` bytes: a value over that needs a larger `memory`, and a reply that is looked at as a whole (a script’s, or one with keys in it) counts three times. Client names are limited to 1 KiB.',
  },
  {
    where: 'protocol',
    commands: '',
    what: 'A line that is not complete after 64 KiB is an error however the bytes were cut; Redis lets up to 16 KiB more pass, depending on how its reads fall.',
  },
]
