import { readHostPort, readListenAddress } from './address.ts'
import type { Report } from './problem.ts'
import type { Reading } from './units.ts'

/** What flags and environment may put in place of a file's own values. */
export interface Overrides {
  readonly listen?: string
  readonly admin?: string
  readonly logLevel?: string
}

/** The file's value with the overrides in it; the checks then see what will really run. */
export function override(value: unknown, overrides: Overrides, report: Report): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const { listen, admin, logLevel } = overrides
  const changed: Record<string, unknown> = { ...value }
  if (listen !== undefined && good(readListenAddress(listen), '--listen or KEYWARD_LISTEN', report)) {
    const listeners = Array.isArray(changed.listeners) ? changed.listeners : []
    if (listeners.length > 1) {
      const message = `the file has ${listeners.length} listeners, so it is not clear which one this replaces`
      const cure = 'change the address in the file, or leave one listener there'
      report.addFault({ line: 0, column: 0, path: ['--listen or KEYWARD_LISTEN'], message, cure })
    } else changed.listeners = [{ ...listeners[0], address: listen }]
  }
  if (admin !== undefined && good(readHostPort(admin), '--admin or KEYWARD_ADMIN', report)) {
    changed.admin = { ...asMap(changed.admin), address: admin }
  }
  if (logLevel !== undefined) changed.log = { ...asMap(changed.log), level: logLevel }
  return changed
}

function good(reading: Reading<unknown>, from: string, report: Report): boolean {
  if ('value' in reading) return true
  report.addFault({ line: 0, column: 0, path: [from], message: reading.message, cure: reading.cure })
  return false
}

function asMap(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}
