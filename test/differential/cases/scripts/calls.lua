What a script is given, and what it calls.
--- str list / a b
return {KEYS[1], KEYS[2], KEYS[3] == nil, ARGV[1], ARGV[2], ARGV[3] == nil, #KEYS, #ARGV}
--- str list / a b
return KEYS
--- str list / a b
return ARGV
---
return {#KEYS, #ARGV, type(KEYS), type(ARGV), tostring(next(KEYS)), tostring(next(ARGV))}
--- / only arguments here
return {table.getn(ARGV), table.concat(ARGV, ','), select('#', unpack(ARGV))}
--- str / a
ARGV[1] = 'changed' KEYS[1] = 'list' return {ARGV[1], redis.call('TYPE', KEYS[1])}
--- str / a
table.insert(ARGV, 'b') table.insert(KEYS, 'list') return {#ARGV, #KEYS, ARGV, KEYS}
--- str / a b c
table.remove(ARGV) return ARGV
--- str / a b c
local t = {} for k, v in pairs(ARGV) do t[#t + 1] = k .. '=' .. v end return t
--- str
return redis.call('GET', KEYS[1])
--- str
return redis.pcall('GET', KEYS[1])
--- str:ttl
return {redis.call('EXPIRETIME', KEYS[1]), redis.call('TYPE', KEYS[1])}
---
return redis.call('GET', 'str')
---
return redis.call('GET', 's' .. 'tr')
---
return redis.call('g' .. 'et', 'str:int')
---
return redis.call(unpack({'MGET', 'str', 'str:int', 'missing'}))
--- / MGET str str:int missing
return redis.call(unpack(ARGV))
--- / str:int
local n = redis.call('INCR', ARGV[1]) redis.call('SET', 'counted:' .. n, n) return redis.call('GET', 'counted:43')
---
local all = {} for _, key in ipairs({'str', 'list', 'hash', 'set:a', 'zset:a', 'stream', 'missing', 'hll:a', 'geo'}) do all[#all + 1] = redis.call('TYPE', key) end return all
---
for i = 1, 50 do redis.call('SET', 'made:' .. i, i * i) end return redis.call('MGET', 'made:1', 'made:25', 'made:50', 'made:51')
---
redis.call('SET', 12, 'twelve') redis.call('SET', 1.5, 'one and a half') return {redis.call('GET', '12'), redis.call('GET', '1.5'), redis.call('GET', 12)}
---
redis.call('SET', 123456789012345678, 'long') redis.call('SET', 1e100, 'huge') redis.call('SET', -0.1, 'small') return redis.call('MGET', 123456789012345678, 1e100, -0.1)
---
redis.call('SET', 'number', 3.0) redis.call('APPEND', 'number', 1e15) redis.call('APPEND', 'number', 0.1) return redis.call('GET', 'number')
---
return redis.call('SET', 'a', true)
---
return redis.call('SET', nil, 'a')
---
return redis.call('GET', {})
---
return redis.call('GET', function() end)
---
return redis.pcall('GET', nil)
---
return redis.call()
---
return redis.pcall()
---
return redis.call(nil)
---
return redis.call({})
---
return redis.call(1)
---
return redis.call('')
---
return redis.call('GET')
---
return redis.call('GET', 'a', 'b')
---
return redis.call('NOSUCH', 'a')
---
return redis.pcall('NOSUCH', 'a')
---
return redis.call('LPUSH', 'str', 'a')
---
return redis.pcall('LPUSH', 'str', 'a')
---
local r = redis.pcall('LPUSH', 'str', 'a') return {type(r), r.err, r.ok == nil}
---
local ok, e = pcall(redis.call, 'LPUSH', 'str', 'a') return {tostring(ok), type(e), type(e) == 'table' and e.err or e}
---
local ok, e = pcall(redis.call, 'NOSUCH') return {tostring(ok), type(e), type(e) == 'table' and e.err or e}
---
local ok, e = pcall(redis.pcall, 'NOSUCH') return {tostring(ok), e.err}
---
local ok, e = pcall(function() return redis.call('INCR', 'list') end) if not ok then return {err = e.err} end
---
local ok, e = pcall(redis.call, 'INCR', 'list') return e
---
return redis.call('EVAL', 'return 1', 0)
---
return redis.call('MULTI')
---
return redis.call('SUBSCRIBE', 'a')
---
return redis.call('AUTH', 'a')
---
return redis.call('BLPOP', 'list', 0)
---
return redis.call('XREAD', 'BLOCK', 10, 'STREAMS', 'stream', '0')
---
return redis.call('PING')
---
return redis.call('PING', 'hello')
---
return redis.call('ECHO', 'hello')
---
return type(redis.call('TIME')[1])
---
return redis.call('LMPOP', 2, 'missing', 'list', 'LEFT', 'COUNT', 2)
---
return redis.call('ZMPOP', 2, 'missing', 'zset:a', 'MIN')
---
return redis.call('XREAD', 'COUNT', 2, 'STREAMS', 'stream', 'stream:b', '0', '0')
---
return redis.call('XREADGROUP', 'GROUP', 'none', 'c', 'STREAMS', 'stream', '>')
---
return redis.call('XGROUP', 'CREATE', 'missing', 'g', '$')
---
return redis.call('XINFO', 'GROUPS', 'stream')
---
return redis.call('OBJECT', 'ENCODING', 'hash')
---
return redis.call('OBJECT', 'NONSENSE', 'hash')
---
return redis.call('OBJECT')
---
return redis.call('BITFIELD', 'bits', 'GET', 'u8', 0, 'OVERFLOW', 'FAIL', 'INCRBY', 'u2', 0, 3)
---
return redis.call('GEOSEARCH', 'geo', 'FROMMEMBER', 'Palermo', 'BYRADIUS', 200, 'km', 'ASC', 'WITHDIST')
---
redis.call('SORT', 'list:ints', 'STORE', 'sorted') return redis.call('LRANGE', 'sorted', 0, -1)
---
return redis.call('SORT', 'list', 'ALPHA', 'DESC', 'LIMIT', 0, 3)
---
return redis.call('SORT', 'set:a', 'BY', 'nosort')
---
redis.call('RENAME', 'str', 'renamed') redis.call('COPY', 'list', 'copied') redis.call('LMOVE', 'list', 'moved', 'LEFT', 'RIGHT') return redis.call('LRANGE', 'copied', 0, -1)
---
return {redis.call('ZUNION', 2, 'zset:a', 'zset:b', 'WITHSCORES'), redis.call('ZINTERCARD', 2, 'zset:a', 'zset:b')}
---
redis.call('ZUNIONSTORE', 'u', 2, 'zset:a', 'zset:b', 'WEIGHTS', 2, 3) redis.call('SDIFFSTORE', 'd', 'set:a', 'set:b') redis.call('BITOP', 'XOR', 'x', 'bits', 'str') redis.call('PFMERGE', 'p', 'hll:a', 'hll:b') return redis.call('ZRANGE', 'u', 0, -1, 'WITHSCORES')
---
return redis.call('RESTORE', 'restored', 0, redis.call('DUMP', 'hash:ints'))
---
return {redis.call('EXISTS', 'str', 'str', 'missing'), redis.call('TOUCH', 'str', 'list'), redis.call('UNLINK', 'str', 'missing'), redis.call('DEL', 'list')}
---
return {redis.call('PUBLISH', 'nobody', 'x'), redis.call('SPUBLISH', 'nobody', 'x')}
---
return {redis.acl_check_cmd('GET', 'str'), redis.acl_check_cmd('SET', 'str', 'x'), redis.acl_check_cmd('LPUSH', 'list')}
---
return redis.acl_check_cmd('NOSUCH')
---
return redis.acl_check_cmd()
--- str
local call = redis.call return call('GET', KEYS[1])
--- str
local r = redis return r['call']('GET', KEYS[1])
--- str
local get = function(k) return redis.call('GET', k) end return get(KEYS[1])
--- str
return redis.call('GET', KEYS[1]) .. '!'
--- str
return #redis.call('GET', KEYS[1])
--- missing
return tostring(redis.call('GET', KEYS[1]))
--- missing
return redis.call('GET', KEYS[1]) == false
--- / 10 str:int
local left = tonumber(redis.call('GET', ARGV[2])) - tonumber(ARGV[1]) if left < 0 then return -1 end redis.call('DECRBY', ARGV[2], ARGV[1]) return left
--- lock / token 1000
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', '100000000') then return redis.call('GET', KEYS[1]) else return 0 end
--- str / hello
if redis.call('get', KEYS[1]) == ARGV[1] .. ' world' then return redis.call('del', KEYS[1]) else return 0 end
--- bucket / 100 20 5
local tokens = tonumber(redis.call('HGET', KEYS[1], 'tokens') or ARGV[1]) local take = tonumber(ARGV[3]) if tokens < take then return {0, tokens} end redis.call('HSET', KEYS[1], 'tokens', tokens - take) return {1, tokens - take}
--- str
return redis.call('SET', KEYS[1], 'x', 'GET')
--- str
return redis.sha1hex('') .. redis.sha1hex('abc')
---
return redis.sha1hex()
---
return redis.log(redis.LOG_DEBUG, 'quiet')
---
return redis.log('x')
---
return redis.log(99, 'x')
---
return redis.log(redis.LOG_WARNING)
---
return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING, redis.REPL_ALL, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_NONE}
---
return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}
---
return tostring(redis.replicate_commands())
---
return redis.set_repl(redis.REPL_ALL)
---
return redis.set_repl(99)
---
return redis.set_repl()
---
return redis.nosuch
---
return redis.nosuch()
