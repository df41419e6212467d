import type { DataServer } from './data-server.ts'
import type { Sentinel } from './sentinel.ts'

/**
 * true when all sentinels that run see the same: this primary, all other servers as its replicas, each other, and
 * nobody down; and when all replicas have what the primary had a moment before. Else what is missing, as text.
 */
export async function unsettled(
  primary: DataServer,
  servers: readonly DataServer[],
  all: readonly Sentinel[],
  master: string,
): Promise<true | string> {
  const sentinels = all.filter(({ alive }) => alive)
  for (const sentinel of sentinels) {
    const state = fields(await sentinel.ask<string[]>('SENTINEL', 'MASTER', master))
    if (Number(state.get('port')) !== primary.announced) return `a sentinel names ${state.get('port')}`
    if (state.get('flags') !== 'master') return `a sentinel says ${state.get('flags')}`
    if (Number(state.get('num-slaves')) !== servers.length - 1) return `${state.get('num-slaves')} replicas`
    if (Number(state.get('num-other-sentinels')) !== all.length - 1) {
      return `a sentinel knows ${state.get('num-other-sentinels')} others`
    }
    for (const entry of await sentinel.ask<string[][]>('SENTINEL', 'REPLICAS', master)) {
      const replica = fields(entry)
      const [flags, link, at] = ['flags', 'master-link-status', 'master-port'].map((name) => replica.get(name))
      if (flags !== 'slave' || link !== 'ok' || Number(at) !== primary.announced) {
        return `replica ${replica.get('port')} is ${flags}, its link to ${at} ${link}`
      }
    }
  }
  const offset = Number((await primary.ask<unknown[]>('ROLE'))[1])
  for (const server of servers) {
    if (server === primary) continue
    const [role, , port, state, has] = await server.ask<unknown[]>('ROLE')
    if (role !== 'slave' || Number(port) !== primary.announced || state !== 'connected' || Number(has) < offset) {
      return `${server.announced} is ${role} of ${port}, ${state}, at ${has} of ${offset}`
    }
  }
  return true
}

/** A flat reply of names and values. */
function fields(reply: readonly string[]): Map<string, string> {
  return new Map(Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]))
}
