import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findServers, type Redis as Server } from '../../scripts/lib/redis.mjs'
import type { CommandSpec } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { argsOf } from '../helpers/arg-view.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/**
 * A request of which we say that it does not block goes to a connection that others share. So the server must answer
 * it at once, whatever the time-out's text is.
 */
const table = buildTable()

/** T is the time-out. No key exists, so whatever can block does. */
const FORMS = [
  'blpop none T',
  'brpop none T',
  'bzpopmin none T',
  'bzpopmax none T',
  'brpoplpush none other T',
  'blmove none other LEFT RIGHT T',
  'blmpop T 1 none LEFT',
  'bzmpop T 1 none MIN',
  'xread BLOCK T STREAMS none $',
  'xread COUNT 1 BLOCK 5000 BLOCK T STREAMS none $',
  'xread NEW T BLOCK T STREAMS none $',
  'xread T BLOCK STREAMS none $',
  'xreadgroup GROUP g BLOCK T STREAMS none >',
  'xreadgroup BLOCK T GROUP g c STREAMS stream >',
]

const text = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '-1',
      '-0.5',
      '-0.002',
      '-0.001',
      '-0.0005',
      '-1e-3',
      '',
      '-',
      '+',
      '.',
      'e',
      '-inf',
      '-nan',
      '-0',
      '1e400',
      '-1e400',
    ),
  },
  fc.string({ unit: fc.constantFrom(...'0123456789.+-eExXinfaN \0'), maxLength: 8 }),
  fc.double().map(String),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
)

const servers = (await findServers()).filter((server) => Number.parseInt(server.version, 10) >= 7)

describe.each(servers)('on $kind $version', (server: Server) => {
  let redis: RedisServer
  let client: RawClient

  beforeAll(async () => {
    redis = await startRedis({ redis: server })
    client = await RawClient.connect({ port: redis.port })
    await client.command('XGROUP', 'CREATE', 'stream', 'g', '$', 'MKSTREAM')
  }, 60_000)

  afterAll(async () => {
    client?.destroy()
    await redis?.stop()
  })

  test('what we say does not block is answered at once', async () => {
    let asked = 0
    const answered = fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (texts) => {
      const requests = FORMS.flatMap((form) =>
        texts.map((each) => form.split(' ').map((word) => (word === 'T' ? each : word))),
      )
      const shared = requests.filter((words) => blocks(words) === undefined)
      asked += shared.length
      const replies = await client.exchange(Buffer.concat(shared.map((words) => request(...words))), shared.length)
      // Not even an empty answer, which would be that of a very short time-out.
      replies.forEach((reply, i) => {
        expect(String(reply), shared[i].join(' ')).toMatch(/^-/)
      })
    })
    await fc.assert(answered, { numRuns: 60 })
    expect(asked).toBeGreaterThan(1000)
  })
})

function blocks(words: readonly string[]): number | undefined {
  return (table.byName(words[0]) as CommandSpec).quirk.blocks?.(argsOf(...words))
}
