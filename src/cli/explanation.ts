import { FOR_EVERYBODY } from '../client/jobs/index.ts'
import { runsScripts } from '../client/scripting/escort.ts'
import { ArgView } from '../commands/arg-view.ts'
import { notInMulti } from '../commands/in-multi.ts'
import { findKeys } from '../commands/keys.ts'
import type { CommandTable } from '../commands/lookup.ts'
import { isOpenByReview, refusalOf } from '../commands/open-to.ts'
import { unknownCommand, unknownSubcommand, wrongArity } from '../commands/refusal.ts'
import { mayReadReplica } from '../commands/replicable.ts'
import { type CommandSpec, FLAG, KeyList } from '../commands/spec.ts'
import { formatSize } from '../config/units.ts'
import { rewriteRequest } from '../keyspace/rewrite-request.ts'
import { Slab } from '../lib/slab.ts'
import type { Edit, PolicyRequest } from '../policies/policy.ts'
import { encodeRequest } from '../resp/request-encoder.ts'
import { RequestReader } from '../resp/request-reader.ts'
import { keyPrefix, type Tenant } from '../session/tenant.ts'
import type { UpstreamOptions } from '../upstream/options.ts'
import { explainCache } from './explained-cache.ts'
import { explainCall } from './explained-function.ts'
import { explainLimits } from './explained-limits.ts'
import { explainScript } from './explained-script.ts'
import { explainForward, explainJob, explainSubscription, type Sending } from './explained-sending.ts'
import { explainTtl } from './explained-ttl.ts'
import { quote } from './quote.ts'

type Line = readonly [label: string, text: string]

const JOB = 'job: calls on shared connections, when all earlier requests of the client were answered'
const LOCAL: Line = ['route', 'local: Keyward answers it, nothing is sent upstream']

/** What nobody knows without asking the upstream. */
const PRESENCE = {
  newer: 'if the upstream has it: not every server does, and on others it is an unknown command',
  module:
    'if the upstream has its module, and its COMMAND puts the keys where they are below; else it is an unknown command',
} as const

interface Request {
  readonly buf: Buffer
  readonly argc: number
  readonly args: Int32Array
  readonly view: ArgView
}

/**
 * What becomes of a request of this tenant outside a transaction, in the order in which the proxy decides it. Uses the
 * same table, key search and rewriting as the data path.
 */
export function explanation(
  table: CommandTable,
  tenant: Tenant,
  { bulk, walls }: Pick<UpstreamOptions, 'bulk' | 'walls'>,
  words: readonly Buffer[],
  user: string,
): readonly Line[] {
  const request = parse(encodeRequest(words))
  const { buf, args, view } = request
  const prefix = keyPrefix(tenant, 0)
  const lines: Line[] = []
  const about = tenant.databases === undefined ? '' : ' (database 0)'
  const refused = (why: string, reply: string): readonly Line[] => [
    ...lines,
    ['refused', why],
    ['reply', `-${reply.replace(/[\r\n]/g, ' ')}`],
  ]
  const container = table.find(buf, args[0], args[1])
  let spec = container
  if (container?.subcommands !== undefined && view.length > 1) spec = table.findSub(container, buf, args[2], args[3])
  if (spec !== undefined) lines.push(['command', describe(spec)])
  lines.push(['tenant', `${tenant.name}: prefix ${quote(prefix)}${about}, upstream ${tenant.upstream}`])
  if (container === undefined) return refused('there is no such command', unknownCommand(view))
  if (spec === undefined || !isOpenByReview(spec, tenant)) {
    const why = spec === undefined ? `${container.name.toUpperCase()} has no such subcommand` : refusalOf(spec, tenant)
    const nested = spec !== container && isOpenByReview(container, tenant)
    return refused(why, nested ? unknownSubcommand(view, container) : unknownCommand(view))
  }
  if (spec.presence !== 'always') lines.push(['open', PRESENCE[spec.presence]])
  if (spec.arity > 0 ? view.length !== spec.arity : view.length < -spec.arity) {
    const takes = spec.arity > 0 ? `${spec.arity - 1}` : `${-spec.arity - 1} or more`
    return refused(`number of arguments: it takes ${takes}, not ${view.length - 1}`, wrongArity(spec))
  }
  const error = spec.quirk.rejects?.(view, undefined)
  if (error !== undefined) return refused('the server would answer it twice, or not as one reply', error)
  const reason = prefix.length > 0 ? spec.quirk.refuses?.(view) : undefined
  if (reason !== undefined) {
    return refused(reason, spec === container ? unknownCommand(view) : unknownSubcommand(view, container))
  }
  lines.push(...labelled('limits', explainLimits(table, spec, view, buf.length, tenant, user)))
  const ttl = explainTtl(table, spec, asked(request), tenant)
  lines.push(...labelled('ttl', ttl.texts))
  lines.push(...labelled('cache', explainCache(table, spec, view, tenant)))
  const inMulti = notInMulti(spec, prefix.length > 0, walls !== 'off' && runsScripts(tenant))
  const last: readonly Line[] = inMulti === undefined ? [] : [['multi', `refused: ${inMulti}`]]
  if (spec.route === 'local') return [...lines, LOCAL, ...last]
  if (spec.open === 'function' && spec.route === 'script' && prefix.length > 0)
    return [...lines, ...explainCall(spec, view, tenant, walls), ['route', lane(buf.length, bulk)]]
  if (spec.route === 'script' && prefix.length > 0) {
    const script = explainScript(table, spec, view, tenant, walls)
    if (script.refused !== undefined) return refused(script.refused, unknownCommand(view))
    return [...lines, ...script.lines, ['route', lane(buf.length, bulk)]]
  }
  if (ttl.answer !== undefined) return [...lines, ['reply', ttl.answer.toString('latin1').trimEnd()], LOCAL, ...last]
  const behind = ttl.expiries.map(({ key, time, prefix: own = prefix }): Line => {
    return ['', `and behind it PEXPIRE ${quote(Buffer.concat([own, key]))} ${time} NX, whose reply is dropped`]
  })
  return [
    ...lines,
    ...whatIsSent(table, spec, ttl.edit === undefined ? request : of(ttl.edit), tenant, bulk, behind),
    ...last,
  ]
}
/** From here on the request is what goes upstream, whoever wants it so. `behind`: what goes with it. */
function whatIsSent(
  table: CommandTable,
  spec: CommandSpec,
  request: Request,
  tenant: Tenant,
  bulk: number,
  behind: readonly Line[],
): readonly Line[] {
  const { buf, args, view } = request
  const prefix = keyPrefix(tenant, 0)
  const sending = sentInstead(table, spec, view, tenant, prefix)
  if (sending !== undefined) {
    if ('reply' in sending) return sending.reply.startsWith('-') ? [['reply', sending.reply], LOCAL] : [LOCAL]
    const own = new KeyList()
    if (spec.extension !== undefined) findKeys(spec, view, own)
    return [
      ...(spec.extension === undefined ? [] : keyLines('keys', own, request, prefix)),
      ['sent', shown(sending.sent)],
      ...(sending.after ? [['', sending.after] as const] : []),
      ...behind,
      ['route', spec.route === 'job' ? JOB : route(spec, view, buf.length, bulk, tenant)],
    ]
  }
  const { channel } = spec.quirk
  const keys = new KeyList()
  if (channel === undefined) findKeys(spec, view, keys)
  else keys.push(channel)
  const inFront = channel === undefined ? prefix : Buffer.from(tenant.prefix, 'latin1')
  const slab = new Slab()
  const start = rewriteRequest(slab, buf, 0, buf.length, args, keys, inFront)
  const text = shown(parse(Buffer.from(slab.bytes.subarray(start, slab.used))).view.all())
  const stripped = spec.quirk.reply !== undefined && prefix.length > 0
  return [
    ...keyLines(channel === undefined ? 'keys' : 'channel', keys, request, inFront),
    ['sent', spec.route === 'wait' ? `PING, then ${text}` : text],
    ...behind,
    ['route', route(spec, view, buf.length, bulk, tenant)],
    ...(stripped ? [['reply', 'keys in it lose the prefix'] as const] : []),
  ]
}

/** For what is not the request with the prefix in front of its keys; undefined: it is. */
function sentInstead(
  table: CommandTable,
  spec: CommandSpec,
  view: ArgView,
  tenant: Tenant,
  prefix: Buffer,
): Sending | undefined {
  if (spec.route === 'job' && (prefix.length > 0 || FOR_EVERYBODY.has(spec.name)))
    return explainJob(spec, view, tenant, prefix)
  if (spec.route === 'pubsub') return explainSubscription(spec, view, tenant)
  if (spec.quirk.forward === undefined) return undefined
  return explainForward(table, (other) => isOpenByReview(other, tenant), spec, view, tenant)
}

/** Reads one request the way the proxy does. */
function parse(bytes: Buffer): Request {
  let request: Request | undefined
  const reader = new RequestReader({ bulk: bytes.length, buffer: bytes.length })
  reader.authenticated = true
  reader.feed(bytes, 0, bytes.length, {
    onRequest(buf, start, end, argc, args) {
      const own = Int32Array.from(args.subarray(0, 2 * argc), (offset) => offset - start)
      const copy = Buffer.from(buf.subarray(start, end))
      request = of({ buf: copy, argc, args: own })
    },
    onProtocolError: () => undefined,
    onRequestLimit: () => undefined,
  })
  if (request === undefined) throw new Error('the request cannot be read back')
  return request
}

function of({ buf, argc, args }: Pick<Edit, 'buf' | 'argc' | 'args'>): Request {
  return { buf, argc, args, view: new ArgView().set(buf, argc, args) }
}

/** As policies see it that comes alone. */
function asked({ buf, argc, args, view }: Request): PolicyRequest {
  return { buf, start: 0, end: buf.length, argc, args, view: () => view, idle: true, inTransaction: false }
}

function labelled(label: string, texts: readonly string[]): readonly Line[] {
  return texts.map((text, i) => [i === 0 ? label : '', text])
}

function describe(spec: CommandSpec): string {
  const kind = (spec.flags & FLAG.WRITE) !== 0 ? 'writes' : (spec.flags & FLAG.READONLY) !== 0 ? 'reads' : ''
  const words = [kind, ...spec.categories.map((category) => `@${category}`)].filter((word) => word !== '')
  return `${spec.name.replace('|', ' ').toUpperCase()}  ${words.join(' ')}`
}

function keyLines(label: string, keys: KeyList, { view }: Request, prefix: Buffer): readonly Line[] {
  if (keys.count === 0) return [[label, 'none']]
  const lines: Line[] = []
  for (let i = 0; i < keys.count; i++) {
    const key = view.bytes(keys.at[i])
    const becomes = prefix.length === 0 ? 'as it is' : `becomes ${quote(Buffer.concat([prefix, key]))}`
    lines.push([i === 0 ? label : '', `argument ${keys.at[i]}: ${quote(key)} ${becomes}`])
  }
  return lines
}

function route(spec: CommandSpec, view: ArgView, length: number, bulk: number, tenant: Tenant): string {
  switch (spec.route) {
    case 'transaction':
      return 'pin: a dedicated connection, until the transaction is over'
    case 'wait':
      return 'pin: a dedicated connection, after all earlier requests of the client were answered'
    case 'blocking': {
      const time = spec.quirk.blocks?.(view)
      if (time === undefined) return `${lane(length, bulk)}: with these arguments it does not block`
      return `pin: a dedicated connection, ${time === 0 ? 'for as long as it blocks' : `for at most ${time} ms`}`
    }
    case 'pubsub':
      return 'subscriber: one shared connection, when all earlier requests of the client were answered'
    default:
      return `${lane(length, bulk)}${length > bulk ? '' : replica(spec, tenant)}`
  }
}

function lane(length: number, bulk: number): string {
  if (length > bulk) return `bulk lane: a shared connection for what is over ${formatSize(bulk)}`
  return 'lane: a shared connection'
}

/** The same choice is made for each request, by what its client wrote and how far each replica is. */
function replica(spec: CommandSpec, { replicas }: Tenant): string {
  if (replicas.read === 'never' || !mayReadReplica(spec)) return ''
  return `; to a replica, if one has what the client wrote before and is at most ${replicas.maxLag} ms behind`
}

function shown(words: readonly Buffer[]): string {
  return words.map(quote).join(' ')
}
