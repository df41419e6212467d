/**
 * One write for each write command that is open for tenants, and what there has to be before it for it to change what
 * reads of its keys tell. `k` and `d` are the keys; `<dump>` is the payload of a string that DUMP gave.
 */
export interface WriteRow {
  readonly given: readonly string[]
  readonly write: string
  /** What reads of k and d tell does not change, for this reason. */
  readonly unseen?: string
  /** Only where the tenant has databases. */
  readonly databases?: true
}

const TEXT = 'SET k 5'
const LIST = 'RPUSH k a b c'
const HASH = 'HSET k f 1 g 2'
const SETS = ['SADD k a b c', 'SADD d c e']
const SORTED = ['ZADD k 1 a 2 b 3 c', 'ZADD d 2 b 9 z']
const PLACES = 'GEOADD k 13.36 38.11 Palermo 15.08 37.5 Catania'
const STREAM = ['XADD k 1-1 f v', 'XADD k 2-1 f w', 'XGROUP CREATE k g 0']
const READ_STREAM = [...STREAM, 'XREADGROUP GROUP g c COUNT 1 STREAMS k >']
const GROUPS = 'the group of a stream is in no reply that is cached'
const LIFE = 'a time to live is in no reply that is cached'

export const WRITE_ROWS: Readonly<Record<string, WriteRow>> = {
  append: { given: [TEXT], write: 'APPEND k x' },
  bitfield: { given: [TEXT], write: 'BITFIELD k SET u8 0 200' },
  bitop: { given: [TEXT], write: 'BITOP NOT d k' },
  blmove: { given: [LIST], write: 'BLMOVE k d LEFT RIGHT 1' },
  blmpop: { given: [LIST], write: 'BLMPOP 1 2 d k LEFT' },
  blpop: { given: [LIST], write: 'BLPOP d k 1' },
  brpop: { given: [LIST], write: 'BRPOP k 1' },
  brpoplpush: { given: [LIST], write: 'BRPOPLPUSH k d 1' },
  bzmpop: { given: SORTED, write: 'BZMPOP 1 2 k d MIN' },
  bzpopmax: { given: SORTED, write: 'BZPOPMAX k d 1' },
  bzpopmin: { given: SORTED, write: 'BZPOPMIN k d 1' },
  copy: { given: [TEXT], write: 'COPY k d' },
  decr: { given: [TEXT], write: 'DECR k' },
  decrby: { given: [TEXT], write: 'DECRBY k 3' },
  del: { given: [TEXT, 'SET d 6'], write: 'DEL k d' },
  expire: { given: [TEXT], write: 'EXPIRE k -1' },
  expireat: { given: [TEXT], write: 'EXPIREAT k 1' },
  flushall: { given: [TEXT, 'SADD d x'], write: 'FLUSHALL' },
  flushdb: { given: [TEXT, 'SADD d x'], write: 'FLUSHDB' },
  geoadd: { given: [PLACES], write: 'GEOADD k 12.5 41.9 Roma' },
  georadius: { given: [PLACES], write: 'GEORADIUS k 15 37 200 km STORE d' },
  georadiusbymember: { given: [PLACES], write: 'GEORADIUSBYMEMBER k Palermo 200 km STOREDIST d' },
  geosearchstore: { given: [PLACES], write: 'GEOSEARCHSTORE d k FROMMEMBER Palermo BYRADIUS 200 km' },
  getdel: { given: [TEXT], write: 'GETDEL k' },
  getex: { given: [TEXT], write: 'GETEX k PXAT 1' },
  getset: { given: [TEXT], write: 'GETSET k 6' },
  hdel: { given: [HASH], write: 'HDEL k f' },
  hincrby: { given: [HASH], write: 'HINCRBY k f 2' },
  hincrbyfloat: { given: [HASH], write: 'HINCRBYFLOAT k f 0.5' },
  hmset: { given: [HASH], write: 'HMSET k f 9 h 8' },
  hset: { given: [HASH], write: 'HSET k f 9 h 8' },
  hsetnx: { given: [HASH], write: 'HSETNX k h 8' },
  incr: { given: [TEXT], write: 'INCR k' },
  incrby: { given: [TEXT], write: 'INCRBY k 3' },
  incrbyfloat: { given: [TEXT], write: 'INCRBYFLOAT k 0.5' },
  linsert: { given: [LIST], write: 'LINSERT k BEFORE b x' },
  lmove: { given: [LIST], write: 'LMOVE k d LEFT RIGHT' },
  lmpop: { given: [LIST], write: 'LMPOP 2 d k LEFT COUNT 2' },
  lpop: { given: [LIST], write: 'LPOP k' },
  lpush: { given: [LIST], write: 'LPUSH k x' },
  lpushx: { given: [LIST], write: 'LPUSHX k x' },
  lrem: { given: [LIST], write: 'LREM k 0 b' },
  lset: { given: [LIST], write: 'LSET k 1 x' },
  ltrim: { given: [LIST], write: 'LTRIM k 1 1' },
  move: { given: [TEXT], write: 'MOVE k 1', databases: true },
  mset: { given: [TEXT], write: 'MSET k 7 d 8' },
  msetnx: { given: [], write: 'MSETNX k 7 d 8' },
  persist: { given: ['SET k 5 PX 3600000'], write: 'PERSIST k', unseen: LIFE },
  pexpire: { given: [TEXT], write: 'PEXPIRE k -1' },
  pexpireat: { given: [TEXT], write: 'PEXPIREAT k 1' },
  pfadd: { given: ['PFADD k a'], write: 'PFADD k b c d' },
  pfmerge: { given: ['PFADD k a', 'PFADD d b'], write: 'PFMERGE d k' },
  psetex: { given: [TEXT], write: 'PSETEX k 3600000 x' },
  rename: { given: [TEXT, 'SADD d x'], write: 'RENAME k d' },
  renamenx: { given: [TEXT], write: 'RENAMENX k d' },
  restore: { given: [TEXT], write: 'RESTORE k 0 <dump> REPLACE' },
  rpop: { given: [LIST], write: 'RPOP k 2' },
  rpoplpush: { given: [LIST], write: 'RPOPLPUSH k d' },
  rpush: { given: [LIST], write: 'RPUSH k x' },
  rpushx: { given: [LIST], write: 'RPUSHX k x' },
  sadd: { given: SETS, write: 'SADD k x' },
  sdiffstore: { given: SETS, write: 'SDIFFSTORE d k d' },
  set: { given: [TEXT], write: 'SET k 6' },
  setbit: { given: [TEXT], write: 'SETBIT k 3 0' },
  setex: { given: [TEXT], write: 'SETEX k 3600 6' },
  setnx: { given: [], write: 'SETNX k 6' },
  setrange: { given: [TEXT], write: 'SETRANGE k 3 xyz' },
  sinterstore: { given: SETS, write: 'SINTERSTORE d k d' },
  smove: { given: SETS, write: 'SMOVE k d a' },
  sort: { given: ['RPUSH k 3 1 2'], write: 'SORT k STORE d' },
  spop: { given: SETS, write: 'SPOP k' },
  srem: { given: SETS, write: 'SREM k a' },
  sunionstore: { given: SETS, write: 'SUNIONSTORE d k d' },
  unlink: { given: [TEXT, 'SADD d x'], write: 'UNLINK k d' },
  xack: { given: READ_STREAM, write: 'XACK k g 1-1', unseen: GROUPS },
  xadd: { given: STREAM, write: 'XADD k 3-1 f x' },
  xautoclaim: { given: READ_STREAM, write: 'XAUTOCLAIM k g other 0 0', unseen: GROUPS },
  xclaim: { given: READ_STREAM, write: 'XCLAIM k g other 0 1-1', unseen: GROUPS },
  xdel: { given: STREAM, write: 'XDEL k 1-1' },
  'xgroup|create': { given: STREAM, write: 'XGROUP CREATE d h 0 MKSTREAM' },
  'xgroup|createconsumer': { given: STREAM, write: 'XGROUP CREATECONSUMER k g other', unseen: GROUPS },
  'xgroup|delconsumer': { given: READ_STREAM, write: 'XGROUP DELCONSUMER k g c', unseen: GROUPS },
  'xgroup|destroy': { given: STREAM, write: 'XGROUP DESTROY k g', unseen: GROUPS },
  'xgroup|setid': { given: STREAM, write: 'XGROUP SETID k g 1-1', unseen: GROUPS },
  xreadgroup: { given: STREAM, write: 'XREADGROUP GROUP g c STREAMS k >', unseen: GROUPS },
  xsetid: { given: STREAM, write: 'XSETID k 9-9', unseen: 'the last id of a stream is in no reply that is cached' },
  xtrim: { given: STREAM, write: 'XTRIM k MAXLEN 1' },
  zadd: { given: SORTED, write: 'ZADD k 9 c 4 d' },
  zdiffstore: { given: SORTED, write: 'ZDIFFSTORE d 2 k d' },
  zincrby: { given: SORTED, write: 'ZINCRBY k 5 a' },
  zinterstore: { given: SORTED, write: 'ZINTERSTORE d 2 k d' },
  zmpop: { given: SORTED, write: 'ZMPOP 2 k d MIN' },
  zpopmax: { given: SORTED, write: 'ZPOPMAX k' },
  zpopmin: { given: SORTED, write: 'ZPOPMIN k' },
  zrangestore: { given: SORTED, write: 'ZRANGESTORE d k 0 1' },
  zrem: { given: SORTED, write: 'ZREM k a' },
  zremrangebylex: { given: ['ZADD k 0 a 0 b 0 c'], write: 'ZREMRANGEBYLEX k [a [b' },
  zremrangebyrank: { given: SORTED, write: 'ZREMRANGEBYRANK k 0 0' },
  zremrangebyscore: { given: SORTED, write: 'ZREMRANGEBYSCORE k 1 2' },
  zunionstore: { given: SORTED, write: 'ZUNIONSTORE d 2 k d' },
}
