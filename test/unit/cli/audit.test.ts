import { describe, expect, it } from 'vitest'
import { judge, parseCommandStats } from '../../../src/cli/audit.ts'
import { buildTable } from '../../../src/commands/table.ts'
import { freePort } from '../../helpers/free-port.ts'
import { startRedis } from '../../helpers/redis.ts'
import { keyward } from './terminal.ts'

const INFO = `# Commandstats\r
cmdstat_get:calls=10,usec=5,usec_per_call=0.50,rejected_calls=0,failed_calls=0\r
cmdstat_eval:calls=200,usec=5,usec_per_call=0.50,rejected_calls=0,failed_calls=0\r
cmdstat_client|list:calls=3,usec=5,usec_per_call=0.50,rejected_calls=0,failed_calls=0\r
cmdstat_module|load:calls=4,usec=5,usec_per_call=0.50,rejected_calls=0,failed_calls=0\r
cmdstat_config|set:calls=1,usec=5,usec_per_call=0.50,rejected_calls=0,failed_calls=0\r
cmdstat_json.set:calls=9,usec=5,usec_per_call=0.50,rejected_calls=0,failed_calls=0\r
cmdstat_ft.search:calls=3,usec=5,usec_per_call=0.50,rejected_calls=0,failed_calls=0\r
cmdstat_client:calls=0,usec=0,usec_per_call=0.00,rejected_calls=2,failed_calls=0\r
`

describe('commandstats', () => {
  it('are read, without what was never called', () => {
    expect([...parseCommandStats(INFO)]).toEqual([
      ['get', 10],
      ['eval', 200],
      ['client|list', 3],
      ['module|load', 4],
      ['config|set', 1],
      ['json.set', 9],
      ['ft.search', 3],
    ])
  })

  it('are judged, what would fail first', () => {
    const rows = judge(parseCommandStats(INFO), buildTable())
    expect(rows.map(({ command, calls, tenant }) => [command, calls, tenant])).toEqual([
      ['module|load', 4, 'no'],
      ['ft.search', 3, 'no'],
      ['eval', 200, 'some'],
      ['json.set', 9, 'some'],
      ['config|set', 1, 'some'],
      ['get', 10, 'yes'],
      ['client|list', 3, 'yes'],
    ])
    expect(rows.filter((row) => row.tenant !== 'yes').every((row) => row.why !== '')).toBe(true)
  })
})

describe('a real server', () => {
  it('is read and judged', async () => {
    const redis = await startRedis({ config: ['requirepass secret'] })
    try {
      await redis.cli('SET', 'k', 'v')
      await redis.cli('EVAL', 'return 1', '0')
      const url = redis.url.replace('redis://', 'redis://:secret@')
      const { code, out, err } = await keyward(['audit', '--upstream', url])
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(/^command +calls +tenant +why$/m)
      expect(out).toMatch(/^set +1 +yes$/m)
      expect(out).toMatch(/^eval +1 +some +if the upstream's user may do ACL SETUSER/m)
      expect(out).toMatch(/\d+ of \d+ commands in use are open for a tenant/)
      expect((await keyward(['audit', '--upstream', redis.url])).err).toMatch(/NOAUTH/)
    } finally {
      await redis.stop()
    }
  })
})

describe('a server that is away', () => {
  it('is one line with a cure, exit 1', async () => {
    const port = await freePort()
    const { code, out, err } = await keyward(['audit', '--upstream', `redis://:secret@127.0.0.1:${port}`])
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(new RegExp(`^keyward: 127.0.0.1:${port}: .*ECONNREFUSED.*\n    check the url.*\n$`))
    expect(err).not.toContain('secret')
  })
})
