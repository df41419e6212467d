/**
 * Takes tokens from buckets and gives some back. KEYS: one for each bucket. ARGV, five for each: tokens per millisecond,
 * burst, whole tokens wanted, tokens given back, tokens that are left at most. Reply, two texts for each: tokens granted, tokens left.
 *
 * A bucket is the text `<tokens left> <microseconds since 1970>`, by the clock of the server, so that all who share it
 * have one time. A key that is not there, or says something else, is a bucket as full as who asks knows: it expires a second
 * after it is full again, but may be evicted before. A clock that was set back stands still for the bucket, and does not stop it for as long as it was set back.
 *
 * GET by pcall: a key of another type must not keep all other buckets from their tokens. A text of 17 digits is exactly
 * the number it was made from, while Redis would cut a number in a reply down to an integer.
 */
export const LEASE_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local out = {}
for i, key in ipairs(KEYS) do
  local at = 5 * i - 5
  local rate, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local want, back = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local level = tonumber(ARGV[at + 5]) + back
  local kept = redis.pcall('GET', key)
  if type(kept) == 'table' and not string.find(kept.err, 'WRONGTYPE', 1, true) then return kept end
  if type(kept) == 'string' then
    local left, since = string.match(kept, '^(%S+) (%d+)$')
    left, since = tonumber(left), tonumber(since)
    if left and since then level = left + back + math.max(0, now - since) / 1000 * rate end
  end
  level = math.min(burst, level)
  local granted = math.min(want, math.floor(level))
  level = level - granted
  local expires = math.min(math.ceil((burst - level) / rate) + 1000, 1e12)
  redis.call('SET', key, string.format('%.17g %.0f', level, now), 'PX', string.format('%.0f', expires))
  out[2 * i - 1] = string.format('%.0f', granted)
  out[2 * i] = string.format('%.17g', level)
end
return out
`
