import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, leftovers, places } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { type Script, ScriptedServer } from '../helpers/scripted-server.ts'

/** A broken, slow or lying upstream never crashes Keyward, and once it is honest again it is used again. */
/** pino's number for `error`. */
const ERROR = 50

interface Stage {
  readonly server: ScriptedServer
  readonly keyward: Keyward
}

/** Each test has its own pair, so that they can run side by side: most of their time is waiting. */
async function onStage(play: (stage: Stage) => Promise<void>): Promise<void> {
  const server = await ScriptedServer.start()
  const keyward = await startKeyward(
    configFor(server, {}, { timeouts: { request: '600ms', connect: '600ms' }, hold: { time: '900ms' } }),
  )
  try {
    await play({ server, keyward })
    await recovers({ server, keyward })
    expect(await leftovers(keyward)).toEqual({})
    // A key without the tenant's prefix is told, and is not our fault.
    const reported = keyward.log.filter(({ level }) => level >= ERROR)
    expect(reported.filter((line) => !JSON.stringify(line).includes('outside the prefix'))).toEqual([])
  } finally {
    keyward.stop()
    await server.stop()
  }
}

const lie = (bytes: string): Script => {
  return ([name]) => (/^(AUTH|HELLO|CLIENT|ROLE|INFO|PING)$/i.test(name) ? undefined : bytes)
}

/** After any lie: an honest answer reaches the client, on the same connection or on a new one. */
async function recovers({ server, keyward }: Stage): Promise<void> {
  server.script = () => undefined
  // What it swallowed it will not answer any more: only new connections are in step with it.
  server.dropAll()
  const works = await eventually(async () => {
    const client = await keyward.connect({ password: 'acme' })
    try {
      return (await client.command('SET', 'a', 1)) === '+OK\r\n'
    } finally {
      client.destroy()
    }
  })
  expect(works).toBe(true)
}

const REQUESTS = [
  ['GET', 'a'],
  ['BLPOP', 'q', '0.1'],
  ['LMPOP', '1', 'q', 'LEFT'],
  ['XREAD', 'STREAMS', 's', '0'],
  ['MULTI'],
  ['XPENDING', 's', 'g'],
  ['SCAN', '0'],
  ['KEYS', '*'],
  ['KEYS', 'a'],
  ['DBSIZE'],
  ['RANDOMKEY'],
  ['FLUSHDB'],
] as const

const LIES: readonly (readonly [string, string])[] = [
  ['garbage', 'garbage\r\n'],
  ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'],
  ['zeros', '\0'.repeat(100)],
  ['another type than the command has', ':1\r\n'],
  ['a string where an array belongs', '$3\r\nabc\r\n'],
  ['a null', '$-1\r\n'],
  ['a null array', '*-1\r\n'],
  ['an empty array', '*0\r\n'],
  ['an array of numbers', '*2\r\n:1\r\n:2\r\n'],
  ['an array of nulls', '*2\r\n$-1\r\n*-1\r\n'],
  ["a key of somebody else's", '*2\r\n$7\r\nbeta:qq\r\n$1\r\nx\r\n'],
  ['a key without any prefix', '*2\r\n$1\r\nq\r\n$1\r\nx\r\n'],
  ["somebody else's key in an error", "-NOGROUP No such key 'beta:s' or consumer group 'g'\r\n"],
  ['a map in RESP2', '%1\r\n$6\r\nacme:s\r\n*0\r\n'],
  ['a push', '>2\r\n$1\r\na\r\n$1\r\nb\r\n+OK\r\n'],
  ['pushes without end', `${'>1\r\n$1\r\na\r\n'.repeat(2000)}+OK\r\n`],
  ['an attribute', '|1\r\n+a\r\n+b\r\n+OK\r\n'],
  ['two replies for one request', '+OK\r\n+OK\r\n'],
  ['a hundred replies for one request', '+OK\r\n'.repeat(100)],
  ['a huge bulk', '$999999999999\r\nabc'],
  ['a bulk over every range', '$99999999999999999999999\r\nabc'],
  ['a negative length', '$-2\r\n'],
  ['a huge array', '*2147483647\r\n:1\r\n'],
  ['an array over every range', '*99999999999999999999\r\n'],
  ['arrays in arrays without end', '*1\r\n'.repeat(100_000)],
  ['a bulk that ends elsewhere', '$3\r\nabcdef\r\n'],
  ['an empty line', '\r\n'],
  ['a line without an end', `+${'x'.repeat(3_000_000)}`],
  ['an error without an end', `-${'x'.repeat(3_000_000)}`],
  ['a line feed alone', '+OK\n'],
  ['nothing', ''],
  ['half a reply', '$10\r\nhalf'],
]

test.concurrent.each(LIES)('%s', { timeout: 120_000 }, (_, bytes) =>
  onStage(async ({ server, keyward }) => {
    server.script = lie(bytes)
    const ask = async (protocol: number, words: readonly string[]) => {
      const client = await keyward.connect({ password: 'acme' })
      if (protocol === 3) await client.command('HELLO', 3)
      client.send(request(...words))
      // A reply of any kind or a closed connection, and soon.
      const outcome = await client.reply().then(String, () => client.closed().then(String))
      // What is a key for sure must be the tenant's own.
      if (words[0].endsWith('POP')) expect(outcome).not.toMatch(/^\*2\r\n\$\d\r\n(beta|acme):/)
      client.destroy()
    }
    await Promise.all([2, 3].flatMap((protocol) => REQUESTS.map((words) => ask(protocol, words))))
  }),
)

test.concurrent('every place at which a reply can be cut', { timeout: 120_000 }, () =>
  onStage(async ({ server, keyward }) => {
    const reply = '*2\r\n$6\r\nacme:q\r\n$5\r\nhello\r\n'
    for (let length = 0; length <= reply.length; length++) {
      server.script = ([name]) => {
        if (!/^(LMPOP|GET)$/i.test(name)) return undefined
        return (socket: Socket) => socket.end(reply.slice(0, length), 'latin1')
      }
      const client = await keyward.connect({ password: 'acme' })
      client.send(Buffer.concat([request('LMPOP', 1, 'q', 'LEFT'), request('PING')]))
      const replies = (await client.replies(2)).map(String)
      expect(replies[0]).toMatch(length < reply.length ? /^-(OUTCOMEUNKNOWN|UPSTREAMDOWN)/ : /^\*2\r\n\$1\r\nq\r\n/)
      expect(replies[1]).toBe('+PONG\r\n')
      client.destroy()
    }
  }),
)

test.concurrent('a server that is wrong from the first byte of the handshake on', { timeout: 120_000 }, () =>
  onStage(async ({ server, keyward }) => {
    for (const bytes of [
      'nonsense\r\n',
      '$999999999999\r\n',
      '-ERR go away\r\n',
      '*1\r\n'.repeat(1000),
      '>1\r\n+x\r\n'.repeat(50),
      '',
      '$-1\r\n',
      ':1\r\n',
    ]) {
      server.script = () => bytes
      // Its open connections are good; take them away, so that new ones meet the lie.
      server.dropAll()
      await new Promise((resolve) => setTimeout(resolve, 150))
      const client = await keyward.connect({ password: 'acme' })
      expect(await client.command('PING')).toBe('+PONG\r\n')
      client.destroy()
      await recovers({ server, keyward })
    }
  }),
)

test.concurrent('a server that accepts and says nothing', { timeout: 120_000 }, () =>
  onStage(async ({ server, keyward }) => {
    server.script = () => () => {}
    server.dropAll()
    const client = await keyward.connect({ password: 'acme' })
    expect(await client.command('SET', 'a', 1)).toMatch(/^-UPSTREAMDOWN not sent/)
    client.destroy()
  }),
)

test.concurrent('a reply to a client that is gone goes to nobody else', { timeout: 120_000 }, () =>
  onStage(async ({ server, keyward }) => {
    const late: (() => void)[] = []
    server.script = ([name, key]) => {
      if (name.toUpperCase() !== 'GET') return undefined
      return (socket: Socket) => void late.push(() => socket.write(`$${key.length}\r\n${key}\r\n`))
    }
    const gone = await keyward.connect({ password: 'acme' })
    gone.send(request('GET', 'first'))
    expect(await eventually(() => late.length === 1)).toBe(true)
    gone.reset()
    expect(await eventually(() => places(keyward).clients === 0)).toBe(true)
    const client = await keyward.connect({ password: 'acme' })
    client.send(request('GET', 'second'))
    expect(await eventually(() => late.length === 2)).toBe(true)
    for (const send of late) send()
    expect(String(await client.reply())).toBe('$11\r\nacme:second\r\n')
    client.destroy()
  }),
)

test("a key of somebody else's in a reply: the client gets an error, and that upstream connection is closed", () =>
  onStage(async ({ server, keyward }) => {
    server.script = lie('*2\r\n$7\r\nbeta:qq\r\n$1\r\nx\r\n')
    const client = await keyward.connect({ password: 'acme' })
    expect(await client.command('LMPOP', '1', 'q', 'LEFT')).toMatch(/^-UPSTREAMDOWN /)
    expect(await eventually(() => keyward.proxy.view().upstreams[0].reconnects > 0)).toBe(true)
    client.destroy()
  }))
