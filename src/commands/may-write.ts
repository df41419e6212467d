import { type CommandSpec, FLAG } from './spec.ts'

/** Flagged may_replicate in Redis' sources, which COMMAND does not tell: not writes, but replicas get to know of them. */
const MAY_REPLICATE: ReadonlySet<string> = new Set(['eval', 'evalsha', 'fcall', 'pfcount', 'publish', 'spublish'])

/** What CLIENT PAUSE … WRITE holds back, apart from EXEC. */
export function mayWrite(spec: CommandSpec): boolean {
  return (spec.flags & FLAG.WRITE) !== 0 || MAY_REPLICATE.has(spec.name)
}

/** What a client may not do that is counted among the replicas, as one that said MONITOR is. */
export function touchesKeyspace(spec: CommandSpec): boolean {
  return (spec.flags & FLAG.READONLY) !== 0 || mayWrite(spec)
}
