import { LuaTokens, TOKEN } from './lua-tokens.ts'

/** What the text of a script says about what it can do. In doubt it can do more. */
export interface ScriptFacts {
  /** Names that stand for variables: neither fields nor methods. */
  readonly names: ReadonlySet<string>
  /** Quoted strings of a length that commands' names have. */
  readonly texts: ReadonlySet<string>
  /** The fields of `redis` that it uses. */
  readonly members: ReadonlySet<string>
  /** `redis` itself becomes a value, or is written to. */
  readonly whole: boolean
  /** It may call commands whose names are not among `texts`. */
  readonly computed: boolean
  /** The same as `whole` for `cjson`, or a setting of it is used. */
  readonly cjson: boolean
  /** It may raise what is no text. */
  readonly errors: boolean
  /** It may set the generator of numbers of chance. */
  readonly seeds: boolean
  /** Of each `return redis.call(…)` or the like that nothing follows: where the call begins and ends in the text. */
  readonly tailCalls: readonly (readonly [start: number, end: number])[]
}

const LONGEST_COMMAND = 32

/** Names that a prologue can stand in front of, beside `redis`. */
export const SHADOWED = [
  '_G',
  'load',
  'loadstring',
  'cjson',
  'collectgarbage',
  'getmetatable',
  'server',
  'getfenv',
  'setfenv',
  'newproxy',
  'error',
  'pcall',
  'xpcall',
  'coroutine',
  'math',
] as const

/** Those that raise and catch errors. */
export const ABOUT_ERRORS: ReadonlySet<string> = new Set(['error', 'pcall', 'xpcall', 'coroutine'])

/** Those of them that not every server has. */
export const NOT_EVERYWHERE: ReadonlySet<string> = new Set(['server', 'getfenv', 'setfenv', 'newproxy'])

/** Names through which all others can be reached. */
const WAYS_ROUND = ['_G', 'load', 'loadstring', 'getfenv', 'setfenv', 'server']

/** Of cjson, what touches no setting. */
const HARMLESS = new Set(['encode', 'decode', 'null'])

/** Behind it a `return` statement has ended. */
const ENDS = new Set(['', 'end', 'else', 'elseif', 'until', ';'])

/** What goes on with an expression that stands in front of it. */
const GOES_ON = new Set('( { [ . : , + - * / % ^ .. == ~= < > <= >= and or'.split(' '))

export function readScript(text: Buffer): ScriptFacts {
  const tokens = new LuaTokens(text)
  if (tokens.whole) return new Reader(tokens).facts()
  // It does not compile, so nothing of it runs. Should a server think otherwise, it meets the whole prologue.
  const names = new Set<string>(['redis', 'KEYS', ...SHADOWED])
  const all = { whole: true, computed: true, cjson: true, errors: true, seeds: true }
  return { names, texts: new Set(), members: new Set(), ...all, tailCalls: [] }
}

class Reader {
  private readonly tokens: LuaTokens
  private readonly names = new Set<string>()
  private readonly texts = new Set<string>()
  private readonly members = new Set<string>()
  /** Names of which every use is the declaration `local name = redis.call`, or a call. */
  private readonly aliases = new Set<string>()
  private whole = false
  private computed = false
  private cjson = false
  private errors = false
  private seeds = false
  /** Whatever `error` stands for is called, and it is Lua's own. */
  private errorIsLuas = true
  /** A field of `redis` may be written to, or the call be something else: then nothing is known of what a call returns. */
  private rebound = false

  private readonly pcallIsLuas: boolean

  constructor(tokens: LuaTokens) {
    this.tokens = tokens
    this.pcallIsLuas = this.ownsNoPcall()
  }

  facts(): ScriptFacts {
    const { tokens, names, texts, members } = this
    for (let i = 0; i < tokens.count; i++) {
      if (tokens.kind[i] === TOKEN.TEXT && tokens.end[i] - tokens.start[i] <= LONGEST_COMMAND + 2)
        texts.add(tokens.word(i))
      if (!this.isVariable(i)) continue
      const name = tokens.word(i)
      names.add(name)
      if (name === 'redis') this.redis(i)
      else if (name === 'cjson') this.readCjson(i)
      else if (name === 'error') this.readError(i)
      else if (name === 'math') this.seeds ||= !tokens.is(i + 1, '.') || tokens.is(i + 2, 'randomseed')
    }
    this.checkAliases()
    if (WAYS_ROUND.some((name) => names.has(name))) this.whole = this.computed = this.errors = this.seeds = true
    // What a metatable says, concatenation may give.
    if (names.has('error') && (names.has('setmetatable') || names.has('getmetatable'))) this.errors = true
    const { whole, computed, cjson, errors, seeds } = this
    return { names, texts, members, whole, computed, cjson, errors, seeds, tailCalls: this.tailCalls() }
  }

  private isVariable(i: number): boolean {
    const { tokens } = this
    return tokens.kind[i] === TOKEN.NAME && !tokens.is(i - 1, '.') && !tokens.is(i - 1, ':')
  }

  /** One use of `redis`, at token i. */
  private redis(i: number): void {
    const { tokens } = this
    if (!tokens.is(i + 1, '.') || tokens.kind[i + 2] !== TOKEN.NAME || tokens.is(i - 1, 'function')) {
      this.whole = this.computed = true
      // A value, and no name that is given to another one: `x = redis`, `redis['call']`.
      const read = (tokens.is(i - 1, '=') && !tokens.is(i + 1, ',') && !tokens.is(i + 1, '=')) || tokens.is(i + 1, '[')
      if (!read) this.rebound = true
      return
    }
    const member = tokens.word(i + 2)
    this.members.add(member)
    const next = i + 3
    if (tokens.is(next, '=')) this.whole = this.rebound = true
    if (member !== 'call' && member !== 'pcall') {
      // `a, redis.x = …` or `redis.x, a = …`: an assignment for all that is known.
      if (tokens.is(next, ',')) this.rebound = true
    } else if (this.isCall(next)) this.called(next)
    else if (this.isProtected(i, next)) this.named(next + 1)
    else if (tokens.is(i - 1, '=') && tokens.is(i - 3, 'local') && !GOES_ON.has(tokens.word(next))) {
      // Of `redis.pcall` nothing has to be known: it is called like any other.
      this.aliases.add(tokens.word(i - 2))
    } else this.computed = this.rebound = true
  }

  private isCall(i: number): boolean {
    const { tokens } = this
    return tokens.is(i, '(') || tokens.is(i, '{') || tokens.kind[i] === TOKEN.TEXT || tokens.kind[i] === TOKEN.STRING
  }

  /** A call whose arguments begin at token i. */
  private called(i: number): void {
    const { tokens } = this
    if (tokens.is(i, '(')) {
      if (!tokens.is(i + 1, ')')) this.named(i + 1)
    } else if (tokens.kind[i] !== TOKEN.TEXT) this.computed = true
  }

  /** The argument that begins at token i names a command. */
  private named(i: number): void {
    const { tokens } = this
    const literal = tokens.kind[i] === TOKEN.TEXT && (tokens.is(i + 1, ',') || tokens.is(i + 1, ')'))
    if (!literal) this.computed = true
  }

  /** `pcall(name, …)`: token i is the name's first, `next` behind its last. */
  private isProtected(i: number, next: number): boolean {
    const { tokens } = this
    return this.pcallIsLuas && tokens.is(next, ',') && tokens.is(i - 1, '(') && tokens.is(i - 2, 'pcall')
  }

  /** Nothing in the text is a `pcall` of the script's own. */
  private ownsNoPcall(): boolean {
    const { tokens } = this
    for (let i = 0; i < tokens.count; i++) {
      if (tokens.is(i, 'pcall') && this.isVariable(i) && (!this.isCall(i + 1) || tokens.is(i - 1, 'function')))
        return false
    }
    return true
  }

  /** Strikes those off the aliases that are used otherwise. One pass for all of them, as there may be as many as the text likes. */
  private checkAliases(): void {
    const { tokens, aliases } = this
    for (let i = 0; i < tokens.count && aliases.size > 0; i++) {
      if (!this.isVariable(i) || !aliases.has(tokens.word(i))) continue
      if (tokens.is(i - 1, 'local') && tokens.is(i + 1, '=') && tokens.is(i + 2, 'redis')) continue
      if (this.isProtected(i, i + 1)) this.named(i + 2)
      else if (this.isCall(i + 1) && !tokens.is(i - 1, 'function')) this.called(i + 1)
      else {
        this.computed = true
        aliases.delete(tokens.word(i))
      }
    }
  }

  private readCjson(i: number): void {
    const { tokens } = this
    const harmless = tokens.is(i + 1, '.') && HARMLESS.has(tokens.word(i + 2)) && !tokens.is(i + 3, '=')
    if (!harmless || tokens.is(i - 1, 'function')) this.cjson = true
  }

  private readError(i: number): void {
    const { tokens } = this
    const called = this.isCall(i + 1) && !tokens.is(i - 1, 'function')
    if (!called && !this.isProtected(i, i + 1)) this.errorIsLuas = false
    if (!called || !this.isText(i + 1)) this.errors = true
  }

  /** The arguments that begin at token i are a text and no more than a level: one that is written there, and names behind `..`. */
  private isText(i: number): boolean {
    const { tokens } = this
    const isString = (at: number) => tokens.kind[at] === TOKEN.TEXT || tokens.kind[at] === TOKEN.STRING
    if (isString(i)) return true
    if (!tokens.is(i, '(') || !isString(i + 1)) return false
    let at = i + 2
    while (tokens.is(at, '..') && (isString(at + 1) || tokens.kind[at + 1] === TOKEN.NAME)) at += 2
    const level = tokens.is(at, ',') && tokens.kind[at + 1] === TOKEN.NUMBER ? 2 : 0
    return tokens.is(at + level, ')')
  }

  private tailCalls(): [number, number][] {
    const { tokens } = this
    const found: [number, number][] = []
    const closing = this.parentheses()
    for (let i = 0; i < tokens.count; i++) {
      if (!tokens.is(i, 'return') || !this.isVariable(i)) continue
      const name = i + 1
      let last = 0
      const ours = tokens.is(name + 2, 'call') || tokens.is(name + 2, 'acl_check_cmd')
      if (tokens.is(name, 'error')) last = this.errors && this.errorIsLuas ? this.endOfArguments(name + 1, closing) : 0
      else if (this.rebound) continue
      else if (tokens.is(name, 'redis') && ours) last = this.endOfArguments(name + 3, closing)
      else if (tokens.kind[name] === TOKEN.NAME && this.aliases.has(tokens.word(name)))
        last = this.endOfArguments(name + 1, closing)
      if (last > 0 && this.endsStatement(last + 1)) found.push([tokens.start[name], tokens.end[last]])
    }
    return found
  }

  /** The last token of the arguments that begin at token i; 0: they are not of the common form. */
  private endOfArguments(i: number, closing: Int32Array): number {
    return this.tokens.kind[i] === TOKEN.TEXT ? i : closing[i]
  }

  /** By token: of an opening parenthesis the one that closes it; else 0. */
  private parentheses(): Int32Array {
    const { tokens } = this
    const closing = new Int32Array(tokens.count + 1)
    const open: number[] = []
    for (let i = 0; i < tokens.count; i++) {
      if (tokens.is(i, '(')) open.push(i)
      else if (tokens.is(i, ')')) closing[open.pop() ?? tokens.count] = i
    }
    return closing
  }

  private endsStatement(i: number): boolean {
    const { tokens } = this
    return i >= tokens.count || (tokens.kind[i] !== TOKEN.TEXT && ENDS.has(tokens.word(i)))
  }
}
