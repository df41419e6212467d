import { createInterface } from 'node:readline'
import { type Connection, WorkingClient } from './client.ts'
import type { ClientOrder, RoundReport, WorkerOrder } from './protocol.ts'

/** Connects one client; `trouble` is to be told of everything that happens to its connection after that. */
export type Connect = (order: WorkerOrder, client: ClientOrder, trouble: (what: string) => void) => Promise<Connection>

/** Milliseconds for subscribers to hear the last word: a subscription that a failover ended must have been made again. */
const LAST_WORD = 15_000

/** A worker process, from its arguments and lines to its reports; see protocol.ts. */
export async function runWorker(library: string, connect: Connect): Promise<void> {
  const order = JSON.parse(process.argv.at(-1) as string) as WorkerOrder
  let troubles: { id: string; at: number; what: string }[] = []
  let leaving = false
  const clients = await Promise.all(
    order.clients.map(async (each) => {
      const trouble = (what: string) => {
        if (!leaving && troubles.length < 500) troubles.push({ id: each.id, at: Date.now(), what })
      }
      const client = new WorkingClient(each, await connect(order, each, trouble))
      await client.prepare()
      return client
    }),
  )
  console.log('ready')

  let round = 0
  for await (const line of createInterface({ input: process.stdin })) {
    const [word, number] = line.split(' ')
    if (word === 'round') {
      round = Number(number)
      troubles = []
      for (const client of clients) client.begin(round)
    } else if (word === 'stop') {
      for (const client of clients) client.stop()
      await Promise.all(clients.map((client) => client.finished()))
      console.log(JSON.stringify(await report(library, clients, `last ${round}`, troubles)))
    } else break
  }
  leaving = true
  for (const client of clients) client.close()
  process.exit(0)
}

async function report(
  library: string,
  clients: readonly WorkingClient[],
  last: string,
  troubles: RoundReport['troubles'],
): Promise<RoundReport> {
  const says = clients.filter(({ order }) => order.role === 'say')
  const hears = clients.filter(({ order }) => order.role === 'hear')
  const deadline = Date.now() + LAST_WORD
  while (Date.now() < deadline && !hears.every((client) => client.heard(last))) {
    for (const client of says) void client.sayLast(last)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const good: Record<string, number> = {}
  for (const { goodAt } of clients) {
    for (const at of goodAt) good[Math.floor(at / 100)] = (good[Math.floor(at / 100)] ?? 0) + 1
  }
  return {
    library,
    clients: clients.map((client) => client.report(last)),
    good,
    slow: clients.flatMap((client) => client.slow),
    troubles,
  }
}
