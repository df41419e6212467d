import type { Quirk } from '../spec.ts'

/**
 * What a server that is not in a cluster says to commands for members of one (cluster.c). In these words: redis-cli
 * sends READONLY before --bigkeys, --memkeys and --hotkeys since 7.2, and ends at any other error.
 */
const disabled: Quirk = { answer: ({ reply }) => reply.error('ERR This instance has cluster support disabled') }

export const quirks: Readonly<Record<string, Quirk>> = { asking: disabled, readonly: disabled, readwrite: disabled }
