-- What a script raises. See prologue.lua for the rules of these files.
--
-- Redis before 8.6, and Valkey before 9, read the text of an error that is a table, whether it has one or not, and that ends the server.
-- All versions do so where nothing catches what a metatable may call then. Nothing but `error` raises what is no text, so `error`
-- puts what it is given in a box. What a script can catch with takes it out again. Redis' own handler, which is asked only
-- when nothing has caught the error, writes to the box, and that gives it a text.

--@ errors
-- O: what is in a box. NIL stands for nil.
local O,NIL=setmetatable({},{__mode='k'}),{}
local function opened(e)
  local v=O[e]
  if v==nil then return e end
  if v~=NIL then return v end
end
-- What Redis says of an error that nothing catches.
local function said(v)
  if type(v)~='table' then return 'ERR '..tostring(v) end
  for _=1,99 do
    local e=rawget(v,'err')
    if type(e)=='string' or type(e)=='number' then return tostring(e) end
    local m=e==nil and getmetatable(v)
    v=type(m)=='table' and rawget(m,'__index')
    if type(v)~='table' then break end
  end
  return 'ERR unknown error'
end
-- Raises v. `n`: the level whose place goes in front of a text, 0: none; 1 is the caller of the function that calls this one. Where
-- the script raised is set here, as Redis' handler would find this text's only line.
local function throw(v,n)
  if n>0 and (type(v)=='string' or type(v)=='number') then
    local _,at=pcall(error,'',n+3)
    v=at..v
  end
  local chunk,line
  for level=4,8 do
    local _,at=pcall(error,'',level)
    chunk,line=at:match('^(.*):(%d+): $')
    if line then break end
  end
  local text,at=said(v),{source=V and V[chunk] or '@user_script',line=tonumber(line) or 0}
  local box={ignore_error_stats_update=type(v)=='table' and rawget(v,'ignore_error_stats_update')==true or nil}
  O[box]=v==nil and NIL or v
  error(setmetatable(box,{__index=at,__newindex=function(t) rawset(t,'err',text) end}),0)
end
function G.error(v,l)
  local n=l==nil and 1 or tonumber(l)
  if not n then
    v="bad argument #2 to 'error' (number expected, got "..type(l)..')'
    n=1
  end
  throw(v,n)
end

-- pcall is Redis' own: of a table with a text it gives the text.
local function caught(ok,...)
  if ok then return ok,... end
  local e=opened((...))
  if e~=(...) and type(e)=='table' then
    local text=e.err
    if type(text)=='string' or type(text)=='number' then e=text end
  end
  return ok,e
end
function G.pcall(...) return caught(pcall(...)) end
function G.xpcall(...)
  local f,h=...
  if select('#',...)<2 then throw("bad argument #2 to 'xpcall' (value expected)",1) end
  return xpcall(f,function(e) return h(opened(e)) end)
end

G.coroutine={}
for k,v in pairs(coroutine) do G.coroutine[k]=v end
local resume,create=coroutine.resume,coroutine.create
local function resumed(ok,...)
  if ok then return ok,... end
  return ok,opened((...))
end
function G.coroutine.resume(...)
  if type((...))~='thread' then throw("bad argument #1 to 'resume' (coroutine expected)",1) end
  return resumed(resume(...))
end
local function counted(...) return select('#',...),{...} end
function G.coroutine.wrap(f)
  if type(f)~='function' then throw("bad argument #1 to 'wrap' (Lua function expected)",1) end
  local c=create(f)
  return function(...)
    local n,r=counted(resume(c,...))
    if r[1] then return unpack(r,2,n) end
    throw(opened(r[2]),1)
  end
end
setmetatable(G.coroutine,{__newindex=readonly,__metatable=false})

--@ math
-- The numbers of chance come from one generator for all scripts of the server. What a script sets it to is its own: from then on the
-- script has a generator of its own, which gives the same numbers (redisLrand48 of Redis' rand.c). `hi`, `lo`: its 48 bits, in halves.
local random,hi,lo=math.random
G.math={}
for k,v in pairs(math) do G.math[k]=v end
function G.math.randomseed(...)
  local v=tonumber((...))
  if not v then error("bad argument #1 to 'randomseed' (number expected, got "..(select('#',...)==0 and 'no value' or type((...)))..')',2) end
  v=v-v%1+(v<0 and v%1>0 and 1 or 0)
  v=v>=-2^63 and v<2^63 and v%2^32 or 0
  hi,lo=math.floor(v/256),v%256*65536+13070
end
function G.math.random(...)
  if not hi then return random(...) end
  local m,n=...
  local count=select('#',...)
  m=tonumber(m) n=tonumber(n)
  if count>2 or count>0 and not m or count>1 and not n then return random(...) end
  local low=lo*15525485+11
  hi=(hi*15525485+lo*1502+math.floor(low/16777216))%16777216
  lo=low%16777216
  local r=(hi*128+math.floor(lo/131072))%2147483647/2147483647
  if count==0 then return r end
  if count==1 then m,n=1,m end
  m=m<0 and math.ceil(m) or math.floor(m)
  n=n<0 and math.ceil(n) or math.floor(n)
  if n<m then return random(...) end
  return math.floor(r*(n-m+1))+m
end
setmetatable(G.math,{__newindex=readonly,__metatable=false})
