How values of Lua become replies, and replies become values.
---
return 1
---
return 3.99
---
return -3.99
---
return 9007199254740993
---
return 1e300
---
return 0/0
---
return 'text'
---
return ''
---
return 'nul\0cr\rlf\nend'
---
return true
---
return false
---
return nil
---
return
---
---
return {}
---
return {1, 2, 3}
---
return {1, 'two', {3, {'four'}}, true, false}
---
return {1, nil, 3}
---
return {nil, 1}
---
return {a = 1, b = 2}
---
return {1, 2, x = 3, [5] = 5}
---
return {ok = 'fine'}
---
return {ok = 'two\r\nlines'}
---
return {ok = 1}
---
return {err = 'broken'}
---
return {err = 'ERR broken'}
---
return {err = '-ERR broken'}
---
return {err = 'MYCODE broken'}
---
return {err = 'two\r\nlines'}
---
return {err = ''}
---
return {ok = 'fine', err = 'broken'}
---
return {{ok = 'fine'}, {err = 'broken'}, 1}
---
return {double = 3.25}
---
return {map = {a = 1}}
---
return {set = {a = true}}
---
return {big_number = '1234567890123456789012345678901234567890'}
---
return {verbatim_string = {format = 'txt', string = 'hello'}}
---
redis.setresp(3) return {double = 3.25}
---
redis.setresp(3) return {map = {a = 1}}
---
redis.setresp(3) return {set = {a = true}}
---
redis.setresp(3) return {big_number = '1234567890123456789012345678901234567890'}
---
redis.setresp(3) return {verbatim_string = {format = 'txt', string = 'hello'}}
---
redis.setresp(3) return true
---
redis.setresp(3) return nil
---
redis.setresp(3) return redis.call('HGETALL', 'hash')
---
redis.setresp(3) return redis.call('HGETALL', 'hash').map.f1
---
redis.setresp(3) return redis.call('SMEMBERS', 'set:ints')
---
redis.setresp(3) return redis.call('ZSCORE', 'zset:a', 'a')
---
redis.setresp(3) return redis.call('ZSCORE', 'zset:b', 'x')
---
redis.setresp(3) return redis.call('ZRANGE', 'zset:a', 0, -1, 'WITHSCORES')
---
redis.setresp(3) return redis.call('GET', 'missing')
---
redis.setresp(3) return type(redis.call('GET', 'missing'))
---
redis.setresp(3) return redis.call('XREAD', 'STREAMS', 'stream', 'stream:b', '0', '0')
---
redis.setresp(3) local r = redis.call('XREAD', 'STREAMS', 'stream:b', '0') local t = {} for k in pairs(r.map) do t[#t + 1] = k end return t
---
redis.setresp(3) return redis.call('LMPOP', 1, 'list', 'LEFT')
---
redis.setresp(3) return redis.pcall('INCR', 'list')
---
redis.setresp(3) redis.setresp(2) return redis.call('HGETALL', 'hash:ints')
---
redis.setresp(4)
---
redis.setresp()
---
redis.setresp('3') return redis.call('ZSCORE', 'zset:a', 'a')
---
return redis.call('HGETALL', 'hash:ints')
---
return redis.call('ZSCORE', 'zset:a', 'a')
---
return redis.call('SET', 'x', '1')
---
return type(redis.call('SET', 'x', '1'))
---
local r = redis.call('SET', 'x', '1') local t = {} for k, v in pairs(r) do t[#t + 1] = k .. '=' .. v end return t
---
return type(redis.call('INCR', 'str:int'))
---
return type(redis.call('LRANGE', 'missing', 0, -1))
---
return type(redis.call('GET', 'missing'))
---
return redis.call('XRANGE', 'stream', '-', '+')
---
return redis.call('EXISTS', 'str') == 1
---
return redis.status_reply('FINE')
---
return redis.status_reply('')
---
return redis.status_reply()
---
return redis.status_reply(1)
---
return redis.error_reply('broken')
---
return redis.error_reply('ERR broken')
---
return redis.error_reply('-MYCODE broken')
---
return redis.error_reply('')
---
return redis.error_reply()
---
return redis.error_reply({})
---
return redis.error_reply('a', 'b')
---
return {redis.status_reply('a'), redis.error_reply('b')}
---
return redis.error_reply('broken').err
---
return setmetatable({}, {__index = function(_, i) if i <= 3 then return i end end})
---
return setmetatable({1, 2}, {__len = function() return 1 end})
---
return coroutine.create(function() end)
---
return print
---
return function() end
---
return {function() end, 1}
---
local t = {1} for i = 1, 30 do t = {t} end return t
---
return ('x'):rep(100000)
---
local t = {} for i = 1, 5000 do t[i] = i end return t
---
return redis.call('LRANGE', 'list:long', 0, -1)
---
return redis.call('GET', 'str:binary')
---
return {redis.call('GET', 'str'), redis.call('TYPE', 'str'), redis.call('HGETALL', 'hash'), redis.call('GET', 'missing')}
