import type { CommandTable } from '../../commands/lookup.ts'
import { MODULE_WRITES } from '../../commands/modules.ts'
import { type CommandSpec, FLAG } from '../../commands/spec.ts'
import { AllBehind, OneBehind } from './behind.ts'
import { ExpireTreatment } from './expire.ts'
import { MsetexTreatment } from './msetex.ts'
import { CopyTreatment, MoveTreatment } from './other-database.ts'
import { GetexTreatment, PersistTreatment } from './persist.ts'
import { RestoreTreatment } from './restore.ts'
import { SetexTreatment, SetTreatment } from './set.ts'
import { GEORADIUS, GEORADIUSBYMEMBER, SORT, StoreTreatment } from './store.ts'
import { AT_MILLISECONDS, AT_SECONDS, MILLISECONDS, SECONDS } from './times.ts'
import type { Treatment } from './treatment.ts'

/**
 * What is done with each command that writes. The rule behind it: after a command that writes, every key of a rule that it names
 * as one it may write has an expiry, even if the command failed; keys that it only reads are left alone. Whoever adds a
 * command decides here.
 *
 * A key that it may write is one that it changes, makes, or takes from, whatever it did this time: an HSETNX that finds the field,
 * a BLPOP whose element came from another list, the stream whose group XREADGROUP moves on. It is the destination of
 * what reads one key and writes another: an overwritten key loses its expiry, and a renamed or copied one brings its
 * own or none, so the rule of the new name counts.
 */
interface Group {
  readonly names: string
  /** undefined: nothing. */
  readonly treatment: ((spec: CommandSpec) => Treatment) | undefined
}

/** The first key of the key specs. */
const first = (spec: CommandSpec): Treatment => {
  const begin = spec.keySpecs[0]?.begin
  if (begin === undefined || begin === 'unknown' || !('index' in begin)) return all()
  return new OneBehind(begin.index)
}
const all = (): Treatment => new AllBehind()

const GROUPS: readonly Group[] = [
  {
    // The only key, or the destination in front of what is only read.
    names: `append bitfield bitop decr decrby delex delifeq geoadd geosearchstore getdel getset hdel hexpire hexpireat hgetdel
      hgetex hincrby hincrbyfloat hmset hpersist hpexpire hpexpireat hset hsetex hsetnx incr incrby incrbyfloat linsert lpop lpush lpushx lrem lset ltrim pfadd pfmerge rpop rpush rpushx sadd
      sdiffstore setbit setnx setrange sinterstore spop srem sunionstore vadd vrem vsetattr xack xackdel xadd xautoclaim xcfgset xclaim xdel xdelex xgroup|create
      xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid xsetid xtrim zadd zdiffstore zincrby
      zinterstore zpopmax zpopmin zrangestore zrem zremrangebylex zremrangebyrank zremrangebyscore zunionstore`,
    treatment: first,
  },
  // Those of modules: all that they name, or the destination in front of those that are merged.
  { names: MODULE_WRITES, treatment: (spec) => (spec.keySpecs.length > 1 ? first(spec) : all()) },
  {
    // All that they name. RENAMENX, which may leave its source, is one of them.
    names: `blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin lmove lmpop mset msetnx renamenx rpoplpush
      smove xreadgroup zmpop`,
    treatment: all,
  },
  // The source is gone, if there was one.
  { names: 'rename', treatment: () => new OneBehind(2) },
  { names: 'copy', treatment: () => new CopyTreatment() },
  { names: 'move', treatment: () => new MoveTreatment() },
  { names: 'sort', treatment: () => new StoreTreatment(SORT) },
  { names: 'georadius', treatment: () => new StoreTreatment(GEORADIUS) },
  { names: 'georadiusbymember', treatment: () => new StoreTreatment(GEORADIUSBYMEMBER) },
  { names: 'set', treatment: () => new SetTreatment() },
  { names: 'setex', treatment: () => new SetexTreatment(SECONDS) },
  { names: 'psetex', treatment: () => new SetexTreatment(MILLISECONDS) },
  { names: 'msetex', treatment: () => new MsetexTreatment() },
  { names: 'getex', treatment: () => new GetexTreatment() },
  { names: 'expire', treatment: () => new ExpireTreatment(SECONDS) },
  { names: 'pexpire', treatment: () => new ExpireTreatment(MILLISECONDS) },
  { names: 'expireat', treatment: () => new ExpireTreatment(AT_SECONDS) },
  { names: 'pexpireat', treatment: () => new ExpireTreatment(AT_MILLISECONDS) },
  { names: 'persist', treatment: () => new PersistTreatment() },
  { names: 'restore', treatment: () => new RestoreTreatment() },
  {
    // They leave no key behind; CL.THROTTLE leaves one that lives until its bucket is full.
    names: 'cl.throttle del flushall flushdb unlink',
    treatment: undefined,
  },
  {
    // No keys, or not open for those who have rules.
    names: `cluster|flushslot function|delete function|flush function|load function|restore migrate pfdebug restore-asking swapdb
      trimslots xidmprecord`,
    treatment: undefined,
  },
]

/** By spec.index; undefined: nothing is done with the command. One that writes and is not above: as if it wrote all it names. */
export function treatments(table: CommandTable): readonly (Treatment | undefined)[] {
  const known = byName()
  return table.all().map((spec) => {
    const group = known.get(spec.name)
    if (group !== undefined) return group.treatment?.(spec)
    return (spec.flags & FLAG.WRITE) === 0 ? undefined : all()
  })
}

/** Every command that somebody decided about, in no order. */
export function decided(): ReadonlySet<string> {
  return new Set(byName().keys())
}

function byName(): ReadonlyMap<string, Group> {
  return new Map(GROUPS.flatMap((group) => group.names.split(/\s+/).map((name) => [name, group] as const)))
}
