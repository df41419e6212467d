import { assertRunning, freePort, launch, temporaryFolder } from './children.mjs'
import { patiently } from './patiently.mjs'
import { RawClient } from './raw-client.mjs'

/** The name that redis-benchmark gives key number i when it is told -r. */
export function benchmarkKey(i) {
  return `key:${String(i).padStart(12, '0')}`
}

/** The real Redis of this run: its own process on a port of its own, without persistence, with a password. */
export class Backing {
  /**
   * @param {{ server: string, env: object }} redis what findRedis() found
   */
  static async start(redis, password, clients) {
    const port = await freePort()
    const config = [
      `port ${port}`,
      'bind 127.0.0.1',
      'save ""',
      'appendonly no',
      'daemonize no',
      `requirepass ${password}`,
      `maxclients ${clients + 100}`,
      `dir ${temporaryFolder()}`,
    ]
    const entry = launch('redis-server', redis.server, ['-'], { env: redis.env, input: `${config.join('\n')}\n` })
    const control = await patiently(entry, async () => {
      const client = await RawClient.open(port)
      await client.ask('AUTH', password)
      await client.ask('PING')
      return client
    })
    return new Backing(entry, port, control)
  }

  constructor(entry, port, control) {
    this.entry = entry
    this.port = port
    this.pid = entry.pid
    this.control = control
  }

  /** The fields of INFO, all sections. */
  async info() {
    assertRunning(this.entry)
    const text = await this.control.ask('INFO', 'all')
    const fields = new Map()
    for (const line of text.split('\r\n')) {
      const colon = line.indexOf(':')
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
    }
    return fields
  }

  /** What the bench compares before and after a cell; CPU in microseconds. */
  async usage() {
    const fields = await this.info()
    const number = (name) => Number(fields.get(name))
    const calls = { get: commandStats(fields, 'get'), set: commandStats(fields, 'set') }
    const scripts = [commandStats(fields, 'eval'), commandStats(fields, 'evalsha')]
    return {
      cpu: (number('used_cpu_user') + number('used_cpu_sys')) * 1e6,
      get: calls.get.calls,
      set: calls.set.calls,
      failed: calls.get.failed + calls.set.failed,
      scripts: scripts.reduce((sum, one) => sum + one.calls - one.failed, 0),
      hits: number('keyspace_hits'),
      misses: number('keyspace_misses'),
    }
  }

  /** Writes keys 0 to count - 1 as redis-benchmark names them, under each prefix, so that every GET finds its key. */
  async fill(prefixes, count, size) {
    const value = 'x'.repeat(size)
    for (const prefix of prefixes) {
      for (let i = 0; i < count; i += 500) {
        const args = []
        for (let k = i; k < Math.min(i + 500, count); k++) args.push(prefix + benchmarkKey(k), value)
        await this.control.ask('MSET', ...args)
      }
    }
  }

  /** The connections to it, this object's own left out: the lines of CLIENT LIST as objects. */
  async clients() {
    const own = await this.control.ask('CLIENT', 'ID')
    const text = await this.control.ask('CLIENT', 'LIST')
    const rows = text
      .trim()
      .split('\n')
      .map((line) => Object.fromEntries(line.split(' ').map((field) => field.split(/=(.*)/s, 2))))
    return rows.filter((row) => row.id !== own)
  }
}

function commandStats(fields, name) {
  const stats = fields.get(`cmdstat_${name}`) ?? ''
  const field = (key) => Number(new RegExp(`(?:^|,)${key}=(\\d+)`).exec(stats)?.[1] ?? 0)
  return { calls: field('calls'), failed: field('failed_calls') + field('rejected_calls') }
}
