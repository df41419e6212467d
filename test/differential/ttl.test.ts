import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FLAG } from '../../src/commands/spec.ts'
import { buildTable } from '../../src/commands/table.ts'
import { APART, ROWS, type Row } from './cases/ttl.ts'
import { runRows, type Sending, type TtlRun } from './ttl-run.ts'
import { openTtlSides, type TtlSides } from './ttl-sides.ts'

/**
 * Every command that writes, with a rule that gives each key an hour, and without: the replies are the same bytes, the data
 * is the same, and afterwards every key that a write has named has a time to live, and no key that was only read.
 */
const ALL = (process.env.KEYWARD_TIER ?? 'default') !== 'default'

const SENDINGS: readonly Sending[] = [
  'one by one',
  'in one write',
  'each in MULTI',
  'all in one MULTI',
  'behind WATCH',
  'with replies off',
  'with each reply skipped',
]

type Circumstances = Pick<TtlRun, 'sending' | 'protocol' | 'lasting' | 'place'> & { readonly big: boolean }

const EVERY: readonly Circumstances[] = SENDINGS.flatMap((sending) =>
  ([2, 3] as const).flatMap((protocol) => [
    ...[false, true].map((lasting) => ({ sending, protocol, lasting, place: 'plain' as const, big: false })),
    { sending, protocol, lasting: false, place: 'db3', big: false },
    { sending, protocol, lasting: false, place: 'bounded', big: false },
    { sending, protocol, lasting: false, place: 'plain', big: true },
  ]),
)

/** In the default tier each way of sending once, in RESP2 and RESP3 by turns, and a few of the others. */
function circumstances(oldServer: boolean): readonly Circumstances[] {
  if (ALL) return EVERY
  return EVERY.filter(({ sending, protocol, lasting, place, big }) => {
    const i = SENDINGS.indexOf(sending)
    const turn = (i + (oldServer ? 1 : 0) + (lasting ? 1 : 0)) % 2 === 0 ? 2 : 3
    if (protocol !== turn) return false
    const [together, inMulti] = [sending === 'in one write', sending === 'each in MULTI']
    if (oldServer) return (together || inMulti) && !lasting && !big && place === 'plain'
    if (big || place === 'db3') return together
    if (place === 'bounded') return inMulti
    return !lasting || together || inMulti
  })
}

const PLACE = { plain: '', db3: ', in a numbered database', bounded: ', with bounds of one hour' }

function textOf({ sending, protocol, lasting, place, big }: Circumstances): string {
  const keys = lasting ? 'keys that had a time to live' : 'keys that had none'
  return `${sending}, RESP${protocol}, ${big ? 'big values' : keys}${PLACE[place]}`
}

const table = buildTable()

/** The command that a row is about. */
function nameOf(row: Row): string {
  const [first, second] = typeof row === 'string' ? row.split(' ') : row
  const name = first.toLowerCase()
  return table.byName(`${name}|${second}`)?.name ?? name
}

it('has rows for every command that writes', () => {
  const named = new Set([...ROWS.map(nameOf), ...APART])
  // Those of newer servers are in integration/newer-servers.test.ts.
  const writes = table
    .all()
    .filter(({ open, presence }) => open === 'tenant' && presence === 'always')
    .filter(({ flags, subcommands }) => subcommands === undefined && (flags & FLAG.WRITE) !== 0)
  expect(writes.length).toBeGreaterThan(95)
  expect(writes.filter(({ name }) => !named.has(name)).map(({ name }) => name)).toEqual([])
})

for (const oldServer of [false, true]) {
  describe(oldServer ? 'on a server without PEXPIRE … NX' : 'on a server with PEXPIRE … NX', () => {
    let sides: TtlSides

    beforeAll(async () => {
      sides = await openTtlSides({ oldServer })
    }, 120_000)

    afterAll(() => sides?.stop())

    const runs = circumstances(oldServer).map((one) => [textOf(one), one] as const)

    it.each(runs)('%s', { timeout: 120_000 }, async (_text, { big, ...one }) => {
      // Those of commands that the server in use has.
      const known = ROWS.filter((row) => sides.commands.has(nameOf(row).split('|')[0]))
      const rows = big ? known.filter((row) => /\b(BIG|[wd]\.(big|heavy))\b/.test(String(row))) : known
      expect(rows.length).toBeGreaterThan(big ? 60 : 700)
      if (!big) expect(await runRows({ sides, rows, ...one, value: 'value' })).toEqual([])
      else {
        const some = ALL ? rows : rows.filter((_, i) => i % 3 === 0)
        expect(await runRows({ sides, rows, ...one, value: 'x'.repeat(200 * 1024) })).toEqual([])
        expect(await runRows({ sides, rows: some, ...one, value: 'x'.repeat(2 * 1024 * 1024) })).toEqual([])
      }
    })

    it('made Keyward warn of nothing', () => {
      expect(sides.warnings()).toEqual([])
      expect(sides.keyward.proxy.faults).toBe(0)
    })
  })
}
