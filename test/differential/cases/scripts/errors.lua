Errors: of calls and of Lua, with their lines.
---
return redis.call('INCR', 'list')
---

return redis.call('INCR', 'list')
---


  return (redis.call('INCR', 'list'))
---
local a = 1
local b = 2
redis.call('INCR', 'list')
return a + b
---
local function f()
  redis.call('INCR', 'list')
end

f()
---
local function f(k)
  return redis.call('INCR', k)
end
return f('list')
---
local function f(k)
  return redis.call('INCR',
    k
  )
end
return f(
  'list'
)
---
local function g() return (function() return redis.call('INCR', 'list') end)() end
return g()
---
if redis.call('EXISTS', 'list') == 1 then
  return redis.call('INCR', 'list')
end
---
for i = 1, 3 do
  if i == 2 then redis.call('INCR', 'list') end
end
---
-- a comment
--[[ and
a long one ]]
redis.call('INCR', 'list')
---
local s = [[
lines
in a string]]
redis.call('INCR', 'list')
---
return redis.call('NOSUCH')
---

redis.call('GET')
---
redis.call('GET', nil)
---
redis.call()
---
return redis.call('SET', 'x', {})
---
return pcall(redis.call, 'INCR', 'list')
---
local ok, e = pcall(redis.call, 'INCR', 'list')
return {e.err, tostring(e.line), tostring(e.source), tostring(e.ignore_error_stats_update)}
---
local ok, e = pcall(function()
  redis.call('INCR', 'list')
end)
return {e.err, tostring(e.line), tostring(e.source)}
---
local e = redis.pcall('INCR', 'list') return {e.err, tostring(e.line), tostring(e.source), tostring(e.ignore_error_stats_update)}
---
local e = redis.pcall('INCR', 'list')
return e
---
local e = redis.pcall('INCR', 'list')
error(e)
---
local ok, e = pcall(redis.call, 'INCR', 'list')
error(e)
---
local ok, e = pcall(redis.call, 'INCR', 'list')

error(e.err)
---
error('a text')
---

error('a text')
---
error('a text', 0)
---
error('a text', 2)
---
local function f() error('a text', 2) end

f()
---
error({err = 'a table'})
---
error({err = 'MYCODE a table'})
---
error({err = 'a table', line = '7', source = 'there'})
---
error({err = 5})
---
error()
---
error(nil)
---
error(42)
---
error(true)
---
error('')
---
error('with -ERR in it')
---
error('-ERR in front')
---
assert(false)
---
assert(nil, 'a message')
---
return assert(1, 'no message')
---
local x = nil
return x.field
---
local t = {}
t.a.b = 1
---
return 1 + 'x'
---
return 1 + nil
---
return {} .. 'x'
---
return #nil
---
return {} < {}
---
return 1 < 'x'
---
return nosuch
---
nosuch = 1
---
nosuch()
---
function nosuch() end
---
local a = nosuch.field
---
return string.nosuch()
---
string.format('%d', 'x')
---
return ('x'):rep(-1):byte(1, 2, 3)
---
return tonumber('x', 99)
---
string.rep()
---
setmetatable(1, {})
---
return setmetatable(_G, {})
---
return table.concat({{}})
---
return unpack()
---
return unpack({}, 1, 1e7)
---
return select(0)
---
return select(-5, 1)
---
return cjson.decode('{')
---
return cjson.decode('nonsense')
---
return cjson.encode({[1] = 1, x = 2, [{}] = 3})
---
return cmsgpack.unpack('\255\255')
---
return struct.pack('nonsense')
---
return bit.band()
---
return bit.tohex('x')
---
return math.random(0)
---
local function f(n) return 1 + f(n + 1) end return f(1)
---
local function f(n) return f(n + 1) .. '' end
return pcall(f, 1)
---
local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x
---
local co = coroutine.create(function() error('inside') end) local ok, e = coroutine.resume(co) return {tostring(ok), e}
---
return coroutine.wrap(function() error('inside') end)()
---
return xpcall(function() error('x') end, function(e) return e .. '!' end)
---
local ok, e = xpcall(function() redis.call('INCR', 'list') end, function(e) return e.err .. '!' end) return e
---
return redis:call('GET', 'str')
---
redis.call = nil
---
redis.x = 1
---
rawset(redis, 'x')
---
_G.x = 1
---
string = nil
---
#!lua
return 'with a first line'
---
#!lua flags=no-writes
return redis.call('GET', 'str')
---
#!lua flags=no-writes
return redis.call('SET', 'str', 'x')
---
#!lua flags=allow-stale,no-cluster
return redis.call('INCR', 'list')
