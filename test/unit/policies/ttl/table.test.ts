import { expect, test } from 'vitest'
import { FLAG } from '../../../../src/commands/spec.ts'
import { decided } from '../../../../src/policies/ttl/table.ts'
import { theTable } from '../../../helpers/local-client.ts'
import { specOf, TtlWorld, ttlRule } from './ttl-world.ts'

/**
 * One request of every command that writes. Keys that it may write begin with `w`, in the order in which they are
 * named, keys that it only reads with `r`, keys that are gone with `d`.
 */
const ROWS: readonly string[] = [
  'APPEND w v',
  'BITFIELD w GET u8 0',
  'BITOP AND w r1 r2 r3',
  'BLMOVE w1 w2 LEFT RIGHT 0',
  'BLMPOP 0 2 w1 w2 LEFT COUNT 5',
  'BLPOP w1 w2 w3 0',
  'BRPOP w1 w2 0',
  'BRPOPLPUSH w1 w2 0',
  'BZMPOP 0 2 w1 w2 MIN',
  'BZPOPMAX w1 w2 0',
  'BZPOPMIN w1 0',
  'CL.THROTTLE d 1 1 1',
  'COPY r w REPLACE',
  'DECR w',
  'DECRBY w 5',
  'DEL d1 d2',
  'EXPIRE w 100 XX',
  'EXPIREAT w 99999999999 XX',
  'FLUSHALL',
  'FLUSHDB',
  'GEOADD w 1 2 m',
  'GEORADIUS r 1 2 3 km COUNT 1 ANY WITHDIST STORE r2 storedist w',
  'GEORADIUSBYMEMBER r STORE 3 km COUNT 5 STORE w',
  'GEOSEARCHSTORE w r FROMLONLAT 1 2 BYRADIUS 3 km',
  'GETDEL w',
  'GETEX w EX 100',
  'GETSET w v',
  'HDEL w f',
  'HINCRBY w f 1',
  'HINCRBYFLOAT w f 1',
  'HMSET w f v',
  'HSET w f v',
  'HSETNX w f v',
  'INCR w',
  'INCRBY w 5',
  'INCRBYFLOAT w 5',
  'LINSERT w BEFORE p v',
  'LMOVE w1 w2 LEFT RIGHT',
  'LMPOP 2 w1 w2 LEFT',
  'LPOP w',
  'LPUSH w v',
  'LPUSHX w v',
  'LREM w 0 v',
  'LSET w 0 v',
  'LTRIM w 0 1',
  'MOVE w 0',
  'MSET w1 v w2 v',
  'MSETNX w1 v w2 v',
  'PERSIST w',
  'PEXPIRE w 100 XX',
  'PEXPIREAT w 99999999999999 XX',
  'PFADD w v',
  'PFMERGE w r1 r2',
  'PSETEX w 100 v',
  'RENAME d w',
  'RENAMENX w1 w2',
  'RESTORE w 5 payload',
  'RPOP w',
  'RPOPLPUSH w1 w2',
  'RPUSH w v',
  'RPUSHX w v',
  'SADD w m',
  'SDIFFSTORE w r1 r2',
  'SET w v',
  'SETBIT w 0 1',
  'SETEX w 100 v',
  'SETNX w v',
  'SETRANGE w 0 v',
  'SINTERSTORE w r1 r2',
  'SMOVE w1 w2 m',
  'SORT r BY STORE LIMIT 0 5 GET r_* GET STORE DESC ALPHA STORE w',
  'SPOP w',
  'SREM w m',
  'SUNIONSTORE w r1 r2',
  'UNLINK d1 d2',
  'XACK w g 1-1',
  'XADD w * f v',
  'XAUTOCLAIM w g c 0 0',
  'XCLAIM w g c 0 1-1',
  'XDEL w 1-1',
  'XGROUP CREATE w g 0 MKSTREAM',
  'XGROUP CREATECONSUMER w g c',
  'XGROUP DELCONSUMER w g c',
  'XGROUP DESTROY w g',
  'XGROUP SETID w g 0',
  'XREADGROUP GROUP streams c BLOCK 0 STREAMS w1 w2 > >',
  'XSETID w 1-1',
  'XTRIM w MAXLEN 5',
  'ZADD w 1 m',
  'ZDIFFSTORE w 2 r1 r2',
  'ZINCRBY w 1 m',
  'ZINTERSTORE w 2 r1 r2 WEIGHTS 1 2',
  'ZMPOP 2 w1 w2 MIN',
  'ZPOPMAX w',
  'ZPOPMIN w',
  'ZRANGESTORE w r 0 -1',
  'ZREM w m',
  'ZREMRANGEBYLEX w - +',
  'ZREMRANGEBYRANK w 0 1',
  'ZREMRANGEBYSCORE w 0 1',
  'ZUNIONSTORE w 2 r1 r2 AGGREGATE MAX',
  'DELEX w IFEQ v',
  'DELIFEQ w v',
  'HEXPIRE w 10 FIELDS 1 f',
  'HEXPIREAT w 99999999999 FIELDS 1 f',
  'HGETDEL w FIELDS 1 f',
  'HGETEX w EX 10 FIELDS 1 f',
  'HPERSIST w FIELDS 1 f',
  'HPEXPIRE w 10 FIELDS 1 f',
  'HPEXPIREAT w 99999999999999 FIELDS 1 f',
  'HSETEX w EX 10 FIELDS 1 f v',
  'MSETEX 2 w1 v w2 v NX KEEPTTL',
  'VADD w VALUES 2 1 1 e',
  'VREM w e',
  'VSETATTR w e {}',
  'XACKDEL w g IDS 1 1-1',
  'XCFGSET w IDMP-MAXSIZE 5',
  'XDELEX w IDS 1 1-1',
  // Of modules.
  'BF.ADD w m',
  'BF.INSERT w ITEMS m',
  'BF.MADD w m n',
  'BF.RESERVE w 0.1 10',
  'CF.ADD w m',
  'CF.ADDNX w m',
  'CF.DEL w m',
  'CF.INSERT w ITEMS m',
  'CF.INSERTNX w ITEMS m',
  'CF.RESERVE w 10',
  'CMS.INCRBY w m 1',
  'CMS.INITBYDIM w 10 10',
  'CMS.INITBYPROB w 0.1 0.1',
  'CMS.MERGE w 2 r1 r2 WEIGHTS 1 2',
  'JSON.ARRAPPEND w $ 1',
  'JSON.ARRINSERT w $ 0 1',
  'JSON.ARRPOP w',
  'JSON.ARRTRIM w $ 0 1',
  'JSON.CLEAR w',
  'JSON.DEL w',
  'JSON.FORGET w',
  'JSON.MERGE w $ {}',
  'JSON.MSET w1 $ {} w2 $ {}',
  'JSON.NUMINCRBY w $ 1',
  'JSON.NUMMULTBY w $ 2',
  'JSON.SET w $ {}',
  'JSON.STRAPPEND w $ "v"',
  'JSON.TOGGLE w $',
  'TDIGEST.ADD w 1',
  'TDIGEST.CREATE w',
  'TDIGEST.MERGE w 2 r1 r2 OVERRIDE',
  'TDIGEST.RESET w',
  'TOPK.ADD w m',
  'TOPK.INCRBY w m 1',
  'TOPK.RESERVE w 5',
  'TS.ADD w * 1',
  'TS.ALTER w',
  'TS.CREATE w',
  'TS.CREATERULE w1 w2 AGGREGATION avg 10',
  'TS.DECRBY w 1',
  'TS.DEL w 0 1',
  'TS.DELETERULE w1 w2',
  'TS.INCRBY w 1',
  'TS.MADD w1 * 1 w2 * 2',
]

/** They say the time themselves. */
const SAID = new Set(['PSETEX', 'SET', 'SETEX'])

const world = new TtlWorld()
const rules = [ttlRule({ default: 1000, persist: 'clamp' })]

test.each(ROWS)('%s', (words) => {
  const list = words.split(' ')
  const { behind, sent, verdict } = world.ask(rules, list, { databases: 2 })
  const keys = behind.map((line) => line.split(' '))
  expect(verdict).toBe('go')
  // MOVE 0 names the key of another database, too.
  const written = list.filter((word) => /^w\d?$/.test(word))
  const expected = words.startsWith('MOVE ') ? [...written, ...written] : written
  expect(keys.map(([key]) => key)).toEqual(SAID.has(list[0]) ? [] : expected)
  for (const [, time] of keys) expect(time).toBe('1000')
  if (words === 'SET w v') expect(sent).toEqual([...list, 'PX', '1000'])
  else expect(sent).toBeUndefined()
})

const writes = theTable()
  .all()
  .filter(({ flags, subcommands }) => (flags & FLAG.WRITE) !== 0 && subcommands === undefined)

test('somebody decided about every command that writes, and about no other', () => {
  expect([...decided()].sort()).toEqual(writes.map(({ name }) => name).sort())
})

test('each that is open for tenants is tried above', () => {
  const tried = new Set(ROWS.map((words) => specOf(words.split(' ')).name))
  const open = writes.filter((spec) => spec.open === 'tenant' || spec.open === 'extension').map(({ name }) => name)
  expect(open.filter((name) => !tried.has(name))).toEqual([])
})

test('what only reads costs nothing', () => {
  const reads = theTable()
    .all()
    .filter(({ flags }) => (flags & FLAG.WRITE) === 0)
  for (const { index, name } of reads) expect([name, world.ttl.treatments[index]]).toEqual([name, undefined])
})

test.each([
  // Without a destination they only read.
  'SORT r BY w_* GET w_* LIMIT 0 STORE',
  'SORT r',
  'GEORADIUS r 1 2 3 km STORE',
  'GEORADIUS STORE 1 2 STORE km ASC',
  'GEORADIUSBYMEMBER r STORE STORE STOREDIST',
])('%s stores nothing', (words) => {
  expect(world.ask(rules, words).behind).toEqual([])
})

test('of several destinations the last counts, whatever is wrong elsewhere', () => {
  expect(world.ask(rules, 'SORT r STORE a NOPE STORE b').behind).toEqual(['b 1000'])
  expect(world.ask(rules, 'GEORADIUS r 1 2 3 km STORE a STOREDIST b').behind).toEqual(['b 1000'])
})

test('a count of keys that is none makes keys of all that is left', () => {
  expect(world.ask(rules, 'LMPOP 9 a b LEFT').behind).toEqual(['a 1000', 'b 1000', 'LEFT 1000'])
})

test('the keys of a subcommand are behind it', () => {
  expect(world.ask(rules, 'XGROUP CREATE w g 0').behind).toEqual(['w 1000'])
})
