import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Listener } from '../../../src/client/listener.ts'
import { RawClient } from '../../helpers/raw-client.ts'

const dir = mkdtempSync(join(tmpdir(), 'keyward-listener-'))
afterAll(() => rmSync(dir, { recursive: true }))

const at = (name: string, mode: number | undefined) => {
  const address = { path: join(dir, name), mode }
  return new Listener({ address, tls: undefined, tenant: 'acme', login: 'optional' }, (socket) => {
    // Who only looks whether somebody is there does not stay for the greeting.
    socket.on('error', () => undefined)
    socket.end('hello')
  })
}

describe('a unix listener', () => {
  it.each([
    ['as configured', 0o620, 0o620],
    ['by the umask', undefined, 0o750],
  ])('has permissions %s', async (_what, mode, expected) => {
    const before = process.umask(0o027)
    try {
      const listener = at(`mode-${mode}`, mode)
      await listener.listen()
      expect(statSync(join(dir, `mode-${mode}`)).mode & 0o777).toBe(expected)
      expect(process.umask()).toBe(0o027)
      const client = await RawClient.connect({ path: join(dir, `mode-${mode}`) })
      expect((await client.closed()).toString()).toBe('hello')
      listener.close()
    } finally {
      process.umask(before)
    }
  })

  it('leaves a socket alone on which somebody answers', async () => {
    const first = at('taken', 0o600)
    await first.listen()
    await expect(at('taken', 0o600).listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    const client = await RawClient.connect({ path: join(dir, 'taken') })
    expect((await client.closed()).toString()).toBe('hello')
    first.close()
  })
})
