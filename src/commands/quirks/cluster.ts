import type { Quirk } from '../spec.ts'

/**
 * What a server that is not in a cluster says to commands for members of one (cluster.c), in all its versions. In these words:
 * redis-cli sends READONLY before --bigkeys, --memkeys and --hotkeys since 7.2, and ends at any other error, and clients ask
 * CLUSTER SLOTS or SHARDS to see whether they are with a cluster.
 */
const disabled: Quirk = { answer: ({ reply }) => reply.error('ERR This instance has cluster support disabled') }

const SUBCOMMANDS = `addslots addslotsrange bumpepoch count-failure-reports countkeysinslot delslots delslotsrange failover
  flushslots forget getkeysinslot help info keyslot links meet myid myshardid nodes replicas reset saveconfig
  set-config-epoch setslot shards slaves slot-stats slots`

export const quirks: Readonly<Record<string, Quirk>> = {
  asking: disabled,
  readonly: disabled,
  readwrite: disabled,
  ...Object.fromEntries(SUBCOMMANDS.split(/\s+/).map((name) => [`cluster|${name}`, disabled])),
}
