import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { notInMulti } from '../../src/commands/in-multi.ts'
import { buildTable } from '../../src/commands/table.ts'
import { type Args, ask, decode } from '../helpers/differential.ts'
import { messages } from './cases/messages.ts'
import { notifications } from './cases/notifications.ts'
import { subscriptions } from './cases/subscriptions.ts'
import { COMPLETE, type Place } from './combinations.ts'
import { refusedInMulti } from './command-run.ts'
import { Conversation } from './conversation.ts'
import { SCENARIOS } from './elsewhere.ts'
import { readDocs } from './grammar.ts'
import { listsFor } from './lists.ts'
import { NOT_IN_MULTI } from './modes.ts'
import { openOwnServers } from './own-servers.ts'
import { runScenario, type Scenario } from './scenario.ts'
import { SELF, type Sides } from './sides.ts'
import { expectAtLeast, Tally } from './tally.ts'
import { PATTERNS } from './values.ts'

/** Publish and subscribe between several connections of one tenant, as between those of a server of its own. */

/** Frames compared byte by byte in the default tier; may only grow. */
const LEAST_EXACT = { scenarios: 4_350, 'commands while subscribed': 2_900, patterns: 4_500 }

const tallies = { scenarios: new Tally(), 'commands while subscribed': new Tally(), patterns: new Tally() }
let sides: Sides
let ran = 0

beforeAll(async () => {
  sides = await openOwnServers({ keys: false })
}, 120_000)

afterAll(() => sides?.stop())

const runs = Object.entries({ subscriptions, messages, notifications }).flatMap(([group, scenarios]) =>
  scenarios.flatMap((scenario) =>
    (scenario.protocols ?? ([2, 3] as const)).flatMap((protocol) =>
      placesFor(scenario).map((place) => [`${group}: ${scenario.name}`, protocol, place, scenario] as const),
    ),
  ),
)

describe('scenarios', () => {
  it.each(runs)('%s, RESP%i, %s', { timeout: 60_000 }, async (_name, protocol, place, scenario) => {
    expect(await runScenario({ sides, scenario, protocol, place, tally: tallies.scenarios })).toEqual([])
    ran++
  })
})

describe('in MULTI', () => {
  it.each(['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE'])(
    '%s is refused, and EXEC aborts',
    async (command) => {
      const client = await sides.proxied()
      if (!SELF) expect(await refusedInMulti(client, [command, 'c'])).toEqual([])
      client.destroy()
      tallies.scenarios.add(command.toLowerCase(), 'skip')
      ran++
    },
  )

  it('nothing else is refused than these tests know of', () => {
    const names = buildTable()
      .all()
      .filter((spec) => spec.open === 'tenant' && notInMulti(spec, true, false) !== undefined)
    const known = new Set([
      ...Object.keys(NOT_IN_MULTI),
      ...[...SCENARIOS].filter((name) => name.endsWith('subscribe')),
    ])
    expect(new Set(names.map(({ name }) => name))).toEqual(known)
  })
})

describe('in the subscribed mode of RESP2', () => {
  it('every command is refused in the same words', { timeout: 60_000 }, async () => {
    const [bare, proxied] = await Promise.all([sides.bare(), sides.proxied()])
    const docs = readDocs((await ask(bare, [['COMMAND', 'DOCS']]))[0])
    const open = buildTable()
      .all()
      // ACL has subcommands that are not open, and those are looked at first.
      .filter(({ open, name }) => open === 'tenant' && docs.has(name) && !ALLOWED.test(name) && name !== 'acl')
    const infos = await ask(
      bare,
      open.map(({ name }) => ['COMMAND', 'INFO', name]),
    )
    // Keyward knows the arity that the newest server has, which is looked at first.
    const specs = open.filter(({ arity }, i) => decode(infos[i]).items?.[0]?.items?.[1]?.text === String(arity))
    const conversation = new Conversation(bare, proxied, tallies['commands while subscribed'], () => undefined)
    expect(await conversation.say('subscribe', [['SUBSCRIBE', 'c']])).toEqual([])
    const problems: string[] = []
    for (const { name } of specs) {
      const lists = listsFor(name, docs.get(name), ['payload']).slice(0, 12)
      problems.push(
        ...(await conversation.say(
          name,
          lists.map(({ args }) => args),
        )),
      )
    }
    expect(problems).toEqual([])
    expect(await conversation.say('ping', [['PING']])).toEqual([])
    for (const client of [bare, proxied]) client.destroy()
    ran++
  })
})

describe.each([2, 3] as const)('RESP%i', (protocol) => {
  it('patterns match the same channels', { timeout: 60_000 }, async () => {
    const [bare, proxied] = await Promise.all([sides.bare({ protocol }), sides.proxied({ protocol })])
    const speakers = await Promise.all([sides.bare(), sides.proxied()])
    const listening = new Conversation(bare, proxied, tallies.patterns, () => undefined)
    const speaking = new Conversation(speakers[0], speakers[1], tallies.patterns, () => undefined)
    for (const pattern of PATTERNS) {
      expect(await listening.say('psubscribe', [['PSUBSCRIBE', pattern]])).toEqual([])
      const publish = CHANNELS.map((channel): Args => ['PUBLISH', channel, 'x'])
      expect(await speaking.say('publish', publish)).toEqual([])
      const hits = await ask(speakers[0], publish)
      await ask(speakers[1], publish)
      // The messages of both rounds, and then the acknowledgement: as many frames as there were receivers.
      const messages = 2 * hits.filter((frame) => frame === ':1\r\n').length
      expect(await listening.hear('psubscribe', messages)).toEqual([])
      expect(await listening.say('punsubscribe', [['PUNSUBSCRIBE', pattern]])).toEqual([])
    }
    for (const client of [bare, proxied, ...speakers]) client.destroy()
    ran++
  })
})

it('compares as many replies byte by byte as it did before', () => {
  if (ran < runs.length + 9 || SELF) return
  const texts = Object.entries(tallies).map(([name, tally]) => `  ${name}: ${tally.text()}; ${tally.inexactText()}`)
  console.log(`differential, publish and subscribe: ${runs.length} scenarios\n${texts.join('\n')}`)
  expectAtLeast(tallies, LEAST_EXACT)
})

it('made Keyward warn of nothing', () => {
  expect(sides.warnings().filter((line) => !line.includes(' refused: '))).toEqual([])
})

/** Not refused, or not one reply each. */
const ALLOWED = /^([ps]?(un)?subscribe|ping|quit|reset)$/

const CHANNELS = [
  ...[
    '',
    '*',
    '**',
    '?',
    'a',
    'b',
    'str',
    'st',
    'string',
    'list:a',
    'lists',
    'a b',
    'a\\',
    '\\',
    '\\*',
    '[',
    ']',
    '[]',
    '^',
    '-',
  ],
  ...[
    'a\r\nb',
    'nul\0',
    '\xff',
    '\xd0\xba',
    'one:x',
    'diff:x',
    'five:3:x',
    '0:str',
    'acme:x',
    'keyward:',
    '{tag}x',
    'S',
  ],
]

function placesFor({ places }: Scenario): readonly Place[] {
  return places ?? (COMPLETE ? ['plain', 'db0', 'db3'] : ['plain'])
}
