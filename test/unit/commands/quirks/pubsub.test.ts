import { expect, test } from 'vitest'
import { quirks } from '../../../../src/commands/quirks/pubsub.ts'
import type { LocalCall } from '../../../../src/commands/spec.ts'
import { ReplyWriter } from '../../../../src/resp/reply-writer.ts'
import { argsOf } from '../../../helpers/arg-view.ts'
import { FakeServer, tenant } from '../../../helpers/local-client.ts'

/** What goes upstream, or what is answered. */
function forwarded(prefix: string, ...words: string[]): string {
  const reply = new ReplyWriter(2)
  const args = argsOf(...words)
  const session = { tenant: tenant('acme', { prefix, databases: prefix === '' ? undefined : 4 }) }
  const call = { session, args, reply, server: new FakeServer() } as unknown as LocalCall
  const sent = quirks[`pubsub|${words[1].toLowerCase()}`].forward?.(call)
  return sent === undefined ? reply.take().toString() : sent.map(String).join(' ')
}

test('lists and counts are of the tenant’s channels, whatever the database', () => {
  expect(forwarded('acme:', 'PUBSUB', 'CHANNELS')).toBe('PUBSUB CHANNELS acme:*')
  expect(forwarded('acme:', 'PUBSUB', 'channels', 'n*')).toBe('PUBSUB channels acme:n*')
  expect(forwarded('acme:', 'PUBSUB', 'SHARDCHANNELS', '[a]')).toBe('PUBSUB SHARDCHANNELS acme:[a]')
  expect(forwarded('acme:', 'PUBSUB', 'CHANNELS', 'a', 'b')).toBe('PUBSUB CHANNELS acme:a b')
  expect(forwarded('acme:', 'PUBSUB', 'NUMSUB')).toBe('PUBSUB NUMSUB')
  expect(forwarded('acme:', 'PUBSUB', 'NUMSUB', 'a', '')).toBe('PUBSUB NUMSUB acme:a acme:')
  expect(forwarded('acme:', 'PUBSUB', 'SHARDNUMSUB', 'a')).toBe('PUBSUB SHARDNUMSUB acme:a')
  expect(forwarded('acme:', 'PUBSUB', 'NUMPAT')).toBe(':2\r\n')
})

test('who has no prefix asks for everything', () => {
  for (const line of ['PUBSUB CHANNELS', 'PUBSUB CHANNELS n*', 'PUBSUB NUMSUB a b', 'PUBSUB NUMPAT']) {
    expect(forwarded('', ...line.split(' '))).toBe(line)
  }
})

test('an error of the upstream that names its user or the raw channel is told without them', () => {
  const { instead } = quirks.publish
  const said = instead?.("NOPERM User service has no permissions to access the 'acme:x' channel")?.toString()
  expect(said).toBe('-NOPERM this user has no permissions to access one of the channels used as arguments\r\n')
  expect(instead?.('ERR something else')).toBeUndefined()
})
