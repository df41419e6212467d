import type { Exchange } from '../commands/exchange.ts'
import type { Expiries } from '../commands/expiries.ts'
import type { CommandTable } from '../commands/lookup.ts'
import { copyBytes } from '../lib/slab.ts'
import { ERROR } from '../resp/type-bytes.ts'
import { Caller } from '../upstream/caller.ts'
import type { Node } from '../upstream/node.ts'

/*
 * Requests that give keys a time to live if they have none, one for each. They are sent in one piece with the write in front, so
 * that hardly anybody's request comes between. https://redis.io/docs/latest/commands/pexpire/
 *
 * They may be many times as large as what the client sent, so they are written into one buffer whose size is known, and charged,
 * before there is any.
 */

/** What stands around the key and the time of each request, beside their lengths. */
interface Form {
  readonly head: Buffer
  readonly tail: Buffer
}

/** PEXPIRE … NX: from Redis 7.0 on. */
const PEXPIRE: Form = { head: Buffer.from('*4\r\n$7\r\nPEXPIRE\r\n$'), tail: Buffer.from('$2\r\nNX\r\n') }

/** The same for servers that do not know NX: keys that have an expiry keep it. */
const IF_NONE = "if redis.call('pttl',KEYS[1])==-1 then return redis.call('pexpire',KEYS[1],ARGV[1]) end return 0"
const EVAL: Form = {
  head: Buffer.from(`*5\r\n$4\r\nEVAL\r\n$${IF_NONE.length}\r\n${IF_NONE}\r\n$1\r\n1\r\n$`),
  tail: Buffer.alloc(0),
}

/** `$` and the ends of four lines: the key's length, the key, the time's length, the time. */
const AROUND = 9

function formFor(node: Node): Form {
  return node.facts.knowsExpireNx ? PEXPIRE : EVAL
}

/** Bytes of expireRequests(). */
export function expireBytes(expiries: Expiries, prefix: Buffer, node: Node): number {
  const { head, tail } = formFor(node)
  let bytes = expiries.count * (head.length + tail.length + AROUND)
  for (let i = 0; i < expiries.count; i++) {
    const key = (expiries.prefix(i) ?? prefix).length + expiries.keySize(i)
    const time = digits(expiries.time(i))
    bytes += key + digits(key) + time + digits(time)
  }
  return bytes
}

/** `bytes`: as expireBytes() says. `prefix`: in front of keys that have none of their own. */
export function expireRequests(expiries: Expiries, prefix: Buffer, node: Node, bytes: number): Buffer {
  const { head, tail } = formFor(node)
  const out = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  for (let i = 0; i < expiries.count; i++) {
    const own = expiries.prefix(i) ?? prefix
    const time = expiries.time(i)
    at = copyBytes(head, 0, head.length, out, at)
    at = line(own.length + expiries.keySize(i), out, at)
    at = copyBytes(own, 0, own.length, out, at)
    at = lineEnd(out, expiries.copyKey(i, out, at))
    out[at++] = DOLLAR
    at = line(digits(time), out, at)
    at = line(time, out, at)
    at = copyBytes(tail, 0, tail.length, out, at)
  }
  return out
}

/** How many a whole number above 0 has. */
function digits(value: number): number {
  let count = 1
  for (let power = 10; power <= value; power *= 10) count++
  return count
}

function line(value: number, out: Buffer, at: number): number {
  const end = at + digits(value)
  for (let rest = value, i = end - 1; i >= at; i--) {
    out[i] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return lineEnd(out, end)
}

function lineEnd(out: Buffer, at: number): number {
  out[at] = CR
  out[at + 1] = LF
  return at + 2
}

/**
 * x may have been executed, and the requests behind it not: its connection was lost in between. They are made again, on
 * the next connection, and again in one piece; a key that has its time to live keeps it.
 */
export function expireAgain(x: Exchange, node: Node, table: CommandTable): void {
  const expiries = x.effects?.expiries
  const spec = table.byName(node.facts.knowsExpireNx ? 'pexpire' : 'eval')
  if (expiries === undefined || spec === undefined) return
  const failed = () => x.effects?.expiryFailed?.()
  const caller = new Caller(() => node, x.client.tenantIndex)
  caller.onFollowerFailed = failed
  const bytes = expireRequests(expiries, x.prefix, node, expireBytes(expiries, x.prefix, node))
  caller
    .send(spec, bytes, expiries.count - 1, ({ type }) => {
      if (type === ERROR) failed()
    })
    .catch(failed)
}

const DOLLAR = 0x24
const ZERO = 0x30
const CR = 0x0d
const LF = 0x0a
