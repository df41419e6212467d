Lua itself, behind something that stands in the same line.
---
return _G.type(1)
---
return _G == _G._G
---
return type(_G.redis.call)
---
return tostring(rawget({a = 1}, 'a')) .. tostring(rawequal('a', 'a'))
---
local a, b, c = (function() return 1, 2, 3 end)() return {a, b, c}
---
local function sum(...) local n = 0 for _, v in ipairs({...}) do n = n + v end return n, select('#', ...) end return {sum(1, 2, 3)}
---
local function f(...) return ... end return {f(1, nil, 3)}
---
return {(function(...) return select('#', ...) end)(nil, nil)}
---
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(18)
---
local n = 0 for i = 1, 200000 do n = n + i % 7 end return n
---
local n = 0 while true do n = n + 1 if n > 1000 then break end end return n
---
local n = 0 repeat local m = n n = n + 1 until m >= 10 return n
---
for i = 10, 1, -3 do redis.call('RPUSH', 'steps', i) end return redis.call('LRANGE', 'steps', 0, -1)
---
local t = {} for i = 1, 1000 do t[i] = tostring(i) end return #table.concat(t)
---
local function deep(n) if n == 0 then return redis.call('GET', 'str') end return (deep(n - 1)) end return deep(150)
---
local function tail(n) if n == 0 then return redis.call('GET', 'str') end return tail(n - 1) end return tail(10000)
---
local V = {} V.__index = V function V.new(x) return setmetatable({x = x}, V) end function V:twice() return self.x * 2 end return V.new(21):twice()
---
local m = {__add = function(a, b) return a.v + b.v end, __tostring = function(a) return 'v' .. a.v end, __call = function(a, b) return a.v * b end, __eq = function() return true end, __lt = function(a, b) return a.v < b.v end, __concat = function() return 'cat' end, __unm = function(a) return -a.v end} local a, b = setmetatable({v = 1}, m), setmetatable({v = 2}, m) return {a + b, tostring(a), a(10), a == b, a < b, a .. b, -a}
---
local t = setmetatable({}, {__index = function(_, k) return redis.call('GET', k) end}) return t.str
---
local t = setmetatable({}, {__newindex = function(_, k, v) redis.call('SET', k, v) end}) t.written = 'x' return redis.call('GET', 'written')
---
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10) return {x, y, coroutine.status(co)}
---
local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(redis.call('LINDEX', 'list', i - 1)) end end) return {gen(), gen(), gen()}
---
return coroutine.wrap(function() return redis.call('INCR', 'str:int') end)()
---
local counter = (function() local n = 0 return function() n = n + 1 return n end end)() counter() return counter()
---
local up = 1 local function f() up = up + 1 return up end f() return f() + up
---
do local redis = {call = function() return 'mine' end} return redis.call('GET', 'str') end
---
local redis = redis return redis.call('GET', 'str')
---
local KEYS = {'list'} return redis.call('LLEN', KEYS[1])
--- str
local function f(KEYS) return KEYS end return f('x') .. redis.call('GET', KEYS[1])
---
local t = {redis = 1, call = 2, KEYS = 3} return t.redis + t.call + t.KEYS
---
local t = {} function t.redis() return 'a' end function t:call() return 'b' end return t.redis() .. t:call()
---
return 'return redis.call(\'GET\', KEYS[1]) -- not code'
---
return [[ redis.call(']] .. [==[ ]] ]==]
---
--[==[ return redis.call('DEL', 'str') ]==] return redis.call('EXISTS', 'str')
---
return redis --[[ here ]] . --[[ and here ]] call ( 'GET' , 'str' )
---
return redis.call('GET', 'str'), 'ignored'
---
return redis.call 'PING'
---
return redis.call [[PING]]
---
return redis.call{'PING'}
---
return (redis.call('GET', 'str')):upper()
---
return redis.call('GET', 'str') == 'hello world' and 'same' or 'other'
---
return redis.call('LRANGE', 'list', 0, -1)[2]
---
return redis.call('GET', 'missing') or 'default'
---
return not redis.call('GET', 'missing')
---
return -redis.call('INCR', 'str:int')
---
return loadstring('return 1 + 1')()
---
return loadstring("return redis.call('GET', 'str')")()
---
return loadstring('return ...', 'chunk')(5)
---
return tostring(loadstring('nonsense nonsense'))
---
return select(2, loadstring('nonsense nonsense', '=name'))
---
return loadstring("error('x')", '=named')()
---
return loadstring("\n\nredis.call('INCR', 'list')", '@file')()
---
local i = 0 return load(function() i = i + 1 return ({'return ', '4', '2'})[i] end)()
---
return load('return 1')
---
return loadstring()
---
return loadstring(string.dump(function() return 1 end))
---
return next({}) == nil and next({5})
---
local t = {} for i, v in ipairs({1, 2, nil, 4}) do t[#t + 1] = v end return t
---
local t = {} for k in pairs({a = 1}) do t[#t + 1] = k end return t
---
return {type(nil), type(1), type('x'), type({}), type(print), type(redis), type(redis.call), type(KEYS), type(cjson), type(coroutine.create(function() end))}
---
return tostring(print)
---
return getmetatable({}) == nil
---
return getmetatable('').__index == string
---
return getmetatable(setmetatable({}, {__metatable = 'locked'}))
---
setmetatable(setmetatable({}, {__metatable = 'locked'}), {})
---
return pcall(error, {code = 5})
---
return {pcall(error)}
---
return {pcall(function() return 1, 2, 3 end)}
---
return {xpcall(function() return 1, 2 end, print)}
---
return ('%s'):format(('x'):rep(10)) .. #('\0\0')
---
return {0x10, 1e2, .5 * 2, 5 / 2 * 2, 2 ^ 10, 10 % 3, -2 ^ 2, 1 .. 2, not nil, 1 == 1.0, 'a' < 'b'}
---
local _, x = 1, 2 return x; 
---
return 1;
---
do return 5 end
---
local x do x = 7 end return x
---
if false then return 1 elseif nil then return 2 else return 3 end
---
return redis.call('SET', 'x', ('y'):rep(70000)) and redis.call('STRLEN', 'x')
---
local a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11,a12,a13,a14,a15,a16,a17,a18,a19,a20 = 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20 return a1 + a20
---
local t = {} for i = 1, 100 do t[i] = function() return i end end return t[50]() + t[100]()
---
local s = 0 for _, v in ipairs(redis.call('LRANGE', 'list:long', 0, -1)) do s = s + tonumber(v) end return s
---
local cursor, n = '0', 0 repeat local r = redis.call('HSCAN', 'hash:wide', cursor, 'COUNT', 50) cursor = r[1] n = n + #r[2] / 2 until cursor == '0' return n
---
local r = redis.call('SSCAN', 'set:ints', 0) return {r[1], #r[2]}
