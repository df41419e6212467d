import type { ScriptsView } from '../view.ts'
import { type Definition, flag, type Kind, ofUpstream } from './definition.ts'

/** Lua scripts of tenants, and the walls between them. */
export const SCRIPT_METRICS: readonly Definition[] = [
  ofScripts('texts', 'gauge', 'Texts that were used lately and are at hand, wrapped.', ({ texts }) => texts),
  ofScripts('bytes', 'gauge', 'What they take; at most `scripts.memory`.', ({ bytes }) => bytes),
  ofScripts(
    'prepared_total',
    'counter',
    'Scripts that had to wait for their text, or for the user of their tenant at the upstream.',
    ({ prepared }) => prepared,
  ),
  ofScripts(
    'not_run_total',
    'counter',
    'Scripts that the server did not run at first: it knew neither script nor user any more.',
    ({ notRun }) => notRun,
  ),
  ofUpstream(
    'keyward_walls_up',
    'gauge',
    '1: scripts of tenants run as users of their own. 0: there are no such users, and no scripts but trusted ones.',
    ({ walls }) => (walls.mode === 'off' ? undefined : flag(walls.up)),
  ),
  ofUpstream('keyward_walls_users', 'gauge', 'Tenants whose user the server is known to have.', ({ walls }) =>
    walls.mode === 'off' ? undefined : walls.users,
  ),
]

function ofScripts(name: string, kind: Kind, help: string, value: (scripts: ScriptsView) => number): Definition {
  return {
    name: `keyward_scripts_${name}`,
    help,
    kind,
    labels: [],
    *samples({ view }) {
      yield [{}, value(view.scripts)]
    },
  }
}
