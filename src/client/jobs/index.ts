import { dbsize } from './dbsize.ts'
import { flushall, flushdb } from './flush.ts'
import { flush as flushFunctions, load as loadFunctions, remove as removeFunctions } from './function.ts'
import { stats as functionStats, kill as killFunction, list as listFunctions } from './function-list.ts'
import type { Job } from './job.ts'
import { keys } from './keys.ts'
import { randomkey } from './random-key.ts'
import { scan } from './scan.ts'
import { exists, flush, load } from './script.ts'
import { kill } from './script-kill.ts'
import { unblock } from './unblock.ts'

/** By command. A new job is a file beside this one, a line here and `route: 'job'` in its quirk. */
export const JOBS: Readonly<Record<string, Job>> = {
  'client|unblock': unblock,
  dbsize,
  flushall,
  flushdb,
  'function|delete': removeFunctions,
  'function|flush': flushFunctions,
  'function|kill': killFunction,
  'function|list': listFunctions,
  'function|load': loadFunctions,
  'function|stats': functionStats,
  keys,
  randomkey,
  scan,
  'script|exists': exists,
  'script|flush': flush,
  'script|kill': kill,
  'script|load': load,
}

/**
 * They go on when their client leaves: half of it would be worse than all of it. Of FUNCTION LOAD, a library that has names which are
 * not its tenant's would stay.
 */
export const OUTLIVING: ReadonlySet<string> = new Set(['flushdb', 'flushall', 'function|load'])

/** Jobs also for the tenant with the empty prefix: what they are about is Keyward's own. The others it asks its upstream. */
export const FOR_EVERYBODY: ReadonlySet<string> = new Set([
  'client|unblock',
  'function|kill',
  'function|stats',
  'script|kill',
])
