import { MANY, SCRIPTS } from './scripts.mjs'
import { spread } from './stats.mjs'

/** The part on scripts as tables and bars: see scripts.mjs. */

/**
 * @param {object[]} rows what runScripts() gave
 * @returns {[title: string, header: string[], rows: string[][]][]}
 */
export function scriptTables(rows) {
  return [
    [
      "Scripts: EVALSHA at -P 16, µs of Redis' own CPU per script: median [lowest to highest round]",
      ['', 'bare', 'behind Keyward', 'more', 'scripts/s behind Keyward'],
      Object.keys(SCRIPTS).map((script) => {
        const { median: more } = spread(differences(rows, script))
        return [
          script,
          shown(of(rows, script, 'bare')),
          shown(of(rows, script, 'keyward')),
          more.toFixed(2),
          rate(rows, script),
        ]
      }),
    ],
  ]
}

function shown(rows) {
  const { median, min, max } = spread(rows.map(({ cpu }) => cpu))
  return `${median.toFixed(2)} [${min.toFixed(2)} to ${max.toFixed(2)}]`
}

function rate(rows, script) {
  return spread(of(rows, script, 'keyward').map(({ throughput }) => throughput)).median.toFixed(0)
}

function of(rows, script, arm) {
  return rows.filter((row) => row.script === script && row.arm === arm)
}

/** Of each round: what it costs more behind Keyward. */
function differences(rows, script) {
  const bare = of(rows, script, 'bare')
  return of(rows, script, 'keyward').map(({ cpu }, i) => cpu - bare[i].cpu)
}

/** Bars as summary.mjs has them. */
export function scriptBars(rows) {
  const once = rows && differences(rows, 'one call')
  const each = rows && differences(rows, 'many calls').map((more, i) => (more - once[i]) / (MANY - 1))
  return [
    bar("scripts: µs of Redis' CPU that EVALSHA of one call costs more", 4, once && spread(once).median),
    bar("scripts: µs of Redis' CPU that each further call costs more", 0.4, each && spread(each).median),
  ]
}

function bar(name, limit, value) {
  return { name, limit, value, met: value === undefined ? undefined : value <= limit }
}
