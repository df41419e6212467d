import { originalLibrary } from '../../keyspace/scripting/function-library.ts'
import { functionScope } from '../../keyspace/scripting/function-names.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import { asOperator } from '../scripting/as-operator.ts'
import { isReply } from '../scripting/tenant-at-server.ts'
import type { Asker, Job, JobCall } from './job.ts'
import { Refused } from './refused.ts'

/** A library of a tenant's, as the upstream knows it. */
export interface Library {
  readonly name: string
  readonly functions: readonly string[]
  readonly code: Buffer
}

/** FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]: the tenant's own. https://redis.io/docs/latest/commands/function-list/ */
export const list: Job = async (call) => {
  const { args, reply, tenant } = call
  const scope = functionScope(tenant.name)
  const options = args.slice(2)
  const at = options.findIndex((option) => /^libraryname$/i.test(option.toString('latin1')))
  // What is wrong with the options the server says.
  if (at < 0) options.push(Buffer.from('LIBRARYNAME'), Buffer.from(`${scope}*`))
  else if (at + 1 < options.length) options[at + 1] = Buffer.concat([Buffer.from(scope), options[at + 1]])
  const found = itemsOf(await ask(call, 'LIST', ...options)).map(pairsOf)
  const own = found.filter((library) => textOf(library.get('library_name')).startsWith(scope))
  reply.array(own.length)
  for (const library of own) {
    reply.map(library.size)
    for (const [field, value] of library) {
      reply.bulk(field)
      if (field === 'library_name') reply.bulk(unscoped(value, scope))
      else if (field === 'functions') writeFunctions(reply, ownOf(value, scope), scope)
      else if (field === 'library_code') reply.bulk(originalLibrary(value as Buffer) ?? (value as Buffer))
      else write(reply, value)
    }
  }
}

/** Of the functions of a library, those under the tenant's names: it has no others, unless the operator has loaded it. */
function ownOf(functions: unknown, scope: string): readonly Pairs[] {
  const all = itemsOf(functions).map(pairsOf)
  return all.filter((each) => textOf(each.get('name')).startsWith(scope))
}

function writeFunctions(reply: ReplyWriter, functions: readonly Pairs[], scope: string): void {
  reply.array(functions.length)
  for (const each of functions) {
    reply.map(each.size)
    for (const [field, value] of each) {
      reply.bulk(field)
      if (field === 'name') reply.bulk(unscoped(value, scope))
      else if (field === 'flags') {
        reply.set(itemsOf(value).length)
        for (const flag of itemsOf(value)) reply.simple(textOf(flag))
      } else write(reply, value)
    }
  }
}

/**
 * FUNCTION STATS: the function that runs, if it is the tenant's own, and how many it has; while the server is busy, as they
 * were counted last.
 * https://redis.io/docs/latest/commands/function-stats/
 */
export const stats: Job = async (call) => {
  const { env, reply, tenant } = call
  const scope = tenant.prefix === '' ? '' : functionScope(tenant.name)
  const found = pairsOf(await ask(call, 'STATS'))
  const running = runningOf(found)
  const own = running !== undefined && textOf(running.get('name')).startsWith(scope)
  const counts = env.functions
  if (scope !== '') {
    try {
      const all = await libraries(call, scope, '*')
      const functions = all.reduce((sum, { functions }) => sum + functions.length, 0)
      counts.set(tenant.name, { libraries: all.length, functions })
    } catch (error) {
      if (!(error instanceof Refused && error.message.startsWith('-BUSY '))) throw error
    }
  }
  reply.map(2)
  reply.bulk('running_script')
  if (running === undefined || !own) reply.null()
  else {
    reply.map(running.size)
    for (const [field, value] of running) {
      reply.bulk(field)
      if (field === 'name') reply.bulk(unscoped(value, scope))
      else if (field === 'command') writeCommand(reply, itemsOf(value), scope, call)
      else write(reply, value)
    }
  }
  reply.bulk('engines')
  const engines = pairsOf(found.get('engines'))
  reply.map(engines.size)
  for (const [engine, numbers] of engines) {
    reply.bulk(engine)
    const { libraries = 0, functions = 0 } = counts.get(tenant.name) ?? {}
    const shown =
      scope === ''
        ? pairsOf(numbers)
        : new Map([
            [LIBRARIES, libraries],
            [FUNCTIONS, functions],
          ])
    reply.map(shown.size)
    for (const [field, value] of shown) {
      reply.bulk(field)
      write(reply, value)
    }
  }
}

/** FCALL as its client sent it. */
function writeCommand(reply: ReplyWriter, command: readonly unknown[], scope: string, { tenant }: JobCall): void {
  const keys = Number(textOf(command[2]))
  const prefix = tenant.databases === undefined ? tenant.prefix : `${tenant.prefix}0:`
  reply.array(command.length)
  command.forEach((arg, i) => {
    const text = textOf(arg)
    if (i === 1) reply.bulk(unscoped(arg, scope))
    else if (scope !== '' && i > 2 && i < 3 + keys && text.startsWith(tenant.prefix)) {
      // The number of a database is not part of the key.
      const length = tenant.databases === undefined ? prefix.length : text.indexOf(':', tenant.prefix.length) + 1
      reply.bulk(Buffer.from(text.slice(length), 'latin1'))
    } else reply.bulk(arg as Buffer)
  })
}

/** FUNCTION KILL: when what runs is a function of the tenant's own. */
export const kill: Job = async (call) => {
  const { reply, tenant } = call
  if (tenant.prefix !== '') {
    const running = runningOf(pairsOf(await ask(call, 'STATS')))
    if (running === undefined || !textOf(running.get('name')).startsWith(functionScope(tenant.name)))
      throw new Refused(NOT_BUSY)
  }
  await ask(call, 'KILL')
  reply.simple('OK')
}

/** The libraries whose names are `scope` and what matches the glob-style `pattern`, with their code if it is one library. */
export async function libraries(call: Asker, scope: string, pattern: string): Promise<readonly Library[]> {
  const code = pattern === '' ? ['WITHCODE'] : []
  const found = itemsOf(await ask(call, 'LIST', 'LIBRARYNAME', scope + pattern, ...code)).map(pairsOf)
  return found
    .map((library) => ({
      name: textOf(library.get('library_name')),
      functions: itemsOf(library.get('functions')).map((each) => textOf(pairsOf(each).get('name'))),
      code: (library.get('library_code') as Buffer | undefined) ?? NONE,
    }))
    .filter(({ name }) => (pattern === '' ? name === scope : name.startsWith(scope)))
}

/** The library of this name, as the upstream knows it. */
export async function libraryOf(call: Asker, scoped: string): Promise<Library | undefined> {
  return (await libraries(call, scoped, ''))[0]
}

/** The library of this name has functions under names that are not the tenant's. */
export async function isForeign(call: Asker, scoped: string): Promise<boolean> {
  const { functions = [] } = (await libraryOf(call, scoped)) ?? {}
  const scope = functionScope(call.tenant.name)
  return functions.some((name) => !name.startsWith(scope))
}

/** Asks what changes nothing in the libraries. */
async function ask({ caller, tenant }: Asker, ...args: readonly (Buffer | string)[]): Promise<unknown> {
  try {
    // Sent again, KILL could end another function than the one that was meant.
    return await asOperator(caller, args[0] !== 'KILL', (walls) => walls.callBuffer('FUNCTION', ...args))
  } catch (error) {
    if (!isReply(error)) throw error
    const text = error.message.replaceAll(functionScope(tenant.name), '')
    throw new Refused(Buffer.from(`-${text}\r\n`))
  }
}

/** What runs, in the reply to STATS. */
function runningOf(found: Pairs): Pairs | undefined {
  const running = found.get('running_script')
  return running === null || running === undefined ? undefined : pairsOf(running)
}

type Pairs = ReadonlyMap<string, unknown>

/** A map, as RESP2 has it. */
function pairsOf(value: unknown): Pairs {
  const items = itemsOf(value)
  const pairs = new Map<string, unknown>()
  for (let i = 0; i + 1 < items.length; i += 2) pairs.set(textOf(items[i]), items[i + 1])
  return pairs
}

function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** One character per byte. */
function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value)
}

function unscoped(value: unknown, scope: string): Buffer {
  return Buffer.from(textOf(value).slice(scope.length), 'latin1')
}

function write(reply: ReplyWriter, value: unknown): void {
  if (Buffer.isBuffer(value)) reply.bulk(value)
  else if (typeof value === 'number') reply.integer(value)
  else if (Array.isArray(value)) {
    reply.array(value.length)
    for (const item of value) write(reply, item)
  } else reply.null()
}

const LIBRARIES = 'libraries_count'
const FUNCTIONS = 'functions_count'
const NOT_BUSY = Buffer.from('-NOTBUSY No scripts in execution right now.\r\n')
const NONE = Buffer.alloc(0)
