import { dbsize } from './dbsize.ts'
import { flushall, flushdb } from './flush.ts'
import type { Job } from './job.ts'
import { keys } from './keys.ts'
import { randomkey } from './random-key.ts'
import { scan } from './scan.ts'

/** By command. A new job is a file beside this one, a line here and `route: 'job'` in its quirk. */
export const JOBS: Readonly<Record<string, Job>> = { dbsize, flushall, flushdb, keys, randomkey, scan }

/** They go on when their client leaves: half of it would be worse than all of it. */
export const OUTLIVING: ReadonlySet<string> = new Set(['flushdb', 'flushall'])
