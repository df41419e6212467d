import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { Clock } from '../../src/lib/clock.ts'
import { Turn } from '../../src/lib/turn.ts'
import type { UpstreamOptions } from '../../src/upstream/options.ts'
import { Upstream } from '../../src/upstream/upstream.ts'
import { type ConfigObject, configFor, type LogLine } from './keyward.ts'

/** An upstream without a proxy in front of it, and what has become of it. */
export interface LoneUpstream {
  readonly upstream: Upstream
  readonly log: readonly Pick<LogLine, 'level' | 'msg'>[]
  readonly faults: readonly unknown[]
}

/** Connects to the server of `url`; `more` adds to the upstream's configuration. The caller stops it. */
export function loneUpstream(url: string, more: ConfigObject = {}): LoneUpstream {
  const source = { source: 'test.yaml', env: process.env, baseDir: process.cwd() }
  const config = parseConfig(stringify(configFor({ url }, {}, more)), source)
  const log: (LogLine & { level: number })[] = []
  const faults: unknown[] = []
  const upstream = new Upstream(config.upstreams.get('main') as UpstreamOptions, {
    turn: new Turn(),
    clock: new Clock(),
    log: {
      info: (fields, msg) => void log.push({ ...fields, level: 30, msg }),
      warn: (fields, msg) => void log.push({ ...fields, level: 40, msg }),
    },
    fault: (error) => void faults.push(error),
    reviewed: () => true,
  })
  upstream.start()
  return { upstream, log, faults }
}
