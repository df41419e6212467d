import { describe, expect, test } from 'vitest'

/** scripts/ is plain JavaScript without declarations; a computed address keeps the compiler from asking for them. */
const load = (name: string) => import(new URL(`../../../scripts/bench/${name}.mjs`, import.meta.url).href)

const { bars, ratio } = await load('summary')
const { quantile } = await load('stats')
const { replyEnd, request } = await load('raw-client')

function cell(round: number, target: string, command: string, proxyCpu: number, pipeline = 1) {
  return { round, target, command, pipeline, proxyCpu, redisCpu: 1, throughput: 1 }
}

describe('the summary of a bench', () => {
  test('a ratio is the median of the ratios of the rounds, not the ratio of the medians', () => {
    const rows = [
      [1, 10],
      [20, 10],
      [30, 60],
    ].flatMap(([a, b], round) => [cell(round, 'a', 'get', a), cell(round, 'b', 'get', b)])
    expect(ratio(rows, 'proxyCpu', 'a', 'b')).toMatchObject({ median: 0.5, min: 0.1, max: 2, n: 3 })
  })

  test('GET and SET of a round count alike', () => {
    const rows = [cell(0, 'a', 'get', 1), cell(0, 'a', 'set', 3), cell(0, 'b', 'get', 2), cell(0, 'b', 'set', 2)]
    expect(ratio(rows, 'proxyCpu', 'a', 'b')?.median).toBe(1)
  })

  test('there is no ratio to a target that was not measured', () => {
    expect(ratio([cell(0, 'a', 'get', 1)], 'proxyCpu', 'a', 'b')).toBeUndefined()
  })

  test('a bar is met, missed, or not measured', () => {
    const rows = [cell(0, 'keyward', 'get', 1.3), cell(0, 'nutcracker', 'get', 1)]
    const [one, sixteen] = bars({ load: rows, lanes: [{ target: 'keyward', upstream: 8 }] })
    expect(one).toMatchObject({ limit: 1.2, value: 1.3, met: false })
    expect(sixteen.met).toBeUndefined()
    const named = (name: string, all: { name: string }[]) => all.find((bar) => bar.name.includes(name))
    expect(named('connections', bars({ lanes: [{ target: 'keyward', upstream: 8 }] }))).toMatchObject({
      value: 8,
      met: true,
    })
    expect(named('FLUSHDB', bars({ neighbours: [{ command: 'FLUSHDB', ratio: 1.6 }] }))).toMatchObject({ met: false })
  })

  test('quantiles lie between neighbours', () => {
    expect(quantile([4, 1, 2, 3], 0.5)).toBe(2.5)
    expect(quantile([1, 2], 0.99)).toBeCloseTo(1.99)
  })
})

describe("the bench's own client", () => {
  test('writes requests', () => {
    expect(request('GET', 'é').toString()).toBe('*2\r\n$3\r\nGET\r\n$2\r\né\r\n')
  })

  test.each([
    ['+OK\r\n'],
    ['$3\r\na\r\n\r\n'],
    ['$-1\r\n'],
    ['*2\r\n$1\r\na\r\n*1\r\n:1\r\n'],
    ['%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n'],
    ['_\r\n'],
  ])('finds the end of %j, and no end before it', (reply) => {
    const bytes = Buffer.from(`${reply}+next\r\n`)
    expect(replyEnd(bytes, 0)).toBe(reply.length)
    for (let cut = 0; cut < reply.length; cut++) expect(replyEnd(bytes.subarray(0, cut), 0)).toBe(-1)
  })
})
