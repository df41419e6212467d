import { createHash } from 'node:crypto'
import type { Args } from '../helpers/differential.ts'
import type { Place } from './combinations.ts'
import { Conversation } from './conversation.ts'
import type { ModeRow } from './modes.ts'
import type { Sides } from './sides.ts'
import { differences } from './state.ts'
import type { Tally } from './tally.ts'

/** Where Keyward keeps the texts, as state.ts names it. */
const TEXTS = /^outside the prefix: keyward:scripts?:/

/** How a script is run. */
export interface Form {
  readonly name: string
  readonly protocol: 2 | 3
  readonly place: Place
  requests(lua: string, rest: Args): Args[]
}

const evaluate = (lua: string, rest: Args): Args[] => [['EVAL', lua, ...rest]]

/** EVALSHA twice: once the server has it, and before that Keyward may only know it. */
const bySha = (lua: string, rest: Args): Args[] => [
  ['SCRIPT', 'LOAD', lua],
  ['EVALSHA', sha1(lua), ...rest],
  ['EVALSHA', sha1(lua).toUpperCase(), ...rest],
  ['SCRIPT', 'EXISTS', sha1(lua), sha1(`not ${lua}`)],
]

/** A member with its own kind behind it, and what it leaves seen by the next. */
const inMulti = (lua: string, rest: Args): Args[] => [
  ['MULTI'],
  ['EVAL', lua, ...rest],
  ['EVALSHA', sha1(lua), ...rest],
  ['EXISTS', 'x', 'str'],
  ['EXEC'],
  ['EVALSHA_RO', sha1(lua), ...rest],
]

/** Without the others: in MULTI, Keyward sends the text for EVALSHA, so that one of a text that does not compile is told so. */
const onceInMulti = (lua: string, rest: Args): Args[] => [['MULTI'], ['EVAL', lua, ...rest], ['EXEC']]

const readonly = (lua: string, rest: Args): Args[] => [['EVAL_RO', lua, ...rest], ['PING']]

/** For texts that do not compile. */
export const IN_MULTI_ONCE: Form = { name: 'in MULTI, once', protocol: 2, place: 'plain', requests: onceInMulti }

export const FORMS: readonly Form[] = [
  { name: 'EVAL', protocol: 2, place: 'plain', requests: evaluate },
  { name: 'EVAL, RESP3', protocol: 3, place: 'plain', requests: evaluate },
  { name: 'EVALSHA', protocol: 2, place: 'plain', requests: bySha },
  { name: 'EVALSHA, RESP3, database 3', protocol: 3, place: 'db3', requests: bySha },
  { name: 'EVAL_RO', protocol: 2, place: 'plain', requests: readonly },
  { name: 'in MULTI', protocol: 2, place: 'plain', requests: inMulti },
  { name: 'in MULTI, RESP3, database 3', protocol: 3, place: 'db3', requests: inMulti },
]

/** On connections that stay open from script to script, as those of applications do. */
export class ScriptRuns {
  private readonly sides: Sides
  private readonly tally: Tally
  private readonly rowOf: (args: Args) => ModeRow | undefined
  private readonly conversations = new Map<string, Promise<Conversation>>()
  private place: Place | undefined = undefined

  constructor(sides: Sides, tally: Tally, rowOf: (args: Args) => ModeRow | undefined) {
    this.sides = sides
    this.tally = tally
    this.rowOf = rowOf
  }

  /** Returns one text for each difference in the replies and in what is there afterwards. */
  async run(form: Form, lua: string, keys: readonly string[], args: readonly string[]): Promise<string[]> {
    const { place } = form
    const { bare, proxied } = this.sides.doors(place)
    if (this.place !== place) await Promise.all([bare.reload(), proxied.reload()])
    this.place = place
    const requests = form.requests(lua, [String(keys.length), ...keys, ...args])
    const problems = await (await this.conversation(form)).say(form.name, requests)
    const [left, right] = await Promise.all([bare.state(), proxied.state()])
    for (const name of right.keys()) if (TEXTS.test(name)) right.delete(name)
    problems.push(...differences(left, right))
    if (problems.length > 0 || !bare.pristine(left)) await Promise.all([bare.reload(), proxied.reload()])
    return problems.map((problem) => `${form.name}: ${problem}`)
  }

  private conversation(form: Form): Promise<Conversation> {
    const { protocol, place } = form
    const key = `${protocol} ${place}`
    let conversation = this.conversations.get(key)
    if (conversation === undefined) {
      conversation = Promise.all([this.sides.bare({ protocol, place }), this.sides.proxied({ protocol, place })]).then(
        ([bare, proxied]) => new Conversation(bare, proxied, this.tally, this.rowOf),
      )
      this.conversations.set(key, conversation)
    }
    return conversation
  }

  async close(): Promise<void> {
    for (const conversation of this.conversations.values()) {
      const { bare, proxied } = await conversation
      bare.destroy()
      proxied.destroy()
    }
  }
}

function sha1(lua: string): string {
  return createHash('sha1').update(Buffer.from(lua, 'latin1')).digest('hex')
}
