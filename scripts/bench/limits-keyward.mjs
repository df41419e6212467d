import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, launch, stop, temporaryFolder } from './children.mjs'
import { patiently } from './patiently.mjs'
import { RawClient } from './raw-client.mjs'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/**
 * Starts Keyward with rate limits in front of `backing`: see startTenants().
 *
 * @param {Record<string, object[]>} tenants the limits of each
 */
export function startLimited(common, name, tenants, nodeArgs) {
  const settings = Object.entries(tenants).map(([tenant, limits]) => [tenant, { limits }])
  return startTenants(common, name, Object.fromEntries(settings), nodeArgs)
}

/**
 * Starts Keyward in front of `backing`. Each tenant has one user of its own name. The result is a target as cell.mjs
 * wants it, for the first tenant.
 *
 * @param {string} name of the target
 * @param {Record<string, object>} tenants what each has in the configuration, beside what all have
 * @param {string[]} [nodeArgs]
 */
export async function startTenants({ backing, password, clients }, name, tenants, nodeArgs = []) {
  const ports = { proxy: await freePort(), admin: await freePort() }
  const file = path.join(temporaryFolder(), 'keyward.yaml')
  // JSON is YAML, too.
  writeFileSync(file, JSON.stringify(configuration(ports, { backing, password, clients }, tenants), undefined, 2))
  const entry = launch(`keyward, ${name}`, process.execPath, [...nodeArgs, MAIN, 'serve', file])
  const login = (tenant) => ['AUTH', tenant, password]
  const [first] = Object.keys(tenants)
  const target = {
    name,
    isProxy: true,
    port: ports.proxy,
    adminPort: ports.admin,
    pid: entry.pid,
    entry,
    login,
    loginArgs: ['--user', first, '-a', password],
    stop: () => stop(entry),
  }
  await patiently(entry, async () => {
    const client = await RawClient.open(target.port)
    try {
      await client.ask(...login(first))
      await client.ask('PING')
    } finally {
      client.close()
    }
  })
  return target
}

function configuration(ports, { backing, password, clients }, tenants) {
  return {
    version: 1,
    log: { level: 'warn' },
    listeners: [{ address: `127.0.0.1:${ports.proxy}` }],
    admin: { address: `127.0.0.1:${ports.admin}` },
    upstreams: { main: { url: `redis://127.0.0.1:${backing.port}`, password } },
    tenants: Object.fromEntries(
      Object.entries(tenants).map(([name, settings]) => [
        name,
        { upstream: 'main', maxClients: clients + 100, users: { [name]: { password } }, ...settings },
      ]),
    ),
  }
}

/**
 * A number from /metrics: of the first line with this name and all these labels.
 *
 * @param {Record<string, string>} [labels]
 * @throws Error when there is none
 */
export async function metric(target, name, labels = {}) {
  const answer = await fetch(`http://127.0.0.1:${target.adminPort}/metrics`)
  if (!answer.ok) throw new Error(`keyward's /metrics answered ${answer.status}`)
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
  const line = (await answer.text())
    .split('\n')
    .find((one) => /^[^{ ]+/.exec(one)?.[0] === name && wanted.every((label) => one.includes(label)))
  if (line === undefined) throw new Error(`keyward's /metrics has no ${name} {${wanted}}`)
  return Number(line.slice(line.lastIndexOf(' ')))
}

/** Calls of a command that Redis has executed so far, those that failed included. */
export async function callsOf(backing, command) {
  const stats = (await backing.info()).get(`cmdstat_${command}`) ?? ''
  return Number(/(?:^|,)calls=(\d+)/.exec(stats)?.[1] ?? 0)
}
