import type { Random } from '../differential/random.ts'
import type { Args } from '../helpers/differential.ts'
import type { Mode } from './agree.ts'
import { KeyClass, KINDS, type Kind, PATTERNS, WEIGHED } from './keys.ts'
import type { Row } from './row.ts'
import { BLOCKING, GROUPS, WHOLE, WRONG } from './rows.ts'

/** One request and how its replies are compared. `members`: of EXEC, those of the elements of its array. */
export interface Step {
  readonly args: Args
  readonly mode: Mode
  readonly members?: readonly Mode[]
}

const ELEMENTS = [...WEIGHED, ...WEIGHED, 'a', 'b', 'c', 'two words', '', 'cr\r\nlf', '\xff\0', 'x'.repeat(70)]
const VALUES = [
  '1',
  '2',
  '-7',
  '42',
  '3.5',
  'hello',
  '',
  'acme:0:plain',
  '*1\r\n$4\r\nPING\r\n',
  '\0\xff\r\n',
  'v'.repeat(200),
]
/** Absolute times, in seconds: 2100 and 2101. Milliseconds are made by appending zeros. */
const FAR = ['4102444800', '4133980800']
const LATER = ['10000000', '20000000']

const WORDS: Readonly<Record<string, readonly string[]>> = {
  element: ELEMENTS,
  value: VALUES,
  far: FAR,
  later: LATER,
  past: ['1', '1000000'],
  int: ['0', '1', '2', '5', '-3'],
  index: ['0', '1', '2', '-1', '-2', '5'],
  count: ['1', '2', '3', '6'],
  score: ['0', '1', '2', '2.5', '-1', '1e3', '0.25'],
  min: ['-inf', '0', '(1', '2'],
  max: ['+inf', '3', '(2.5', '1'],
  bit: ['0', '3', '7', '12', '33'],
  one: ['0', '1'],
  lon: ['13.36', '15.09', '2.35', '-0.12', '0'],
  lat: ['38.11', '37.5', '48.85', '51.5', '0'],
  group: ['g1', 'g1', 'g2'],
  consumer: ['c1', 'c2'],
  pattern: PATTERNS,
  db: ['0', '1', '2', '3', '4'],
}

/** Makes requests for one tenant; the same ones for the same Random. */
export class Requests {
  private readonly random: Random
  private readonly classes: readonly KeyClass[]
  /** Of the entry of a stream that was given last. */
  private id = 0
  /** Nothing that goes to another database is made. */
  private staying = false
  /** Requests that speak of the whole database may be made. */
  private wholes = false
  private readonly anyClass = () => this.random.pick(this.classes)

  constructor(random: Random, classes: number) {
    this.random = random
    this.classes = Array.from({ length: classes }, (_, i) => new KeyClass(i))
  }

  /** About so many requests on the keys of one class: nothing that other classes' requests could change or see. */
  some(number: number, about: number): Step[] {
    const keys = this.classes[number]
    return this.burst(about, () => keys)
  }

  /** The same on all keys, with requests that speak of the whole database. */
  all(about: number): Step[] {
    const steps = this.burstWithWholes(about)
    if (this.random.chance(0.5)) {
      const whole = this.random.chance(0.01) ? exact('FLUSHALL') : this.whole()
      steps.splice(this.outside(steps), 0, whole)
    }
    return steps
  }

  /** The same on all keys of one database, which they do not leave: those of other databases may be sent meanwhile. */
  within(db: number, about: number): Step[] {
    this.staying = true
    const steps = this.burstWithWholes(about)
    if (this.random.chance(0.5)) steps.splice(this.outside(steps), 0, this.whole())
    this.staying = false
    return [exact('SELECT', String(db)), ...steps]
  }

  /** Two keys, the second of which may become what the first is: a set only under the name of one. */
  fromAndTo(): [string, string] {
    const { random } = this
    const keys = random.pick(this.classes)
    return random.chance(0.2)
      ? [keys.sure(random, 'set'), keys.sure(random, 'set')]
      : [keys.notset(random), random.pick(this.classes).any(random)]
  }

  pattern(): string {
    return this.random.pick(PATTERNS)
  }

  private burstWithWholes(about: number): Step[] {
    this.wholes = true
    const steps = this.burst(about, this.anyClass)
    this.wholes = false
    return steps
  }

  private burst(about: number, keys: () => KeyClass): Step[] {
    const { random } = this
    const steps: Step[] = []
    if (random.chance(0.3)) steps.push(...this.select())
    for (const length = 1 + random.below(2 * about); steps.length < length; ) {
      const draw = random.next()
      if (draw < 0.05) steps.push(...this.transaction(keys))
      else if (draw < 0.06) steps.push(...this.select())
      else if (draw < 0.062) steps.push({ args: ['HELLO', random.pick(['2', '3'])], mode: 'shape' })
      else steps.push(this.ordinary(keys))
    }
    return steps
  }

  private ordinary(keys: () => KeyClass): Step {
    const { random } = this
    const draw = random.next()
    if (draw < 0.01) return this.step(random.pick(WRONG), keys())
    if (draw < 0.014) return this.step(random.pick(BLOCKING), keys())
    return this.step(random.pick(random.pick(GROUPS)), keys())
  }

  /** MULTI to EXEC or DISCARD, at times behind a WATCH, whose key may be written to before it. */
  private transaction(keys: () => KeyClass): Step[] {
    const { random } = this
    const steps: Step[] = []
    if (random.chance(0.4)) {
      const key = keys().notset(random)
      steps.push(exact('WATCH', key, keys().any(random)))
      if (random.chance(0.3)) steps.push(this.ordinary(keys))
      if (random.chance(0.3)) steps.push(random.pick([exact('APPEND', key, 'x'), exact('DEL', key)]))
      if (this.wholes && random.chance(0.3)) steps.push(this.whole())
      if (random.chance(0.1)) steps.push(exact('UNWATCH'))
    }
    steps.push(exact('MULTI'))
    const members = Array.from({ length: random.below(8) }, () =>
      random.chance(0.1) ? this.select() : [this.ordinary(keys)],
    ).flat()
    for (const { args } of members) steps.push({ args, mode: 'exact' })
    if (random.chance(0.1)) steps.push(exact('DISCARD'))
    else steps.push({ ...exact('EXEC'), members: members.map(({ mode }) => mode) })
    return steps
  }

  /** Database 0 and 3 more often than the others, so that there is something in them. */
  private select(): Step[] {
    return this.staying ? [] : [exact('SELECT', this.random.pick(['0', '0', '0', '3', '3', '1', '2', '4']))]
  }

  private whole(): Step {
    return this.step(this.random.pick(WHOLE), this.anyClass())
  }

  /** A place in the list that is not inside of a transaction. */
  private outside(steps: readonly Step[]): number {
    const places: number[] = []
    let inside = false
    for (let i = 0; i <= steps.length; i++) {
      if (!inside) places.push(i)
      const name = steps[i]?.args[0]
      if (name === 'MULTI') inside = true
      else if (name === 'EXEC' || name === 'DISCARD') inside = false
    }
    return this.random.pick(places)
  }

  private step(row: Row, keys: KeyClass): Step {
    const { words, mode } = row
    if (this.staying && words.includes('{db}')) return this.ordinary(() => keys)
    const kind = this.random.pick(KINDS)
    return { args: words.flatMap((word) => this.fill(word, keys, kind)), mode }
  }

  private fill(word: string, keys: KeyClass, kind: Kind): string[] {
    const { random } = this
    const name = /\{(\w+!?)\}/.exec(word)?.[1]
    if (name === undefined) return [word]
    if (name === 'elements') return Array.from({ length: 1 + random.below(4) }, () => random.pick(ELEMENTS))
    // A function, because a text would have its `$` read.
    return [word.replace(/\{\w+!?\}/, () => this.value(name, keys, kind))]
  }

  private value(name: string, keys: KeyClass, kind: Kind): string {
    const { random } = this
    switch (name) {
      case 'K':
        return keys.sure(random, kind)
      case 'any':
        return keys.any(random)
      case 'notset':
        return keys.notset(random)
      case 'weight':
        return keys.weight(random)
      case 'object':
        return keys.object(random)
      case 'weights':
        return keys.weights
      case 'objects':
        return keys.objects
      case 'id':
        return `${++this.id}-${random.below(3)}`
      case 'oldid':
        return `${Math.max(this.id - random.below(60), 0)}-${random.below(3)}`
      default:
        if (name in WORDS) return random.pick(WORDS[name])
        return name.endsWith('!') ? keys.sure(random, name.slice(0, -1) as Kind) : keys.key(random, name as Kind)
    }
  }
}

function exact(...args: string[]): Step {
  return { args, mode: 'exact' }
}
