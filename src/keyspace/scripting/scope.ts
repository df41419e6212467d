import { keyPrefix, type Tenant, type TtlRule } from '../../session/tenant.ts'

/**
 * The argument that goes behind the client's own when a wrapped script is run: what is in front of the keys of database `db`, in
 * front of those of all databases and of channels, how many databases there are, whether there is a near cache, and the tenant's
 * rules on times to live. Changes only with the configuration, so one for a session's database may be kept.
 */
export function scopeArgument(tenant: Tenant, db: number): Buffer {
  // A prefix holds no blanks.
  const words = [
    keyPrefix(tenant, db).toString('latin1'),
    tenant.prefix,
    tenant.databases ?? '-',
    tenant.cache ? 'c' : '-',
  ]
  const head = Buffer.from(`${words.join(' ')}\n`, 'latin1')
  return tenant.ttl.length === 0 ? head : Buffer.concat([head, ...tenant.ttl.map(ruleText)])
}

/** default max min jitter persist dry-run form length:pattern; see rule() of times.lua. */
function ruleText({ keys, default: time, max, min, jitter, persist, dryRun }: TtlRule): Buffer {
  const [form, text] = patternOf(keys)
  const numbers = [time, max, min].map((number) => number ?? '-').join(' ')
  return Buffer.concat([Buffer.from(`${numbers} ${jitter} ${persist} ${dryRun ? 1 : 0} ${form} ${text.length}:`), text])
}

/** Most patterns are told by a comparison; the general matcher takes Lua some 50 ns a byte of the key. */
function patternOf(keys: string): readonly [form: string, text: Buffer] {
  const [, start, stars] = /^([^*?[\\]*)(\**)/.exec(keys) as RegExpExecArray
  if (start.length + stars.length < keys.length) return ['glob', Buffer.from(keys)]
  if (stars === '') return ['is', Buffer.from(start)]
  return start === '' ? ['all', Buffer.alloc(0)] : ['starts', Buffer.from(start)]
}
