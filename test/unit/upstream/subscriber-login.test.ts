import { beforeEach, expect, test } from 'vitest'
import type { UpstreamOptions } from '../../../src/upstream/options.ts'
import { SubscriberLogin } from '../../../src/upstream/subscriber-login.ts'

let login: SubscriberLogin

beforeEach(() => {
  login = new SubscriberLogin({} as UpstreamOptions)
  login.begin()
})

const say = (text: string) => login.reply(text.charCodeAt(0), Buffer.from(text))

test.each(['BUSY Redis is busy', 'LOADING Redis is loading'])('a server that says %s is dialled again', (error) => {
  say('+OK\r\n')
  say('+OK\r\n')
  expect(() => say(`-${error}\r\n`)).toThrow(error)
})

test('what the user may not do is done without', () => {
  for (let i = 0; i < 4; i++) expect(say('-NOPERM this user may not\r\n')).toBeUndefined()
  expect(say('-NOPERM this user may not\r\n')).toBe('ready')
  expect(login.facts).toEqual({ runId: '', events: undefined, outputLimit: undefined })
})
