import { formatAddress } from '../upstream/address.ts'
import type { HostPort, SentinelOptions } from '../upstream/options.ts'
import { readHostPort } from './address.ts'
import type { ResolveContext } from './context.ts'
import { resolveClientTls, resolveSecret } from './credentials.ts'
import type { Path } from './problem.ts'
import type { UpstreamShape } from './schema.ts'

type SentinelShape = NonNullable<UpstreamShape['sentinel']>

/** Every sentinel costs connections of its own for as long as the process lives. */
const MOST_SENTINELS = 32

/** `path` is that of the key `sentinel`. undefined: what cannot be done without was wrong and is reported. */
export function resolveSentinel(
  shape: SentinelShape,
  path: Path,
  context: ResolveContext,
): SentinelOptions | undefined {
  const { report } = context
  const { master, user } = shape
  const nodes = checkNodes(shape.nodes, [...path, 'nodes'], context)
  const password = resolveSecret(shape.password, [...path, 'password'], context)
  if (user !== undefined && password === undefined) {
    report.add([...path, 'password'], 'is missing: there is a user', 'add `password`, or remove `user`')
  }
  const tls = shape.tls === undefined ? undefined : resolveClientTls(shape.tls, [...path, 'tls'], context)
  const natMap = resolveNatMap(shape.natMap, [...path, 'natMap'], context)
  return master === undefined ? undefined : { master, nodes, user, password, tls, natMap }
}

function checkNodes(
  nodes: readonly (HostPort | undefined)[],
  path: Path,
  { report }: ResolveContext,
): readonly HostPort[] {
  if (nodes.length === 0 && !report.has(path) && !report.hasInside(path)) {
    report.add(path, 'no sentinel', 'name at least one: nodes: ["127.0.0.1:26379"]')
  }
  if (nodes.length > MOST_SENTINELS) {
    report.add(path, `${nodes.length} sentinels`, `name at most ${MOST_SENTINELS}; they tell the others`)
  }
  const seen = new Map<string, number>()
  const good: HostPort[] = []
  nodes.forEach((node, i) => {
    if (node === undefined) return
    const text = formatAddress(node).toLowerCase()
    const before = seen.get(text)
    if (before === undefined) seen.set(text, i)
    else report.add([...path, i], `${text} is nodes[${before}] already`, 'name each sentinel once')
    good.push(node)
  })
  return good
}

function resolveNatMap(
  shape: SentinelShape['natMap'],
  path: Path,
  { report }: ResolveContext,
): ReadonlyMap<string, HostPort> {
  const map = new Map<string, HostPort>()
  for (const [from, to] of Object.entries(shape)) {
    const reading = readHostPort(from, 6379)
    if ('message' in reading) report.add([...path, from], reading.message, reading.cure, 'key')
    else if (to !== undefined) map.set(formatAddress(reading.value), to)
  }
  return map
}
