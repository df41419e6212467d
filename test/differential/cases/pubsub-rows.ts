import { decode, type Frame } from '../../helpers/differential.ts'
import { anyOrder, type ScenarioRow } from '../scenario.ts'

/** Which of several goes first is a matter of a hash table, and so are the numbers that stand beside the names. */
export const EACH: ScenarioRow = {
  mode: 'sorted',
  reason: 'the order of a hash table',
  form(frames) {
    const columns = frames.map((frame) => (decode(frame).items ?? []).map(({ text }) => text ?? 'null'))
    const column = (i: number) => columns.map((row) => row[i] ?? frameText(frames)).sort()
    return JSON.stringify([column(0), column(1), column(2)])
  },
}
export const PATTERN_ORDER = anyOrder('several patterns match: their order is that of a hash table')
export const NAMES: ScenarioRow = {
  mode: 'sorted',
  reason: 'the order of a hash table',
  form: ([frame]) => {
    const { items, type } = decode(frame)
    return type + JSON.stringify(items?.map(({ text }) => text).sort() ?? frame)
  },
}

function frameText(frames: readonly Frame[]): string {
  return frames.join('')
}

export const OWN_MESSAGE = anyOrder('the message comes another way than the reply to PUBLISH, which may be first')
export const ODD_NAMES = [
  '',
  ' ',
  '*',
  '?',
  '[a]',
  '\\',
  'a\r\nb',
  'nul\0',
  '\xff\xfe',
  'one:x',
  'one:',
  '0:x',
  'five:3:x',
  'keyward:x',
  '__key',
  "it's",
]
