import { ask, decode, show } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'

/**
 * All that a database holds, read by a script straight from the server: by key without the prefix, its type, how it
 * expires and its content in a form of its own, in which what has no order is sorted and no clock shows. A second
 * argument of 1 asks for the content, otherwise it is a digest.
 */
const SCRIPT = `
local prefix, complete = ARGV[1], ARGV[2] == '1'
local function flat(value)
  if type(value) == 'table' then
    local parts = {}
    for i = 1, #value do parts[i] = flat(value[i]) end
    return '(' .. table.concat(parts, ' ') .. ')'
  end
  value = tostring(value)
  return #value .. ':' .. value
end
local function sorted(list, step)
  local parts = {}
  for i = 1, #list, step do
    parts[#parts + 1] = step == 1 and flat(list[i]) or flat({list[i], list[i + 1]})
  end
  table.sort(parts)
  return table.concat(parts, ' ')
end
local function stream(key)
  local info, parts = redis.call('XINFO', 'STREAM', key), {flat(redis.call('XRANGE', key, '-', '+'))}
  for i = 1, #info, 2 do
    if not string.find(info[i], 'radix', 1, true) then parts[#parts + 1] = flat({info[i], info[i + 1]}) end
  end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local consumers = {}
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', key, group[2])) do
      consumers[#consumers + 1] = {consumer[2], consumer[4]}
    end
    local pending = redis.call('XPENDING', key, group[2], '-', '+', 1000000)
    for _, row in ipairs(pending) do row[3] = '' end
    parts[#parts + 1] = flat(group) .. flat(consumers) .. flat(pending)
  end
  return table.concat(parts, ' ')
end
local read = {
  string = function(key) return flat(redis.call('GET', key)) end,
  list = function(key) return flat(redis.call('LRANGE', key, 0, -1)) end,
  set = function(key) return sorted(redis.call('SMEMBERS', key), 1) end,
  zset = function(key) return flat(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')) end,
  hash = function(key) return sorted(redis.call('HGETALL', key), 2) end,
  stream = stream,
}
local now = redis.call('TIME')[1]
local function expires(key)
  local at = redis.call('EXPIRETIME', key)
  if at < 0 then return 'stays' end
  -- Relative times are months apart, and were given to both sides at slightly different moments.
  if at > 4000000000 then return 'until ' .. at end
  return 'for ' .. math.floor((at - now) / 5000000 + 0.5)
end
local rows = {}
for _, key in ipairs(redis.call('KEYS', prefix .. '*')) do
  local kind = redis.call('TYPE', key).ok
  local content = read[kind](key)
  rows[#rows + 1] = string.sub(key, #prefix + 1)
  rows[#rows + 1] = kind .. ' ' .. expires(key) .. ' ' .. (complete and content or redis.sha1hex(content))
end
return rows
`

/** By key; the content as text. */
export type Content = ReadonlyMap<string, string>

/** What lies behind a prefix without glob characters in the connection's database. */
export async function contentOf(client: RawClient, prefix: string, complete: boolean): Promise<Content> {
  const [frame] = await ask(client, [['EVAL', SCRIPT, '0', prefix, complete ? '1' : '0']])
  const { items, text } = decode(frame)
  if (items === undefined) throw new Error(`the content could not be read: ${text}`)
  return new Map(
    Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i].text ?? '', items[2 * i + 1].text ?? '']),
  )
}

/** One line for each key that differs, at most twenty. */
export function contentDifferences(bare: Content, proxied: Content): string[] {
  return [...new Set([...bare.keys(), ...proxied.keys()])]
    .filter((key) => bare.get(key) !== proxied.get(key))
    .slice(0, 20)
    .map(
      (key) =>
        `key ${show(key)}\n    bare    ${show(bare.get(key), 2000)}\n    proxied ${show(proxied.get(key), 2000)}`,
    )
}
