import { type Outline, outline } from './outline.ts'

/** docs/keyward.schema.json: for editors. Keys that this version does not enforce are not in it. */
export function configurationJsonSchema(): unknown {
  const schema = publish(outline()) as Record<string, unknown>
  return { ...schema, title: 'Keyward configuration' }
}

function publish(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(publish)
  if (typeof node !== 'object' || node === null) return node
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === 'x-keyward') {
      if (value.default !== undefined) result.default = plain(node as Outline, value.default)
    } else if (key === 'properties') {
      const kept = Object.entries(value as Record<string, Outline>).filter(
        ([, inner]) => inner['x-keyward']?.later !== true,
      )
      result.properties = Object.fromEntries(kept.map(([name, inner]) => [name, publish(inner)]))
    } else result[key] = publish(value)
  }
  return result
}

/** A default as JSON has it: docs carry it as text. */
function plain(node: Outline, text: string): unknown {
  return node.type === 'integer' || node.type === 'boolean' || 'const' in node ? JSON.parse(text) : text
}

/** docs/configuration.md, whole. */
export function configurationMarkdown(): string {
  const root = outline()
  const later: string[] = []
  const sections: string[] = []
  const queue: { readonly title: string; readonly path: string; readonly node: Outline }[] = [
    { title: 'The file', path: '', node: root },
  ]
  for (let section = queue.shift(); section !== undefined; section = queue.shift()) {
    const rows: string[] = []
    collect(section.node, '', section.path, rows, later, queue)
    const description = section.node.description === undefined ? '' : `${section.node.description}\n\n`
    sections.push(
      `## ${section.title}\n\n${description}| key | value | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`,
    )
  }
  return [INTRODUCTION, ...sections, `${LATER}${later.sort().join('\n')}\n`].join('\n')
}

/** One row per value; maps are written as dotted keys, lists and named entries get a section of their own. */
function collect(
  node: Outline,
  prefix: string,
  sectionPath: string,
  rows: string[],
  later: string[],
  queue: { title: string; path: string; node: Outline }[],
): void {
  for (const [name, inner] of Object.entries(node.properties ?? {})) {
    const key = prefix + name
    const path = sectionPath === '' ? key : `${sectionPath}.${key}`
    const doc = inner['x-keyward'] ?? {}
    if (doc.later === true) {
      later.push(`- \`${path}\`: ${inner.description}`)
    } else if (inner.properties !== undefined) {
      collect(inner, `${key}.`, sectionPath, rows, later, queue)
    } else if (inner.items !== undefined || typeof inner.additionalProperties === 'object') {
      const entry = inner.items ?? (inner.additionalProperties as Outline)
      const kind = entry['x-keyward']?.kind
      if (kind !== undefined) {
        rows.push(row(key, inner.items === undefined ? `map to ${kind}` : `list of ${kind}`, '', inner.description))
        continue
      }
      const entryPath = inner.items === undefined ? `${path}.<name>` : `${path}[]`
      queue.push({ title: `\`${entryPath}\``, path: entryPath, node: entry })
      rows.push(row(key, inner.items === undefined ? 'map of names' : 'list', '', inner.description))
    } else {
      const fallback = doc.default ?? (node.required?.includes(name) === true ? REQUIRED : '')
      rows.push(row(key, doc.kind ?? '', fallback, inner.description))
    }
  }
}

function row(key: string, kind: string, fallback: string, description = ''): string {
  const shown = fallback === '' || fallback === REQUIRED ? fallback : `\`${fallback}\``
  return `| \`${key}\` | ${kind.replaceAll('|', '\\|')} | ${shown} | ${description.replaceAll('|', '\\|')} |`
}

const REQUIRED = '(required)'

const INTRODUCTION = `# Configuration

<!-- Generated from src/config/schema.ts by \`npm run gen:docs\`. Do not edit. -->

One YAML (or JSON) file. \`keyward check FILE\` prints everything that is wrong with it, with line, column and cure.
Unknown keys are errors. \`SIGHUP\` reads the file again and replaces the whole configuration or, if anything is wrong,
keeps the old one. A reload may not change \`upstream\`, \`prefix\` or \`databases\` of a tenant, nor the addresses of
listeners: those take a restart.

- **duration**: \`250ms\`, \`5s\`, \`10m\`, \`24h\`. **size**: \`512B\`, \`64KiB\`, \`1MiB\`, \`2GiB\`.
  **rate**: \`100/s\`, \`6000/m\`, \`3600/h\` operations, \`10MiB/s\` bytes.
- **ACL rules** on commands are read as Redis reads them: \`+get\`, \`-get\`, \`+client|list\`, \`+@read\`, \`-@dangerous\`, \`+@all\`,
  from left to right. Where the first one takes something away, they start from all commands, else from none.
- **secret** and **url**: a string, \`{env: NAME}\` or \`{file: path}\`. **password** (one that clients must send): also
  \`{sha256: hex}\`. An empty secret is an error. \`\${NAME}\` is not expanded. Relative paths start at the file's folder.
- An upstream has a \`url\` or a \`sentinel\`. With \`sentinel\`, its \`user\`, \`password\` and \`tls\` are for the servers that the
  sentinels name (\`tls: {}\`: TLS with the defaults), and those under \`sentinel\` for the sentinels.
- **prefix**: printable ASCII without blanks, quotes, backslash, braces, \`* ? [ ] ^\`. No prefix may start another one of
  the same server, nor Keyward's own \`keyward:\`.
- On a listener without \`tenant\`, \`AUTH name password\` finds the tenant whose user \`name\` has that password,
  \`AUTH password\` means the user \`default\`, and \`AUTH tenant/user password\` names both. Two users with the same name
  and the same password are therefore an error there.
- A listener that other hosts can reach and that lets somebody in without a password does not start, unless it says
  \`insecure: true\`.

Without a file, flags make a sidecar for one tenant:
\`keyward serve --listen 127.0.0.1:6380 --upstream redis://127.0.0.1:6379 --tenant acme\`. Each flag has a variable:
\`KEYWARD_CONFIG _LISTEN _UPSTREAM _TENANT _PREFIX _DATABASES _PASSWORD _ADMIN _LOG_LEVEL\`; a flag goes before the
variable, the variable before the file. Beside a file, only \`_LISTEN\`, \`_ADMIN\` and \`_LOG_LEVEL\` may be used. Without
\`KEYWARD_PASSWORD\` there is no login.
`

const LATER = `## Not enforced yet

These keys are reserved. This version does not enforce them, and a file that has one is refused.

`
