-- The calls that are not one key in front: all else a script may ask of Redis. See prologue.lua for the rules of these files.

--@ slow
local type=type
local function S(...)
if not H then H=(function()

-- What is known of a command.
local function find(n)
  local s=T[n]
  «computed»
  return s
end

-- The text that Redis makes of a number: versions differ, so it is asked for all but small integers.
local function text(v)
  if v%1==0 and v>-1e15 and v<1e15 and v~=0 then return ('%.17g'):format(v) end
  return R('ECHO',v)
end
-- A raw key. What cannot be a key stays as it is, and Redis says so.
local function key(v)
  local t=type(v)
  if t=='string' then return P..v end
  if t=='number' then return P..text(v) end
  return v
end
«words»
«live»
local function mark(a,i) a[i]=key(a[i]) «marked» end
«rest»
«databases»

-- What is sent in place of a command that a tenant does not have, and of one that scripts may not call, for Redis' own words.
local NOBODY,NEVER='keyward-none','UNWATCH'

local K={«kinds»}

local FAST={[0]={'r',1,0,1},{'r',1,1,1},{'r',1,-1,1},{'r',1,2,1}}

-- Name, arguments and their number as they go to Redis, and what is known of the command; or nil and the reply. With `ask` only
-- Redis' leave is asked for.
local function prepare(n,a,m,ask)
  local s=type(n)=='string' and find(n)
  if type(n)=='number' or s==nil then return NOBODY,a,m end
  if not s then return n,a,m end
  if s=='o' then
    if m==0 then return n,a,0 end
    s=type(a[1])=='string' and find(n:lower()..'|'..a[1]:lower())
    if not s then return NOBODY,a,m end
  end
  if s=='!' then return NEVER,a,0 end
  s=FAST[s] or s
  «asking»
  local d,r,name,args,count,p=K[s[1]](s,a,m)
  if r~=nil then return nil,r end
  if name then return name,args,count,s,d,p end
  return n,a,m,s,d,P
end

«replies»

-- Raises an error where the script called, not where this text stands, which is all that Redis' own handler could find. The fields
-- that it sets are there already, and stay. A frame that a tail call has left is unknown; then it is the next one.
local function raise(r)
  local chunk,line
  for level=6,10 do
    local _,at=pcall(error,'',level)
    chunk,line=at:match('^(.*):(%d+): $')
    if line then break end
  end
  local at={source=V and V[chunk] or '@user_script',line=tonumber(line) or 0}
  error(setmetatable(r,{__index=at,__newindex=function() end}),0)
end

return function(n,k,...)
  if n==T then
    if k then raise(k) end
    «ask»
  end
  local m=select('#',...)+1
  if n==nil then
    if k==nil and m==1 then return R() end
    return R(n,k,...)
  end
  if k==nil and m==1 then
    -- Nothing, or one nil. Of what has keys, nil is likelier, and Redis says that it is no key.
    local s=type(n)=='string' and find(n)
    if s==nil or s==0 or s=='o' or s=='!' or type(s)=='table' and s[1]=='d' then m=0 end
  end
  local a,s,d,p={k,...}
  «fresh»
  n,a,m,s,d,p=prepare(n,a,m)
  if n==nil then return a end
  local r
  «before»
  if m<7000 then r=R(n,unpack(a,1,m)) else r=R(n,unpack(a)) end
  «strip»
  «after»
  return r
end
end)() end
return H(...)
end

--@ words
local function int(v)
  if type(v)=='number' then v=text(v) end
  if type(v)=='string' and #v<16 and (v=='0' or v:find('^%-?[1-9]%d*$')) then return tonumber(v) end
end
-- An option in upper case. Redis compares C strings, so it ends at a NUL.
local function word(v) return type(v)=='string' and #v<64 and v:match('^[^%z]*'):upper() or v end

--@ rest
local function rest(a,i,m) for j=i,m do mark(a,j) end end

--@ replies
-- A key of a reply as the tenant knows it.
local function strip(k)
  if type(k)~='string' then return k end
  if k:sub(1,#P)~=P then error('a key in a reply is outside the prefix of its tenant',0) end
  return k:sub(#P+1)
end
local function stripped(how,r)
  if type(r)~='table' then return r end
  if how=='f' then if r[1] then r[1]=strip(r[1]) end
  elseif r.map then
    local t={}
    for k,v in pairs(r.map) do t[strip(k)]=v end
    r.map=t
  else for i=1,#r do if type(r[i])=='table' then r[i][1]=strip(r[i][1]) end end end
  return r
end
-- NOGROUP errors name the raw key.
local function plain(e)
  local lead="NOGROUP No such key '"..P
  if e:sub(1,#lead)==lead then return e:sub(1,#lead-#P)..e:sub(#lead+1) end
  lead="' for key name '"..P
  local at,from=nil,e:find("NOGROUP No such consumer group '",1,true)
  while from do
    from=e:find(lead,from+1,true)
    at=from or at
  end
  return at and e:sub(1,at+#lead-#P-1)..e:sub(at+#lead) or e
end

--@ strip
if s then
  if type(r)=='table' and r.err then if s[6] then r.err=plain(r.err) end
  elseif s[5] then r=stripped(s[5],r) end
end

--@ asking
if ask and (s[1]=='c' or s[1]=='m') then
  rest(a,1,s[1]=='c' and m>1 and 2 or 1)
  return n,a,m
end
if ask and s[1]=='d' then return n,{'0'},1 end

--@ ask
if (...)==nil then return pcall(U.acl_check_cmd,...) end
local name,a,m=prepare((...),{select(2,...)},select('#',...)-1,true)
if name==NEVER then return true,false end
return pcall(U.acl_check_cmd,name,unpack(a,1,m))

--@ computed
-- For names that are made at run time: looked for in a text of all commands, which costs less than a table of them.
if s==nil and n:find('^[%w_.|-]+$') then
  local all=';«all»'
  local _,at=all:find(';'..n:lower()..' ',1,true)
  if at then
    local t={}
    for field in all:match('^[^;]+',at+1):gmatch('%S+') do
      if field=='-' then t[#t+1]=false else t[#t+1]=tonumber(field) or field=='true' or field end
    end
    s=t[2]==nil and t[1] or t
    T[n]=s
  end
end

--@ databases
local function base() return X:match('^%S* (%S*)') end
-- The number of a database as Redis reads it, or its error; the prefix of that database.
local function database(v)
  if type(v)=='number' then v=text(v) end
  if type(v)~='string' then return nil end
  if not (v=='0' or v:find('^%-?[1-9]%d*$')) or #v>19 then return nil,'ERR value is not an integer or out of range' end
  local b,n=X:match('^%S* (%S*) (%S*)')
  local d=tonumber(v)
  if d<-2147483648 or d>2147483647 then
    return nil,'ERR value is out of range, value must between -2147483648 and 2147483647'
  end
  if d<0 or d>=(tonumber(n) or 1) then return nil,'ERR DB index is out of range' end
  if n=='-' then return b end
  return b..v..':'
end

--@ kind r
-- By the kind of a command: prefixes the keys among its arguments a[1..m]. They follow src/commands/keys.ts and the quirks: an
-- argument that Redis could take for a key gets the prefix, whatever nonsense the others are. The second result, if any, is the
-- reply, and nothing is sent; the first the argument where a STORE names its destination.
r=function(s,a,m)
  local last=s[3]
  if last<0 then last=m+1+last end
  for i=s[2],last<m and last or m,s[4] do mark(a,i) end
end

--@ kind h
h=function(s,a,m)
  if X:match('^%S* %S* %S* (%S*)')=='c' then return nil,R(NOBODY) end
  mark(a,1)
end

--@ kind n
n=function(s,a,m)
  if s[2]>0 then mark(a,s[2]) end
  local c,first=int(a[s[3]]),s[4]
  if c and c>=0 and c<=m-first+1 then rest(a,first,first+c-1) else rest(a,first,m) end
end

--@ kind v
v=function(s,a,m)
  local c,first=int(a[s[3]]),s[4]
  if c and c>=0 and c*2<=m-first+1 then for i=first,first+c*2-1,2 do mark(a,i) end else rest(a,first,m) end
end

--@ kind g
g=function(s,a,m)
  mark(a,1)
  local i,d=s[2]
  while i<=m do
    local w=word(a[i])
    if i<m and (w=='STORE' or w=='STOREDIST') then i=i+1 mark(a,i) d=i
    elseif i<m and w=='COUNT' then i=i+1
    elseif not ({WITHDIST=1,WITHHASH=1,WITHCOORD=1,ANY=1,ASC=1,DESC=1})[w] then rest(a,i+1,m) break end
    i=i+1
  end
  return d
end

--@ kind s
s=function(s,a,m)
  local function denied(o) return {err='ERR '..o..' option of SORT denied due to insufficient ACL permissions'} end
  mark(a,1)
  local i,d=2
  while i<=m do
    local w,more=word(a[i]),m-i
    if w=='LIMIT' and more>=2 then i=i+2
    elseif w=='STORE' and more>0 and s[2]==1 then i=i+1 mark(a,i) d=i
    elseif w=='BY' and more>0 then
      i=i+1
      if type(a[i])=='string' and a[i]:find('*',1,true) then return nil,denied(w) end
    elseif w=='GET' and more>0 then return nil,denied(w)
    elseif w~='ASC' and w~='DESC' and w~='ALPHA' then rest(a,i+1,m) break end
    i=i+1
  end
  return d
end

--@ kind x
x=function(s,a,m)
  local g,i=s[2]==1,1
  while i<=m do
    local w,more=word(a[i]),m-i
    if more>0 and (w=='BLOCK' or w=='COUNT') then i=i+2
    elseif more>0 and w=='STREAMS' then
      rest(a,i+1,more%2==0 and i+more/2 or m)
      return
    elseif g and more>1 and w=='GROUP' then i=i+3
    elseif g and more>0 and w=='CLAIM' then i=i+2
    elseif g and w=='NOACK' then i=i+1
    else rest(a,i+1,m) return end
  end
end

--@ kind p
p=function(s,a,m)
  if type(a[1])=='string' then a[1]=base()..a[1] elseif type(a[1])=='number' then a[1]=base()..text(a[1]) end
end

--@ kind c
c=function(s,a,m)
  mark(a,1)
  local p,replace=P
  if m<2 then return end
  for i=1,m do local t=type(a[i]) if t~='string' and t~='number' then return end end
  local i=3
  while i<=m do
    local w=word(a[i])
    if w=='REPLACE' then replace=w
    elseif w=='DB' and i<m then
      local e
      i=i+1
      p,e=database(a[i])
      if e then return nil,{err=e} end
    else return nil,{err='ERR syntax error'} end
    i=i+1
  end
  if type(a[2])=='number' then a[2]=text(a[2]) end
  return nil,nil,'COPY',{a[1],p..a[2],replace},replace and 3 or 2,p
end

--@ kind m
m=function(s,a,m)
  mark(a,1)
  if m~=2 or not a[1] or type(a[1])~='string' then return end
  local p,e=database(a[2])
  if e then return nil,{err=e} end
  if not p then return end
  if p==P then return nil,{err='ERR source and destination objects are the same'} end
  local r=R('RENAMENX',a[1],p..a[1]:sub(#P+1))
  «moved»
  if type(r)=='table' and r.err and r.err:find('no such key',1,true) then r=0 end
  return nil,r
end

--@ kind d
d=function(s,a,m)
  if m~=1 then return nil,R('SELECT') end
  local p,e=database(a[1])
  if e then return nil,{err=e} end
  if not p then return end
  P=p
  return nil,{ok='OK'}
end
