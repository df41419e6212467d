import { type Sequence, sequence } from './sequence.ts'

/** Blocking commands where the data is there, where it never comes, and where they are wrong. */
export const blocking: readonly Sequence[] = [
  sequence('BLPOP and BRPOP with data', 'BLPOP list 0', 'BRPOP list 0', 'BLPOP missing list list:one 0', 'LRANGE list 0 -1', 'BLPOP list:one 1.5', 'EXISTS list:one'),
  sequence('BLPOP and BRPOP in vain', 'BLPOP missing 0.01', ['BRPOP', 'missing', 'no such key', '0.005'], 'BLPOP missing missing 0.001'),
  sequence('BLPOP wrong', 'BLPOP', 'BLPOP list', 'BLPOP list -1', 'BLPOP list abc', ['BLPOP', 'list', ''], 'BLPOP str 0', 'BLPOP missing str 0', 'BLPOP list:one str 0', 'BLPOP list 1e400', 'BLPOP list 99999999999999999999'),
  sequence('filled by the same client before', 'RPUSH q a b c', 'BLPOP q 0', 'BRPOP q 0', 'LLEN q', 'BLPOP q 0', 'BLPOP q 0.01', 'EXISTS q'),
  sequence('BLMOVE', 'BLMOVE list missing LEFT RIGHT 0', 'LRANGE missing 0 -1', 'BLMOVE list list RIGHT LEFT 0', 'BLMOVE nothing list LEFT LEFT 0.01', 'BLMOVE list str LEFT LEFT 0', 'BLMOVE list missing UP DOWN 0', 'BLMOVE list missing LEFT LEFT', 'BLMOVE list missing LEFT LEFT -1'),
  sequence('BRPOPLPUSH', 'BRPOPLPUSH list missing 0', 'BRPOPLPUSH nothing missing 0.01', 'BRPOPLPUSH list str 0', 'BRPOPLPUSH list missing', 'BRPOPLPUSH list list 0', 'LRANGE list 0 -1'),
  sequence('BLMPOP', 'BLMPOP 0 1 list LEFT', 'BLMPOP 0 2 missing list RIGHT COUNT 2', 'BLMPOP 0.01 2 missing nothing LEFT', 'BLMPOP 0 0 list LEFT', 'BLMPOP 0 2 list LEFT', 'BLMPOP 0 -1 list LEFT', 'BLMPOP 0 1 list UP', 'BLMPOP 0 1 list LEFT COUNT 0', 'BLMPOP 0 1 str LEFT', 'BLMPOP x 1 list LEFT', 'LRANGE list 0 -1'),
  sequence('BZPOPMIN and BZPOPMAX', 'BZPOPMIN zset:a 0', 'BZPOPMAX missing zset:a 0', 'BZPOPMIN missing 0.01', 'BZPOPMIN str 0', 'BZPOPMAX zset:a', 'BZPOPMIN zset:b 0', 'BZPOPMAX zset:b 0', 'ZRANGE zset:a 0 -1 WITHSCORES'),
  sequence('BZMPOP', 'BZMPOP 0 1 zset:a MIN', 'BZMPOP 0 2 missing zset:a MAX COUNT 2', 'BZMPOP 0.01 1 missing MIN', 'BZMPOP 0 1 zset:a FIRST', 'BZMPOP 0 3 zset:a MIN', 'BZMPOP 0 1 list MIN'),
  sequence('not blocking, with keys that come back', 'LMPOP 1 list LEFT', 'LMPOP 2 missing list RIGHT COUNT 10', 'LMPOP 1 missing LEFT', 'LMPOP 1 str LEFT', 'ZMPOP 1 zset:a MIN', 'ZMPOP 2 missing zset:b MAX COUNT 9', 'ZMPOP 1 missing MIN', 'ZMPOP 1 list MIN', 'LMPOP 0 list LEFT', 'ZMPOP abc zset:a MIN'),
  sequence('keys with odd bytes come back', ['RPUSH', 'q\0\r\n', 'a', 'b', 'c', 'd'], ['BLPOP', 'q\0\r\n', '0'], ['LMPOP', '1', 'q\0\r\n', 'LEFT'], ['BLMPOP', '0', '1', 'q\0\r\n', 'LEFT'], ['RPUSH', 'empty', ''], ['BLPOP', 'empty', '0'], ['ZADD', 'z:\xff', '1', 'm'], ['BZPOPMIN', 'z:\xff', '0'], ['RPUSH', '\0', 'x'], ['BRPOP', '\0', '0']),
  sequence('many in a row', ...Array.from({ length: 30 }, (_, i) => [`RPUSH q ${i}`, 'BLPOP q 0', `INCR n`]).flat()),
  sequence('WAIT', 'WAIT 0 0', 'SET a 1', 'WAIT 0 10', 'WAIT 1 5', 'WAIT', 'WAIT x 1', 'WAIT 1 x', 'WAIT 1 -1', 'WAIT -1 5', 'GET a'),
]
