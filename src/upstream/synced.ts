import { healthReport } from './health-report.ts'
import { parseInfo } from './info.ts'

/** Seconds. A replica acknowledges once a second. */
const SILENT = 3

/** Whether replicas have everything: all of those that are online and answer, not all, there are none, or nobody knows. */
export type Synced = 'all' | 'some' | 'none' | 'unknown'

/**
 * Asks a primary whether its replicas have all that it has executed. WAIT makes it ask them, who would tell by themselves
 * only once a second. WAIT speaks of what its own connection has done; the PING moves that to all that the server has
 * executed (s8). A primary's own offset never stands still, so equal offsets would be waited for in vain.
 * `ask`: on one connection, in order; `patience` in milliseconds.
 */
export async function askSynced(
  ask: (args: readonly string[]) => Promise<string | undefined>,
  patience: number,
): Promise<Synced> {
  const info = await ask(['INFO', 'replication'])
  if (info === undefined || info.startsWith('-')) return 'unknown'
  const { replicas } = healthReport(parseInfo(Buffer.from(info, 'latin1')), 0, 0).replication
  // Online is what it was when it was heard last; one that has been silent since is not chosen, and would be waited for in vain.
  const online = replicas.filter(({ state, lag }) => state === 'online' && (lag ?? 0) <= SILENT).length
  if (online === 0) return 'none'
  const [, reply] = await Promise.all([ask(['PING']), ask(['WAIT', String(online), String(Math.ceil(patience))])])
  if (reply === undefined || !reply.startsWith(':')) return 'unknown'
  return Number(reply.slice(1)) >= online ? 'all' : 'some'
}
