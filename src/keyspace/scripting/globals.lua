-- What stands for global names where a script could reach more than is its own. See prologue.lua for the rules of these files.

--@ readonly
local function readonly() error('Attempt to modify a readonly table',2) end

--@ whole
redis=setmetatable({},{
  __index=setmetatable({call=call,pcall=pcall_,log=log,acl_check_cmd=acl},{__index=U}),
  __newindex=readonly,__metatable=false
})

--@ globals
-- `server` is Valkey's second name for `redis`. Where there is none, it is an error to name it; here, to use it.
local G,E={redis=redis},_G
local function absent(n) return function() error("Script attempted to access nonexistent global variable '"..n.."'",2) end end
G.server=rawget(E,'server') and redis or setmetatable({},{__index=absent('server'),__newindex=readonly,__metatable=false})
G.getfenv=absent('getfenv')
G.setfenv=absent('setfenv')
-- Where there is one, what it makes ends the server when it is collected.
G.newproxy=absent('newproxy')

--@ cjson
-- Its settings belong to the whole server. What is not known to be harmless is not there.
G.cjson={}
for k,v in pairs(cjson) do
  if type(v)~='function' or k=='encode' or k=='decode' or k=='new' then G.cjson[k]=v
  else G.cjson[k]=function() error('cjson.'..k..' is not available: all scripts of the server share its setting',2) end end
end
setmetatable(G.cjson,{__newindex=readonly,__metatable=false})

--@ collectgarbage
local collect=collectgarbage
function G.collectgarbage(o,...)
  if o==nil or o=='collect' or o=='count' or o=='step' then return collect(o,...) end
  error("bad argument #1 to 'collectgarbage' (invalid option '"..tostring(o).."')",2)
end

--@ getmetatable
-- Strings have one for all scripts, and not every server keeps it from being written to.
local metatable=getmetatable
function G.getmetatable(...)
  if select('#',...)==0 then return metatable() end
  local v=...
  local t=type(v)
  if t=='table' or t=='userdata' then return metatable(v) end
  return t=='string' and {__index=string} or nil
end

--@ load
-- What a script compiles sees the same names as the script. It is compiled by itself first: it must be whole, and errors are its own.
V={}
local C=loadstring
local names='server,_G,load,loadstring,cjson,collectgarbage,getmetatable,getfenv,setfenv,newproxy,error,pcall,xpcall,coroutine,math'
local function compile(text,name)
  local f,e=C(text,name)
  if not f then return f,e end
  f,e=C('local redis,'..names..'=... return function(...) '..text..'\nend',name)
  if not f then return f,e end
  -- As errors will name it, and as Redis does.
  local _,at=pcall(C('error("")',name))
  V[at:match('^(.*):%d+: $') or '']=name
  return f(redis,G.server,G._G,G.load,G.loadstring,G.cjson,G.collectgarbage,G.getmetatable,G.getfenv,G.setfenv,G.newproxy,
    G.error,G.pcall,G.xpcall,G.coroutine,G.math)
end
function G.loadstring(text,name)
  if type(text)=='number' then text=tostring(text) end
  if type(text)~='string' then error("bad argument #1 to 'loadstring' (string expected, got "..type(text)..')',2) end
  return compile(text,name or text)
end
function G.load(reader,name)
  if type(reader)~='function' then error("bad argument #1 to 'load' (function expected, got "..type(reader)..')',2) end
  local parts={}
  while true do
    local part=reader()
    if part==nil or part=='' then break end
    if type(part)~='string' then return nil,'reader function must return a string' end
    parts[#parts+1]=part
  end
  return compile(table.concat(parts),name or '=(load)')
end

--@ table of globals
G._G=setmetatable({},{
  __index=function(_,k)
    local v=G[k]
    if k=='getfenv' or k=='setfenv' or k=='newproxy' or k=='server' then v=rawget(E,k)~=nil and v or nil elseif v==nil then v=rawget(E,k) end
    if v==nil then error("Script attempted to access nonexistent global variable '"..tostring(k).."'",2) end
    return v
  end,
  __newindex=readonly,__metatable=false
})
