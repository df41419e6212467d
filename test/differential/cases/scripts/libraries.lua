cjson, cmsgpack, struct, bit, string, table and math.
---
return cjson.encode({1, 2, 3})
---
return cjson.encode({a = 1})
---
return cjson.encode({})
---
return cjson.encode('text "quoted" / \\ \1 \n \127 \200')
---
return cjson.encode(cjson.null)
---
return cjson.encode({1, cjson.null, true, false, 1.5, -2, 1e20, 'x'})
---
return cjson.encode({[1] = 1, [3] = 3})
---
return cjson.encode({[1] = 1, [100] = 3})
---
return cjson.encode(1/3) .. cjson.encode(12345678901234567890)
---
return cjson.encode(0/0)
---
return cjson.encode(function() end)
---
local t = {} for i = 1, 2000 do t = {t} end return cjson.encode(t)
---
local t = {} t.t = t return cjson.encode(t)
---
return cjson.decode('[1,2,"three",null,true,{"a":[]}]')
---
return cjson.decode('{"a":{"b":{"c":[1,2,3]}}}').a.b.c
---
return tostring(cjson.decode('{"a":null}').a == cjson.null)
---
return type(cjson.null)
---
return cjson.decode('"\\u00e9\\ud83d\\ude00\\n"')
---
return cjson.decode('[1e3, -0.5, 0x10]')
---
return cjson.decode('[1,]')
---
return cjson.decode('')
---
return cjson.decode('"\\ud83d"')
---
return cjson.decode(('['):rep(2000))
---
return cjson.encode(cjson.decode('{"x":[1.0,2.50,3e0]}'))
--- / {"user":"u1","n":5}
local d = cjson.decode(ARGV[1]) redis.call('SET', 'user:' .. d.user, d.n) return redis.call('GET', 'user:u1')
---
return cjson.encode(redis.call('LRANGE', 'list', 0, -1))
---
return cjson.encode({1}, {2})
---
return cjson.decode('[]') and cjson.encode(cjson.decode('[]'))
---
local ok, e = pcall(cjson.decode, '{x}') return e
---
return cjson._NAME .. cjson._VERSION
---
return cmsgpack.unpack(cmsgpack.pack({1, 2, 'three', {a = true}}))
---
return cmsgpack.pack({1, 'two', 3.5, false}, nil, -1, 1e10)
---
return {cmsgpack.unpack(cmsgpack.pack(1, 'x', 2.5, true))}
---
return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3))}
---
return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3), 1)}
---
return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2)}
---
return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 1, 99)}
---
return cmsgpack.pack()
---
return cmsgpack.unpack('')
---
return #cmsgpack.pack(('x'):rep(70000))
---
local t = {} for i = 1, 30 do t = {t} end return #cmsgpack.pack(t)
---
return cmsgpack.pack({[1.5] = 1, x = {}})
---
return struct.pack('<i4>i2Bz', 1, 2, 3, 'abc')
---
return {struct.unpack('<i4', struct.pack('<i4', -5))}
---
return {struct.unpack('>HbBhlsz', struct.pack('>HbBhlsz', 1, -2, 3, -4, 5, 'x', 'y'))}
---
return {struct.unpack('c3c0', 'abcxyz', 1)}
---
return struct.size('<i4i8') + struct.size('!8 b d')
---
return {struct.unpack('d', struct.pack('d', 2.5))}
---
return struct.unpack('<i4', 'ab')
---
return struct.pack('i99', 1)
---
return struct.size('s')
---
return {bit.band(12, 10), bit.bor(12, 10), bit.bxor(12, 10), bit.bnot(5)}
---
return {bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-256, 4), bit.rol(0x12345678, 8), bit.ror(0x12345678, 8)}
---
return {bit.tohex(255), bit.tohex(255, 4), bit.tohex(-1, -8), bit.tobit(2 ^ 32 + 5), bit.bswap(0x12345678)}
---
return bit.band(1.5, 3)
---
return {('abc'):upper(), ('ABC'):lower(), ('abc'):len(), ('abc'):reverse(), ('abc'):rep(3), ('abc'):sub(-2), ('abc'):byte(1, -1)}
---
return {('hello world'):find('o'), ('hello world'):find('o', 6), ('a.b'):find('.', 1, true), ('abc'):match('(a)(b)'), tostring(('x'):find('y'))}
---
return {('hello world'):gsub('o', '0'), ('abc'):gsub('%w', '%0%0'), ('abc'):gsub('', '-')}
---
return {('x=1, y=2'):gsub('(%w+)=(%w+)', '%2=%1'), ('$name'):gsub('%$(%w+)', {name = 'v'}), ('abc'):gsub('b', function(c) return c:upper() end)}
---
local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end return t
---
return {string.format('%5d|%-5d|%05d|%x|%X|%o|%c|%e|%.3f|%g|%q|%s|%%', 42, 42, 42, 255, 255, 8, 65, 1.5, 1.5, 1e20, 'a"b\n', 'x')}
---
return string.format('%s %s %s', 1, true)
---
return string.format('%s', nil)
---
return string.char(0, 255, 65)
---
return string.char(256)
---
return {tostring(1), tostring(1.5), tostring(1e15), tostring(1e16), tostring(-0), tostring(true), tostring(nil), tostring(100000000000000)}
---
return {tonumber('10'), tonumber('0x1F'), tonumber('  5  '), tonumber('z', 36), tonumber('1e2'), tostring(tonumber('x')), tostring(tonumber(''))}
---
local t = {3, 1, 2} table.sort(t) return t
---
local t = {'b', 'a', 'C'} table.sort(t, function(a, b) return a:lower() < b:lower() end) return t
---
table.sort({1, 'x'})
---
table.sort({3, 1, 2, 5, 4}, function() return true end)
---
local t = {1, 2, 3} table.insert(t, 2, 'x') local r = table.remove(t, 1) return {r, t, #t, table.concat(t, '-'), table.concat(t, '-', 2, 3)}
---
table.insert({1}, 1, 2, 3)
---
return {table.getn({1, 2}), table.maxn({[10] = 1}), unpack({1, 2, 3}, 2)}
---
local n = 0 table.foreach({1, 2, 3}, function(_, v) n = n + v end) table.foreachi({1, 2}, function(_, v) n = n + v end) return n
---
return table.setn and pcall(table.setn, {}, 1) or 'none'
---
return {math.floor(-1.5), math.ceil(1.2), math.abs(-3), math.max(1, 5, 3), math.min(4, 2), math.sqrt(16), math.pow(2, 10), math.fmod(7, 3), -7 % 3, 7 % -3}
---
return {tostring(math.pi), tostring(math.huge), tostring(-math.huge), tostring(math.exp(1)), tostring(math.log(10)), tostring(math.log10(1000)), tostring(math.sin(1))}
---
return {math.modf(3.7), math.frexp(8), math.ldexp(0.5, 4)}
---
math.randomseed(7) return {math.random(100), math.random(100), math.random(5, 10)}
---
math.randomseed(7) return tostring(math.random())
---
return math.random(5, 1)
---
return math.floor('x')
---
return type(os and os.clock) == 'function' and type(os.clock())
---
return os.time()
---
return io.write('x')
---
return require('x')
---
return {_VERSION, type(collectgarbage('count')), collectgarbage() }
---
return gcinfo() > 0
