import { type Args, ask, decode, encode, takeFrames } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { poolCommands, withPrefix } from './pool.ts'

/**
 * All that a database holds, by key without the prefix: type, digest of the content, whether it expires. Read by a
 * script straight from the server. Streams are read by type, because a DUMP of theirs holds the times of deliveries;
 * a key without the prefix stays as it is and so is found as a difference.
 */
const SCRIPT = `
local prefix = ARGV[1]
local function flat(value)
  if type(value) ~= 'table' then return tostring(value) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = flat(item) end
  return '(' .. table.concat(parts, ' ') .. ')'
end
local keys = redis.call('KEYS', '*')
table.sort(keys)
local rows = {}
for _, key in ipairs(keys) do
  local kind = redis.call('TYPE', key).ok
  local content
  if kind == 'stream' then
    local info = redis.call('XINFO', 'STREAM', key)
    content = flat(redis.call('XRANGE', key, '-', '+'))
    for i = 1, #info, 2 do
      if string.find(info[i], 'radix', 1, true) == nil then content = content .. flat(info[i + 1]) end
    end
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
      content = content .. flat(group) .. flat(redis.call('XPENDING', key, group[2]))
    end
  else
    content = redis.call('DUMP', key)
  end
  local name = string.sub(key, 1, #prefix) == prefix and string.sub(key, #prefix + 1) or 'outside the prefix: ' .. key
  local expires = redis.call('PTTL', key) == -1 and 'stays' or 'expires'
  rows[#rows + 1] = name
  rows[#rows + 1] = kind .. ' ' .. redis.sha1hex(content) .. ' ' .. expires
end
return rows
`

/** One side's keys, seen and filled by a connection of its own straight to the server. */
export class Backdoor {
  private readonly client: RawClient
  private readonly fill: string
  private readonly commands: number
  private readonly request: Args

  constructor(client: RawClient, prefix: string) {
    this.client = client
    const commands: Args[] = [['FLUSHDB'], ...withPrefix(poolCommands(), prefix)]
    this.fill = commands.map(encode).join('')
    this.commands = commands.length
    this.request = ['EVAL', SCRIPT, '0', prefix]
  }

  /** Empties the database and loads the pool. */
  async reload(): Promise<void> {
    this.client.send(this.fill)
    for (const frame of await takeFrames(this.client, this.commands)) {
      if (frame.startsWith('-')) throw new Error(`the pool could not be loaded: ${frame}`)
    }
  }

  async state(): Promise<Map<string, string>> {
    const [frame] = await ask(this.client, [this.request])
    const { items, text } = decode(frame)
    if (items === undefined) throw new Error(`the state could not be read: ${text}`)
    return new Map(
      Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i].text ?? '', items[2 * i + 1].text ?? '']),
    )
  }
}

/** One line for each key that differs. */
export function differences(bare: ReadonlyMap<string, string>, proxied: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...bare.keys(), ...proxied.keys()])]
  return names
    .filter((name) => bare.get(name) !== proxied.get(name))
    .map(
      (name) =>
        `key ${JSON.stringify(name)}: bare ${bare.get(name) ?? 'missing'}, proxied ${proxied.get(name) ?? 'missing'}`,
    )
}
