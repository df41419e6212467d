/*
 * The generic cell rate algorithm (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm) as a script: a key holds
 * the time at which its bucket will be full again. The text travels with every call, so it is made short.
 */

/**
 * KEYS[1]; ARGV: nanoseconds in which a token comes back, tokens of a full bucket, tokens asked for.
 *
 * Time is the server's own, so any number of Keyward processes count alike. The value is nanoseconds since the epoch in
 * decimal digits, as the module redis-cell keeps it: buckets that it has filled are gone on with. A Lua number has 53
 * bits, which such a time does not fit: it is read and written as seconds and nanoseconds apart, and calculated with
 * only as a distance from now (`behind`: until the bucket is full), exact to the nanosecond up to 104 days.
 * Errors of calls come back as values (pcall), so that they are Redis' own words and not a line of a script.
 */
const HEAD = `
local call, floor, ceil, max = redis.pcall, math.floor, math.ceil, math.max
local key, each, size, n = KEYS[1], ARGV[1] + 0, ARGV[2] + 0, ARGV[3] + 0
local now, value = call('TIME'), call('GET', key)
if now.err then return now end
local full, cost, behind = each * size, each * n, 0
if value then
  if value.err then return value end
  if #value > 19 or not value:find('^%d+$') then return {err = 'Cell error: invalid digit found in string'} end
  behind = max(0, (('0' .. value:sub(1, -10)) - now[1]) * 1e9 + value:sub(-9) - now[2] * 1000)
end
local after, limited, wait = max(0, behind + cost), 0, -1e9
if after > full then
  limited = 1
  if cost <= full then wait = after - full end
  after = behind
`

/**
 * The key lives until its bucket is full, rounded up to milliseconds: gone before, it would let too much through. Redis
 * 6.2 puts a line of the script in front of what it refuses (READONLY, OOM …); that is taken off again.
 */
const COUNT = `
elseif n ~= 0 then
  local at = now[2] * 1000 + after
  value = call('SET', key, ('%d%09d'):format(now[1] + floor(at / 1e9), at % 1e9), 'PX', max(1, ceil(after / 1e6)))
  if value.err then return {err = value.err:gsub('^@.-%-(.-)%s*$', '%1')} end
end
`

const PEEK = `
end
after = behind
`

/** Seconds are rounded up, but less than a millisecond does not count, as in redis-cell. */
const TAIL = `
local function seconds(ns) return ceil(floor(ns / 1e6) / 1e3) end
return {limited, size, max(0, floor((full - after) / each)), seconds(wait), seconds(after)}
`

/** Variables; each becomes one letter. None of them is a word inside a string above. */
const NAMES = 'call floor ceil max key each size n now value full cost behind after limited wait at seconds ns'

/** Takes the tokens if they are there. */
export const THROTTLE: Buffer = shortened(HEAD + COUNT + TAIL)

/** Says what THROTTLE would, and leaves the bucket as it is. */
export const STATUS: Buffer = shortened(HEAD + PEEK + TAIL)

/** The same script in fewer bytes: it must hold no comments, and no blanks beside operators inside strings. */
function shortened(lua: string): Buffer {
  const words = NAMES.split(' ')
  const letters = new Map(words.map((name, i) => [name, String.fromCharCode(97 + i)]))
  // Not what follows a dot or a colon: math.floor, value:find.
  const named = lua.replace(/(?<![.:%\w])[a-z]+\b/g, (word) => letters.get(word) ?? word)
  const lines = named.split('\n').map((line) => line.trim().replace(/ ?(\.\.|[=<>~]=|[-=+*/%<>,{}()]) ?/g, '$1'))
  return Buffer.from(lines.filter((line) => line !== '').join('\n'))
}
