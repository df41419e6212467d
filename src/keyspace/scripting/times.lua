-- The tenant's rules on times to live, for what scripts write (docs/ttl.md). See prologue.lua for the rules of these files.

--@ live
-- The tenant's rules on times to live: default, max, min, jitter, persist, whether it is a dry run, form and text of the pattern.
local W,M,N
local function glob(p,t)
  if t=='' then return not p:find('[^*]') end
  local byte=p.byte
  local function sign(c) return c>127 and c-256 or c end
  local function one(i,c)
    local x=byte(p,i)
    if x==nil then return end
    if x==63 then return i+1 end
    if x==91 then
      i=i+1
      local no,found=byte(p,i)==94,false
      if no then i=i+1 end
      while i<=#p and byte(p,i)~=93 do
        if byte(p,i)==92 and i<#p then
          i=i+1
          if byte(p,i)==c then found=true end
        elseif byte(p,i+1)==45 and i+2<=#p then
          local a,b,v=sign(byte(p,i)),sign(byte(p,i+2)),sign(c)
          if a>b then a,b=b,a end
          if a<=v and v<=b then found=true end
          i=i+2
        elseif byte(p,i)==c then found=true end
        i=i+1
      end
      if found==no then return end
      return i<=#p and i+1 or i
    end
    if x==92 and i<#p then i=i+1 x=byte(p,i) end
    if x==c then return i+1 end
  end
  local i,j,resume,retry=1,1
  while j<=#t do
    local n
    if byte(p,i)==42 then
      while byte(p,i)==42 do i=i+1 end
      if i>#p then return true end
      resume,retry=i,j
    else
      n=one(i,byte(t,j))
      if n then i,j=n,j+1
      elseif not resume then return false
      else
        retry=retry+1
        i,j=resume,retry
      end
    end
  end
  while byte(p,i)==42 do i=i+1 end
  return i>#p
end
local function rule(name)
  if not W then
    W,N={},0
    local at=X:find('\n',1,true)+1
    while at<=#X do
      local _,e,d,x,i,j,p,y,form,size=X:find('^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%d+):',at)
      W[#W+1]={tonumber(d),tonumber(x),tonumber(i),tonumber(j),p,y=='1',form,X:sub(e+1,e+size)}
      at=e+size+1
    end
  end
  for i=1,#W do
    local w=W[i]
    local form,text=w[7],w[8]
    if form=='all' or form=='is' and name==text or form=='starts' and name:sub(1,#text)==text
      or form=='glob' and glob(text,name) then return w end
  end
end
-- Shorter by the rule's jitter. math.random is the script's own, and is the same in each run.
local function short(w,t)
  if w[4]==0 then return t end
  local now=R('TIME')
  N=N+1
  local u=(now[1]*7+now[2]*16807+N*48271)%1000003/1000003
  t=math.floor(t-t*w[4]*u)
  return t<(w[3] or 1) and (w[3] or 1) or t
end
-- Behind a write: the raw key k, whose database has the prefix p. `asked`: the script said how long it shall live, and was heard.
local function live(k,p,asked)
  local w=type(k)=='string' and rule(k:sub(#p+1))
  if not w or w[6] then return end
  local t=R('PTTL',k)
  if type(t)~='number' then return end
  if t==-1 and w[1] then t=short(w,w[1])
  elseif asked and t>=0 and w[2] and t>w[2] then t=short(w,w[2])
  elseif asked and t>=0 and w[3] and t<w[3] then t=w[3]
  else return end
  R('PEXPIRE',k,t)
end

--@ before
local instead
if s and s[9] and type(a[1])=='string' and m==(s[9]=='P' and 1 or 2) and (s[9]=='P' or word(a[2])=='PERSIST') then
  local w=rule(a[1]:sub(#P+1))
  if w and w[6] then w=nil end
  if w and w[5]=='deny' then
    if s[9]=='P' then return 0 end
    m=1
  else
    instead=w and w[5]=='clamp' and (w[1] or w[2]) and w
    s={}
  end
end

--@ after
if instead and R('PTTL',a[1])==-1 then R('PEXPIRE',a[1],short(instead,instead[1] or instead[2])) end
if s and s[7] then
  local asked=s[8] and r and r~=0 and not (type(r)=='table' and r.err)
  if s[7]=='a' then for i=1,#M do live(a[M[i]],p,asked) end
  elseif s[7]=='s' then if d then live(a[d],p) end
  else live(a[s[7]],p,asked) end
end

--@ marked
M[#M+1]=i

--@ fresh
M={}

--@ moved
live(a[1],P) live(p..a[1]:sub(#P+1),p)
