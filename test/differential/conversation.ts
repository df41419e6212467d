import {
  type Args,
  ask,
  elementsOf,
  type Frame,
  MissingReplies,
  show,
  showArgs,
  takeFrames,
} from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { agree, type ModeRow, modeOf } from './modes.ts'
import type { Tally } from './tally.ts'

/**
 * The same requests to both sides, and what differs in the replies. EXEC's array is compared element by element, each
 * in the mode of the request that it answers.
 */
export class Conversation {
  readonly bare: RawClient
  readonly proxied: RawClient
  private readonly tally: Tally
  private readonly rowOf: (args: Args) => ModeRow | undefined

  constructor(bare: RawClient, proxied: RawClient, tally: Tally, row: (args: Args) => ModeRow | undefined) {
    this.bare = bare
    this.proxied = proxied
    this.tally = tally
    this.rowOf = row
  }

  /** `name`: the command that the counts are for. Returns one text for each difference. */
  async say(name: string, requests: readonly Args[]): Promise<string[]> {
    const [left, right] = await Promise.all([
      ask(this.bare, requests).catch(partly),
      ask(this.proxied, requests).catch(partly),
    ])
    const problems: string[] = []
    let queued: Args[] | undefined
    for (const [i, args] of requests.entries()) {
      const word = args[0].toLowerCase()
      const members = word === 'exec' ? queued : undefined
      const [bare, proxied] = [left[i], right[i]]
      const found =
        bare !== undefined && proxied !== undefined && members !== undefined && elementsOf(bare) !== undefined
          ? this.elements(name, members, bare, proxied)
          : this.one(name, args, bare, proxied)
      problems.push(...(await found))
      if (bare === '+QUEUED\r\n') queued?.push(args)
      else if (word === 'multi' && bare === '+OK\r\n') queued = []
      else if (word === 'exec' || word === 'discard' || word === 'reset') queued = undefined
    }
    return problems
  }

  /** What comes unasked: so many frames on both sides. */
  async hear(name: string, count: number): Promise<string[]> {
    const [left, right] = await Promise.all([
      takeFrames(this.bare, count).catch(partly),
      takeFrames(this.proxied, count).catch(partly),
    ])
    for (let i = 0; i < count; i++) this.tally.add(name, 'exact')
    return left.join('') === right.join('') ? [] : [difference([name], left.join(''), right.join(''))]
  }

  private async one(name: string, args: Args, bare: Frame | undefined, proxied: Frame | undefined): Promise<string[]> {
    // That a member is queued says nothing of what it will answer.
    const row = bare === '+QUEUED\r\n' ? undefined : this.rowOf(args)
    this.tally.add(name, modeOf(row, bare))
    if (bare === undefined || proxied === undefined) return [difference(args, bare, proxied)]
    const { follow } = row ?? {}
    let [left, right] = [bare, proxied]
    if (follow !== undefined && !bare.startsWith('-') && !proxied.startsWith('-')) {
      left = await follow(args, bare, this.bare)
      right = await follow(args, proxied, this.proxied)
    }
    return agree(row, left, right) ? [] : [difference(args, left, right)]
  }

  private async elements(name: string, members: readonly Args[], bare: Frame, proxied: Frame): Promise<string[]> {
    const left = elementsOf(bare) ?? []
    const right = elementsOf(proxied)
    if (right === undefined || left.length !== right.length) {
      this.tally.add(name, 'exact')
      return [difference(['EXEC'], bare, proxied)]
    }
    const problems: string[] = []
    for (const [i, args] of members.entries()) problems.push(...(await this.one(name, args, left[i], right[i])))
    return problems.map((problem) => `in MULTI: ${problem}`)
  }
}

/** Missing replies are differences at their place, not the end of the comparison. */
export function partly(error: unknown): readonly Frame[] {
  if (error instanceof MissingReplies) return error.frames
  throw error
}

export function difference(args: Args, bare: Frame | undefined, proxied: Frame | undefined): string {
  return `${showArgs(args)}\n    bare    ${show(bare)}\n    proxied ${show(proxied)}`
}
