import { z } from 'zod'
import type { KeyDoc } from './leaf.ts'
import type { Path } from './problem.ts'
import { fileSchema } from './schema.ts'

/** A JSON Schema with what leaf.ts and schema.ts noted beside the keys. */
export interface Outline {
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, Outline>>
  readonly additionalProperties?: Outline | boolean
  readonly items?: Outline
  readonly required?: readonly string[]
  readonly minItems?: number
  readonly 'x-keyward'?: KeyDoc
}

/** The schema of the file as data: for suggestions, the docs and the JSON Schema. */
export function outline(): Outline {
  return z.toJSONSchema(fileSchema, { io: 'input', unrepresentable: 'any' }) as Outline
}

/** The keys that the map at this path may have. */
export function keysAt(root: Outline, path: Path): readonly string[] {
  return Object.keys(nodeAt(root, path)?.properties ?? {})
}

/** The keys that it must have: those without a default, and lists that may not be empty. */
export function requiredAt(root: Outline, path: Path): readonly string[] {
  const node = nodeAt(root, path)
  const lists = Object.entries(node?.properties ?? {}).filter(([, { minItems = 0 }]) => minItems > 0)
  return [...(node?.required ?? []), ...lists.map(([name]) => name)]
}

function nodeAt(root: Outline, path: Path): Outline | undefined {
  let node: Outline | undefined = root
  for (const part of path) {
    if (typeof part === 'number') node = node?.items
    else if (node?.properties !== undefined) node = node.properties[part]
    else node = typeof node?.additionalProperties === 'object' ? node.additionalProperties : undefined
  }
  return node
}

/** Where else in the file a key of this name belongs, as the docs write paths. */
export function placesOf(root: Outline, key: string): readonly string[] {
  const places: string[] = []
  const walk = (node: Outline, path: string) => {
    for (const [name, inner] of Object.entries(node.properties ?? {})) {
      const here = path === '' ? name : `${path}.${name}`
      if (name === key) places.push(here)
      walk(inner, here)
    }
    if (typeof node.additionalProperties === 'object') walk(node.additionalProperties, `${path}.<name>`)
    if (node.items !== undefined) walk(node.items, `${path}[]`)
  }
  walk(root, '')
  return places
}
