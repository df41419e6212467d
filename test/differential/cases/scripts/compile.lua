Texts that do not compile, or whose first line says what no server knows.
---
return 1 1
---
return
return
---
local
---
x = = 1
---
end
---
if true then
---
for i = 1, 2 do
return i
---
return 'unfinished
---
return [[unfinished
---
--[[unfinished
return 1
---
return "bad \300 escape"
---
goto x
---
return 1 + + 1
---
return (1
---
return {1, 2
---
break
---
local a <const> = 1
---
return 0x
---
return 1..2
---
return @
---
return redis.call('GET', 'str'
---
local x <close> = nil
---
return #!/x
---
#!lua flags=nonsense
return 1
---
#!lua name=x
return 1
---
#!python
return 1
---
#!lua
---
#!
---
return redis
  .call
  (
    'GET',
    'str'
  )
---
local a <= 1
---
; return 1
