-- What stands in front of a tenant's script, in its first line. Parts begin with `--@ name`; prologue.ts puts those together that
-- a script needs, takes comments and line ends out, and fills in what stands between `«` and `»`.
--
-- Rules for whoever edits this: no `--` and no line end inside a string; every line ends where a blank may stand; nothing is left in
-- scope behind the last `end` but the names that the first line declares, since a script may have 200 locals, and a function of it
-- 60 upvalues. So it takes one local for `redis`, and one for each further name of the first line that the script itself holds:
-- _G load loadstring cjson collectgarbage getmetatable server getfenv setfenv newproxy error pcall xpcall coroutine math. `redis` is an upvalue, where it was a global, in each function
-- that uses it.
--
-- It ends in `;`: a `(` behind it calls nothing, and a `;` is the error that it is.
--
-- Globals of Lua are used as they are: scripts cannot change them.

--@ open
-- P: in front of raw keys. T: the commands that the script's text holds (CommandCode of command-codes.ts). R: calls Redis, and gives
-- errors as values. U: the real `redis`. H: what is in calls.lua, made when first needed. V: names of chunks that the script compiled.
local «names»=redis«values» do
«kept»
local U,R,T,P,H,V=redis,redis.pcall,{«commands»}

-- X: the argument that scope.ts makes.
local X=ARGV[#ARGV]
P=X:match('^%S*')
ARGV[#ARGV]=nil

--@ none
-- For a script that calls nothing.
do
local P=ARGV[#ARGV]:match('^%S*')
ARGV[#ARGV]=nil
«keys»
end;

--@ keys
-- In place: the table is this run's own, and code that is compiled later sees it, too.
for i=1,#KEYS do KEYS[i]=KEYS[i]:sub(#P+1) end

--@ two
elseif s==3 and type(k)=='string' and type((...))=='string' then r=R(n,P..k,P..(...),select(2,...))

--@ all
elseif s==2 and type(k)=='string' and select('#',...)==0 then r=R(n,P..k)
elseif s==2 and type(k)=='string' and select('#',...)==1 and type((...))=='string' then r=R(n,P..k,P..(...))

--@ without
elseif s==0 and k~=nil then r=R(n,k,...)
elseif s==0 and select('#',...)==0 then r=R(n)

--@ call
local function call(n,k,...)
  local s,r=T[n]
  if s==1 and type(k)=='string' then r=R(n,P..k,...)
  «ways»
  else r=S(n,k,...) end
  if type(r)=='table' and r.err then S(T,r) end
  return r
end

--@ pcall
local function pcall_(n,k,...)
  local s,r=T[n]
  if s==1 and type(k)=='string' then return R(n,P..k,...) end
  return S(n,k,...)
end

--@ log
local function log(...)
  local a,m={...},select('#',...)
  for i=1,m do
    if type(a[i])=='string' then a[i]=a[i]:gsub('%c',function(c) return ('\\x%02x'):format(c:byte()) end) end
  end
  local ok,e=pcall(U.log,unpack(a,1,m))
  if not ok then S(T,{err=e}) end
end

--@ acl
local function acl(...)
  local ok,e=S(T,false,...)
  if not ok then S(T,{err=e}) end
  return e
end

--@ members
redis={«members»}

--@ close
«shadows»
end;
