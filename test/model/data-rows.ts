import { type Row, rows } from './row.ts'

const STRINGS = rows(`
  4 SET {string} {value}
  SET {string} {value} NX
  SET {string} {value} XX
  SET {string} {value} GET
  SET {string} {value} KEEPTTL
  SET {string} {value} EXAT {far}
  SET {string} {value} PXAT {far}000
  SET {string} {value} EX {later}
  SETEX {string} {later} {value}
  PSETEX {string} {later}000 {value}
  SETNX {string} {value}
  3 GET {string}
  GETSET {string} {value}
  GETDEL {string}
  GETEX {string} EXAT {far}
  GETEX {string} PX {later}000
  GETEX {string} PERSIST
  GETEX {string} EXAT {past}
  2 MGET {string} {string} {any}
  MSET {string} {value} {string} {value}
  MSETNX {string} {value} {bitmap} {value}
  2 INCR {string}
  DECR {string}
  INCRBY {string} {int}
  DECRBY {string} {int}
  INCRBYFLOAT {string} {score}
  2 APPEND {string} {value}
  STRLEN {string}
  GETRANGE {string} {index} {index}
  SUBSTR {string} {index} {index}
  SETRANGE {string} {count} {value}
  LCS {string} {string}
  LCS {string} {string} IDX WITHMATCHLEN
  3 SET {weight} {int}
  2 SET {weight} {value}
`)

const BITS = rows(`
  4 SETBIT {bitmap} {bit} {one}
  GETBIT {bitmap} {bit}
  BITCOUNT {bitmap}
  BITCOUNT {bitmap} 0 {count} BIT
  BITPOS {bitmap} {one}
  BITOP AND {bitmap} {bitmap} {string}
  BITOP OR {bitmap} {bitmap} {bitmap}
  BITOP NOT {bitmap} {bitmap}
  BITFIELD {bitmap} SET u8 {bit} 200 INCRBY i5 {bit} 3 GET u4 0
  BITFIELD {bitmap} OVERFLOW FAIL INCRBY u2 {bit} 3
  BITFIELD_RO {bitmap} GET u8 {bit}
  GET {bitmap}
  SETBIT {bitmap} 100 1
`)

const HLLS = rows(`
  4 PFADD {hll} {elements}
  PFADD {hll}
  2 PFCOUNT {hll}
  PFCOUNT {hll} {hll}
  PFMERGE {hll} {hll}
  GET {hll}
`)

const LISTS = rows(`
  5 RPUSH {list} {elements}
  3 LPUSH {list} {elements}
  LPUSHX {list} {element}
  RPUSHX {list} {element}
  LPOP {list}
  RPOP {list} {count}
  LLEN {list}
  3 LRANGE {list} 0 -1
  LINDEX {list} {index}
  LSET {list} {index} {element}
  LINSERT {list} BEFORE {element} {element}
  LREM {list} {index} {element}
  LTRIM {list} 0 {count}
  LPOS {list} {element} COUNT 0
  LMOVE {list} {list} LEFT RIGHT
  RPOPLPUSH {list} {list}
  LMPOP 2 {list} {list} RIGHT COUNT 2
`)

const SETS = rows(`
  5 SADD {set} {elements}
  SREM {set} {elements}
  SCARD {set}
  SISMEMBER {set} {element}
  SMISMEMBER {set} {element} {element}
  3 SMEMBERS {set} ; unordered
  SMOVE {set} {set} {element}
  SINTER {set} {set} ; unordered
  SUNION {set} {set} ; unordered
  SDIFF {set} {set} ; unordered
  SINTERCARD 2 {set} {set} LIMIT 3
  SINTERSTORE {set} {set} {set}
  SUNIONSTORE {set} {set} {set}
  SDIFFSTORE {set} {set} {set}
  SSCAN {set} 0 COUNT 10000 ; scanned
  SSCAN {set} 0 MATCH *1* COUNT 10000 ; scanned
  SRANDMEMBER {set} ; shape
  SRANDMEMBER {set} 1000 ; unordered
  SPOP {set} 1000 ; unordered
`)

const ZSETS = rows(`
  5 ZADD {zset} {score} {element} {score} {element}
  ZADD {zset} NX CH {score} {element}
  ZADD {zset} GT {score} {element}
  ZADD {zset} XX INCR {score} {element}
  ZINCRBY {zset} {score} {element}
  ZREM {zset} {elements}
  ZCARD {zset}
  ZSCORE {zset} {element}
  ZMSCORE {zset} {element} {element}
  ZRANK {zset} {element}
  ZREVRANK {zset} {element}
  ZCOUNT {zset} {min} {max}
  ZLEXCOUNT {zset} - +
  2 ZRANGE {zset} 0 -1 WITHSCORES
  ZRANGE {zset} {min} {max} BYSCORE LIMIT 0 5
  ZRANGE {zset} - + BYLEX LIMIT 1 3
  ZREVRANGE {zset} 0 {count}
  ZRANGEBYSCORE {zset} {min} {max} WITHSCORES
  ZRANGESTORE {zset} {zset} 0 {count}
  ZPOPMIN {zset}
  ZPOPMAX {zset} 2
  ZMPOP 2 {zset} {zset} MIN
  ZREMRANGEBYRANK {zset} 0 0
  ZREMRANGEBYSCORE {zset} {min} {max}
  ZREMRANGEBYLEX {zset} + -
  ZUNION 2 {zset} {zset} WITHSCORES
  ZINTER 2 {zset} {set}
  ZDIFF 2 {zset} {zset} WITHSCORES
  ZUNIONSTORE {zset} 2 {zset} {set} WEIGHTS 2 1 AGGREGATE MAX
  ZINTERSTORE {zset} 2 {zset} {zset}
  ZDIFFSTORE {zset} 2 {zset} {zset}
  ZINTERCARD 2 {zset} {zset}
  ZSCAN {zset} 0 COUNT 10000 ; scanpairs
  ZRANDMEMBER {zset} ; shape
  ZRANDMEMBER {zset} 1000 ; unordered
`)

const HASHES = rows(`
  5 HSET {hash} {element} {value} {element} {value}
  HMSET {hash} {element} {value}
  HSETNX {hash} {element} {value}
  2 HGET {hash} {element}
  HMGET {hash} {element} {element}
  3 HGETALL {hash} ; pairs
  HKEYS {hash} ; unordered
  HVALS {hash} ; unordered
  HLEN {hash}
  HSTRLEN {hash} {element}
  HEXISTS {hash} {element}
  HDEL {hash} {elements}
  HINCRBY {hash} {element} {int}
  HINCRBYFLOAT {hash} {element} {score}
  HSCAN {hash} 0 COUNT 10000 ; scanpairs
  HSCAN {hash} 0 MATCH [1-3] COUNT 10000 ; scanpairs
  HRANDFIELD {hash} ; shape
  HRANDFIELD {hash} 1000 WITHVALUES ; pairs
  3 HSET {object} f {int}
  HSET {object} f {value}
`)

const GEOS = rows(`
  5 GEOADD {geo} {lon} {lat} {element}
  GEOADD {geo} {lon} {lat} {element} {lon} {lat} {element}
  GEOPOS {geo} {element} {element}
  GEODIST {geo} {element} {element} km
  GEOHASH {geo} {element}
  2 GEOSEARCH {geo} FROMLONLAT {lon} {lat} BYRADIUS 2000 km ASC WITHDIST
  GEOSEARCH {geo} FROMMEMBER {element} BYBOX 4000 4000 km DESC COUNT 3
  GEOSEARCHSTORE {geo} {geo} FROMLONLAT {lon} {lat} BYRADIUS 3000 km
  GEORADIUS {geo} {lon} {lat} 2000 km STORE {geo}
  GEORADIUSBYMEMBER {geo} {element} 2000 km WITHCOORD STOREDIST {geo}
  GEORADIUS_RO {geo} {lon} {lat} 2000 km
  ZRANGE {geo} 0 -1 WITHSCORES
`)

const STREAMS = rows(`
  7 XADD {stream} {id} {element} {value}
  XADD {stream} MAXLEN 5 {id} {element} {value}
  XADD {stream} NOMKSTREAM {id} {element} {value}
  XADD {stream} {oldid} {element} {value}
  XLEN {stream}
  2 XRANGE {stream} - +
  XREVRANGE {stream} + {oldid} COUNT 2
  XDEL {stream} {oldid}
  XTRIM {stream} MAXLEN 8
  XTRIM {stream} MINID {oldid}
  XSETID {stream} {id}
  2 XREAD COUNT 3 STREAMS {stream} {stream} 0 {oldid}
  4 XGROUP CREATE {stream} {group} 0 MKSTREAM
  XGROUP CREATE {stream} {group} $
  XGROUP CREATECONSUMER {stream} {group} {consumer}
  XGROUP DELCONSUMER {stream} {group} {consumer}
  XGROUP DESTROY {stream} {group}
  XGROUP SETID {stream} {group} {oldid}
  5 XREADGROUP GROUP {group} {consumer} COUNT 2 STREAMS {stream} >
  XREADGROUP GROUP {group} {consumer} STREAMS {stream} 0
  XREADGROUP GROUP {group} {consumer} NOACK STREAMS {stream} {stream} > >
  3 XACK {stream} {group} {oldid} {oldid}
  XCLAIM {stream} {group} {consumer} 0 {oldid} {oldid}
  XCLAIM {stream} {group} {consumer} 0 {oldid} JUSTID
  XAUTOCLAIM {stream} {group} {consumer} 0 0 COUNT 5
  2 XPENDING {stream} {group}
  XPENDING {stream} {group} - + 10 ; idle
  XINFO STREAM {stream}
  XINFO GROUPS {stream}
  XINFO CONSUMERS {stream} {group} ; shape
`)

/** By type of data. */
export const DATA: readonly (readonly Row[])[] = [STRINGS, BITS, HLLS, LISTS, SETS, ZSETS, HASHES, GEOS, STREAMS]
