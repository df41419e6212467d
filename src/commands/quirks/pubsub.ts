import { ERROR_BYTES } from '../../errors.ts'
import { escapeGlob } from '../../lib/glob.ts'
import type { LocalCall, Quirk } from '../spec.ts'
import { tenantOf } from './tenant-of.ts'

const subscription: Quirk = { route: 'pubsub' }

/** Redis 7.2 names the user and the channel of the upstream. */
function instead(error: string): Buffer | undefined {
  return error.startsWith('NOPERM') ? ERROR_BYTES.NOCHANNELS : undefined
}

const publishing: Quirk = { channel: 1, corrected: true, instead }

/** PUBSUB CHANNELS or SHARDCHANNELS [pattern]: those behind the tenant's prefix. Too many arguments are Redis' error. */
function channels(call: LocalCall): readonly Buffer[] {
  const { args } = call
  const { prefix } = tenantOf(call.session)
  if (prefix === '') return args.all()
  const pattern = args.length > 2 ? args.bytes(2) : STAR
  const own = Buffer.concat([Buffer.from(escapeGlob(prefix), 'latin1'), pattern])
  return [args.bytes(0), args.bytes(1), own, ...args.all().slice(3)]
}

/** PUBSUB NUMSUB or SHARDNUMSUB [channel …] */
function subscribers({ args, session }: LocalCall): readonly Buffer[] {
  const prefix = Buffer.from(tenantOf(session).prefix, 'latin1')
  return args.all().map((arg, i) => (i < 2 ? arg : Buffer.concat([prefix, arg])))
}

/** PUBSUB NUMPAT: different patterns of this tenant's clients of this process. Who is alone on the upstream asks it. */
function patterns(call: LocalCall): readonly Buffer[] | undefined {
  const tenant = tenantOf(call.session)
  if (tenant.prefix === '') return call.args.all()
  call.reply.integer(call.server.topics(tenant).patterns)
  return undefined
}

/**
 * Publish and subscribe. Channels carry the tenant's prefix upstream; those who subscribe share one upstream connection
 * (client/pubsub/), so whatever counts or lists subscribers is corrected. https://redis.io/docs/latest/develop/pubsub/
 */
export const quirks: Readonly<Record<string, Quirk>> = {
  psubscribe: subscription,
  publish: publishing,
  'pubsub|channels': { forward: channels, corrected: true },
  'pubsub|numpat': { forward: patterns },
  'pubsub|numsub': { forward: subscribers, corrected: true },
  'pubsub|shardchannels': { forward: channels, corrected: true },
  'pubsub|shardnumsub': { forward: subscribers, corrected: true },
  punsubscribe: subscription,
  spublish: publishing,
  ssubscribe: subscription,
  subscribe: subscription,
  sunsubscribe: subscription,
  unsubscribe: subscription,
}

const STAR = Buffer.from('*')
