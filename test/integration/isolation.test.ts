import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildTable } from '../../src/commands/table.ts'
import { Random } from '../differential/random.ts'
import { type Args, ask, decode, encode, showArgs, type Value } from '../helpers/differential.ts'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { NOTHING_LEFT, places } from '../helpers/places.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * No request of one tenant touches or shows a raw key outside of its prefix: random requests, most of them half valid
 * and full of words that look like options, against a server that also holds other tenants' keys. All names that a
 * request may contain are also names of keys without a prefix and of keys of the other tenant.
 */
const REQUESTS = { default: 10_000, long: 1_000_000, drill: 2_000_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 10_000
const SEED = process.env.KEYWARD_SEED ?? 'isolation'
const BATCH = 400
const SECRET = 'belongs to nobody else'

const NAMES = [
  'str',
  'lst',
  'hsh',
  'set',
  'zst',
  'stm',
  'geo',
  'STORE',
  'STREAMS',
  'BLOCK',
  'GROUP',
  'KEYS',
  'BY',
  '1',
  '2',
  '',
  'acme:',
  'beta:str',
  'acme:str',
  'str\0x',
]
const WORDS = [
  'STREAMS STORE STOREDIST BY GET DB REPLACE KEYS GROUP COUNT BLOCK NOACK LIMIT ASC DESC ALPHA ANY WITHDIST WITHSCORES',
  'WEIGHTS AGGREGATE LEFT RIGHT MIN MAX MATCH TYPE REV BYSCORE BYLEX NX XX GT LT CH INCR ABSTTL FREQ IDLETIME MKSTREAM',
  'FROMMEMBER FROMLONLAT BYRADIUS BYBOX SAMPLES FULL JUSTID FORCE LASTID AND OR NOT SUM BEFORE AFTER GETKEYS INFO ENCODING USAGE CREATE SETID',
]
  .join(' ')
  .split(' ')
const NUMBERS = [
  '0',
  '1',
  '2',
  '3',
  '5',
  '-1',
  '01',
  '+2',
  '1.5',
  '0.001',
  '0-0',
  '1-1',
  '>',
  '$',
  '*',
  '(1',
  '+',
  '-',
  'km',
  '15',
  '37',
  '100000',
  '-0',
  '9223372036854775808',
]
const ODD = [
  '#',
  'w_*',
  '*',
  'beta:*',
  '../str',
  '\r\n',
  '$3\r\nstr\r\n',
  '*1\r\n$8\r\nFLUSHALL\r\n',
  'STORE\0',
  'streams\0x',
  'x'.repeat(300),
]

let redis: RedisServer
let keyward: Keyward
let bare: RawClient

beforeAll(async () => {
  redis = await startRedis()
  const users = (password: string) => ({ default: { password } })
  keyward = await startKeyward(
    configFor(redis, {
      tenants: {
        acme: { upstream: 'main', users: users('acme') },
        five: { upstream: 'main', prefix: 'five:', databases: 5, users: users('five') },
        beta: { upstream: 'main', users: users('beta') },
      },
    }),
  )
  bare = await RawClient.connect({ port: redis.port })
})

afterAll(async () => {
  bare?.destroy()
  keyward?.stop()
  await redis?.stop()
})

/** Keys of every type under every name, in the names of all others. */
function foreignKeys(): Args[] {
  const commands: Args[] = []
  for (const prefix of ['', 'beta:', 'acme', 'acme;', 'five', 'five:', 'keyward:']) {
    for (const name of NAMES) {
      const key = `${prefix}${name}`
      if (key.startsWith('acme:') || /^five:\d+:/.test(key)) continue
      commands.push(...valueFor(key, name))
    }
  }
  return commands
}

function valueFor(key: string, name: string): Args[] {
  const fresh: Args = ['DEL', key]
  switch (name) {
    case 'lst':
    case 'KEYS':
      return [fresh, ['RPUSH', key, SECRET, SECRET, SECRET]]
    case 'hsh':
      return [fresh, ['HSET', key, 'a', SECRET, SECRET, '1']]
    case 'set':
    case '1':
      return [fresh, ['SADD', key, 'a', SECRET]]
    case 'zst':
    case '2':
      return [fresh, ['ZADD', key, '1', 'a', '2', SECRET]]
    case 'stm':
    case 'STREAMS':
      return [
        fresh,
        ['XADD', key, '1-1', 'a', SECRET],
        ['XGROUP', 'CREATE', key, 'g', '0'],
        ['XGROUP', 'CREATE', key, 'STREAMS', '0'],
      ]
    case 'geo':
      return [fresh, ['GEOADD', key, '15', '37', SECRET, '13', '38', 'a']]
    default:
      return [fresh, ['SET', key, SECRET]]
  }
}

/** Everything outside of the tenants' prefixes, but for texts of scripts that Keyward keeps: name, type, content. */
async function outside(): Promise<string> {
  const script = `
    local rows = {}
    local keys = redis.call('KEYS', '*')
    table.sort(keys)
    for _, key in ipairs(keys) do
      local own = string.sub(key, 1, 5) == 'acme:' or string.find(key, '^five:%d:')
      if not own and not string.find(key, '^keyward:scripts?:') then
        rows[#rows + 1] = key .. ' ' .. redis.sha1hex(redis.call('DUMP', key)) .. ' ' .. redis.call('PTTL', key)
      end
    end
    return table.concat(rows, '\\n')`
  return decode((await ask(bare, [['EVAL', script, '0']]))[0]).text ?? ''
}

const table = buildTable()
const commands = table
  .all()
  .filter(({ open, presence, subcommands }) => open === 'tenant' && presence === 'always' && subcommands === undefined)
const closed = table.all().filter(({ open, subcommands }) => open !== 'tenant' && subcommands === undefined)
/** They end or change the connection, or would make the run slow. */
const NOT_HERE =
  /^(quit|reset|auth|hello|client\|(reply|list|kill|pause)|multi|exec|discard|wait|waitaof|command.*|info|monitor|[ps]?(un)?subscribe)$/

function randomRequest(random: Random): Args {
  const spec = random.pick(random.chance(0.93) ? commands : closed)
  if (NOT_HERE.test(spec.name)) return randomRequest(random)
  const args = spec.name.split('|')
  const word = (): string => {
    const which = random.below(20)
    if (which < 9) return random.pick(NAMES)
    if (which < 13) return random.chance(0.5) ? random.pick(WORDS) : random.pick(WORDS).toLowerCase()
    if (which < 18) return random.pick(NUMBERS)
    return random.pick(ODD)
  }
  // Around the arity, where most requests are good ones.
  const count =
    Math.max(Math.abs(spec.arity) - args.length, 0) + (spec.arity < 0 ? random.below(6) : random.chance(0.9) ? 0 : 1)
  if (/^(b(l|r|z)|xread)/.test(spec.name)) return blockingRequest(spec.name, random, word)
  if (random.chance(0.15)) return spoof(random, word)
  for (let i = 0; i < count; i++) args.push(word())
  return args
}

/** Blocking for ever would hold up the run: their time-outs are short. */
function blockingRequest(name: string, random: Random, word: () => string): Args {
  const key = () => random.pick(NAMES)
  switch (name) {
    case 'blpop':
    case 'brpop':
    case 'bzpopmin':
    case 'bzpopmax':
      return [name, key(), key(), '0.001']
    case 'blmpop':
    case 'bzmpop':
      return [
        name,
        '0.001',
        random.pick(['1', '2', '3', '0', '-1']),
        key(),
        key(),
        name === 'blmpop' ? 'LEFT' : 'MIN',
        word(),
      ]
    case 'blmove':
      return [name, key(), key(), 'LEFT', 'RIGHT', '0.001']
    case 'brpoplpush':
      return [name, key(), key(), '0.001']
    case 'xread':
      return [name, 'BLOCK', '1', 'COUNT', random.pick(['1', 'STREAMS']), 'STREAMS', key(), word(), key(), word()]
    case 'xreadgroup':
      return [
        name,
        'GROUP',
        random.pick(['g', 'STREAMS', 'BLOCK']),
        random.pick(['STREAMS', 'c', 'COUNT']),
        ...(random.chance(0.5) ? ['NOACK'] : []),
        'STREAMS',
        key(),
        key(),
        '>',
        '>',
      ]
    default:
      throw new Error(`how does ${name} block?`)
  }
}

/** Requests whose options pretend to be something else. */
function spoof(random: Random, word: () => string): Args {
  const key = () => random.pick(NAMES)
  return random.pick<() => Args>([
    () => ['sort', key(), 'STORE', key(), 'STORE', key()],
    () => ['sort', key(), 'LIMIT', 'STORE', 'STORE', 'STORE', key()],
    () => ['sort', key(), 'BY', 'nosort', 'GET', '#', 'GET', key(), 'STORE', key()],
    () => ['sort_ro', key(), 'GET', `${key()}*`],
    () => ['georadius', key(), '15', '37', '500', 'km', 'STORE', key(), 'STOREDIST', key()],
    () => ['georadius', key(), '15', '37', '500', 'km', 'COUNT', 'STORE', 'STORE', key()],
    () => ['georadiusbymember', key(), 'STORE', '500', 'km', 'store', key(), 'STORE', key(), word()],
    () => ['geosearchstore', key(), key(), 'FROMLONLAT', '15', '37', 'BYRADIUS', '500', 'km', 'STOREDIST'],
    () => ['zunionstore', key(), random.pick(NUMBERS), key(), key(), 'WEIGHTS', '1', key()],
    () => ['zinter', random.pick(NUMBERS), key(), key(), key(), word()],
    () => ['zdiffstore', key(), '2', key(), key(), key()],
    () => ['lmpop', random.pick(NUMBERS), key(), key(), 'LEFT'],
    () => ['zmpop', random.pick(['1', '2', '02', '+1', '1 ']), key(), key(), 'MIN'],
    () => ['sintercard', random.pick(NUMBERS), key(), key(), 'LIMIT', key()],
    () => ['xread', 'COUNT', 'STREAMS', 'STREAMS', key(), '0'],
    () => ['xread', 'STREAMS', key(), key(), key(), '0', '0', '0'],
    () => ['xreadgroup', 'GROUP', 'STREAMS', 'STREAMS', 'STREAMS', key(), '>'],
    () => ['sort', key(), 'BY', `${word()}*`, 'GET', `${word()}*`, 'GET', '*->f', 'ALPHA'],
    () => ['sort', key(), 'BY\0', `beta:*`, 'STORE', key(), 'GET', `*${word()}`],
    () => ['copy', key(), key(), 'DB', random.pick(['0', '1', '4', '5']), 'REPLACE'],
    () => ['move', key(), random.pick(['0', '1', '4', '5', '-1'])],
    () => ['copy', key(), key(), 'REPLACE', 'REPLACE'],
    () => ['rename', key(), key()],
    () => ['bitop', 'OR', key(), key(), key()],
    () => ['object', 'encoding', key()],
    () => ['memory', 'usage', key(), 'SAMPLES', '0'],
    () => ['pfmerge', key(), key(), key()],
    () => ['mset', key(), '1', key()],
    () => ['eval', `return redis.call('GET','beta:str')`, '0'],
    () => ['migrate', '127.0.0.1', '1', '', '0', '1', 'KEYS', key()],
    () => ['xgroup', 'create', key(), random.pick(['g', 'STREAMS']), '0', 'MKSTREAM'],
    () => ['select', random.pick(['0', '1', '4', '5', '-1'])],
    () => ['smove', key(), key(), 'a'],
    () => ['lcs', key(), key(), 'IDX'],
    () => ['watch', key(), key()],
    () => ['keys', '*'],
    () => ['scan', '0', 'MATCH', 'beta:*'],
    () => ['randomkey'],
    () => [random.chance(0.1) ? 'flushall' : 'dbsize'],
  ])()
}

test.each([
  ['acme', 2],
  ['five', 3],
] as const)(
  `tenant %s, RESP%i, ${REQUESTS} requests, seed ${SEED}`,
  { timeout: 120_000 + REQUESTS * 2 },
  async (tenant, protocol) => {
    const random = new Random(`${SEED} ${tenant}`)
    await ask(bare, [['FLUSHALL'], ...foreignKeys()])
    const before = await outside()
    expect(before.length).toBeGreaterThan(1000)
    let client = await login(tenant, protocol)
    let errors = 0
    for (let done = 0; done < REQUESTS; done += BATCH) {
      const requests = Array.from({ length: BATCH }, () => randomRequest(random))
      // The tenant has keys of its own, to make its requests succeed.
      const own: Args[] = NAMES.filter((name) => name !== '').flatMap((name) => ownValue(name))
      await ask(client, [['UNWATCH'], ...own])
      client.send(requests.map(encode).join(''))
      for (const args of requests) {
        const reply = (await client.reply()).toString('latin1')
        if (reply.startsWith('-')) errors++
        const leak = shows(args, reply)
        if (leak !== undefined) expect.fail(`${showArgs(args)} shows ${leak}: ${JSON.stringify(reply.slice(0, 300))}`)
      }
      const after = await outside()
      if (after !== before) {
        const [was, is] = [new Set(before.split('\n')), new Set(after.split('\n'))]
        const changed = [...[...was].filter((row) => !is.has(row)), ...[...is].filter((row) => !was.has(row))]
        expect.fail(
          `keys outside of the prefix changed: ${changed.join(' | ')}; after one of\n${requests.map(showArgs).join('\n')}`,
        )
      }
      if (done % (BATCH * 25) === 0) {
        // A client that leaves in the middle is part of it.
        client.reset()
        client = await login(tenant, protocol)
      }
    }
    // Enough of them did something.
    expect(errors / REQUESTS).toBeLessThan(0.9)
    client.destroy()
    expect(places(keyward)).toMatchObject({ faults: NOTHING_LEFT.faults })
  },
)

/** Values of the tenant's own; none of them looks like the others' secret. */
function ownValue(name: string): Args[] {
  return valueFor(name, name).map((args) => args.map((arg) => (arg === SECRET ? 'own' : arg)))
}

/** Their replies name keys. A value may look like a raw key: among a million requests one appends `lst` to `acme:`. */
const NAMES_KEYS = /^(b?[lr]pop|b?[lz]mpop|bzpop(min|max)|xread(group)?)$/i

/** What a reply must never hold: a secret, or a raw key. */
function shows(args: Args, reply: string): string | undefined {
  if (reply.includes(SECRET)) return "another tenant's value"
  // Names that the tenant wrote itself may look like this; with a number of its own in front they may not.
  if (/five:\d:/.test(reply)) return 'a raw key'
  if (!NAMES_KEYS.test(String(args[0]))) return undefined
  const strings: string[] = []
  const walk = ({ text, items }: Value): void => {
    if (text !== undefined) strings.push(text)
    items?.forEach(walk)
  }
  if (reply.startsWith('*') || reply.startsWith('%')) walk(decode(reply))
  return strings.some((text) => /^acme:(acme:|str$|lst$|hsh$|set$|zst$|stm$|geo$)/.test(text) && text !== 'acme:str')
    ? 'a raw key'
    : undefined
}

async function login(tenant: string, protocol: 2 | 3): Promise<RawClient> {
  const client = await keyward.connect({ password: tenant })
  if (protocol === 3) await client.command('HELLO', 3)
  return client
}

test('two tenants that do the same see only their own', async () => {
  await bare.command('FLUSHALL')
  const clients = await Promise.all(['acme', 'beta', 'five'].map((tenant) => login(tenant, 2)))
  for (const [i, client] of clients.entries()) {
    const replies = await ask(client, [
      ['SET', 'k', `value ${i}`],
      ['RPUSH', 'q', `element ${i}`],
      ['XADD', 's', '1-1', 'f', `field ${i}`],
    ])
    expect(replies).toEqual(['+OK\r\n', ':1\r\n', '$3\r\n1-1\r\n'])
  }
  for (const [i, client] of clients.entries()) {
    expect(
      await ask(client, [
        ['GET', 'k'],
        ['BLPOP', 'q', '0'],
        ['EXISTS', 'acme:k', 'beta:k', 'five:0:k'],
      ]),
    ).toEqual([`$7\r\nvalue ${i}\r\n`, `*2\r\n$1\r\nq\r\n$9\r\nelement ${i}\r\n`, ':0\r\n'])
    client.destroy()
  }
  const [frame] = await ask(bare, [['KEYS', '*']])
  expect((decode(frame).items ?? []).map(({ text }) => text).sort()).toEqual([
    'acme:k',
    'acme:s',
    'beta:k',
    'beta:s',
    'five:0:k',
    'five:0:s',
  ])
})

test('databases of one tenant are apart', async () => {
  await bare.command('FLUSHALL')
  const client = await login('five', 2)
  const requests: Args[] = []
  for (let db = 0; db < 5; db++)
    requests.push(['SELECT', String(db)], ['SET', 'k', `in ${db}`], ['MULTI'], ['SET', 'm', `in ${db}`], ['EXEC'])
  await ask(client, requests)
  for (let db = 0; db < 5; db++) {
    expect(
      (
        await ask(client, [
          ['SELECT', String(db)],
          ['MGET', 'k', 'm'],
        ])
      )[1],
    ).toBe(`*2\r\n$4\r\nin ${db}\r\n$4\r\nin ${db}\r\n`)
    expect(await bare.command('GET', `five:${db}:k`)).toBe(`$4\r\nin ${db}\r\n`)
  }
  expect(await client.command('SELECT', 5)).toBe('-ERR DB index is out of range\r\n')
  client.destroy()
})
