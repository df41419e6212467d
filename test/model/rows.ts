import { DATA } from './data-rows.ts'
import { type Row, rows } from './row.ts'

const KEYS = rows(`
  2 DEL {K}
  DEL {K} {any}
  UNLINK {K} {K}
  EXISTS {K} {any} {any}
  2 TYPE {any}
  TOUCH {K} {any}
  3 EXPIREAT {any} {far}
  EXPIREAT {any} {past}
  EXPIREAT {any} {far} GT
  PEXPIREAT {any} {far}000 LT
  EXPIRE {any} {later}
  EXPIRE {any} {later} NX
  PEXPIRE {any} {later}000 XX
  EXPIRE {any} -1
  2 PERSIST {any}
  2 TTL {any} ; near
  PTTL {any} ; nearms
  EXPIRETIME {any} ; near
  PEXPIRETIME {any} ; nearms
  3 RENAME {K} {K}
  RENAMENX {K} {K}
  RENAME {notset} {any}
  3 COPY {K} {K}
  COPY {K} {K} REPLACE
  COPY {notset} {any}
  4 COPY {K} {K} DB {db}
  3 COPY {K} {K} DB {db} REPLACE
  COPY {notset} {any} DB {db}
  6 MOVE {K} {db}
  2 MOVE {any} {db}
  DUMP {any} ; shape
  OBJECT REFCOUNT {object}
`)

const SORTS = rows(`
  SORT {list} ALPHA
  SORT {list}
  SORT {list} BY {weights}
  SORT {list} BY {weights} DESC LIMIT 0 3 GET # GET {weights} GET {objects}->f
  SORT {list} BY {objects}->f GET {objects}->f STORE {list}
  SORT {list} BY {weights} ALPHA GET {weights} STORE {list}
  SORT {list!} BY nosort GET # GET {weights}
  SORT {list} BY {weights} GET {weights} GET # GET nostar STORE {list}
  SORT {set} BY {weights} GET # GET {objects}->f
  SORT {set} ALPHA DESC STORE {list}
  SORT {set} BY nosort GET # ; unordered
  SORT {zset!} BY nosort DESC LIMIT 0 4
  SORT {zset} BY nosort GET {weights} STORE {list}
  SORT {zset} BY {weights} GET # GET {weights} STORE {list}
  SORT_RO {list} BY {weights} GET {objects}->f GET #
  SORT_RO {zset} ALPHA
  RPUSH {list} 1 2 3 2
`)

export const WRONG = rows(`
  SET {string}
  SET {string} {value} EX 0
  INCRBY {string} abc
  LPOP {list} -1
  ZADD {zset} x {element}
  EXPIRE {any} soon
  BITOP AND {bitmap}
  XADD {stream} 0-0 a b
  XREADGROUP GROUP nogroup c STREAMS {stream} >
  NOSUCH {any} {value}
  OBJECT NOSUCH {any}
  COPY {any} {any} DB 5
  COPY {any} {any} DB x
  MOVE {any} 5
  MOVE {any} -1
  MOVE {any} x
  SELECT 5
  SELECT x
  SORT {list} BY {weights} LIMIT 0
  SORT {list} GET
  SORT_RO {list} STORE {list}
  RENAME {any}
`)

/** On a connection of their own, for a hundredth of a second where there is nothing to take. */
export const BLOCKING = rows(`
  BLPOP {list} {list} 0.01
  BRPOP {list} 0.01
  BLMOVE {list} {list} LEFT LEFT 0.01
  BRPOPLPUSH {list} {list} 0.01
  BLMPOP 0.01 2 {list} {list} LEFT
  BZPOPMIN {zset} {zset} 0.01
  BZPOPMAX {zset} 0.01
  BZMPOP 0.01 1 {zset} MAX COUNT 2
  XREAD BLOCK 5 STREAMS {stream} $
  XREAD COUNT 2 BLOCK 5 STREAMS {stream} 0
  XREADGROUP GROUP {group} {consumer} BLOCK 5 STREAMS {stream} >
`)

/** They speak of the whole database: only one connection of the tenant may be at work. */
export const WHOLE = rows(`
  6 DBSIZE
  12 KEYS {pattern} ; unordered
  2 RANDOMKEY ; shape
  FLUSHDB
  FLUSHDB ASYNC
  FLUSHDB NOSUCH
  KEYS
  SCAN 0 COUNT 0
  SCAN x
`)

/** Each group as often as every other, whatever the number of its rows. */
export const GROUPS: readonly (readonly Row[])[] = [...DATA, KEYS, KEYS, SORTS]
