import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { globMatches } from '../../src/lib/glob.ts'
import { decode } from '../helpers/differential.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** The matcher against a real server: KEYS for bytes as they are, COMMAND LIST for names in any case. */
const MILLISECONDS = { default: 2_000, long: 30_000, drill: 300_000 }[process.env.KEYWARD_TIER ?? 'default'] ?? 2_000

/** Few letters, so that random patterns match now and then; all that is special, so that oddities meet. */
const LETTERS = ['a', 'b', 'c', 'A', '\xff', '\0', '-', '^', ']', '[', '\\', '*', '?']
const text = fc.array(fc.constantFrom(...LETTERS), { maxLength: 6 }).map((letters) => letters.join(''))
const pattern = fc
  .array(fc.constantFrom(...LETTERS, '*', '?', '[', ']', '\\', '[^', 'a-c', '[a-c]'), { maxLength: 8 })
  .map((parts) => parts.join(''))
const NAMES = ['zadd', 'sadd', 'xadd', 'geoadd', 'dump', 'asking', 'ltrim']
const namePattern = fc
  .array(
    fc.constantFrom(
      'z',
      'Z',
      's',
      'X',
      'a',
      'A',
      'dd',
      'DD',
      'add',
      '*',
      '?',
      '[',
      '[^',
      ']',
      '\\',
      '-',
      'a-Z',
      'Z-a',
      'A-z',
    ),
    {
      maxLength: 7,
    },
  )
  .map((parts) => parts.join(''))

const bytes = (latin1: string) => Buffer.from(latin1, 'latin1')

let server: RedisServer
let client: RawClient

beforeAll(async () => {
  server = await startRedis()
  client = await RawClient.connect({ port: server.port })
})

afterAll(async () => {
  client?.destroy()
  await server?.stop()
})

/** The elements of an array of bulk strings. */
async function names(...words: (string | Buffer)[]): Promise<string[]> {
  const [frame] = await client.exchange(request(...words))
  return (decode(frame.toString('latin1')).items ?? []).map((item) => item.text ?? '')
}

/** Rounds with seeds of their own: fast-check's own time limit would leave a run behind that is still talking. */
async function forAWhile(name: string, property: fc.IAsyncProperty<unknown>): Promise<void> {
  const first = Math.floor(Math.random() * 1e9)
  console.log(`glob, ${name}: seeds from ${first}, ${MILLISECONDS} ms`)
  const deadline = Date.now() + MILLISECONDS
  for (let seed = first; Date.now() < deadline; seed++)
    await fc.assert(property as fc.IAsyncProperty<[unknown]>, { seed, numRuns: 20 })
}

test(
  'bytes as they are',
  async () => {
    let matched = 0
    const property = fc.asyncProperty(
      fc.uniqueArray(text, { maxLength: 40 }),
      fc.array(pattern, { maxLength: 40 }),
      async (keys, patterns) => {
        await client.command('FLUSHALL')
        if (keys.length > 0) await client.command('MSET', ...keys.flatMap((key) => [bytes(key), '1']))
        for (const each of patterns) {
          // Where C's char has no sign, ranges with a high byte mean something else.
          if (process.arch !== 'x64' && /\xff-|-\\?\xff/.test(each)) continue
          // KEYS * is a case of its own.
          const expected = keys.filter((key) => each === '*' || globMatches(bytes(each), bytes(key)))
          expect((await names('KEYS', bytes(each))).sort(), JSON.stringify(each)).toEqual(expected.sort())
          matched += expected.length
        }
      },
    )
    await forAWhile('bytes', property)
    expect(matched).toBeGreaterThan(20)
  },
  MILLISECONDS + 60_000,
)

test(
  'letters in any case',
  async () => {
    let matched = 0
    const property = fc.asyncProperty(namePattern, async (each) => {
      const answer = new Set(await names('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', each))
      const expected = NAMES.filter((name) => globMatches(bytes(each), bytes(name), true))
      expect(
        NAMES.filter((name) => answer.has(name)),
        JSON.stringify(each),
      ).toEqual(expected)
      matched += expected.length
    })
    await forAWhile('names', property)
    expect(matched).toBeGreaterThan(20)
  },
  MILLISECONDS + 60_000,
)
