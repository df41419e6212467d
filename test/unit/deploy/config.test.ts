import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../../src/config/load.ts'
import { type Outline, outline } from '../../../src/config/outline.ts'

const FOLDER = fileURLToPath(new URL('../../../deploy/config/', import.meta.url))
const CERTIFICATES = fileURLToPath(new URL('../../fixtures/tls/', import.meta.url))
const ENV = { ACME_PASSWORD: 'secret', REDIS_PASSWORD: 'secret', SENTINEL_PASSWORD: 'secret' }

test('both configurations that ship are valid', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-config-'))
  try {
    cpSync(CERTIFICATES, folder, { recursive: true })
    cpSync(FOLDER, folder, { recursive: true })
    expect([...loadConfig(join(folder, 'minimal.yaml'), ENV).tenants.keys()]).toEqual(['acme'])
    expect([...loadConfig(join(folder, 'full.yaml'), ENV).tenants.keys()]).toEqual(['acme'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the minimal configuration has ten lines', () => {
  expect(readFileSync(join(FOLDER, 'minimal.yaml'), 'utf8').trimEnd().split('\n')).toHaveLength(10)
})

test('the full configuration shows every key that is enforced, with its default', () => {
  const file: unknown = parse(readFileSync(join(FOLDER, 'full.yaml'), 'utf8'))
  const faults: string[] = []
  const visit = (node: Outline, values: readonly unknown[], path: string) => {
    for (const [name, inner] of Object.entries(node.properties ?? {})) {
      const doc = inner['x-keyward'] ?? {}
      if (doc.later === true) continue
      const here = `${path}.${name}`
      const found = values.flatMap((value) => (isMap(value) && name in value ? [value[name]] : []))
      if (found.length === 0) faults.push(`${here} is missing`)
      else if (doc.default !== undefined && !found.some((value) => String(value) === doc.default)) {
        faults.push(`${here} is ${found.join(' and ')}, its default is ${doc.default}`)
      }
      visit(inner, found, here)
    }
    if (typeof node.additionalProperties === 'object') {
      visit(node.additionalProperties, values.filter(isMap).flatMap(Object.values), `${path}.<name>`)
    }
    if (node.items !== undefined) visit(node.items, values.flat(), `${path}[]`)
  }
  visit(outline(), [file], '')
  expect(faults).toEqual([])
})

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
