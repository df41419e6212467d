import { cacheBars } from './cache-report.mjs'
import { fairnessBars } from './fairness-report.mjs'
import { limitBars } from './limits-report.mjs'
import { scriptBars } from './scripts-report.mjs'
import { spread } from './stats.mjs'

/** From the rows of single cells to what is printed: medians over the rounds, ratios as medians of per-round ratios. */

/**
 * Load cells by depth and target: for each command, and the mean of both in each round.
 *
 * @returns {{ pipeline: number, target: string, cells: Record<string, object> }[]}
 */
export function summarizeLoad(rows) {
  const out = []
  for (const [key, group] of groupBy(rows, (row) => `${row.pipeline} ${row.target}`)) {
    const [pipeline, target] = key.split(' ')
    const cells = {}
    for (const [command, cell] of groupBy(group, (row) => row.command)) cells[command] = spreads(cell)
    cells.both = spreads([...perRound(group).values()])
    out.push({ pipeline: Number(pipeline), target, cells })
  }
  return out.sort((a, b) => a.pipeline - b.pipeline)
}

export function summarizeConnects(rows) {
  return [...groupBy(rows, (row) => row.target)].map(([target, group]) => ({
    target,
    cells: { connect: spreads(group) },
  }))
}

function spreads(rows) {
  const of = (field) => (rows[0][field] === undefined ? undefined : spread(rows.map((row) => row[field])))
  return {
    proxyCpu: of('proxyCpu'),
    redisCpu: of('redisCpu'),
    throughput: of('throughput'),
    p50: of('p50'),
    p99: of('p99'),
  }
}

/** GET and SET of each round as one: the mean of the two, which count alike however many requests each had. */
function perRound(rows) {
  const rounds = new Map()
  for (const [round, group] of groupBy(rows, (row) => row.round)) {
    const mean = (field) =>
      group[0][field] === undefined ? undefined : sum(group.map((row) => row[field])) / group.length
    rounds.set(round, { proxyCpu: mean('proxyCpu'), redisCpu: mean('redisCpu'), throughput: mean('throughput') })
  }
  return rounds
}

/**
 * The median over the rounds of a's value divided by b's in the same round; undefined where one of them is missing.
 *
 * @param {object[]} rows cells, all of one depth or none
 * @param {'proxyCpu' | 'redisCpu' | 'throughput'} field
 */
export function ratio(rows, field, a, b) {
  const left = perRound(rows.filter((row) => row.target === a))
  const right = perRound(rows.filter((row) => row.target === b))
  const ratios = []
  for (const [round, value] of left) {
    const other = right.get(round)
    if (other?.[field] !== undefined && value[field] !== undefined) ratios.push(value[field] / other[field])
  }
  return ratios.length === 0 ? undefined : spread(ratios)
}

/** All ratios worth printing: each proxy against each other's CPU, Redis behind each against the bare one. */
export function ratios(rows) {
  const names = [...new Set(rows.map((row) => row.target))]
  const subject = names.includes('keyward') ? ['keyward'] : names
  const out = []
  const add = (name, field, a, b) => {
    const value = ratio(rows, field, a, b)
    if (value !== undefined) out.push({ name, field, a, b, ...value })
  }
  for (const a of subject) {
    for (const b of names) if (a !== b) add('CPU of the proxy', 'proxyCpu', a, b)
  }
  for (const a of names) if (a !== 'bare') add('CPU of Redis', 'redisCpu', a, 'bare')
  for (const a of names) if (a !== 'bare') add('throughput', 'throughput', a, 'bare')
  return out
}

/** What the issue asks for, each with what was measured; undefined where this run did not measure it. */
export function bars({ load, memory, lanes, neighbours, limits, fairness, cache, scripts }) {
  const at = (pipeline) => (load ?? []).filter((row) => row.pipeline === pipeline)
  const row = (name, limit, value) => ({ name, limit, value, met: value === undefined ? undefined : value <= limit })
  const keyward = (rows) => rows?.find((one) => one.target === 'keyward')
  const perClient = keyward(memory)?.perClient
  return [
    row('keyward / nutcracker, CPU, -P 1', 1.2, ratio(at(1), 'proxyCpu', 'keyward', 'nutcracker')?.median),
    row('keyward / nutcracker, CPU, -P 16', 0.55, ratio(at(16), 'proxyCpu', 'keyward', 'nutcracker')?.median),
    row('Redis behind keyward / bare, CPU, -P 1', 0.95, ratio(at(1), 'redisCpu', 'keyward', 'bare')?.median),
    row('KiB of resident memory per client', 8, perClient === undefined ? undefined : perClient / 1024),
    row('upstream connections of 2,000 working clients', 8, keyward(lanes)?.upstream),
    ...['DBSIZE', 'FLUSHDB'].map((command) => {
      const walk = neighbours?.find((one) => one.command === command)
      return row(`p99 of others during ${command} / before`, 1.5, walk?.ratio)
    }),
    ...limitBars(limits),
    ...fairnessBars(fairness),
    ...cacheBars(cache),
    ...scriptBars(scripts),
  ]
}

function groupBy(rows, keyOf) {
  const groups = new Map()
  for (const row of rows) {
    const key = keyOf(row)
    if (!groups.has(key)) groups.set(key, [])
    groups.get(key).push(row)
  }
  return groups
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}
