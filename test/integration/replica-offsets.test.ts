import { afterAll, beforeAll, expect, test } from 'vitest'
import { healthReport } from '../../src/upstream/health-report.ts'
import { parseInfo } from '../../src/upstream/info.ts'
import { ReplicaLag } from '../../src/upstream/replica-lag.ts'
import { FaultProxy } from '../helpers/fault-proxy.ts'
import { eventually } from '../helpers/places.ts'
import { RawClient, request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'

/** What INFO of a real primary and a real replica says, and that what is concluded from it is true of their data. */
let primary: RedisServer
let replica: RedisServer
let link: FaultProxy
let toPrimary: RawClient
let toReplica: RawClient

beforeAll(async () => {
  primary = await startRedis({ config: ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1'] })
  link = await FaultProxy.start({ port: primary.port })
  // It keeps trying for as long as nothing passes, and is a replica that has not synchronised yet.
  link.faults = { stall: 'both' }
  replica = await startRedis({ config: [`replicaof 127.0.0.1 ${link.port}`] })
  toPrimary = await RawClient.connect({ port: primary.port })
  toReplica = await RawClient.connect({ port: replica.port })
})

afterAll(async () => {
  toPrimary?.destroy()
  toReplica?.destroy()
  await replica?.stop()
  await primary?.stop()
  await link?.stop()
})

async function look(client: RawClient) {
  const [frame] = await client.exchange(request('INFO'))
  return healthReport(parseInfo(frame), 0, 0)
}

test('a replica is read once it has the write, and not for as long as its link is frozen', async () => {
  const lag = new ReplicaLag()
  const position = lag.join()
  const sample = async () => {
    const number = lag.begin(performance.now())
    const { offset, id } = (await look(toPrimary)).replication
    lag.end(number, offset, id)
  }
  const report = async () => {
    const { replication } = await look(toReplica)
    lag.reported(position, replication.offset, replication.id)
    return replication
  }
  /** The replica's own word on the key, whenever it may be asked. */
  const mayBeRead = async (wrote: number, value: string) => {
    await sample()
    await report()
    if (!lag.covers(position, wrote)) return false
    expect(await toReplica.command('GET', 'k')).toBe(`$1\r\n${value}\r\n`)
    return true
  }

  // Not synchronised: its offset is beyond that of a primary that never had a replica, and means nothing.
  await toPrimary.command('SET', 'k', '1')
  let wrote = lag.newest
  const alone = await report()
  const before = (await look(toPrimary)).replication
  expect(alone).toMatchObject({ role: 'slave', link: 'down', primary: `127.0.0.1:${link.port}` })
  expect(alone.offset).toBeGreaterThan(before.offset as number)
  expect(await mayBeRead(wrote, '1')).toBe(false)
  expect(lag.lag(position, performance.now())).toBe(Number.POSITIVE_INFINITY)

  link.heal()
  expect(await eventually(() => mayBeRead(wrote, '1'))).toBe(true)
  expect(await report()).toMatchObject({ link: 'up', syncing: false })
  // The primary calls it online only at its first acknowledgement.
  const online = async () => (await look(toPrimary)).replication.replicas[0]?.state === 'online'
  expect(await eventually(online)).toBe(true)
  const seen = (await look(toPrimary)).replication
  expect(seen).toMatchObject({ role: 'master', connected: 1, id: (await report()).id })
  expect(seen.replicas).toMatchObject([{ address: `127.0.0.1:${replica.port}`, state: 'online' }])

  // Frozen: the link is there, the replica answers, and it has the past.
  link.faults = { stall: 'both' }
  await toPrimary.command('SET', 'k', '2')
  wrote = lag.newest
  const frozenAt = performance.now()
  for (let i = 0; i < 5; i++) expect(await mayBeRead(wrote, '2')).toBe(false)
  expect(await toReplica.command('GET', 'k')).toBe('$1\r\n1\r\n')
  let now = performance.now()
  expect(lag.lag(position, now)).toBeGreaterThanOrEqual(now - frozenAt)

  link.heal()
  expect(await eventually(() => mayBeRead(wrote, '2'))).toBe(true)
  now = performance.now()
  expect(lag.lag(position, now)).toBeLessThan(now - frozenAt)

  // A failover: another primary, another history; what was known of the replica is known no more.
  const { id } = await report()
  expect(await toReplica.command('REPLICAOF', 'NO', 'ONE')).toBe('+OK\r\n')
  const promoted = await report()
  expect(promoted.role).toBe('master')
  expect(promoted.id).not.toBe(id)
  expect(lag.covers(position, 0)).toBe(false)
})
