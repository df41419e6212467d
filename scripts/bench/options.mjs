import { parseArgs } from 'node:util'
import { TARGET_NAMES } from './targets.mjs'

const PARTS = ['load', 'connects', 'memory', 'lanes', 'neighbours', 'limits', 'fairness', 'cache', 'scripts']
/** Of the part on limits. */
const LIMIT_PARTS = ['rates', 'shared', 'cost', 'memory']

const HELP = `npm run bench -- [options]

Parts (without any of them: --load and --connects)
  --load             redis-benchmark, GET and SET, -P 1 and -P 16, against every target
  --connects         short connections: connect, AUTH, GET, QUIT
  --memory           resident memory per client
  --lanes            upstream connections of many working clients
  --neighbours       p99 of other tenants' clients while one of many keys runs DBSIZE and FLUSHDB
  --limits           what rate limits let pass, in one process and in three, and what they cost
  --fairness         what a tenant feels of another one's flood, with fairness on and off
  --cache            what a hit of the near cache costs, and how often the server is asked for what many miss
  --scripts          what EVALSHA costs Redis behind Keyward, and each call of a script
  --all              all of them

  --targets a,b      of ${TARGET_NAMES.join(', ')}; those that are not installed are left out
  --rounds N         7
  --seconds S        the least time of a cell: 2
  --requests N       requests of a cell instead, at both depths
  --memory-clients N 8000
  --lane-clients N   2000
  --neighbour-keys N 1000000, beside ten times as many of others
  --limit-parts a,b  of ${LIMIT_PARTS.join(', ')}
  --quick            a smoke run: 2 rounds, short cells, few clients; its numbers mean nothing
  --json FILE        everything measured, every cell
  --markdown         the tables as Markdown
  --gate             exit code 1 when a bar of the product is missed`

/** @throws Error when an option is unknown or its value is none */
export function benchOptions(argv) {
  const flag = { type: 'boolean' }
  const value = { type: 'string' }
  const { values } = parseArgs({
    args: argv,
    options: {
      load: flag,
      connects: flag,
      memory: flag,
      lanes: flag,
      neighbours: flag,
      limits: flag,
      fairness: flag,
      cache: flag,
      scripts: flag,
      all: flag,
      targets: value,
      rounds: value,
      seconds: value,
      requests: value,
      'memory-clients': value,
      'lane-clients': value,
      'neighbour-keys': value,
      'limit-parts': value,
      quick: flag,
      json: value,
      markdown: flag,
      gate: flag,
      help: flag,
    },
  })
  if (values.help) return { help: HELP }
  const number = (name, usual) => {
    if (values[name] === undefined) return usual
    const n = Number(values[name])
    if (!(n > 0)) throw new Error(`--${name} must be a number above 0, not ${values[name]}`)
    return n
  }
  const named = PARTS.filter((part) => values[part] || values.all)
  const targets = values.targets?.split(',') ?? TARGET_NAMES
  for (const name of targets) {
    if (!TARGET_NAMES.includes(name)) throw new Error(`--targets: ${name} is none of ${TARGET_NAMES.join(', ')}`)
  }
  const limitParts = values['limit-parts']?.split(',') ?? LIMIT_PARTS
  for (const name of limitParts) {
    if (!LIMIT_PARTS.includes(name)) throw new Error(`--limit-parts: ${name} is none of ${LIMIT_PARTS.join(', ')}`)
  }
  const quick = values.quick === true
  return {
    parts: new Set(named.length > 0 ? named : ['load', 'connects']),
    targets,
    rounds: Math.ceil(number('rounds', quick ? 2 : 7)),
    seconds: number('seconds', quick ? 0.1 : 2),
    requests: number('requests', undefined),
    quick,
    warmUp: quick ? 0.1 : 1,
    memoryClients: number('memory-clients', quick ? 300 : 8000),
    laneClients: number('lane-clients', quick ? 100 : 2000),
    laneSeconds: quick ? 1 : 5,
    neighbourKeys: number('neighbour-keys', quick ? 10_000 : 1_000_000),
    limitParts: new Set(limitParts),
    limitRuns: quick ? 1 : 5,
    limitSeconds: quick ? 3 : 10,
    limitPairs: quick ? 2 : 15,
    fairnessSeconds: quick ? 1 : 10,
    cacheMisses: quick ? 100 : 1000,
    json: values.json,
    markdown: values.markdown === true,
    gate: values.gate === true,
  }
}
