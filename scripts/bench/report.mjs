import { cacheTables } from './cache-report.mjs'
import { fairnessTables } from './fairness-report.mjs'
import { limitTables } from './limits-report.mjs'
import { scriptTables } from './scripts-report.mjs'
import { ratios, summarizeConnects, summarizeLoad } from './summary.mjs'

/** The result of a run as text: plain columns, or Markdown. CPU comes first, because throughput on shared cores is noise. */

/**
 * @param {object} result what bench.mjs gathered
 * @param {boolean} markdown
 */
export function report(result, markdown) {
  const out = [...heading(result, markdown)]
  const add = (title, header, rows) => out.push(...table(title, header, rows, markdown))
  const { load, connects, memory, lanes, neighbours, limits, fairness, cache, scripts } = result
  if (load !== undefined) {
    const summary = summarizeLoad(load)
    add('CPU µs per request, user + system: median [lowest to highest round]', CPU_HEADER, summary.map(cpuRow))
    for (const pipeline of [1, 16]) {
      const rows = ratios(load.filter((row) => row.pipeline === pipeline))
      add(
        `Ratios at -P ${pipeline}, GET and SET together: median of the rounds' ratios [lowest to highest]`,
        RATIO_HEADER,
        rows.map(ratioRow),
      )
    }
    add('Throughput and latency: medians', SPEED_HEADER, summary.flatMap(speedRows))
  }
  if (connects !== undefined) {
    add(
      'Short connections (connect, AUTH, GET, QUIT): CPU µs per connection',
      CONNECT_HEADER,
      summarizeConnects(connects).map(connectRow),
    )
    add('Ratios of short connections', RATIO_HEADER, ratios(connects).map(ratioRow))
  }
  if (memory !== undefined) add('Resident memory', MEMORY_HEADER, memory.map(memoryRow))
  if (lanes !== undefined) add('Upstream connections', LANES_HEADER, lanes.map(lanesRow))
  if (neighbours !== undefined)
    add('Other tenants’ clients while one walks: p99 of GET', NEIGHBOURS_HEADER, neighbours.map(neighboursRow))
  if (limits !== undefined) for (const [title, header, rows] of limitTables(limits)) add(title, header, rows)
  if (fairness !== undefined) for (const [title, header, rows] of fairnessTables(fairness)) add(title, header, rows)
  if (scripts !== undefined) for (const [title, header, rows] of scriptTables(scripts)) add(title, header, rows)
  if (cache !== undefined) for (const [title, header, rows] of cacheTables(cache)) add(title, header, rows)
  const known = result.bars.filter((bar) => bar.value !== undefined)
  if (known.length > 0) add('Bars', ['bar', 'limit', 'measured', 'met'], known.map(barRow))
  return out.join('\n')
}

function heading({ machine, versions, commit, date, settings, load, connects }, markdown) {
  const versionList = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const lines = [
    `date      ${date}`,
    `machine   ${machine.model}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, load before ${machine.loadBefore.toFixed(2)}`,
    `versions  ${versionList.join(', ')}`,
    `commit    ${commit}`,
  ]
  if (load !== undefined || connects !== undefined) lines.push(`load      ${loadText(settings)}`)
  return markdown ? ['```', ...lines, '```', ''] : [...lines, '']
}

function loadText({ connections, valueBytes, keys, rounds, requests, seconds }) {
  const cells = requests === undefined ? `cells of ${seconds} s` : `cells of ${requests} requests`
  return `${connections} connections, ${valueBytes}-byte values, ${keys} existing keys, ${rounds} rounds, ${cells}`
}

function table(title, header, rows, markdown) {
  if (rows.length === 0) return []
  if (markdown) {
    const line = (cells) => `| ${cells.join(' | ')} |`
    return [
      `**${title}**`,
      '',
      line(header),
      line(header.map((_, i) => (i === 0 ? '---' : '---:'))),
      ...rows.map(line),
      '',
    ]
  }
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column].length)))
  const line = (cells) =>
    `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   ')}`
  return [title, line(header), ...rows.map(line), '']
}

const CPU_HEADER = ['', 'proxy GET', 'proxy SET', 'proxy both', 'Redis GET', 'Redis SET', 'Redis both']
function cpuRow({ pipeline, target, cells }) {
  const of = (field) => [cells.get, cells.set, cells.both].map((cell) => range(cell[field]))
  return [`-P ${pipeline} ${target}`, ...of('proxyCpu'), ...of('redisCpu')]
}

const SPEED_HEADER = ['', 'requests/s', 'p50 ms', 'p99 ms']
function speedRows({ pipeline, target, cells }) {
  return ['get', 'set'].map((command) => [
    `-P ${pipeline} ${target} ${command.toUpperCase()}`,
    Math.round(cells[command].throughput.median).toLocaleString('en-US'),
    cells[command].p50.median.toFixed(3),
    cells[command].p99.median.toFixed(3),
  ])
}

const RATIO_HEADER = ['', 'ratio']
function ratioRow({ name, a, b, ...value }) {
  return [name === 'CPU of Redis' ? `${name} behind ${a} / ${b}` : `${name}, ${a} / ${b}`, range(value)]
}

const CONNECT_HEADER = ['', 'proxy', 'Redis', 'connections/s', 'p50 ms', 'p99 ms']
function connectRow({ target, cells: { connect } }) {
  return [
    target,
    range(connect.proxyCpu, 1),
    range(connect.redisCpu, 1),
    Math.round(connect.throughput.median).toLocaleString('en-US'),
    connect.p50.median.toFixed(2),
    connect.p99.median.toFixed(2),
  ]
}

const MEMORY_HEADER = ['', 'clients', 'fresh MiB', 'warm MiB', 'busy MiB', 'settled MiB', 'KiB per client']
function memoryRow({ target, clients, perClient, ...bytes }) {
  const mib = [bytes.fresh, bytes.warm, bytes.busy, bytes.settled].map((value) => (value / 2 ** 20).toFixed(1))
  return [target, String(clients), ...mib, (perClient / 1024).toFixed(2)]
}

const LANES_HEADER = ['', 'clients', 'requests', 'upstream connections', 'of them']
function lanesRow({ target, clients, exchanges, upstream, names }) {
  const list = Object.entries(names).map(([name, count]) => `${count} ${name}`)
  return [target, String(clients), String(exchanges), String(upstream), list.join(', ') || '-']
}

const NEIGHBOURS_HEADER = ['', 'reply', 'took s', 'p99 before ms', 'p99 meanwhile ms', 'ratio']
function neighboursRow({ command, reply, seconds, p99, ratio }) {
  return [command, reply, seconds.toFixed(1), p99.quiet.toFixed(2), p99.busy.toFixed(2), ratio.toFixed(2)]
}

function barRow({ name, limit, value, met, atLeast, digits = 2 }) {
  const measured = Number.isInteger(value) ? String(value) : value.toFixed(digits)
  return [name, `${atLeast ? 'at least' : 'at most'} ${limit}`, measured, met ? 'yes' : 'NO']
}

function range(value, digits = 2) {
  if (value === undefined) return '-'
  return `${value.median.toFixed(digits)} [${value.min.toFixed(digits)} to ${value.max.toFixed(digits)}]`
}
