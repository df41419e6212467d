import type { Extension } from '../session/tenant.ts'
import { readHostPort, readListenAddress, readSocketAddress } from './address.ts'
import { count, type Kind, text } from './leaf.ts'
import { NAME } from './names.ts'
import { readPassword, readSecret, readText, type SecretSource } from './secret.ts'
import { readSize, show } from './units.ts'

// The kinds of values that mean something to Keyward only; numbers, durations and the like are in leaf.ts.

export const listenAddress = {
  name: 'address',
  json: { type: 'string', examples: ['127.0.0.1:6380', '[::]:6380', 'unix:/run/keyward/acme.sock'] },
  read: readListenAddress,
}

export const socketAddress = {
  name: 'unix:/path',
  json: { type: 'string', examples: ['unix:/run/keyward/admin.sock'] },
  read: readSocketAddress,
}

export const hostPort = { name: 'host:port', json: { type: 'string' }, read: readHostPort }

/** Where a server is: port 0, which means any when listening, is no place. */
export function serverAddress(example: number): Kind<{ host: string; port: number }> {
  return {
    name: 'host:port',
    json: { type: 'string', examples: [`127.0.0.1:${example}`] },
    read(raw) {
      const reading = readHostPort(raw, example)
      if (!('value' in reading) || reading.value.port !== 0) return reading
      return { message: '0 is not the port of a server', cure: 'write a port from 1 to 65535' }
    },
  }
}

const SECRET_JSON = [
  { type: 'string', minLength: 1 },
  { type: 'object', properties: { env: { type: 'string' } }, required: ['env'], additionalProperties: false },
  { type: 'object', properties: { file: { type: 'string' } }, required: ['file'], additionalProperties: false },
]

export const secret: Kind<SecretSource> = { name: 'secret', json: { anyOf: SECRET_JSON }, read: readSecret }

export const password: Kind<SecretSource> = {
  name: 'password',
  json: {
    anyOf: [
      ...SECRET_JSON,
      {
        type: 'object',
        properties: { sha256: { type: 'string', pattern: '^[0-9a-fA-F]{64}$' } },
        required: ['sha256'],
        additionalProperties: false,
      },
    ],
  },
  read: readPassword,
}

export const url: Kind<SecretSource> = { name: 'url', json: { anyOf: SECRET_JSON }, read: readText }

export const path = text('path', /^[^\0]+$/, 'the path of a file')
export const name = text('name', NAME.pattern, `a name of ${NAME.words}`)
export const word = text('name', /^[!-~]{1,256}$/, 'a name of printable ASCII without blanks')
export const hostName = text('host name', /^[A-Za-z0-9_.-]{1,253}$/, 'a host name')

/** The share, below 1, by which a time is made shorter at random. */
export const jitter: Kind<number> = {
  name: 'share',
  json: { type: 'string', pattern: '^(0|[1-9][0-9]?)%$' },
  read(raw) {
    const percent = typeof raw === 'string' ? /^(0|[1-9][0-9]*)%$/.exec(raw)?.[1] : undefined
    if (percent !== undefined && Number(percent) < 100) return { value: Number(percent) / 100 }
    const meant = typeof raw === 'number' && raw >= 0 ? Math.round(raw > 0 && raw < 1 ? 100 * raw : raw) : 100
    return {
      message: percent === undefined ? `${show(raw)} is not a share` : `${show(raw)} is not less than all of it`,
      cure: `write ${meant < 100 ? `${meant}%` : 'whole percents from "0%" to "99%"'}`,
    }
  },
}

export const pattern = text('pattern', /^[^\0]{1,1000}$/, 'a pattern of key names, such as "cache:*"')
export const scriptSha = text('SHA-1', /^[0-9a-fA-F]{40}$/, 'the SHA-1 of a script, 40 hexadecimal digits')
export const commandRules = text('ACL rules', /\S/, 'ACL rules on commands, such as "+@write -del"')

/** What a bucket may hold at most: what the highest rate gives in a second. */
const MOST_BURST = { operations: 1e9, bytes: 2 ** 40 } as const

/** Tokens of a rate limit: operations as a number, bytes as a size. */
export const burst: Kind<{ readonly unit: 'operations' | 'bytes'; readonly tokens: number }> = {
  name: 'number | size',
  json: {
    anyOf: [
      { type: 'integer', minimum: 1, maximum: MOST_BURST.operations },
      { type: 'string', pattern: '^[0-9]+(B|KiB|MiB|GiB)$' },
    ],
  },
  read(raw) {
    if (typeof raw === 'number') {
      const reading = count(1, MOST_BURST.operations).read(raw)
      return 'value' in reading ? { value: { unit: 'operations', tokens: reading.value } } : reading
    }
    if (typeof raw === 'string' && /^\d+$/.test(raw)) {
      const fits = (most: number) => Number(raw) > 0 && Number(raw) <= most
      const meanings = [
        ...(fits(MOST_BURST.operations) ? [`${raw} without quotes for operations`] : []),
        ...(fits(MOST_BURST.bytes) ? [`"${raw}B" for bytes`] : []),
      ]
      const any = `a number from 1 to ${MOST_BURST.operations}, or a size, such as 64KiB`
      return {
        message: `${show(raw)} is neither a number nor a size`,
        cure: `write ${meanings.length > 0 ? meanings.join(', ') : any}`,
      }
    }
    const reading = readSize(raw, MOST_BURST.bytes)
    return 'value' in reading ? { value: { unit: 'bytes', tokens: reading.value } } : reading
  },
}

const extensions: readonly Extension[] = ['throttle', 'cache']

/** `locks` is a name that later versions will know. */
export const extension: Kind<Extension> = {
  name: extensions.join(' | '),
  json: { enum: extensions },
  read(raw) {
    if (raw === 'locks') {
      return { message: `${show(raw)} is not enforced by this version yet`, cure: 'remove it' }
    }
    const known = extensions.find((one) => one === raw)
    if (known !== undefined) return { value: known }
    return { message: `${show(raw)} is no group of commands`, cure: `known: ${extensions.join(', ')}` }
  },
}

export const fileMode: Kind<number> = {
  name: 'octal mode',
  json: { type: 'string', pattern: '^0?[0-7]{3}$' },
  read(raw) {
    if (typeof raw === 'string' && /^0?[0-7]{3}$/.test(raw)) return { value: Number.parseInt(raw, 8) }
    if (typeof raw === 'number')
      return { message: 'is a decimal number to YAML', cure: `put it in quotes: "${String(raw).padStart(4, '0')}"` }
    return { message: `${show(raw)} is not a file mode`, cure: 'write three octal digits in quotes, such as "0660"' }
  },
}

export const version: Kind<1> = {
  name: '1',
  json: { const: 1 },
  read: (raw) =>
    raw === 1
      ? { value: 1 }
      : { message: `${show(raw)} is not a version that is known here`, cure: 'write version: 1' },
}
