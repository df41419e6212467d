import { type Args, ask, decode, encode, takeFrames } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { poolCommands, withPrefix } from './pool.ts'

const OUTSIDE = 'outside the prefix: '

/**
 * All that a database holds, by key without the prefix: type, digest of the content, whether it expires. Read by a
 * script straight from the server. Streams are read by type, because a DUMP of theirs holds the times of deliveries,
 * sets and hashes because their order is different in every process. A key without the prefix stays as it is and so is
 * found as a difference.
 */
const SCRIPT = `
local prefix = ARGV[1]
local function flat(value)
  if type(value) ~= 'table' then return tostring(value) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = flat(item) end
  return '(' .. table.concat(parts, ' ') .. ')'
end
local function unordered(kind, key)
  local items = redis.call(kind == 'set' and 'SMEMBERS' or 'HGETALL', key)
  local rows = {}
  for i = 1, #items, kind == 'set' and 1 or 2 do
    rows[#rows + 1] = #items[i] .. ':' .. items[i] .. (kind == 'set' and '' or ' ' .. items[i + 1])
  end
  table.sort(rows)
  return table.concat(rows, ' ')
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
  elseif kind == 'set' or kind == 'hash' then
    content = redis.call('OBJECT', 'ENCODING', key) .. unordered(kind, key)
  else
    content = redis.call('DUMP', key)
  end
  local name = string.sub(key, 1, #prefix) == prefix and string.sub(key, #prefix + 1) or '${OUTSIDE}' .. key
  local expires = redis.call('PTTL', key) == -1 and 'stays' or 'expires'
  rows[#rows + 1] = name
  rows[#rows + 1] = kind .. ' ' .. redis.sha1hex(content) .. ' ' .. expires
end
return rows
`

/** One database of a server, or the part of it that belongs to a tenant. */
export interface View {
  /** Default: the one in which the connection is. */
  readonly database?: number
  /** How the raw keys begin. */
  readonly prefix: string
  /** In front of the names of the keys in `state`. */
  readonly label?: string
  /** Keys of others lie beside it. They are told of only when they are not as reload() left them. */
  readonly among?: true
}

/** One side's keys, seen and filled by a connection of its own straight to the server. */
export class Backdoor {
  private readonly client: RawClient
  private readonly fill: string
  private readonly commands: number
  private readonly views: readonly View[]
  private untouched: string | undefined
  /** What reload() put beside the views. */
  private others: ReadonlyMap<string, string> | undefined

  /** `fill` begins with what empties the side; `views` are what `state` tells. */
  constructor(client: RawClient, fill: readonly Args[], views: readonly View[]) {
    this.client = client
    this.fill = fill.map(encode).join('')
    this.commands = fill.length
    this.views = views
  }

  /** Empties the side and loads its keys. */
  async reload(): Promise<void> {
    this.client.send(this.fill)
    for (const frame of await takeFrames(this.client, this.commands)) {
      if (frame.startsWith('-')) throw new Error(`the keys could not be loaded: ${frame}`)
    }
    this.others ??= new Map([...(await this.all())].filter(([name]) => name.startsWith(OUTSIDE)))
    this.untouched ??= JSON.stringify([...(await this.state())])
  }

  /** Whether this state is the one after reload(). */
  pristine(state: ReadonlyMap<string, string>): boolean {
    return JSON.stringify([...state]) === this.untouched
  }

  close(): void {
    this.client.destroy()
  }

  async state(): Promise<Map<string, string>> {
    const all = await this.all()
    if (!this.views.some(({ among }) => among)) return all
    for (const [name, row] of this.others ?? []) {
      if (all.get(name) === row) all.delete(name)
      else if (!all.has(name)) all.set(name, 'lost')
    }
    for (const name of all.keys()) if (name.startsWith(`${OUTSIDE}keyward:`)) all.delete(name)
    return all
  }

  private async all(): Promise<Map<string, string>> {
    const requests = this.views.flatMap(({ database, prefix }): Args[] => [
      database === undefined ? ['PING'] : ['SELECT', String(database)],
      ['EVAL', SCRIPT, '0', prefix],
    ])
    const frames = await ask(this.client, requests)
    const all = new Map<string, string>()
    for (const [i, { label = '' }] of this.views.entries()) {
      const { items, text } = decode(frames[2 * i + 1])
      if (items === undefined) throw new Error(`the state could not be read: ${text}`)
      for (let n = 0; n < items.length; n += 2) all.set(label + items[n].text, items[n + 1].text ?? '')
    }
    return all
  }
}

/** For one database: empties it and loads the pool. */
export function poolDoor(client: RawClient, prefix: string): Backdoor {
  return new Backdoor(client, [['FLUSHDB'], ...withPrefix(poolCommands(), prefix)], [{ prefix }])
}

/** One line for each key that differs, and of many only the first. */
export function differences(bare: ReadonlyMap<string, string>, proxied: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...bare.keys(), ...proxied.keys()])].filter((name) => bare.get(name) !== proxied.get(name))
  const lines = names.slice(0, MOST_LINES).map((name) => {
    const [left, right] = [bare.get(name) ?? 'missing', proxied.get(name) ?? 'missing']
    return `key ${JSON.stringify(name)}: bare ${left}, proxied ${right}`
  })
  return names.length > MOST_LINES ? [...lines, `${names.length - MOST_LINES} more keys`] : lines
}

const MOST_LINES = 5
