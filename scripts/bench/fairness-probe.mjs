import { RawClient, request } from './raw-client.mjs'

/**
 * A tenant that asks little, in a process of its own: GET and SET in turn, at random times, on a few connections. Its only
 * argument is an order as JSON; it prints the milliseconds that each request took, from when it was due.
 *
 * @typedef {object} Order
 * @property {number} port
 * @property {string[]} login
 * @property {number} connections
 * @property {number} perSecond
 * @property {number} seconds
 * @property {number} valueBytes
 */

const { port, login, connections, perSecond, seconds, valueBytes } = JSON.parse(process.argv[2])

const value = 'x'.repeat(valueBytes)
const requests = [request('GET', 'bench:probe'), request('SET', 'bench:probe', value)]
const milliseconds = []
/** When those were due that find no free connection. */
const due = []
const free = []
let asked = 0

async function serve(client, since) {
  const reply = await client.send(requests[asked++ % requests.length])
  if (reply[0] === '-') throw new Error(`answered ${reply.trim()}`)
  milliseconds.push(Number(process.hrtime.bigint() - since) / 1e6)
  const next = due.shift()
  if (next === undefined) free.push(client)
  else await serve(client, next)
}

for (let i = 0; i < connections; i++) {
  const client = await RawClient.open(port, 60_000)
  await client.ask(...login)
  await client.ask('SET', 'bench:probe', value)
  free.push(client)
}

const until = performance.now() + seconds * 1000
const running = new Set()
while (performance.now() < until) {
  // As people come: not at equal distances, which might keep step with something else.
  await new Promise((resolve) => setTimeout(resolve, (-Math.log(1 - Math.random()) * 1000) / perSecond))
  const now = process.hrtime.bigint()
  const client = free.shift()
  if (client === undefined) {
    due.push(now)
    continue
  }
  const work = serve(client, now).finally(() => running.delete(work))
  running.add(work)
}
await Promise.all(running)
console.log(JSON.stringify(milliseconds))
process.exit()
