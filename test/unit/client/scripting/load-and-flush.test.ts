import { expect, it } from 'vitest'
import type { JobCall } from '../../../../src/client/jobs/job.ts'
import { load } from '../../../../src/client/jobs/script.ts'
import { Scripts } from '../../../../src/client/scripting/scripts.ts'
import { buildTable } from '../../../../src/commands/table.ts'
import { ReplyWriter } from '../../../../src/resp/reply-writer.ts'
import type { Tenant } from '../../../../src/session/tenant.ts'

const LIMITS = { memory: 1024 * 1024, perTenant: 10, largest: 1024, newPerMinute: 100 }
const TEXT = Buffer.from('return 1')
const SHA = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'
const tenant = { name: 'acme', ttl: [], trustedScripts: new Set() } as unknown as Tenant

/** SCRIPT LOAD, and what it does while the text is on its way to the store. */
async function loaded(meanwhile: (scripts: Scripts) => void): Promise<{ scripts: Scripts; failed: boolean }> {
  const scripts = new Scripts(buildTable(), () => LIMITS)
  const walls = { refused: false, call: async () => SHA }
  const node = { walls, runId: 'a', facts: { dropsLoaded: false } }
  const scripting = {
    scripts,
    limits: LIMITS,
    usage: { note: () => undefined },
    reader: { overRate: () => undefined },
    store: { put: async () => meanwhile(scripts) },
  }
  const call = {
    args: ['SCRIPT', 'LOAD', TEXT].map((arg) => Buffer.from(arg)),
    caller: { node },
    env: { scripting },
    reply: new ReplyWriter(2),
    tenant,
  }
  const failed = await load(call as unknown as JobCall).then(
    () => false,
    () => true,
  )
  return { scripts, failed }
}

it('a text that was loaded is known to be in the store', async () => {
  const { scripts, failed } = await loaded(() => undefined)
  expect([failed, scripts.knows(tenant, SHA)?.stored]).toEqual([false, true])
})

// SCRIPT EXISTS said 1, though the text was not there any more.
it('a text that a SCRIPT FLUSH met on its way is not known to be in the store', async () => {
  const { scripts, failed } = await loaded((all) => all.forget('acme'))
  expect([failed, scripts.knows(tenant, SHA)]).toEqual([false, undefined])
})

it('a text that the store did not take is not known', async () => {
  const { scripts, failed } = await loaded(() => {
    throw new Error('OOM')
  })
  expect([failed, scripts.knows(tenant, SHA)]).toEqual([true, undefined])
})
