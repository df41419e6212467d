import { connect } from 'node:net'
import { request } from './raw-client.mjs'

/**
 * Clients in a process of their own, that ask through Keyward and count: as fast as they are answered, or so many times
 * a second. limits-clients.mjs starts it and talks to it over the IPC channel: an order comes, `ready` goes out when
 * all have logged in, `go` comes, the tally goes out. It ends with the channel, so never later than the bench.
 *
 * @typedef {object} Order
 * @property {number} port
 * @property {string[]} login
 * @property {number} connections
 * @property {number} depth requests that a client sends at once, before it waits for all their replies
 * @property {string[]} [words] the request; its replies must be of one line
 * @property {number} [names] instead: that many GETs of names that are all different and do not exist
 * @property {number} [seconds] asks for so long
 * @property {number} [perSecond] asks so many times a second in all, whether it is answered or not
 * @property {number} [after] seconds after `go` at which it begins
 */

/** Milliseconds between two looks at what is due, of clients that ask so many times a second. */
const STEP = 2
/** Milliseconds without any reply after which the run counts as lost. */
const PATIENCE = 30_000

const LINE_FEED = 0x0a
const MINUS = 0x2d
const RATELIMITED = Buffer.from('-RATELIMITED ')

/** Milliseconds of the machine's monotonic clock, which is the same in all processes. */
const ORIGIN = Number(process.hrtime.bigint()) / 1e6 - performance.now()
const now = () => ORIGIN + performance.now()

const tally = { asked: 0, admitted: 0, refused: 0, firstAt: 0, lastAt: 0 }

class FloodClient {
  #socket
  #rest = undefined
  #outstanding = 0
  /** Called when nothing is outstanding any more. */
  onAnswered = () => {}

  /** @returns {Promise<FloodClient>} logged in */
  static open({ port, login }) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request(...login)))
      socket.once('error', reject)
      socket.once('data', (reply) => {
        if (reply.latin1Slice() === '+OK\r\n') resolve(new FloodClient(socket))
        else reject(new Error(`AUTH was answered ${reply.latin1Slice().trim()}`))
      })
    })
  }

  constructor(socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('close', () => fail('Keyward closed a connection'))
  }

  get idle() {
    return this.#outstanding === 0
  }

  write(bytes, count) {
    this.#outstanding += count
    tally.asked += count
    this.#socket.write(bytes)
  }

  #onData(chunk) {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, at)) {
      if (bytes[at] !== MINUS) tally.admitted++
      else if (bytes.compare(RATELIMITED, 0, RATELIMITED.length, at, at + RATELIMITED.length) === 0) tally.refused++
      else fail(`answered ${bytes.latin1Slice(at, end).trim()}`)
      this.#outstanding--
      at = end + 1
    }
    this.#rest = at === bytes.length ? undefined : bytes.subarray(at)
    tally.lastAt = now()
    if (this.#outstanding === 0) this.onAnswered()
  }
}

function fail(message) {
  if (!process.connected) return
  process.send({ failed: message })
  process.disconnect()
}

/** Gives the next requests of a client; undefined: there are no more. */
function batches({ words, names, depth }) {
  if (words !== undefined) {
    const bytes = Buffer.concat(Array.from({ length: depth }, () => request(...words)))
    return () => ({ bytes, count: depth })
  }
  let next = 0
  return () => {
    const count = Math.min(depth, names - next)
    const text = Array.from({ length: count }, (_, i) => `*2\r\n$3\r\nGET\r\n$9\r\nk:${digits(next + i)}\r\n`)
    next += count
    return count === 0 ? undefined : { bytes: Buffer.from(text.join(''), 'latin1'), count }
  }
}

function digits(number) {
  return String(number).padStart(7, '0')
}

/** Each client asks again as soon as it is answered, until the time is over or there is nothing more to ask. */
function flood(clients, order) {
  const next = batches(order)
  const until = order.seconds === undefined ? Number.POSITIVE_INFINITY : now() + order.seconds * 1000
  return Promise.all(
    clients.map(
      (client) =>
        new Promise((resolve) => {
          client.onAnswered = () => {
            const batch = now() < until ? next() : undefined
            if (batch === undefined) resolve()
            else client.write(batch.bytes, batch.count)
          }
          client.onAnswered()
        }),
    ),
  )
}

/** What is due by the clock is sent, so a process that was late catches up. */
async function pace([client], { words, perSecond, seconds }) {
  const one = request(...words)
  const startedAt = now()
  const most = Math.floor(perSecond * seconds)
  await new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(most, Math.floor(((now() - startedAt) * perSecond) / 1000)) - tally.asked
      if (due > 0) client.write(Buffer.concat(Array(due).fill(one)), due)
      if (tally.asked < most) return
      clearInterval(timer)
      resolve()
    }, STEP)
  })
  await new Promise((resolve) => {
    client.onAnswered = resolve
    if (client.idle) resolve()
  })
}

async function obey(order) {
  const clients = []
  for (let i = 0; i < order.connections; i++) clients.push(await FloodClient.open(order))
  process.send({ ready: true })
  await new Promise((resolve) => process.once('message', resolve))
  await new Promise((resolve) => setTimeout(resolve, (order.after ?? 0) * 1000))
  tally.firstAt = now()
  tally.lastAt = tally.firstAt
  const watch = setInterval(() => {
    if (now() - tally.lastAt > PATIENCE) fail(`nothing came for ${PATIENCE} ms`)
  }, 1000)
  await (order.perSecond === undefined ? flood(clients, order) : pace(clients, order))
  clearInterval(watch)
  process.send({ tally }, () => process.exit())
}

process.on('disconnect', () => process.exit())
process.once('message', (order) => obey(order).catch((error) => fail(error.message)))
