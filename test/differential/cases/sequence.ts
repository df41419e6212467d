import { type Args, encode } from '../../helpers/differential.ts'
import type { ModeRow } from '../modes.ts'

/**
 * Requests that one client sends one after another, for what the grammar of single commands cannot give. A line is
 * split at blanks; an array is taken as it is; `raw` bytes go out as they are and bring no reply of their own.
 * Each sequence runs on fresh connections over a fresh pool, in RESP2 and RESP3, once in one write and once step by step.
 */
export type Step = string | Args | { readonly raw: string }

export interface Sequence {
  readonly name: string
  readonly steps: readonly Step[]
  /** Default: both. */
  readonly protocols?: readonly (2 | 3)[]
  /** Default: true. */
  readonly login?: boolean
  /** With the tenant that has 16 databases; states are not compared then. */
  readonly databases?: boolean
  /** The replies to wait for; default: one for each request. A sequence with another number runs in one write only. */
  readonly replies?: number
  /** The server closes the connection; everything up to there is compared. Runs in one write only. */
  readonly closes?: boolean
  /** By position in the replies. */
  readonly modes?: Readonly<Record<number, ModeRow>>
}

/** A sequence without specialities. */
export function sequence(name: string, ...steps: readonly Step[]): Sequence {
  return { name, steps }
}

export function bytesOf(step: Step): string {
  if (typeof step === 'string') return encode(step.split(' '))
  return 'raw' in step ? step.raw : encode(step as Args)
}

export function isRequest(step: Step): boolean {
  return typeof step === 'string' || !('raw' in step)
}
