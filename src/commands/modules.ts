/**
 * Commands of modules, which no server has of its own: the rows (rows.ts) that its COMMAND would give, had the module told all.
 * Here they are what was reviewed, by the modules' documentation; a tenant may run one only where the upstream's COMMAND puts
 * its keys in the very same places (offers.ts). Modules often tell less than the truth: RedisJSON says that JSON.MGET has one key, and
 * whoever believed that would let the others through without their prefix. There it stays closed.
 *
 * A module registers its commands with any number of arguments; it is the module that counts them.
 */
interface Family {
  /** As an ACL category. */
  readonly category: string
  /** With one key in front. */
  readonly reads: string
  readonly writes: string
  /** Rows from the flags on, by name, for those with more keys. */
  readonly others?: Readonly<Record<string, readonly [access: 'readonly' | 'write', keySpecs: string]>>
}

/** A destination, and as many sources as the argument behind it says. */
const MERGE: readonly ['write', string] = ['write', '1/0,1,0/RW,access,update;2/#0,1,1/RO,access']

const FAMILIES: readonly Family[] = [
  {
    category: 'json',
    reads: 'json.arrindex json.arrlen json.get json.objkeys json.objlen json.resp json.strlen json.type',
    writes: `json.arrappend json.arrinsert json.arrpop json.arrtrim json.clear json.del json.forget json.merge
      json.numincrby json.nummultby json.set json.strappend json.toggle`,
    others: {
      'json.mget': ['readonly', '1/-2,1,0/RO,access'],
      'json.mset': ['write', '1/-1,3,0/OW,update'],
    },
  },
  {
    category: 'bloom',
    reads: 'bf.card bf.exists bf.info bf.mexists bf.scandump',
    writes: 'bf.add bf.insert bf.madd bf.reserve',
  },
  {
    category: 'cuckoo',
    reads: 'cf.count cf.exists cf.info cf.mexists cf.scandump',
    writes: 'cf.add cf.addnx cf.del cf.insert cf.insertnx cf.reserve',
  },
  {
    category: 'cms',
    reads: 'cms.info cms.query',
    writes: 'cms.incrby cms.initbydim cms.initbyprob',
    others: { 'cms.merge': MERGE },
  },
  {
    category: 'topk',
    reads: 'topk.count topk.info topk.list topk.query',
    writes: 'topk.add topk.incrby topk.reserve',
  },
  {
    category: 'tdigest',
    reads: `tdigest.byrank tdigest.byrevrank tdigest.cdf tdigest.info tdigest.max tdigest.min tdigest.quantile
      tdigest.rank tdigest.revrank tdigest.trimmed_mean`,
    writes: 'tdigest.add tdigest.create tdigest.reset',
    others: { 'tdigest.merge': MERGE },
  },
  {
    category: 'timeseries',
    reads: 'ts.get ts.range ts.revrange',
    writes: 'ts.add ts.alter ts.create ts.decrby ts.del ts.incrby',
    others: {
      'ts.createrule': ['write', '1/1,1,0/RW,access,update'],
      'ts.deleterule': ['write', '1/1,1,0/RW,access,update'],
      'ts.madd': ['write', '1/-1,3,0/RW,access,update'],
    },
  },
]

/** By category, the names of its commands. */
export const MODULE_COMMANDS: ReadonlyMap<string, readonly string[]> = new Map(
  FAMILIES.map((family) => [
    family.category,
    [...words(family.reads), ...words(family.writes), ...Object.keys(family.others ?? {})].sort(),
  ]),
)

/** Names of those that only read, and of those that write, apart by blanks. */
export const MODULE_READS: string = namesOf('readonly')
export const MODULE_WRITES: string = namesOf('write')

export const MODULE_ROWS: readonly string[] = FAMILIES.flatMap(({ category, reads, writes, others = {} }) => [
  ...words(reads).map((name) => row(name, 'readonly', category, '1/0,1,0/RO,access')),
  ...words(writes).map((name) => row(name, 'write', category, '1/0,1,0/RW,access,update')),
  ...Object.entries(others).map(([name, [access, keySpecs]]) => row(name, access, category, keySpecs)),
])

function namesOf(access: 'readonly' | 'write'): string {
  return FAMILIES.flatMap(({ reads, writes, others = {} }) => [
    ...words(access === 'readonly' ? reads : writes),
    ...Object.keys(others).filter((name) => others[name][0] === access),
  ]).join(' ')
}

/** `denyoom` is wider than what some of them say. */
function row(name: string, access: 'readonly' | 'write', category: string, keySpecs: string): string {
  const reads = access === 'readonly'
  const categories = [category, reads ? 'read' : 'write', 'slow'].sort()
  return `${name} -1 ${reads ? 'module,readonly' : 'denyoom,module,write'} ${categories.join()} ${keySpecs}`
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}
