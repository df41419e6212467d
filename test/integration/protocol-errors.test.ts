import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { malformedRequests } from '../fixtures/malformed-requests.ts'
import { fuzz } from '../helpers/fuzz.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { readRequests } from '../helpers/read-requests.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { referenceDecode } from '../helpers/reference-decoder.ts'
import { mutate, mutations } from '../helpers/resp-arbitraries.ts'

/**
 * What a real server makes of malformed bytes, and what the RequestReader makes of them: the same error line, after
 * the same number of requests, with the same words in them, and then the end of the connection or not.
 */
const PASSWORD = 'secret'

let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis({ config: [`requirepass ${PASSWORD}`] })
})

afterAll(() => redis.stop())

interface Seen {
  /** The protocol error that closed the connection. */
  readonly error: string | undefined
  /** The replies before it, without those whose text depends on what commands there are. */
  readonly replies: string[]
}

/** Sends bytes to the server and waits until it is done with them. */
async function askRedis(bytes: string, login: boolean, expectEnd: boolean): Promise<Seen> {
  const client = await RawClient.connect({ port: redis.port })
  try {
    if (login) expect(await client.command('AUTH', PASSWORD)).toBe('+OK\r\n')
    client.send(bytes)
    // Redis reads all that came before a FIN; but it must close by itself where it is to close.
    if (!expectEnd) client.socket.end()
    const text = (await client.closed()).toString('latin1')
    const replies: string[] = []
    for (let pos = 0; pos < text.length; ) {
      const decoded = referenceDecode(text, pos)
      if (decoded.state !== 'whole') throw new Error(`not a reply: ${JSON.stringify(text.slice(pos, pos + 100))}`)
      replies.push(text.slice(pos, decoded.end))
      pos = decoded.end
    }
    const last = replies.at(-1)
    if (last?.startsWith('-ERR Protocol error') !== true) return { error: undefined, replies }
    return { error: last.slice(1, -2), replies: replies.slice(0, -1) }
  } finally {
    client.destroy()
  }
}

/** What Redis must have replied to a request. Only PING and commands that do not exist are in the table. */
function replyTo(args: readonly string[], login: boolean): string {
  const name = args[0].toLowerCase()
  // Whether a command exists is looked at before the login.
  if (name === 'ping' && !login) return '-NOAUTH Authentication required.\r\n'
  if (name === 'ping' && args.length === 1) return '+PONG\r\n'
  if (name === 'ping' && args.length === 2) return `$${args[1].length}\r\n${args[1]}\r\n`
  if (name === 'ping') return "-ERR wrong number of arguments for 'ping' command\r\n"
  // As sprintf does it: up to a NUL, up to 128 characters, and line breaks would end the error too early.
  const cut = (text: string, room: number) => text.split('\0')[0].slice(0, room)
  let given = ''
  for (const arg of args.slice(1)) if (given.length < 128) given += `'${cut(arg, 128 - given.length)}' `
  const text = `ERR unknown command '${cut(args[0], 128)}', with args beginning with: ${given}`
  return `-${text.replace(/[\r\n]/g, ' ')}\r\n`
}

async function compare(bytes: string, login: boolean): Promise<void> {
  const outcome = readRequests(bytes, { authenticated: login })
  const expected: Seen = { error: outcome.end, replies: outcome.requests.map((args) => replyTo(args, login)) }
  expect(await askRedis(bytes, login, outcome.end !== undefined)).toEqual(expected)
}

describe.each([
  ['before login', false],
  ['after login', true],
])('%s', (_, login) => {
  test.each(malformedRequests.map((bytes) => [shown(bytes), bytes]))('%s', async (_name, bytes) => {
    await compare(bytes, login)
  })

  test('random damage', async () => {
    const piece = fc.constantFrom(
      '*1\r\n$4\r\nPING\r\n',
      '*2\r\n$4\r\nPING\r\n$3\r\na\0b\r\n',
      'PING\r\n',
      '"PI\\x4eG" \'a b\' "c\\n"\r\n',
      '*3\r\n$2\r\nzz\r\n$0\r\n\r\n$2\r\n\r\n\r\n',
      '*0\r\n',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 3 }), mutations, async (pieces, damage) => {
        const bytes = mutate(pieces.join(''), damage)
        await compare(bytes, login)
      }),
      // A connection each: more than this would use up the machine's ports.
      fuzz(`protocol errors, login ${login}`, 0.05, 5000),
    )
  })
})

test('the table is big enough to mean something', () => {
  const errors = malformedRequests.filter((bytes) => readRequests(bytes).end !== undefined)
  expect(malformedRequests.length).toBeGreaterThanOrEqual(150)
  expect(errors.length).toBeGreaterThanOrEqual(80)
  expect(new Set(errors.map((bytes) => readRequests(bytes).end)).size).toBeGreaterThanOrEqual(20)
})

test('logging in lifts the limits for what follows in the same chunk', async () => {
  const big = 'v'.repeat(20_000)
  const bytes = Buffer.concat([request('AUTH', PASSWORD), request('PING', big)]).toString('latin1')
  const client = await RawClient.connect({ port: redis.port })
  client.send(bytes)
  expect((await client.replies(2)).map(String)).toEqual(['+OK\r\n', `$20000\r\n${big}\r\n`])
  await client.end()
  const outcome = readRequests(bytes, {
    authenticated: false,
    afterRequest: (reader, [name]) => {
      if (name === 'AUTH') reader.authenticated = true
    },
  })
  expect(outcome.requests).toEqual([
    ['AUTH', PASSWORD],
    ['PING', big],
  ])
})

function shown(bytes: string): string {
  const text = JSON.stringify(bytes).slice(1, -1).replaceAll('%', '%%').replaceAll('$', '\\$')
  return text.length > 60 ? `${text.slice(0, 50)}… (${bytes.length} bytes)` : text
}
