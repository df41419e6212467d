/**
 * What a tenant can see to be different from a Redis of its own, apart from commands that are not open. Each
 * line is a decision; docs/commands.md prints them. What is not here and differs is a bug.
 */
export const DIFFERENCES: readonly { readonly where: string; readonly what: string }[] = [
  {
    where: 'MULTI',
    what: 'HELLO and CLIENT REPLY inside MULTI are refused (`ERR Command not allowed inside a transaction`) and abort it: they would change what the bytes behind them mean in the middle of EXEC’s array.',
  },
  {
    where: 'MULTI',
    what: 'Commands that Keyward answers (PING, CLIENT …, TIME) count as PING in the upstream’s statistics when they are queued.',
  },
  {
    where: 'transactions',
    what: 'When the upstream connection is lost, the client’s connection stays: members go on being answered +QUEUED, EXEC answers EXECABORT.',
  },
  {
    where: 'WATCH',
    what: 'HELLO with another protocol, and AUTH as another tenant, between WATCH and EXEC make that EXEC answer EXECABORT: what was watched is bound to an upstream connection that no longer fits.',
  },
  {
    where: 'WAIT 0',
    what: 'The PING in front of WAIT moves the replication offset, so replicas that had confirmed everything may be counted a moment later.',
  },
  {
    where: 'failures',
    what: 'OUTCOMEUNKNOWN, UPSTREAMTIMEOUT and UPSTREAMDOWN (docs/errors.md) take the place of a closed connection.',
  },
  {
    where: 'XREAD BLOCK … $',
    what: 'An XREVRANGE key + - COUNT 1 for each `$` goes in front of it, so that nothing is missed if the upstream connection is lost while it blocks.',
  },
  { where: 'WAIT, WAITAOF', what: 'A PING goes in front of it, on the connection that waits.' },
  {
    where: 'blocking commands',
    what: 'Over `pins.max` or `pins.perTenant` blocked clients, one more gets `ERR max number of clients reached` at once.',
  },
  {
    where: 'COMMAND',
    what: 'COMMAND, COMMAND INFO and COMMAND DOCS show all subcommands of a container, also those that are not open. GETKEYS of a command that is not open says `Invalid command specified`.',
  },
  {
    where: 'CLIENT',
    what: 'CLIENT LIST, INFO and ID know the tenant’s connections to this process only; buffer sizes, `multi` and `sub` are constants. NO-EVICT and NO-TOUCH are accepted and have no effect upstream. HELP lists what is open.',
  },
  {
    where: 'INFO',
    what: 'The tenant’s own view: memory, CPU, hits and evictions are 0 for a tenant with a prefix, since they would tell what others do; # Keyspace is empty in this version.',
  },
  {
    where: 'CONFIG GET',
    what: 'Knows a fixed list of harmless parameters. CONFIG SET and the rest are not open.',
  },
  { where: 'COPY, SORT', what: 'COPY with DB, and SORT and SORT_RO with BY or GET, are refused in this version.' },
  {
    where: 'limits',
    what: 'A client may leave `buffers.output` bytes of replies unread (Redis: no limit by default), and all clients together may hold `memory` bytes: a value over that needs a larger `memory`. Client names are limited to 1 KiB.',
  },
  {
    where: 'protocol',
    what: 'A line that is not complete after 64 KiB is an error however the bytes were cut; Redis lets up to 16 KiB more pass, depending on how its reads fall.',
  },
]
