/**
 * Makes docs/evidence/failover-*.svg from what the last drill has left in .cache/failover.json: good replies in each
 * tenth of a second around a switch, through Keyward and by ioredis' Sentinel client. Prints the table for
 * docs/failover.md.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beside, type Result } from '../test/chaos/drill/result.ts'
import { median, type Row } from '../test/chaos/drill/verdict.ts'

const RESULTS = new URL('../.cache/failover.json', import.meta.url)
const EVIDENCE = new URL('../docs/evidence/', import.meta.url)
const NAMES: Record<string, string> = {
  keyward: 'Through Keyward',
  ioredis: "ioredis' Sentinel client",
  'ioredis with failoverDetector': 'the same with failoverDetector',
}
/** Pixels. */
const WIDTH = 760
const LEFT = 56
const RIGHT = 16
const PANEL = 92
const TITLE = 34
const TOP = 44
const BOTTOM = 44

let results: Result[]
try {
  results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Result[]
} catch {
  console.error('error: no .cache/failover.json: run `npm run drill -- chaos/failover` first')
  process.exit(1)
}
mkdirSync(EVIDENCE, { recursive: true })
for (const file of new Set(results.map((result) => result.file))) {
  const path = fileURLToPath(new URL(`failover-${file}.svg`, EVIDENCE))
  writeFileSync(path, picture(results.filter((result) => result.file === file)))
  console.error(`wrote docs/evidence/failover-${file}.svg`)
}
console.log(table(results))

/** One panel for each way, with one scale for all. */
function picture(ways: readonly Result[]): string {
  const begin = Math.min(...ways.map(({ picture: { from } }) => from))
  const end = Math.max(...ways.map(({ picture: { from, counts } }) => from + 100 * counts.length))
  const most = Math.max(1, ...ways.flatMap(({ picture: { counts } }) => counts))
  const height = TOP + ways.length * (TITLE + PANEL) + BOTTOM
  const x = (time: number) => round(LEFT + ((time - begin) / (end - begin)) * (WIDTH - LEFT - RIGHT))
  const title = `Good replies per 100 ms to 50 clients: ${ways[0].scenario}`
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">`,
    // Without a ground of its own it lies on whatever the page has; the colours are good on white and on near black.
    '<style>text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;font-size:15px}.small{font-size:12px}' +
      '.grid{stroke:#8b949e;stroke-opacity:.35}.bar{fill:#2f81f7}.struck{stroke:#d1242f}.switched{stroke:#1a7f37}' +
      '.line{stroke-width:1.5;stroke-dasharray:4 3}.key-struck{fill:#d1242f}.key-switched{fill:#1a7f37}' +
      '@media (prefers-color-scheme:dark){text{fill:#9da7b3}.struck{stroke:#ff7b72}.switched{stroke:#3fb950}' +
      '.key-struck{fill:#ff7b72}.key-switched{fill:#3fb950}}</style>',
    `<text class="title" x="${LEFT}" y="20">${escape(title)}</text>`,
  ]
  ways.forEach((way, n) => {
    const top = TOP + n * (TITLE + PANEL) + TITLE
    const bottom = top + PANEL
    const y = (count: number) => round(bottom - (count / most) * PANEL)
    parts.push(`<text x="${LEFT}" y="${top - 10}">${escape(caption(way))}</text>`)
    for (const count of [0, most]) {
      parts.push(`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(count)}" y2="${y(count)}"/>`)
      parts.push(`<text class="small" x="${LEFT - 8}" y="${y(count) + 4}" text-anchor="end">${count}</text>`)
    }
    const { from, counts } = way.picture
    const bars = counts.flatMap((count, i) => {
      if (count === 0) return []
      const left = x(from + 100 * i)
      return [`M${left} ${bottom}V${y(count)}H${round(x(from + 100 * (i + 1)) - 1)}V${bottom}Z`]
    })
    parts.push(`<path class="bar" d="${bars.join('')}"/>`)
    const line = (kind: string, time: number) =>
      `<line class="line ${kind}" x1="${x(time)}" x2="${x(time)}" y1="${top - 4}" y2="${bottom}"/>`
    parts.push(line('struck', 0), line('switched', way.picture.switch))
  })
  const base = height - BOTTOM + 18
  for (let second = Math.ceil(begin / 1000); second * 1000 <= end; second++) {
    parts.push(`<text class="small" x="${x(second * 1000)}" y="${base}" text-anchor="middle">${second} s</text>`)
  }
  parts.push(
    `<text class="small key-struck" x="${LEFT}" y="${base + 18}">red: the primary is struck</text>`,
    `<text class="small key-switched" x="${LEFT + 170}" y="${base + 18}">green: most sentinels name the new primary</text>`,
    '</svg>',
  )
  return `${parts.join('\n')}\n`
}

/** What the bars do not show: replies can be good, and what they promised is lost. */
function caption({ way, rows }: Result): string {
  const row = rows.at(-1) as Row
  const parts = [`${row.lost} of ${row.acked} acknowledged INCRs lost`, `${row.disconnected} clients disconnected`]
  if (row.unknown > 0) parts.push(`${row.unknown} outcomes unknown`)
  if (row.doubled > 0) parts.push(`${row.doubled} INCRs applied twice`)
  return `${NAMES[way] ?? way}: ${parts.join(', ')}`
}

function table(all: readonly Result[]): string {
  const head = [
    ...['', 'rounds', 'switch', 'longest gap', 'beside the switch', 'acknowledged INCRs', 'lost', 'applied twice'],
    ...['outcome unknown', 'other errors', 'clients disconnected', 'lost by the direct writer'],
  ]
  const lines = [`| ${head.join(' | ')} |`, `|---|${'--:|'.repeat(head.length - 1)}`]
  for (const { way, scenario, rows } of all) {
    const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0).toLocaleString('en')
    const middle = (of: (row: Row) => number) => `${Math.round(median(rows.map(of)))} ms`
    const cells = [
      ...[`${NAMES[way] ?? way}: ${scenario}`, rows.length, middle((row) => row.switch), middle(({ gap }) => gap)],
      ...[`${Math.round(beside(rows))} ms`, sum(({ acked }) => acked), sum(({ lost }) => lost)],
      ...[sum(({ doubled }) => doubled), sum(({ unknown }) => unknown), sum(({ otherErrors }) => otherErrors)],
      ...[sum(({ disconnected }) => disconnected), sum(({ controlLosses }) => controlLosses)],
    ]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  return lines.join('\n')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
