import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { load } from '../../../src/client/jobs/function.ts'
import type { JobCall } from '../../../src/client/jobs/job.ts'
import { UncheckedLibraries } from '../../../src/client/jobs/unchecked-libraries.ts'
import { ReplyWriter } from '../../../src/resp/reply-writer.ts'

/**
 * What becomes of a library that has registered functions under names that are not its tenant's. No real server lets it come to
 * that, so this one does as it is told.
 */

const FOREIGN = 'keyward_beta__evil'
const OWN = 'keyward_acme__f'

class Server {
  readonly asked: string[] = []
  /** What its one library registers; undefined: there is none. */
  functions: string[] | undefined = undefined
  /** Of LOAD. */
  registers = FOREIGN
  /** The next calls fail so. */
  readonly failures: (Error | undefined)[] = []
  readonly warnings: string[] = []
  readonly errors: string[] = []
  ended = false
  readonly unchecked = new UncheckedLibraries({ info: () => {}, warn: (_, text) => this.warnings.push(text) })

  private readonly answer = async (_: string, ...args: (Buffer | string)[]) => {
    const sub = String(args[0])
    this.asked.push(args.slice(0, sub === 'LOAD' ? -1 : undefined).join(' '))
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    if (sub === 'LOAD') this.functions = [this.registers]
    if (sub === 'DELETE') this.functions = undefined
    if (sub !== 'LIST') return 'OK'
    if (this.functions === undefined) return []
    const functions = this.functions.map((name) => ['name', Buffer.from(name)].map((each) => Buffer.from(each)))
    return [[Buffer.from('library_name'), Buffer.from('keyward_acme__lib'), Buffer.from('functions'), functions]]
  }

  call(...options: string[]): Promise<string> {
    const walls = { call: this.answer, callBuffer: this.answer, callPatiently: this.answer }
    const server = this
    const node = {
      name: 'main',
      walls,
      facts: { info: new Map() },
      get ended() {
        return server.ended
      },
    }
    const reply = new ReplyWriter(2)
    const call = {
      args: ['FUNCTION', 'LOAD', ...options, '#!lua name=lib\n'].map((arg) => Buffer.from(arg)),
      caller: { node },
      client: { stats: { error: (code: string) => this.errors.push(code) } },
      env: { scripting: { limits: { largest: 1000 } }, unchecked: this.unchecked },
      reply,
      tenant: { name: 'acme', prefix: 'acme:' },
    }
    return load(call as unknown as JobCall).then(
      () => String(reply.take()),
      (error: Error) => error.message,
    )
  }
}

const lost = () => new Error('no reply within 1000 ms')
const said = (text: string) => Object.assign(new Error(text), { name: 'ReplyError' })

describe('a library with names of another tenant', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is deleted at once', async () => {
    const server = new Server()
    expect(await server.call()).toMatch(/^-ERR Error registering functions/)
    expect(server.asked).toEqual(['LOAD', 'LIST LIBRARYNAME keyward_acme__lib WITHCODE', 'DELETE keyward_acme__lib'])
    expect(server.errors).toEqual(['FUNCTIONNAME'])
  })

  it('is taken back for the one that was there before', async () => {
    const server = new Server()
    server.functions = [OWN]
    expect(await server.call('REPLACE')).toMatch(/^-ERR Error registering functions/)
    const look = 'LIST LIBRARYNAME keyward_acme__lib WITHCODE'
    expect(server.asked).toEqual([look, 'LOAD REPLACE', look, 'LOAD REPLACE'])
  })

  it.each([
    ['nobody knows whether it was loaded', [lost()], 'OUTCOMEUNKNOWN'],
    ['the look at it is lost', [undefined, lost()], 'OUTCOMEUNKNOWN'],
    ['the look at it finds the server busy', [undefined, said('BUSY Redis is busy')], 'OUTCOMEUNKNOWN'],
    ['it cannot be deleted', [undefined, undefined, lost()], 'OUTCOMEUNKNOWN'],
  ])('is deleted once the server answers, when %s', async (_, failures, told) => {
    const server = new Server()
    server.failures.push(...failures, lost(), said('BUSY'), lost())
    server.functions = [FOREIGN]
    expect(await server.call()).toBe(told)
    await vi.advanceTimersByTimeAsync(350)
    expect(server.functions).toEqual([FOREIGN])
    await vi.advanceTimersByTimeAsync(100)
    expect(server.functions).toBeUndefined()
    expect(server.warnings).toHaveLength(1)
    // What was sent on the lost connection is executed late.
    server.functions = [FOREIGN]
    await vi.advanceTimersByTimeAsync(1000)
    expect(server.functions).toBeUndefined()
    const asked = server.asked.length
    await vi.advanceTimersByTimeAsync(10_000)
    expect(server.asked.length).toBe(asked)
  })

  it('is no reason to delete one that has none', async () => {
    const server = new Server()
    server.registers = OWN
    expect(await server.call()).toBe('$3\r\nlib\r\n')
    server.failures.push(undefined, lost())
    expect(await server.call()).toBe('OUTCOMEUNKNOWN')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(server.asked.some((each) => each.startsWith('DELETE'))).toBe(false)
    expect(server.asked.filter((each) => each.startsWith('LIST'))).toHaveLength(4)
  })

  it('is told as not loaded when what was there before cannot be asked for', async () => {
    const server = new Server()
    server.failures.push(lost())
    expect(await server.call('REPLACE')).toBe('UPSTREAMDOWN')
    expect(server.asked).toHaveLength(1)
  })

  it('is not looked for when the server has refused it', async () => {
    const server = new Server()
    server.failures.push(said('ERR Error compiling function'))
    expect(await server.call()).toBe('-ERR Error compiling function')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(server.asked).toEqual(['LOAD'])
  })

  it('does not come while too many wait for their look, and nobody waits for an upstream that is no more', async () => {
    const server = new Server()
    const asker = { caller: { node: { name: 'main', ended: true } }, tenant: { name: 'acme' } } as unknown as JobCall
    for (let n = 0; n < 100; n++) {
      server.unchecked.add({ ...asker, caller: { node: { name: `${n}` } } } as unknown as JobCall, 'x')
    }
    expect(await server.call()).toBe('UPSTREAMDOWN')
    expect(server.asked).toEqual([])
    const other = new Server()
    other.failures.push(lost())
    expect(await other.call()).toBe('OUTCOMEUNKNOWN')
    other.ended = true
    await vi.advanceTimersByTimeAsync(5_000)
    expect(other.asked.length).toBeLessThanOrEqual(2)
  })
})
