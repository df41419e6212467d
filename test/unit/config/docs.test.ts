import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseDocument } from 'yaml'
import { configurationJsonSchema, configurationMarkdown } from '../../../src/config/docs.ts'
import { type Outline, outline } from '../../../src/config/outline.ts'

interface Schema {
  readonly description?: string
  readonly default?: unknown
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
}

const schema = configurationJsonSchema() as Schema
const markdown = configurationMarkdown()

/** Every key of the schema, with its path. */
function* keys(node: Outline, path: string): Generator<[path: string, node: Outline]> {
  for (const [name, inner] of Object.entries(node.properties ?? {})) {
    yield [`${path}${name}`, inner]
    yield* keys(inner, `${path}${name}.`)
  }
  if (typeof node.additionalProperties === 'object') yield* keys(node.additionalProperties, `${path}<name>.`)
  if (node.items !== undefined) yield* keys(node.items, `${path}[].`)
}

describe('documentation', () => {
  const all = [...keys(outline(), '')]

  it('every key says what it is', () => {
    expect(all.length).toBeGreaterThan(50)
    expect(all.filter(([, node]) => (node.description ?? '') === '').map(([path]) => path)).toEqual([])
  })

  it('every value is in a table, with its default', () => {
    for (const [path, node] of all) {
      const doc = node['x-keyward']
      if (doc === undefined) continue
      const name = path.split('.').at(-1)
      if (doc.later === true) expect(markdown, path).toMatch(new RegExp(`^- .*\\b${name}\`: `, 'm'))
      else expect(markdown, path).toMatch(new RegExp(`^\\| \`([a-zA-Z]+\\.)*${name}\` \\|`, 'm'))
    }
    expect(markdown).toContain('| `memory` | size | `256MiB` |')
    expect(markdown).toContain('| `address` | address | (required) |')
    expect(markdown).toContain('| `login` | required \\| optional | `required` |')
  })

  it('lists and maps of plain values say of what', () => {
    expect(markdown).toContain('| `sentinel.nodes` | list of host:port |')
    expect(markdown).toContain('| `sentinel.natMap` | map to host:port |')
    expect(markdown).toContain('| `extensions` | list of throttle \\| cache |')
  })

  it('keys that are not enforced are told apart', () => {
    const [, later] = markdown.split('## Not enforced yet')
    for (const key of ['include', 'tenants.<name>.users.<name>.rules', 'upstreams.<name>.cluster']) {
      expect(later).toContain(`\`${key}\``)
    }
  })
})

describe('JSON Schema', () => {
  it('has no key that would be refused', () => {
    expect(schema.properties).toHaveProperty('listeners')
    expect(schema.properties).not.toHaveProperty('include')
    expect(JSON.stringify(schema)).not.toContain('x-keyward')
  })

  it('has defaults and required keys', () => {
    expect(schema.properties?.memory.default).toBe('256MiB')
    expect(schema.properties?.version.default).toBe(1)
    expect(schema.properties?.listeners.items?.required).toEqual(['address'])
  })

  it('knows every key of a whole configuration', () => {
    const file = fileURLToPath(new URL('../../fixtures/configs/good/full.yaml', import.meta.url))
    const walk = (value: unknown, node: Schema | undefined, path: string): void => {
      expect(node, path).toBeDefined()
      if (Array.isArray(value)) for (const one of value) walk(one, node?.items, `${path}[]`)
      else if (typeof value === 'object' && value !== null && !('anyOf' in (node ?? {}))) {
        for (const [key, inner] of Object.entries(value)) {
          const named = typeof node?.additionalProperties === 'object' ? node.additionalProperties : undefined
          walk(inner, node?.properties?.[key] ?? named, `${path}.${key}`)
        }
      }
    }
    walk(parseDocument(readFileSync(file, 'utf8')).toJS(), schema, '')
  })
})
