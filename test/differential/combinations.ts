import { Random } from './random.ts'

/** Where the keys of a test lie: a tenant without numbered databases, or database 0 or 3 of one that has them. */
export type Place = 'plain' | 'db0' | 'db3'
export const PLACES: readonly Place[] = ['plain', 'db0', 'db3']

/** The circumstances in which the lists of a command run. */
export interface Combination {
  readonly protocol: 2 | 3
  /** Between MULTI and EXEC. */
  readonly multi: boolean
  readonly place: Place
}

export function combinationText({ protocol, multi, place }: Combination): string {
  return `RESP${protocol}${multi ? ' in MULTI' : ''}${place === 'plain' ? '' : `, ${place}`}`
}

/** All that there are. */
export const COMBINATIONS: readonly Combination[] = ([2, 3] as const).flatMap((protocol) =>
  [false, true].flatMap((multi) => PLACES.map((place): Combination => ({ protocol, multi, place }))),
)

/** All combinations, in place of a sample of them. */
export const COMPLETE = (process.env.KEYWARD_TIER ?? 'default') !== 'default'

/**
 * In which circumstances a command runs: alone in the plain place always, in both protocols. Of the others three in
 * the default tier, chosen by its name so that each command meets MULTI, both protocols and a numbered database.
 */
export function combinationsFor(name: string): readonly Combination[] {
  if (COMPLETE) return COMBINATIONS
  const random = new Random(`combinations of ${name}`)
  const protocol = random.pick([2, 3] as const)
  const other = protocol === 2 ? 3 : 2
  const [db, otherDb] = random.chance(0.5) ? (['db0', 'db3'] as const) : (['db3', 'db0'] as const)
  return [
    { protocol: 2, multi: false, place: 'plain' },
    { protocol: 3, multi: false, place: 'plain' },
    { protocol, multi: true, place: 'plain' },
    { protocol: other, multi: true, place: db },
    { protocol: random.pick([2, 3] as const), multi: false, place: otherDb },
  ]
}
