import type { Job } from './job.ts'

/** DBSIZE. https://redis.io/docs/latest/commands/dbsize/ */
export const dbsize: Job = async (call) => {
  const { keys, leave } = call.env.counts.ask({ ...call, nodeOf: () => call.caller.node }, call.prefix)
  call.onCancel(leave)
  call.reply.integer(await keys)
}
