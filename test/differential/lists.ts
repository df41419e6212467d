import type { Args } from '../helpers/differential.ts'
import type { Argument, CommandDoc } from './grammar.ts'
import { Random } from './random.ts'
import {
  BAD_NUMBERS,
  BAD_TIMEOUTS,
  type Context,
  fittingKeys,
  keyOfOtherKind,
  missingKey,
  valueFor,
  zrangeBounds,
} from './values.ts'

/**
 * Argument lists for one command, from the server's own description of it: half of them as they should be, the
 * others with one thing wrong in them, in type, arity, range, syntax or existence. The same ones in every run.
 */
export interface List {
  readonly args: Args
  /** Something was made wrong on purpose. */
  readonly wrong: boolean
}

type SlotKind = 'name' | 'key' | 'number' | 'timeout' | 'token' | 'value'

interface Slot {
  text: string
  readonly kind: SlotKind
}

/** Lists for each command. */
export const LISTS_PER_COMMAND = 50

export function listsFor(command: string, doc: CommandDoc | undefined, payloads: readonly string[]): List[] {
  const random = new Random(command)
  const context: Context = { command, group: doc?.group ?? '', random, payloads }
  const seen = new Set<string>()
  const lists: List[] = []
  let wrong = 0
  // Commands with few possible lists run dry of right ones: after enough attempts all the rest are wrong ones.
  for (let attempt = 0; lists.length < LISTS_PER_COMMAND; attempt++) {
    const spoil = wrong * 2 <= lists.length || attempt > 40 * LISTS_PER_COMMAND
    const slots = rightList(doc?.args ?? [], context)
    if (spoil) makeWrong(slots, context, attempt)
    const args = slots.map((slot) => slot.text)
    const text = JSON.stringify(args).toLowerCase()
    if (seen.has(text)) {
      // The attempt counts: a wrong list that came before is not wrong in a new way.
      if (attempt > 400 * LISTS_PER_COMMAND) throw new Error(`no ${LISTS_PER_COMMAND} different lists for ${command}`)
      if (!spoil && attempt % 8 === 7) addWrong()
      continue
    }
    seen.add(text)
    lists.push({ args, wrong: spoil })
    if (spoil) wrong++
  }
  return lists

  function addWrong(): void {
    const slots = rightList(doc?.args ?? [], context)
    makeWrong(slots, context, random.below(100))
    const args = slots.map((slot) => slot.text)
    const text = JSON.stringify(args).toLowerCase()
    if (seen.has(text)) return
    seen.add(text)
    lists.push({ args, wrong: true })
    wrong++
  }
}

function rightList(args: readonly Argument[], context: Context): Slot[] {
  const words = context.command.split('|').map((word): Slot => ({ text: anyCase(word, context.random), kind: 'name' }))
  const writer = new ListWriter(context)
  writer.all(args)
  if (/^zrange(store)?$/.test(context.command)) fitZrange(writer.slots, context)
  return [...words, ...writer.slots]
}

/** What the grammar cannot tell: which options go together. */
function fitZrange(slots: Slot[], { command, random }: Context): void {
  const words = slots.map((slot) => (slot.kind === 'token' ? slot.text.toUpperCase() : ''))
  const limit = words.indexOf('LIMIT')
  if (limit !== -1 && !words.includes('BYSCORE') && !words.includes('BYLEX')) slots.splice(limit, 3)
  const first = command === 'zrange' ? 1 : 2
  for (const at of [first, first + 1]) slots[at].text = random.pick(zrangeBounds(words))
}

/** Writes one list along the grammar. Keeps the counts right that the grammar cannot tell: numkeys, one id per stream. */
class ListWriter {
  readonly slots: Slot[] = []
  private readonly context: Context
  private numkeys: Slot | undefined
  private keys = 1

  constructor(context: Context) {
    this.context = context
  }

  all(args: readonly Argument[]): void {
    for (const arg of args) {
      if (arg.optional && !this.context.random.chance(arg.parts.length > 0 ? 0.5 : 0.35)) continue
      this.argument(arg)
    }
  }

  private argument(arg: Argument): void {
    const { random, command } = this.context
    let times = arg.multiple ? 1 + random.below(3) : 1
    const perKey = arg.name === 'weight' || (command.startsWith('xread') && arg.name === 'id')
    if (perKey) times = this.keys
    if (arg.multiple && arg.type === 'key') this.keys = times
    for (let i = 0; i < times; i++) {
      if (arg.token !== undefined && arg.type !== 'pure-token' && (i === 0 || arg.tokenEach)) this.token(arg.token)
      this.value(arg)
    }
    if (arg.type === 'key' && this.numkeys !== undefined) {
      this.numkeys.text = String(times)
      this.numkeys = undefined
    }
  }

  private value(arg: Argument): void {
    const { random, group, command } = this.context
    if (arg.type === 'block') this.all(arg.parts)
    else if (arg.type === 'oneof') this.argument(random.pick(arg.parts))
    else if (arg.type === 'pure-token') this.token(arg.token ?? '')
    else if (arg.type === 'key') {
      const fresh = /dest|newkey|dst/.test(arg.name) && random.chance(0.5)
      this.slots.push({
        text: fresh ? missingKey(random) : random.pick(fittingKeys(command, group, random)),
        kind: 'key',
      })
    } else {
      const slot: Slot = { text: valueFor(arg, this.context), kind: kindOf(arg, this.context.command) }
      if (arg.name === 'numkeys') this.numkeys = slot
      this.slots.push(slot)
    }
  }

  private token(text: string): void {
    this.slots.push({ text: anyCase(text, this.context.random), kind: 'token' })
  }
}

function kindOf({ name, type }: Argument, command: string): SlotKind {
  if (name === 'timeout' || (name === 'milliseconds' && command.startsWith('xread'))) return 'timeout'
  return type === 'integer' || type === 'double' || type === 'unix-time' ? 'number' : 'value'
}

const WRONGS = [
  'missing key',
  'other type',
  'bad number',
  'too few',
  'too many',
  'unknown word',
  'twice',
  'empty',
] as const

/** Puts one mistake in, of a kind that the attempt's number chooses, or the next kind for which there is a place. */
function makeWrong(slots: Slot[], context: Context, attempt: number): void {
  for (let i = 0; i < WRONGS.length; i++) {
    if (mistake(WRONGS[(attempt + i) % WRONGS.length], slots, context)) return
  }
}

function mistake(wrong: (typeof WRONGS)[number], slots: Slot[], { random, group, command }: Context): boolean {
  const words = command.split('|').length
  const any = (kinds: readonly SlotKind[]): Slot | undefined => {
    const fit = slots.filter((slot) => kinds.includes(slot.kind))
    return fit.length === 0 ? undefined : random.pick(fit)
  }
  let slot: Slot | undefined
  switch (wrong) {
    case 'missing key':
      slot = any(['key'])
      if (slot !== undefined) slot.text = missingKey(random)
      break
    case 'other type':
      slot = any(['key'])
      if (slot !== undefined) slot.text = keyOfOtherKind(group, random)
      break
    case 'bad number':
      slot = any(['number', 'timeout'])
      if (slot !== undefined) slot.text = random.pick(slot.kind === 'timeout' ? BAD_TIMEOUTS : BAD_NUMBERS)
      break
    case 'too few':
      if (slots.length === words) return false
      slots.splice(random.chance(0.5) ? slots.length - 1 : words + random.below(slots.length - words), 1)
      return true
    case 'too many':
      for (let n = 1 + random.below(2); n > 0; n--) slots.push({ text: random.pick(EXTRA), kind: 'value' })
      return true
    case 'unknown word':
      slot = any(['token'])
      if (slot !== undefined) slot.text = random.pick(['NOPE', '', 'STORE', 'x y'])
      else slots.splice(Math.min(slots.length, words + 1), 0, { text: random.pick(EXTRA), kind: 'value' })
      return true
    case 'twice': {
      const at = slots.findIndex((other) => other.kind === 'token')
      if (at === -1) return false
      slots.push({ ...slots[at] })
      return true
    }
    case 'empty':
      slot = any(['value', 'number'])
      if (slot !== undefined) slot.text = ''
      break
  }
  return slot !== undefined
}

/** None of them reads as a small positive number, which could become a short time. */
const EXTRA = [
  'extra',
  'NX',
  'LIMIT',
  'str',
  'COUNT',
  '',
  '-7',
  'WITHSCORES',
  'GET',
  '\0',
  'one more',
  'list',
  'x'.repeat(130),
]

function anyCase(word: string, random: Random): string {
  const how = random.below(4)
  if (how === 0) return word.toUpperCase()
  if (how === 1) return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()
  return word.toLowerCase()
}
