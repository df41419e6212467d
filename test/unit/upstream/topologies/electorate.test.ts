import { expect, test } from 'vitest'
import {
  answersOf,
  countVoters,
  leavers,
  newcomers,
  type Seat,
} from '../../../../src/upstream/topologies/electorate.ts'
import type { Peer } from '../../../../src/upstream/topologies/sentinel-answer.ts'
import { tally } from '../../../../src/upstream/topologies/votes.ts'

const LONG = 60_000

interface Sketch {
  readonly configured?: boolean
  readonly silent?: boolean
  /** Whom it knows: "b" up, "-b" down, "~b" down for ever. */
  readonly knows?: string
  readonly voters?: number
  readonly names?: string
  readonly id?: string
}

/** Sentinels have one letter; the id is the letter, the address `letter:1`. */
function seat(
  letter: string,
  { configured = true, silent = false, knows = '', voters, names = 'P', id }: Sketch = {},
): Seat {
  const peers = knows
    .split(' ')
    .filter(Boolean)
    .map((word): Peer => {
      const name = word.at(-1) as string
      const up = word.length === 1
      return { id: name, address: { host: name, port: 1 }, up, forgotten: word.startsWith('~') }
    })
  const answer = {
    askedAt: 0,
    names: { host: names, port: 1 },
    failover: undefined,
    voters: voters ?? 1 + peers.length,
    failoverTimeout: undefined,
    problem: undefined,
  }
  return {
    address: `${letter}:1`,
    configured,
    id: silent ? undefined : (id ?? letter),
    covers: false,
    answer: silent ? undefined : answer,
    lists: silent ? undefined : { id: letter, peers, replicas: [] },
    unknownSince: undefined,
    gone: false,
  }
}

const addressOf = ({ address }: Peer) => `${address.host}:${address.port}`
const found = (seats: readonly Seat[]) => newcomers(seats, addressOf).map(({ id }) => id)
const left = (seats: readonly Seat[], now: number) => leavers(seats, addressOf, now).map(({ address }) => address[0])
const FOUND = { configured: false }

test('a winner needs more than half of all voters, not of the votes', () => {
  expect(tally(['P', 'P'], 3)).toMatchObject({ winner: 'P', needed: 2 })
  expect(tally(['P', 'P'], 4)).toMatchObject({ winner: undefined, needed: 3 })
  expect(tally(['P', 'P', 'Q', 'P'], 5)).toMatchObject({
    winner: 'P',
    counts: new Map([
      ['P', 3],
      ['Q', 1],
    ]),
  })
  expect(tally(['P', 'Q'], 2).winner).toBeUndefined()
  expect(tally([], 1).winner).toBeUndefined()
  expect(tally(['P'], 1).winner).toBe('P')
})

test('voters: those that are configured count before they have answered', () => {
  expect(countVoters([seat('a', { voters: 1 }), seat('b', { silent: true }), seat('c', { silent: true })])).toBe(3)
})

test('voters: one that is configured knows the others', () => {
  expect(countVoters([seat('a', { knows: 'b c' })])).toBe(3)
  expect(countVoters([seat('a')])).toBe(1)
  // Those that are down count: they may be on the other side of a cut.
  expect(countVoters([seat('a', { knows: '-b -c' })])).toBe(3)
})

test('voters: what one sentinel counts alone does not matter', () => {
  expect(countVoters([seat('a', { knows: 'b c' }), seat('b', { knows: 'a c' }), seat('c', { voters: 100 })])).toBe(3)
  // One that has just begun knows nobody.
  expect(countVoters([seat('a', { knows: 'b c' }), seat('b')])).toBe(3)
})

test('voters: those that have been down for ten minutes do not count, though sentinels count them', () => {
  const dead = '~x ~y ~z'
  const seats = [
    seat('a', { knows: `b c ${dead}` }),
    seat('b', { knows: `a c ${dead}` }),
    seat('c', { knows: `a b ${dead}` }),
  ]
  expect(seats[0].answer?.voters).toBe(6)
  expect(countVoters(seats)).toBe(3)
})

test('one sentinel behind two addresses has one vote, that of its newest answer', () => {
  const seats = [seat('a', { id: 'same', names: 'P' }), seat('b', { id: 'same', names: 'Q' }), seat('c')]
  seats[1].answer = { ...(seats[1].answer as NonNullable<Seat['answer']>), askedAt: 5 }
  const votes = [...answersOf(seats).values()].map(({ answer }) => answer?.names?.host)
  expect(votes.sort()).toEqual(['P', 'Q'])
  expect(answersOf(seats).size).toBe(2)
  expect(countVoters(seats)).toBe(2)
})

test('newcomers: who is known to at least half of the sentinels, and up', () => {
  expect(found([seat('a', { knows: 'b c' })])).toEqual(['b', 'c'])
  expect(found([seat('a', { knows: 'b -c' })])).toEqual(['b'])
  expect(found([seat('a', { knows: 'b d' }), seat('b', { knows: 'a d' }), seat('c', { knows: 'a b' })])).toEqual(['d'])
  expect(found([seat('a', { knows: 'b d' }), seat('b', { knows: 'a' }), seat('c', { silent: true })])).toEqual([])
})

test('newcomers: a sentinel of another set does not bring its friends, not even when it answers first', () => {
  const silent = { silent: true }
  expect(found([seat('t', { knows: 'u v' }), seat('a', silent), seat('b', silent)])).toEqual([])
  expect(found([seat('t', { knows: 'u v' }), seat('a', { knows: 'b c' }), seat('b', { knows: 'a c' })])).toEqual(['c'])
})

test('newcomers: not one that is followed by another address, if both connections lead to it', () => {
  const seats = [{ ...seat('a', { knows: 'b' }), address: 'name:1', covers: true }, seat('b', { knows: 'a' })]
  expect(found(seats)).toEqual([])
  // A load balancer: who sends the events is somebody else.
  seats[0].covers = false
  expect(found(seats)).toEqual(['a'])
})

test('newcomers: two of three are configured, and one of them is down', () => {
  const seats = [seat('a', { knows: 'c -b' }), seat('b', { silent: true })]
  expect(found(seats)).toEqual(['c'])
  expect(countVoters(seats)).toBe(3)
})

test('leavers: one that nobody knows any more, while the others answer', () => {
  const seats = [seat('a', { knows: 'b' }), seat('b', { knows: 'a' }), seat('c', { ...FOUND, silent: true })]
  expect(left(seats, 1000)).toEqual([])
  expect(left(seats, 2000)).toEqual([])
  expect(left(seats, LONG)).toEqual(['c'])
})

test('leavers: how long ago anybody was asked does not matter, so a process that was stopped forgets nobody', () => {
  const seats = [seat('a', { knows: 'b c' }), seat('b', { knows: 'a c' }), seat('c', { ...FOUND, knows: 'a b' })]
  expect(left(seats, 0)).toEqual([])
  expect(left(seats, LONG)).toEqual([])
})

test('leavers: nobody leaves while half of them are silent', () => {
  const knows = { ...FOUND, knows: '-a -b' }
  const seats = [seat('t'), seat('a', { silent: true }), seat('b', { silent: true }), seat('c', knows)]
  expect(left(seats, 0)).toEqual([])
  expect(left(seats, LONG)).toEqual([])
  expect(seats.map(({ gone }) => gone)).toEqual([false, false, false, false])
})

test('leavers: one that is cut off from the others, and does not know them, forgets none of them', () => {
  const seats = [seat('t'), seat('a', { silent: true }), seat('b', { silent: true })]
  expect([...left(seats, 0), ...left(seats, LONG)]).toEqual([])
  expect(countVoters(seats)).toBe(3)
})

test('leavers: half is enough when it does not know the other half, not even as being down', () => {
  const dead = (letter: string) => seat(letter, { silent: true })
  const replaced = [dead('a'), dead('b'), seat('c', { knows: 'd' }), seat('d', { ...FOUND, knows: 'c' })]
  expect([...left(replaced, 0), ...left(replaced, LONG)]).toEqual([])
  expect(replaced.map(({ gone }) => gone)).toEqual([true, true, false, false])
  expect(countVoters(replaced)).toBe(2)
  // Those that are on the other side of a cut are known to be down.
  const cut = [dead('a'), dead('b'), seat('c', { knows: 'd -a' }), seat('d', { ...FOUND, knows: 'c' })]
  expect([...left(cut, 0), ...left(cut, LONG)]).toEqual([])
  expect(cut.some(({ gone }) => gone)).toBe(false)
})

test('leavers: one that is configured stays, but is not counted until it is known again', () => {
  const dead = seat('c', { silent: true })
  const seats = [seat('a', { knows: 'b -c' }), seat('b', { knows: 'a -c' }), dead]
  expect([...left(seats, 0), ...left(seats, LONG)]).toEqual([])
  expect(dead.gone).toBe(true)
  seats[0] = seat('a', { knows: 'b c' })
  expect(left(seats, LONG + 1)).toEqual([])
  expect(dead).toMatchObject({ gone: false, unknownSince: undefined })
})

test('leavers: one that was found twice, by its name and by its address, is followed once', () => {
  const configured = { ...seat('a', { knows: 'b' }), address: 'name:1', covers: true }
  const seats = [configured, seat('a', FOUND), seat('b', { knows: 'a' })]
  expect(left(seats, 0)).toEqual(['a'])
})

test('all sentinels can be replaced, one after the other', () => {
  let seats: Seat[] = ['a', 'b', 'c'].map((letter) => seat(letter, {}))
  let now = 0
  const alive = ['a', 'b', 'c']
  for (const [old, fresh] of [
    ['a', 'd'],
    ['b', 'e'],
    ['c', 'f'],
  ]) {
    alive[alive.indexOf(old)] = fresh
    now += LONG
    for (let round = 0; round < 3; round++) {
      for (const one of [...seats]) {
        const letter = one.address[0]
        const knows = ['a', 'b', 'c', 'd', 'e', 'f'].filter(
          (other) => other !== letter && (alive.includes(other) || other < fresh),
        )
        const words = knows.map((other) => (alive.includes(other) ? other : `-${other}`)).join(' ')
        const next = seat(letter, { configured: one.configured, silent: !alive.includes(letter), knows: words })
        Object.assign(one, { id: one.id ?? next.id, answer: next.answer, lists: next.lists })
        if (one.answer === undefined) continue
        const leave = leavers(seats, addressOf, now)
        seats = seats.filter((each) => !leave.includes(each))
        for (const { id } of newcomers(seats, addressOf)) {
          seats.push({ ...seat(id, { configured: false }), answer: undefined, lists: undefined })
        }
      }
      now += 7000
    }
    const voting = seats.filter(({ answer }) => answer !== undefined).map(({ address }) => address[0])
    expect(voting.sort()).toEqual([...alive].sort())
  }
  const counted = seats.filter(({ gone }) => !gone).map(({ address }) => address[0])
  expect(counted.sort()).toEqual(['d', 'e', 'f'])
})
